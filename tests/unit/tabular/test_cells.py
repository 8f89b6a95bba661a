"""The values of cells by type and format: accepted texts with their JSON, and refused texts."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Self

import pytest

from tabular.contract.descriptor import read_contract
from tabular.faults import SHOWN_CHARACTERS, Fault
from tabular.model import Constraints, Field
from tabular.values import dates
from tabular.values.canonical import canonical
from tabular.values.cells import Cell, cast, read_cell, reader
from tabular.values.dates import Duration, YearMonth


def field(kind: str, **properties: Any) -> Field:
    return Field(name="Column", output_name="column", type=kind, **properties)


ACCEPTED: list[tuple[Field, str, Any, str]] = [
    (field("string"), "", None, "null"),
    (field("string"), " a ", " a ", '" a "'),
    (field("string"), 'say "hi"\n', 'say "hi"\n', '"say \\"hi\\"\\n"'),
    (field("string"), "Zürich 東京", "Zürich 東京", '"Zürich 東京"'),
    (field("string"), "\x01", "\x01", '"\\u0001"'),
    (field("any"), "007", "007", '"007"'),
    (field("number"), "100.50", Decimal("100.50"), "100.50"),
    (
        field("number"),
        "0.1000000000000000000001",
        Decimal("0.1000000000000000000001"),
        "0.1000000000000000000001",
    ),
    (field("number"), "+5", Decimal(5), "5"),
    (field("number"), "007", Decimal(7), "7"),
    (field("number"), "-00.50", Decimal("-0.5"), "-0.50"),
    (field("number"), ".5", Decimal("0.5"), "0.5"),
    (field("number"), "5.", Decimal(5), "5"),
    (field("number"), " 5\t", Decimal(5), "5"),
    (field("number"), "1.5E+3", Decimal(1500), "1.5E+3"),
    (field("number"), "1e-400", Decimal("1e-400"), "1e-400"),
    (field("number"), "inf", Decimal("Infinity"), '"INF"'),
    (field("number"), "-INF", Decimal("-Infinity"), '"-INF"'),
    (field("number", group_char=","), "1,234,567.89", Decimal("1234567.89"), "1234567.89"),
    (field("number", group_char=","), "12,34,567", Decimal(1234567), "1234567"),
    (field("number", group_char=","), "1234567", Decimal(1234567), "1234567"),
    (field("number", decimal_char=",", group_char="."), "1.234,50", Decimal("1234.5"), "1234.50"),
    (field("number", decimal_char=","), "0,5", Decimal("0.5"), "0.5"),
    (field("number", group_char=" "), "1 234", Decimal(1234), "1234"),
    (field("number", bare_number=False), "95%", Decimal(95), "95"),
    (field("number", bare_number=False), "€ 1.50", Decimal("1.5"), "1.50"),
    (field("number", bare_number=False), "$.50", Decimal("0.5"), "0.50"),
    (field("number", bare_number=False), "-€5", Decimal(-5), "-5"),
    (field("number", bare_number=False), "EUR -5", Decimal(-5), "-5"),
    (
        field("number", bare_number=False, group_char=","),
        "$1,234.50 net",
        Decimal("1234.5"),
        "1234.50",
    ),
    (field("integer"), "42", 42, "42"),
    (field("integer"), "+007", 7, "7"),
    (field("integer"), "-0", 0, "0"),
    (field("integer"), "9" * 30, 10**30 - 1, "9" * 30),
    (field("integer", group_char=","), "1,234", 1234, "1234"),
    (field("integer", bare_number=False), "12 pieces", 12, "12"),
    (field("boolean"), "True", True, "true"),
    (field("boolean"), "0", False, "false"),
    (field("boolean", true_values=("yes",), false_values=("no",)), "no", False, "false"),
    (field("date"), "2024-02-29", date(2024, 2, 29), '"2024-02-29"'),
    (field("date", format="%d/%m/%Y"), "26/01/2024", date(2024, 1, 26), '"2024-01-26"'),
    (field("date", format="%d-%b-%y"), "7-Feb-19", date(2019, 2, 7), '"2019-02-07"'),
    (field("date", format="any"), "26 January 2024", date(2024, 1, 26), '"2024-01-26"'),
    (field("date", format="any"), "Jan 26, 2024", date(2024, 1, 26), '"2024-01-26"'),
    (
        field("datetime"),
        "2024-01-26T15:00:00.300-05:00",
        datetime(2024, 1, 26, 15, microsecond=300000, tzinfo=timezone(-timedelta(hours=5))),
        '"2024-01-26T15:00:00.300-05:00"',
    ),
    (field("datetime"), "2024-01-26T15:00:00", datetime(2024, 1, 26, 15), '"2024-01-26T15:00:00"'),
    (
        field("datetime"),
        "2024-01-26T15:00:00.1234567Z",
        datetime(2024, 1, 26, 15, microsecond=123456, tzinfo=UTC),
        '"2024-01-26T15:00:00.1234567Z"',
    ),
    (
        field("datetime"),
        "2024-12-31T24:00:00Z",
        datetime(2025, 1, 1, tzinfo=UTC),
        '"2025-01-01T00:00:00Z"',
    ),
    (
        field("datetime", format="%d.%m.%Y %H:%M"),
        "26.01.2024 15:30",
        datetime(2024, 1, 26, 15, 30),
        '"2024-01-26T15:30:00"',
    ),
    (
        field("datetime", format="any"),
        "2024-01-26 15:30",
        datetime(2024, 1, 26, 15, 30),
        '"2024-01-26T15:30:00"',
    ),
    (field("time"), "15:00:00", time(15), '"15:00:00"'),
    (field("time"), "24:00:00", time(0), '"00:00:00"'),
    (field("time"), "15:00:00.5Z", time(15, microsecond=500000, tzinfo=UTC), '"15:00:00.5Z"'),
    (field("time", format="%I:%M %p"), "3:05 PM", time(15, 5), '"15:05:00"'),
    (field("time", format="%d.%m. %H:%M"), "31.01. 15:05", time(15, 5), '"15:05:00"'),
    (field("time", format="%j%%Y %H:%M"), "031%Y 15:05", time(15, 5), '"15:05:00"'),
    (field("year"), "2024", 2024, "2024"),
    (field("year"), "-0044", -44, "-44"),
    (field("yearmonth"), "2024-05", YearMonth(2024, 5), '"2024-05"'),
    (
        field("duration"),
        "P1Y2M3DT4H5M6.5S",
        Duration(14, Decimal("273906.5")),
        '"P1Y2M3DT4H5M6.5S"',
    ),
    (field("duration"), "-P2W", Duration(0, Decimal(-1209600)), '"-P2W"'),
    (field("duration"), "PT0S", Duration(0, Decimal(0)), '"PT0S"'),
    (
        field("object"),
        '{"a": 1.10, "b": [ "x  y" ]}',
        {"a": Decimal("1.1"), "b": ["x  y"]},
        '{"a":1.10,"b":["x  y"]}',
    ),
    (field("array"), "[1,\n 2]", [1, 2], "[1,2]"),
    (field("array"), f'["{"[" * 101}"]', ["[" * 101], f'["{"[" * 101}"]'),
    (field("array"), f"[{'[],' * 101}1]", [*[[]] * 101, 1], f"[{'[],' * 101}1]"),
    (field("array"), r'["\ud83d\ude00"]', ["\U0001f600"], r'["\ud83d\ude00"]'),
    (field("list"), "a,b", ["a", "b"], '["a","b"]'),
    (
        field("list", list_delimiter=";", list_item_type="number"),
        "1.50;+2",
        [Decimal("1.5"), Decimal(2)],
        "[1.50,2]",
    ),
    (field("list", list_item_type="date"), "2024-01-26", [date(2024, 1, 26)], '["2024-01-26"]'),
    (field("geopoint"), "90.50, -45", (Decimal("90.5"), Decimal(-45)), "[90.50,-45]"),
    (
        field("geopoint", format="array"),
        "[90.50, 45]",
        (Decimal("90.5"), Decimal(45)),
        "[90.50,45]",
    ),
    (
        field("geopoint", format="object"),
        '{"lon": 1, "lat": 2}',
        (Decimal(1), Decimal(2)),
        '{"lon":1,"lat":2}',
    ),
    (field("integer", missing_values=("-", "n/a")), "n/a", None, "null"),
    (field("string", missing_values=()), "", "", '""'),
    (field("number", trim=True), "  ", None, "null"),
    (field("string", trim=True), "\u00a0x ", "x", '"x"'),
]


@pytest.mark.parametrize(("spec", "text", "value", "json_text"), ACCEPTED)
def test_a_text_of_the_type_is_read_to_its_value_and_json(
    spec: Field, text: str, value: Any, json_text: str
) -> None:
    cell = read_cell(spec, text)

    assert cell == Cell(value, json_text, ())
    assert isinstance(cell.value, type(value))
    json.loads(cell.json)


@pytest.mark.parametrize(
    ("string_format", "text"),
    [
        ("email", "jane.doe+x@example.co.uk"),
        ("email", "jörg@müller.de"),
        ("uri", "https://example.com/a?b=c#d"),
        ("uri", "http://[::1]:80/"),
        ("uri", "mailto:jane@example.com"),
        ("uri", "urn:isbn:0451450523"),
        ("binary", "aGVsbG8="),
        ("uuid", "123e4567-e89b-12d3-A456-426614174000"),
    ],
)
def test_a_text_of_a_string_format_is_not_changed(string_format: str, text: str) -> None:
    assert read_cell(field("string", format=string_format), text) == Cell(text, f'"{text}"', ())


REFUSED: list[tuple[Field, str]] = [
    (field("string", format="email"), "jane@example"),
    (field("string", format="email"), "jane doe@example.com"),
    (field("string", format="email"), "jane@@example.com"),
    (field("string", format="email"), "jane@10.0.0.1"),
    (field("string", format="email"), "jane@example.c"),
    (field("string", format="email"), "jane@-example.com"),
    (field("string", format="email"), "x" * 65 + "@example.com"),
    (field("string", format="uri"), "example.com/a"),
    (field("string", format="uri"), "https://example.com/a b"),
    (field("string", format="uri"), "https://example.com/%zz"),
    (field("string", format="binary"), "aGVsbG8"),
    (field("string", format="binary"), "not base64!"),
    (field("string", format="uuid"), "123e4567e89b12d3a456426614174000"),
    (field("number"), "1,5"),
    (field("number"), "1_000"),
    (field("number"), "--5"),
    (field("number"), "."),
    (field("number"), "1e"),
    (field("number"), "0x10"),
    (field("number"), "٣"),
    (field("number"), "Infinity"),
    (field("number"), "1e400"),
    (field("number"), "1e999999999"),
    (field("number"), "9" * 400),
    (field("number", group_char=","), "1,00"),
    (field("number", group_char=","), "1,2345"),
    (field("number", group_char=","), ",123"),
    (field("number", group_char=","), "0.123,456"),
    (field("number", decimal_char=","), "1.5"),
    (field("number", bare_number=False), "(5)"),
    (field("number", bare_number=False), "5-"),
    (field("number", bare_number=False), "-€-5"),
    (field("number", bare_number=False), "5 and 6"),
    (field("number", bare_number=False), "none"),
    (field("number", bare_number=False), "12٣"),
    (field("integer"), "5.0"),
    (field("integer"), "1e3"),
    (field("integer", bare_number=False), "$.5"),
    (field("boolean"), "TrUe"),
    (field("boolean"), " true"),
    (field("boolean", true_values=("yes",), false_values=("no",)), "true"),
    (field("date"), "2024-1-5"),
    (field("date"), "2023-02-29"),
    (field("date"), "20240105"),
    (field("date"), "2024-W01-1"),
    (field("date", format="%d/%m/%Y"), "2024-01-26"),
    (field("date", format="any"), "01/02/2024"),
    (field("date", format="any"), "20240102"),
    (field("datetime"), "2024-01-26 15:00:00"),
    (field("datetime"), "2024-01-26T15:00"),
    (field("datetime"), "2024-01-26T24:00:01"),
    (field("datetime"), "2024-01-26T15:00:00+15:00"),
    (field("datetime"), "9999-12-31T24:00:00"),
    (field("time"), "15:00"),
    (field("time"), "25:00:00"),
    (field("time"), "15:00:60"),
    (field("year"), "24"),
    (field("year"), "+2024"),
    (field("yearmonth"), "2024-5"),
    (field("yearmonth"), "2024-13"),
    (field("duration"), "P"),
    (field("duration"), "P1DT"),
    (field("duration"), "1D"),
    (field("duration"), "P1.5D"),
    (field("object"), "[1]"),
    (field("object"), '{"a": NaN}'),
    (field("object"), "{'a': 1}"),
    (field("object"), '{"a": 1e400}'),
    (field("object"), '{"a": 1e-99999999999999999999}'),
    (field("array"), "[" * 100_000),
    (field("array"), "[" * 101 + "]" * 101),
    (field("object"), '{"a":' * 101 + "1" + "}" * 101),
    (field("object"), r'{"a": ["\ud83d"]}'),
    (field("object"), r'{"\ude00\ud83d": 1}'),
    (field("list", list_item_type="integer"), "1,,2"),
    (field("geopoint"), "90.50"),
    (field("geopoint"), "190,45"),
    (field("geopoint"), "45,91"),
    (field("geopoint", format="array"), '["90", "45"]'),
    (field("geopoint", format="array"), "[90, 45, 1]"),
    (field("geopoint", format="object"), '{"lon": 1, "lat": 2, "z": 3}'),
    (field("geopoint", format="array"), "[true, 1]"),
]


@pytest.mark.parametrize(("spec", "text"), REFUSED)
def test_a_text_that_is_not_of_the_type_gives_one_type_error(spec: Field, text: str) -> None:
    value, json_text, faults = read_cell(spec, text)

    assert (value, json_text) == (None, "null")
    assert [(fault.field, fault.code) for fault in faults] == [("Column", "type-error")]


def test_nan_is_a_number_that_json_has_as_text() -> None:
    cell = read_cell(field("number"), "NaN")

    assert cell.value.is_nan()
    assert cell.json == '"NaN"'


def test_an_integer_beyond_pythons_limit_is_read_exactly_and_compares_as_one() -> None:
    digits = "9" * (sys.get_int_max_str_digits() + 1)

    cell = read_cell(field("integer", constraints=Constraints(maximum=10)), digits)

    assert cell.json == digits
    assert cell.value == Decimal(digits)
    assert [fault.message for fault in cell.faults] == ['constraint "maximum" is 10']


BROKEN: list[tuple[Field, str, list[str]]] = [
    (field("string", constraints=Constraints(required=True)), "", ['"required" is true']),
    (field("string", constraints=Constraints(min_length=3)), "ab", ['"minLength" is 3']),
    (field("string", constraints=Constraints(max_length=1)), "ab", ['"maxLength" is 1']),
    (field("array", constraints=Constraints(min_length=3)), "[1,2]", ['"minLength" is 3']),
    (field("object", constraints=Constraints(max_length=0)), '{"a":1}', ['"maxLength" is 0']),
    (field("list", constraints=Constraints(max_length=1)), "a,b", ['"maxLength" is 1']),
    (field("integer", constraints=Constraints(minimum=5)), "4", ['"minimum" is 5']),
    (field("integer", constraints=Constraints(maximum=5)), "6", ['"maximum" is 5']),
    (
        field("number", constraints=Constraints(exclusive_minimum=Decimal(5))),
        "5.00",
        ['"exclusiveMinimum" is 5'],
    ),
    (
        field("number", constraints=Constraints(exclusive_maximum=Decimal("5.5"))),
        "5.5",
        ['"exclusiveMaximum" is 5.5'],
    ),
    (field("number", constraints=Constraints(minimum=Decimal(0))), "NaN", ['"minimum" is 0']),
    (field("number", constraints=Constraints(maximum=Decimal(0))), "INF", ['"maximum" is 0']),
    (
        field("date", format="%d/%m/%Y", constraints=Constraints(minimum=date(2024, 1, 2))),
        "01/01/2024",
        ['"minimum" is 02/01/2024'],
    ),
    (
        field("datetime", constraints=Constraints(maximum=datetime(2024, 1, 1, tzinfo=UTC))),
        "2024-01-01T00:30:00",
        ['"maximum" is 2024-01-01T00:00:00+00:00'],
    ),
    (
        field("time", constraints=Constraints(minimum=time(12))),
        "13:00:00+02:00",
        ['"minimum" is 12:00:00'],
    ),
    (
        field("yearmonth", constraints=Constraints(minimum=YearMonth(2024, 5))),
        "2024-04",
        ['"minimum" is 2024-05'],
    ),
    (
        field("duration", constraints=Constraints(minimum=Duration(1, Decimal(0)))),
        "P30D",
        ['"minimum" is P1M'],
    ),
    (
        field("duration", constraints=Constraints(minimum=Duration(0, Decimal("129600.0")))),
        "PT1H",
        ['"minimum" is P1DT12H'],
    ),
    (field("string", constraints=Constraints(pattern="[A-Z]+")), "ABCd", ['"pattern" is [A-Z]+']),
    (field("string", constraints=Constraints(pattern="a|b")), "ab", ['"pattern" is a|b']),
    (field("string", constraints=Constraints(enum=("a", "b"))), "c", ['"enum" is a, b']),
    (
        field("integer", constraints=Constraints(minimum=10, enum=(10, 20))),
        "5",
        ['"minimum" is 10', '"enum" is 10, 20'],
    ),
]


@pytest.mark.parametrize(("spec", "text", "rules"), BROKEN)
def test_every_broken_constraint_is_a_separate_fault(
    spec: Field, text: str, rules: list[str]
) -> None:
    faults = read_cell(spec, text).faults

    assert faults == tuple(
        Fault("Column", "constraint-error", rule.split('"')[1], f"constraint {rule}", text)
        for rule in rules
    )


NEW_YEAR = datetime(2024, 1, 1)

KEPT: list[tuple[Field, str]] = [
    (field("string", constraints=Constraints(required=True)), "x"),
    (field("string", constraints=Constraints(min_length=2, max_length=2)), "zü"),
    (field("string", constraints=Constraints(pattern=r"\p{Lu}\p{Ll}+")), "Österreich"),
    (field("string", constraints=Constraints(pattern="^[a-z]+$")), "abc"),
    (field("string", constraints=Constraints(pattern="[a-z-[aeiou]]+")), "xyz"),
    (field("number", constraints=Constraints(enum=(Decimal("1.50"),))), "1.5"),
    (field("number", constraints=Constraints(enum=(Decimal("NaN"),))), "nan"),
    (field("number", constraints=Constraints(minimum=Decimal(0))), "INF"),
    (field("integer", constraints=Constraints(minimum=5, maximum=5)), "5"),
    (
        field("object", constraints=Constraints(enum=({"a": 1, "b": Decimal(2)},))),
        '{"b":2.0,"a":1}',
    ),
    (field("duration", constraints=Constraints(maximum=Duration(12, Decimal(0)))), "P365D"),
    (field("duration", constraints=Constraints(enum=(Duration(12, Decimal(0)),))), "P1Y"),
    (
        field("datetime", constraints=Constraints(minimum=datetime(2024, 1, 1))),
        "2024-01-01T00:00:00Z",
    ),
]


@pytest.mark.parametrize(("spec", "text"), KEPT)
def test_a_value_that_satisfies_the_constraints_has_no_fault(spec: Field, text: str) -> None:
    assert read_cell(spec, text).faults == ()


def test_missing_values_replace_the_text_before_it_is_cast_or_checked() -> None:
    spec = field("integer", missing_values=("none",), constraints=Constraints(minimum=1))

    assert read_cell(spec, "none") == Cell(None, "null", ())
    assert [fault.code for fault in read_cell(spec, "").faults] == ["type-error"]


def test_a_fault_repeats_only_the_beginning_of_a_long_value() -> None:
    (fault,) = read_cell(field("integer"), "x" * 1_000_000).faults

    assert fault.value == "x" * (SHOWN_CHARACTERS - 1) + "…"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_in_text_get_an_apostrophe_when_asked(start: str) -> None:
    read = reader(field("string"), neutralise_formulas=True)

    assert read(f"{start}1").value == f"'{start}1"
    assert json.loads(read(f"{start}1").json) == f"'{start}1"


def test_neutralising_leaves_other_text_and_all_numbers_alone() -> None:
    assert reader(field("string"), neutralise_formulas=True)("1+1").value == "1+1"
    assert reader(field("number"), neutralise_formulas=True)("-5").json == "-5"
    assert reader(field("any"), neutralise_formulas=True)("-5").json == '"-5"'
    assert reader(field("any"), neutralise_formulas=True)("-x").json == '"\'-x"'


def test_a_formula_is_checked_before_it_is_neutralised() -> None:
    spec = field("string", constraints=Constraints(max_length=2))

    assert reader(spec, neutralise_formulas=True)("=1").faults == ()


def test_digits_beyond_the_microsecond_count_in_bounds_and_in_equality() -> None:
    earlier, later = "2024-01-31T15:00:00.12345671Z", "2024-01-31T15:00:00.1234568Z"
    bound = cast(field("datetime"), later)
    spec = field("datetime", constraints=Constraints(minimum=bound))

    assert [fault.message for fault in read_cell(spec, earlier).faults] == [
        'constraint "minimum" is 2024-01-31T15:00:00.1234568+00:00'
    ]
    assert read_cell(spec, later).faults == ()
    assert canonical(cast(field("datetime"), earlier)) != canonical(bound)
    assert canonical(cast(field("time"), "10:00:00.1234567")) != canonical(
        cast(field("time"), "10:00:00.1234568")
    )
    assert canonical(cast(field("time"), "10:00:00.12345670")) == canonical(
        cast(field("time"), "10:00:00.1234567")
    )


def test_casting_alone_raises_what_was_expected_without_the_value() -> None:
    with pytest.raises(ValueError, match=r"^not a date written as YYYY-MM-DD$"):
        cast(field("date"), "secret")


class DatedStrptime(datetime):
    """Reads as Python 3.15 does: a day of the month without a year is an error."""

    @classmethod
    def strptime(cls, date_string: str, format: str, /) -> Self:  # noqa: A002
        assert "%d" not in format or "%Y" in format
        return super().strptime(date_string, format)


def test_a_day_of_the_month_without_a_year_is_read_by_every_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dates, "datetime", DatedStrptime)
    read = field("time", format="%d.%m. %H:%M")
    assert read_cell(read, "31.01. 15:05") == Cell(time(15, 5), '"15:05:00"', ())
    assert read_cell(read, "29.02. 15:05").faults
    table_schema = {"fields": [{"name": "at", "type": "time", "format": "%d.%m. %H:%M"}]}
    assert (
        read_contract(json.dumps(table_schema).encode(), output_formats=()).fields[0].format
        == "%d.%m. %H:%M"
    )


@pytest.mark.parametrize(
    ("pattern", "named"),
    [("%d %Y", True), ("%y", True), ("%c", True), ("%d", False), ("%%Y", False)],
)
def test_a_year_is_found_in_a_pattern(pattern: str, named: bool) -> None:
    assert dates.names_year(pattern) is named
