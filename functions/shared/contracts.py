"""Finds a dataset's contract among the input bucket's `contracts/`, ignoring case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from unicodedata import normalize

from shared import keys, storage

# Reading a list of this many keys takes about as long as a second request.
_FEW_CONTRACTS = 100


def present_contracts(input_bucket: str, dataset: str) -> list[str]:
    """The keys of the dataset's contracts: none, one, or several that differ only in case."""
    every = storage.list_few(input_bucket, keys.CONTRACTS_PREFIX, most=_FEW_CONTRACTS)
    if every is not None:
        return sorted(key for key in every if is_contract_of(key, dataset))
    return contracts_among(
        dataset, lambda prefix: [one.key for one in storage.list_objects(input_bucket, prefix)]
    )


def deleted_contracts(input_bucket: str, dataset: str) -> list[str]:
    """The keys of the dataset's contracts that were deleted."""
    return contracts_among(dataset, lambda prefix: storage.list_deleted(input_bucket, prefix))


def contracts_among(dataset: str, keys_under: Callable[[str], Iterable[str]]) -> list[str]:
    """The keys of the dataset's contracts, sorted; `keys_under` lists the keys under a prefix."""
    found = [key for prefix in _prefixes(dataset) for key in keys_under(prefix)]
    return sorted({key for key in found if is_contract_of(key, dataset)})


def is_contract_of(key: str, dataset: str) -> bool:
    """Whether the key is that of a contract of the dataset, ignoring case.

    A dataset is one folder, so its name has no slash.
    """
    return "/" not in dataset and folded(key) == folded(keys.contract_key(dataset))


def folded(key: str) -> str:
    """The key or name without what people overlook: case, and how accents are composed."""
    return normalize("NFC", normalize("NFC", key).casefold())


def _prefixes(dataset: str) -> set[str]:
    """The prefixes to list, because S3 can't list keys regardless of case.

    One character of the dataset's name is enough to skip nearly all contracts of other datasets.
    """
    forms = [normalize(form, dataset) for form in ("NFC", "NFD")]
    cases = [case for form in forms for case in (form, form.lower(), form.upper())]
    return {f"{keys.CONTRACTS_PREFIX}{case[0]}" for case in cases}
