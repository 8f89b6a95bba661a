"""Contracts and values survive being written and read; wrong documents are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tabular.contract.descriptor import parse_contract, read_contract
from tabular.contract.jsonable import from_document, to_document
from tabular.errors import InvalidContract
from tabular.model import Constraints, Contract, Field
from tabular.values.canonical import canonical, physical
from tabular.values.cells import cast
from tabular.values.dates import Duration, YearMonth
from tabular.writing.output_formats import FORMATS
from tests.effort import examples
from tests.property.fields_and_texts import CONSTRAINED, VARIANTS

ORDERED = ("number", "integer", "date", "datetime", "time", "year", "yearmonth", "duration")
DECIMALS = st.decimals(min_value=-(10**300), max_value=10**300, allow_nan=False)
COORDINATES = st.tuples(st.decimals(-180, 180, places=6), st.decimals(-90, 90, places=6))
TIMES = st.times(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-5, minutes=-30))]))
DATETIMES = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=14))]))
JSON_NUMBERS = st.one_of(st.integers(), st.decimals(-(10**9), 10**9, places=3))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), JSON_NUMBERS, st.text(max_size=3)),
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(st.text(max_size=3), values, max_size=3)
    ),
    max_leaves=6,
)
DURATIONS = st.builds(
    lambda sign, months, seconds: Duration(sign * months, sign * seconds),
    st.sampled_from([1, -1]),
    st.integers(0, 10**6),
    st.decimals(0, 10**9, places=7),
)
VALUES: list[tuple[dict[str, Any], st.SearchStrategy[Any]]] = [
    ({"type": "string"}, st.text()),
    ({"type": "any"}, st.text()),
    ({"type": "number"}, st.one_of(DECIMALS, st.just(Decimal("-Infinity")))),
    ({"type": "number", "decimalChar": ",", "groupChar": "."}, DECIMALS),
    ({"type": "integer"}, st.one_of(st.integers(), st.just(Decimal("9" * 5000)))),
    ({"type": "integer", "bareNumber": False, "groupChar": ","}, st.integers()),
    ({"type": "boolean", "trueValues": ["yes", "y"], "falseValues": ["no"]}, st.booleans()),
    ({"type": "date"}, st.dates()),
    ({"type": "date", "format": "any"}, st.dates()),
    ({"type": "date", "format": "%d/%m/%Y"}, st.dates()),
    ({"type": "date", "format": "%d %B %y"}, st.dates(date(1970, 1, 1), date(2060, 1, 1))),
    ({"type": "datetime"}, DATETIMES),
    ({"type": "datetime", "format": "any"}, DATETIMES),
    ({"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S.%f %Z"}, st.datetimes()),
    ({"type": "time"}, TIMES),
    ({"type": "time", "format": "any"}, TIMES),
    ({"type": "time", "format": "%I.%M.%S.%f %p"}, st.times()),
    ({"type": "year"}, st.integers(-9999, 999_999_999).filter(bool)),
    ({"type": "yearmonth"}, st.builds(YearMonth, st.integers(1, 99_999), st.integers(1, 12))),
    ({"type": "duration"}, DURATIONS),
    ({"type": "object"}, st.dictionaries(st.text(max_size=3), JSON, max_size=3)),
    ({"type": "array"}, st.lists(JSON, max_size=3)),
    ({"type": "list", "itemType": "number"}, st.lists(DECIMALS, min_size=1)),
    ({"type": "list", "itemType": "datetime"}, st.lists(DATETIMES, min_size=1)),
    ({"type": "list", "delimiter": "; "}, st.lists(st.text("abc ,"), min_size=1)),
    ({"type": "geopoint"}, COORDINATES),
    ({"type": "geopoint", "format": "array"}, COORDINATES),
    ({"type": "geopoint", "format": "object"}, COORDINATES),
]


def field_of(properties: dict[str, Any]) -> Field:
    return parse_contract({"fields": [{"name": "a", **properties}]}).fields[0]


@pytest.mark.parametrize(("properties", "values"), VALUES, ids=str)
@examples(4)
@given(data=st.data())
def test_a_value_that_is_written_as_a_cell_reads_back_the_same(
    properties: dict[str, Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    field = field_of(properties)
    value = data.draw(values)

    again = cast(field, physical(field, value))

    assert canonical(again) == canonical(value)
    assert type(again) is type(value) or isinstance(again, int)


@pytest.mark.parametrize(("properties", "values"), VALUES, ids=str)
@examples(3)
@given(data=st.data())
def test_a_contract_with_any_constraint_values_is_the_same_after_writing_and_reading(
    properties: dict[str, Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    field = field_of(properties)
    value = data.draw(values)
    bound = {"minimum": value} if field.type in ORDERED else {}
    constraints = Constraints(enum=(value,), **bound)
    contract = Contract(fields=(replace(field, constraints=constraints),))

    assert from_document(Contract, json.loads(json.dumps(to_document(contract)))) == contract


@examples(10)
@given(
    fields=st.lists(st.sampled_from([*VARIANTS, *CONSTRAINED]), min_size=1, max_size=4),
    match=st.sampled_from(["exact", "equal", "subset", "superset", "partial"]),
    missing=st.lists(st.text(max_size=3), max_size=3, unique=True),
    encoding=st.sampled_from([None, "utf-8", "latin-1", "shift_jis"]),
    delimiter=st.sampled_from([None, ";", "\t", "|"]),
)
def test_a_parsed_contract_is_the_same_after_writing_and_reading(
    fields: list[dict[str, Any]],
    match: str,
    missing: list[str],
    encoding: str | None,
    delimiter: str | None,
) -> None:
    named = [{"name": f"f{index}", **properties} for index, properties in enumerate(fields)]
    contract = parse_contract(
        {
            "encoding": encoding,
            "dialect": None if delimiter is None else {"delimiter": delimiter},
            "schema": {
                "fields": named,
                "fieldsMatch": match,
                "missingValues": missing,
                "primaryKey": ["f0"],
            },
        }
    )

    assert from_document(Contract, json.loads(json.dumps(to_document(contract)))) == contract


WORDS = st.sampled_from(
    [
        *("schema", "fields", "dialect", "encoding", "pipeline", "name", "type", "format"),
        *("constraints", "enum", "minimum", "maximum", "pattern", "minLength", "required"),
        *("missingValues", "primaryKey", "uniqueKeys", "fieldsMatch", "categories", "value"),
        *("trueValues", "decimalChar", "groupChar", "itemType", "delimiter", "quoteChar"),
        *("headerRows", "lineTerminator", "nullSequence", "csv", "maxRejectPercent"),
        *("maxRejectCount", "extraColumns", "outputName", "outputFormat", "profile", "$schema"),
        *("outputNames", "original", "record", "flat", "versions", "all"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, float("nan"), float("inf"), 1e300, 10**30]),
    WORDS,
    st.sampled_from(["", "a", "integer", "number", "string", "list", "date", "%Y", "%Q", "[", ","]),
    st.text(max_size=3),
)


ANYTHING = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(WORDS, values, max_size=5)
    ),
    max_leaves=15,
)
FIELDS = st.lists(
    st.dictionaries(WORDS, ANYTHING, max_size=5).map(lambda own: {"name": "a"} | own),
    max_size=3,
)


@examples(48)
@given(
    document=st.one_of(
        ANYTHING,
        st.builds(
            lambda own, fields: own | {"fields": fields},
            st.dictionaries(WORDS, ANYTHING, max_size=4),
            FIELDS,
        ),
        st.builds(
            lambda own, fields: own | {"schema": {"fields": fields}},
            st.dictionaries(WORDS, ANYTHING, max_size=4),
            FIELDS,
        ),
    )
)
def test_any_document_is_a_contract_or_is_refused_with_its_problems(document: Any) -> None:
    try:
        contract = parse_contract(document, output_formats=FORMATS)
    except InvalidContract as error:
        problems = error.problems
    else:
        problems = (("none", ""),)
        assert from_document(Contract, to_document(contract)) == contract

    assert problems


@examples(16)
@given(data=st.one_of(st.binary(max_size=60), st.text('{}[]":,fields1e9 ').map(str.encode)))
def test_any_bytes_are_refused_with_their_problems(data: bytes) -> None:
    assume(data.strip() != b"{}")  # the rules without a contract, on purpose
    with pytest.raises(InvalidContract, match=": "):
        read_contract(data, output_formats=FORMATS)
