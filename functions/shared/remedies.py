"""What can be done about a failure: the one registry of the errors' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

# `redrive`: continue at the failed step, once the cause is removed.
# `start_over`: a changed contract can help, so a redrive reads contract and file again.
# `upload`: no rerun of this version of the file can succeed; it has to be uploaded again.
Remedy = Literal["redrive", "start_over", "upload"]

# Names, because that is what travels: in causes, metadata items, messages. A test compares
# them with the classes in `shared.errors` and `tabular.errors`, in both directions.
REMEDIES: Mapping[str, Remedy] = {
    "ContractMissing": "start_over",
    "EmptyFile": "upload",
    "FileTooLarge": "start_over",
    "HeaderMismatch": "start_over",
    "InternalError": "redrive",
    "InvalidContract": "start_over",
    "InvalidDatasetName": "upload",
    "KeyTooLong": "upload",
    "MisalignedSplits": "redrive",
    "MixedParts": "start_over",
    "RecordOutdated": "redrive",
    "SettingsError": "redrive",
    "SourceArchived": "redrive",
    "SourceChanged": "upload",
    "SourceEncrypted": "upload",
    "SourceKeyDenied": "redrive",
    "SourceNotFound": "redrive",
    "TooManyRejects": "start_over",
    "TransientError": "redrive",
    "UnreadableFile": "start_over",
    "UnsupportedEncoding": "start_over",
    "UnsupportedFormat": "upload",
}


def remedy_of(error: str) -> Remedy:
    """What helps against the error of this name; AWS's own errors can be redriven."""
    return REMEDIES.get(error, "redrive")
