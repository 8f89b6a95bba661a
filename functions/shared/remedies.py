"""The remedy for each error: the registry of error names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

# `redrive`: continue at the failed step after the cause has been removed.
# `start_over`: a changed contract can help, so a redrive reads the contract and the file again.
# `upload`: no rerun of this version of the file can succeed; it must be uploaded again.
Remedy = Literal["redrive", "start_over", "upload"]

# By name, because causes, metadata items and messages have names, not classes. A test compares
# them with the classes in `shared.errors` and `tabular.errors`, in both directions.
REMEDIES: Mapping[str, Remedy] = {
    "ContractMissing": "start_over",
    "EmptyFile": "upload",
    "FileTooLarge": "start_over",
    "HeaderMismatch": "start_over",
    "InternalError": "redrive",
    "InvalidContract": "start_over",
    "InvalidCorrections": "start_over",
    "InvalidDatasetName": "upload",
    "KeyTooLong": "upload",
    "MisalignedSplits": "redrive",
    "MixedParts": "start_over",
    "OutdatedExecution": "start_over",
    "RecordOutdated": "redrive",
    "SettingsError": "redrive",
    "SourceArchived": "redrive",
    "SourceChanged": "upload",
    "SourceEncrypted": "upload",
    "SourceInfected": "upload",
    "SourceKeyDenied": "redrive",
    "SourceNotFound": "redrive",
    "SourceNotScanned": "redrive",
    "TooManyRejects": "start_over",
    "TransientError": "redrive",
    "UnreadableFile": "start_over",
    "UnsupportedEncoding": "start_over",
    "UnsupportedFormat": "upload",
}


def remedy_of(error: str) -> Remedy:
    """The remedy for the error of this name; for AWS's own errors it is `redrive`."""
    return REMEDIES.get(error, "redrive")
