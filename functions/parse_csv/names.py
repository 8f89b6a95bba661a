"""Whether a file's key can be processed at all: the keys made of it must be keys, too."""

from __future__ import annotations

import unicodedata

from shared import keys
from shared.errors import InvalidDatasetName, KeyTooLong
from shared.job import Job

# Control characters, line and paragraph separators: they break logs, mails, and S3's own XML.
_REFUSED_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})
# As a folder of a key they lead elsewhere for whoever copies the outputs to a disk.
_REFUSED_NAMES = frozenset({".", ".."})


def check_dataset(dataset: str) -> None:
    """Raise `InvalidDatasetName` for a folder's name that no object key should hold."""
    if dataset in _REFUSED_NAMES:
        raise InvalidDatasetName(
            f"The dataset's folder is called {dataset!r}, which means another folder wherever its "
            "outputs are copied to a disk. Upload the file to a folder of another name."
        )
    refused = [
        (position, character)
        for position, character in enumerate(dataset, 1)
        if unicodedata.category(character) in _REFUSED_CATEGORIES
    ]
    if refused:
        position, character = refused[0]
        raise InvalidDatasetName(
            f"The name of the dataset's folder has the control character U+{ord(character):04X} "
            f"at position {position} of {len(dataset)}. Upload the file to a folder without it."
        )


def check_keys(job: Job, output_name: str) -> None:
    """Raise `KeyTooLong` where S3 would refuse the key of any object made of the file."""
    dataset = job.source.dataset
    longest = max(
        len(key.encode())
        for key in keys.derived_keys(dataset, job.file_id, output_name, job.source.key)
    )
    excess = longest - keys.MAX_KEY_BYTES
    if excess > 0:
        size = len(dataset.encode())
        raise KeyTooLong(
            f"The name of the dataset's folder has {size} bytes, so keys of the file's outputs "
            f"would have up to {longest:,}; S3 allows {keys.MAX_KEY_BYTES:,}. "
            f"Upload the file to a folder whose name has at most {size - excess} bytes."
        )
