"""Where a dataset's contract is: among the input bucket's `contracts/`, whatever its case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from unicodedata import normalize

from shared import keys, storage


def present_contracts(input_bucket: str, dataset: str) -> list[str]:
    """The keys of the dataset's contracts: one or none, several where they differ only in case."""
    return contracts_among(
        dataset, lambda prefix: [one.key for one in storage.list_objects(input_bucket, prefix)]
    )


def deleted_contracts(input_bucket: str, dataset: str) -> list[str]:
    """The keys of contracts that the dataset had and that were deleted."""
    return contracts_among(dataset, lambda prefix: storage.list_deleted(input_bucket, prefix))


def contracts_among(dataset: str, keys_under: Callable[[str], Iterable[str]]) -> list[str]:
    """The keys of the dataset's contracts; `keys_under` lists the keys that have a prefix."""
    wanted = _folded(keys.contract_key(dataset))
    found = [key for prefix in _prefixes(dataset) for key in keys_under(prefix)]
    return sorted({key for key in found if _folded(key) == wanted})


def _folded(key: str) -> str:
    """A key without what people don't see or don't mean: case, and how accents are composed."""
    return normalize("NFC", normalize("NFC", key).casefold())


def _prefixes(dataset: str) -> set[str]:
    """The beginnings that the contract's key can have: S3 knows prefixes, but no other case.

    One character is enough to leave out nearly all other datasets' contracts.
    """
    forms = [normalize(form, dataset) for form in ("NFC", "NFD")]
    cases = [case for form in forms for case in (form, form.lower(), form.upper())]
    return {f"{keys.CONTRACTS_PREFIX}{case[0]}" for case in cases}
