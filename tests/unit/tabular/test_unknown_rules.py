"""Fields with rules that the fast path doesn't know are read cell by cell."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import pytest

from tabular.model import Constraints, Field
from tabular.values import cells
from tabular.values.columns import ColumnReader
from tabular.values.fast_valid import is_known

TEXTS = pl.Series(["7", "+7", "10", "", "7", "7", "7", "7"])


@dataclasses.dataclass(frozen=True)
class MoreConstraints(Constraints):
    multiple_of: int | None = None


@dataclasses.dataclass(frozen=True)
class MoreField(Field):
    only_even: bool = False


@pytest.fixture
def _new_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that are known to `cells` and to nothing else."""
    checks = cells._checks

    def with_new(field: Field) -> Any:
        found = checks(field)
        multiple = getattr(field.constraints, "multiple_of", None)
        if multiple is not None:
            found.append((lambda value: value % multiple == 0, "multipleOf", "a multiple"))
        if getattr(field, "only_even", False):
            found.append((lambda value: value % 2 == 0, "onlyEven", "only even"))
        return found

    monkeypatch.setattr(cells, "_checks", with_new)


@pytest.mark.usefixtures("_new_rules")
@pytest.mark.parametrize(
    "field",
    [
        Field("f", "f", "integer", constraints=MoreConstraints(multiple_of=5)),
        Field("f", "f", "integer", constraints=MoreConstraints(minimum=100, multiple_of=5)),
        MoreField("f", "f", "integer", only_even=True),
    ],
    ids=["constraint", "constraints", "property"],
)
@pytest.mark.parametrize("texts", [TEXTS, pl.concat([TEXTS] * 20)], ids=["cells", "counted"])
def test_a_rule_that_only_cells_know_applies_to_columns(field: Field, texts: pl.Series) -> None:
    read = cells.reader(field)
    expected = {place: read(text).faults for place, text in enumerate(texts) if read(text).faults}
    found = ColumnReader(field).read(texts.clone()).faults
    assert expected
    assert found is not None
    assert found.to_dict() == expected


def test_every_property_of_a_field_is_known() -> None:
    """One that is missing makes every column slow: see `_KNOWN_PROPERTIES`."""
    assert ColumnReader(Field("f", "f", "integer"))._is_known


@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(Constraints)])
def test_every_constraint_is_known_or_read_cell_by_cell(name: str) -> None:
    """A constraint in force never leaves a column's rules as they are without it."""
    values: dict[str, Any] = {"pattern": "a", "enum": ("a",), "required": True, "unique": True}
    rules = Constraints(**{name: values.get(name, 1)})
    for kind in ("string", "integer"):
        with_it = ColumnReader(Field("f", "f", kind, constraints=rules))
        without = ColumnReader(Field("f", "f", kind))
        if name != "unique":  # which can't be decided for a single cell
            assert str(with_it._rules) != str(without._rules)


def test_a_length_of_zero_is_a_limit() -> None:
    field = Field("f", "f", "string", missing_values=(), constraints=Constraints(max_length=0))
    found = ColumnReader(field).read(pl.Series(["", "a"])).faults
    assert found is not None
    assert found.places.to_list() == [1]


def test_every_property_that_fields_have_is_known() -> None:
    assert is_known(Field("a", "a")), "no field takes the fast path: see _KNOWN_PROPERTIES"
