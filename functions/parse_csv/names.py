"""Checks that a file's key allows valid keys for its outputs."""

from __future__ import annotations

import unicodedata

from shared import keys
from shared.errors import InvalidDatasetName, KeyTooLong
from shared.job import Job

# Control characters, line and paragraph separators: they break logs, e-mails, and S3's own XML.
_REFUSED_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})
# As a folder name these mean a different folder when outputs are copied to a disk.
_REFUSED_NAMES = frozenset({".", ".."})


def check_dataset(dataset: str) -> None:
    """Raise `InvalidDatasetName` if the dataset's name is unsafe in the keys of outputs."""
    if dataset in _REFUSED_NAMES:
        raise InvalidDatasetName(
            f"The dataset's folder is named {dataset!r}, which means a different folder when its "
            "outputs are copied to a disk. Upload the file to a folder with another name."
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


def check_keys(job: Job) -> None:
    """Raise `KeyTooLong` if S3 would refuse the key of an object derived from the file."""
    dataset = job.source.dataset
    made = keys.derived_keys(dataset, job.file_id, job.source.key)
    longest = max(len(key.encode()) for key in made)
    excess = longest - keys.MAX_KEY_BYTES
    if excess > 0:
        size = len(dataset.encode())
        raise KeyTooLong(
            f"The name of the dataset's folder has {size} bytes, so keys of the file's outputs "
            f"would have up to {longest:,}; S3 allows {keys.MAX_KEY_BYTES:,}. "
            f"Upload the file to a folder whose name has at most {size - excess} bytes.",
            bytes=longest,
            limit_bytes=keys.MAX_KEY_BYTES,
        )
