"""The contract that a dataset's files are held to."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shared import keys, storage
from tabular.contract import Contract
from tabular.descriptor import parse_contract
from tabular.errors import InvalidContract


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
        document = json.loads(body)
    except ValueError:
        raise InvalidContract(f"The contract {key} is not JSON in UTF-8.") from None
    try:
        return DatasetContract(parse_contract(document), key, version)
    except InvalidContract as error:
        raise InvalidContract(f"The contract {key} is wrong. {error}") from None
