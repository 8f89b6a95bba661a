"""The contract that a dataset's files are held to."""

from __future__ import annotations

from dataclasses import dataclass

from shared import keys, storage
from tabular.contract import descriptor
from tabular.errors import InvalidContract
from tabular.model import Contract


@dataclass(frozen=True)
class DatasetContract:
    """A dataset's contract with the object and version that it was read from; None without one."""

    terms: Contract | None
    key: str | None
    version: str | None


def read_contract(input_bucket: str, dataset: str) -> DatasetContract:
    """Read the dataset's contract; raises InvalidContract, naming the object, where it is wrong."""
    key = keys.contract_key(dataset)
    stored = storage.read_optional(input_bucket, key)
    if stored is None:
        return DatasetContract(None, None, None)
    body, version = stored
    try:
        return DatasetContract(descriptor.read_contract(body), key, version)
    except InvalidContract as error:
        raise InvalidContract(f"The contract {key} is wrong. {error}") from None
