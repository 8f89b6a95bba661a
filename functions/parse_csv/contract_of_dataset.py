"""Reads the contract of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from shared import keys, storage
from shared.contracts import deleted_contracts, present_contracts
from shared.errors import ContractMissing
from tabular.contract import descriptor
from tabular.errors import InvalidContract
from tabular.model import Contract
from tabular.writing.output_formats import FORMATS


@dataclass(frozen=True)
class DatasetContract:
    """A dataset's contract and the object version that it was read from, or three Nones."""

    terms: Contract | None
    key: str | None
    version: str | None


def read_contract(input_bucket: str, dataset: str, *, required: bool) -> DatasetContract:
    """Read the dataset's contract; `required` says whether a dataset must have one.

    Raises `InvalidContract`, with the object's key, if the contract is invalid or there are
    several. Raises `ContractMissing` if it was deleted, or if there is none and one is required, so
    that validation is never switched off by accident.
    """
    present = present_contracts(input_bucket, dataset)
    if len(present) > 1:
        raise InvalidContract(
            f"The dataset {dataset} has several contracts, whose names differ only in case: "
            f"{', '.join(present)}. Delete all except one, then rerun the file."
        )
    if not present:
        _check_absence(input_bucket, dataset, required=required)
        return DatasetContract(None, None, None)
    [key] = present
    stored = storage.read_optional(input_bucket, key)
    if stored is None:
        raise _deleted([key], dataset)
    body, version = stored
    try:
        return DatasetContract(_terms(body), key, version)
    except InvalidContract as error:
        raise InvalidContract(f"The contract {key} is invalid. {error}") from None


# Larger ones are not kept: in memory, a contract takes a multiple of its bytes.
_KEPT_BYTES = 64 * 1024


def _terms(body: bytes) -> Contract:
    return _kept_terms(body) if len(body) <= _KEPT_BYTES else _read_terms(body)


def _read_terms(body: bytes) -> Contract:
    return descriptor.read_contract(body, output_formats=FORMATS)


# Of the datasets whose files come one after the other.
_kept_terms = lru_cache(maxsize=8)(_read_terms)


def _check_absence(input_bucket: str, dataset: str, *, required: bool) -> None:
    """Raise `ContractMissing` unless the dataset has no contract on purpose."""
    deleted = deleted_contracts(input_bucket, dataset)
    if deleted:
        raise _deleted(deleted, dataset)
    if required:
        raise ContractMissing(
            f"The dataset {dataset} has no contract, and this stack requires one (parameter "
            f"RequireContract). Upload one to {keys.contract_key(dataset)}, then rerun the file. "
            f"{_ON_PURPOSE}"
        )


def _deleted(found: list[str], dataset: str) -> ContractMissing:
    return ContractMissing(
        f"The contract {', '.join(found)} of the dataset {dataset} was deleted. Restore or upload "
        f"it, then rerun the file. {_ON_PURPOSE}"
    )


_ON_PURPOSE = "To process files without validation, upload a contract without a schema: {}."
