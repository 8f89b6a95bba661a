"""Repeated keys, and the rows that had them first, are the ones that a dict finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tabular import uniqueness
from tests.effort import examples
from tests.unit.tabular.engine import contract_of, run

CONTRACT = contract_of({"name": "id", "constraints": {"unique": True}}, missingValues=[])
keys = st.lists(st.integers(0, 300).map(str), min_size=1, max_size=400)


@pytest.fixture(autouse=True)
def _small_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that fills, grows and stays too small, and merging in several ranges of hashes."""
    monkeypatch.setattr(uniqueness, "_FIRST_SLOTS", 8)
    monkeypatch.setattr(uniqueness, "_MOST_SLOTS", 256)
    monkeypatch.setattr(uniqueness, "_MERGED_AT_ONCE", 16)


def repeated(values: list[str]) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    for row, value in enumerate(values, 1):
        if first.setdefault(value, row) != row:
            yield row, f'constraint "unique" is true, and row {first[value]} has the same'


@pytest.mark.parametrize("entries_a_search", [0, 10**9], ids=["searched", "joined"])
@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys, st.sampled_from([1, 30, 300, 8_000_000]))
def test_repeated_keys_are_found_with_the_row_that_had_them_first(
    monkeypatch: pytest.MonkeyPatch, entries_a_search: int, values: list[str], block_bytes: int
) -> None:
    monkeypatch.setattr(uniqueness, "_ENTRIES_A_SEARCH", entries_a_search)
    result = run("\n".join(["id", *values]).encode(), CONTRACT, block_bytes=block_bytes)
    found = [(reject["row"], reject["errors"][0]["message"]) for reject in result.rejects]
    assert found == list(repeated(values))
