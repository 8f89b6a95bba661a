"""The fast path over whole columns gives the same results as reading cell by cell."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tabular.model import Field
from tabular.values.cells import reader
from tabular.values.columns import ColumnReader, Values
from tabular.writing.jsonl import RecordLines
from tabular.writing.output_format import FileFacts
from tests.effort import examples
from tests.unit.tabular.engine import contract_of

FORMATS = {
    "string": ["default", "email", "uri", "uuid", "binary"],
    "date": ["default", "any", "%d/%m/%Y"],
    "datetime": ["default", "any", "%d/%m/%Y %H:%M"],
    "time": ["default", "any"],
    "geopoint": ["default", "array"],
}
COUNTED = 8
"""With this many copies of each text, a column has few enough distinct texts to count them."""
TYPES = ["string", "number", "integer", "boolean", "date", "datetime", "time", "year", "yearmonth"]
TYPES += ["duration", "object", "array", "list", "geopoint", "any"]

MARKS: list[dict[str, Any]] = [
    {},
    {"groupChar": ","},
    {"bareNumber": False},
    {"groupChar": "'", "bareNumber": False},
    {"decimalChar": ","},
    {"decimalChar": ",", "groupChar": ".", "bareNumber": False},
    {"decimalChar": ",", "groupChar": " "},
    {"decimalChar": ".", "groupChar": "\u2019"},
    {"decimalChar": "]", "groupChar": "^"},
]

texts = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{0,8})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[0-1][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z?)?", fullmatch=True
    ),
    st.from_regex(r"[a-zA-Z0-9._%+-]{1,10}@[a-zA-Z0-9.-]{1,12}", fullmatch=True),
    st.from_regex(r"[0-9]{1,5}(-[0-9]{2})?", fullmatch=True),
    st.sampled_from(
        ["", "NA", " 1 ", "+5", "007", ".5", "5.", "NaN", "-INF", "1,5", "true", "=1+1"]
    ),
    st.sampled_from(
        ["2024-02-29", "2023-02-29", "0000-01-01", "24:00:00", "12:00:00", "-0", "1e400"]
    ),
    st.from_regex(
        r"(2024-02-(28|30)T)?2[3-5]:[05][09]:[0-6]0(\.0?1?)?(Z|[+-]1[345]:[03]0)?", fullmatch=True
    ),
    st.sampled_from(
        ["1-2", "1.2.3", "1e", "\u0131nf", "nan", " 5\x1f", "\u0663", "a@b", "a@b.c", "9" * 310]
    ),
    st.sampled_from(
        ["\x1ca\x1f", "a\nb", 'say "hi"', "back\\slash", "\u2028", "é", "-0.0", "@x", "\tx"]
    ),
    st.sampled_from(
        ["a@b.co", "A@b-c.example", "a@-b.co", "a@b.c1", "00000000-0000-0000-0000-000000000000"]
    ),
    st.from_regex(r"[a-z]{1,2}:/{0,3}[a-z:%.]{0,4}[/?#@\[\]]?[a-f%0-9^ ]{0,4}", fullmatch=True),
    st.sampled_from(
        ["P1D", "[1]", '{"a":1}', "1,2", "10", "10.0", "9.999999999999999999", "5", "100"]
    ),
)


@st.composite
def fields(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(TYPES))
    field: dict[str, Any] = {
        "name": "f",
        "type": kind,
        "format": draw(st.sampled_from(FORMATS.get(kind, ["default"]))),
    }
    constraints: dict[str, Any] = {}
    if draw(st.booleans()):
        constraints["required"] = True
    if kind == "string" and draw(st.booleans()):
        constraints |= {"minLength": draw(st.integers(0, 3)), "maxLength": draw(st.integers(3, 9))}
    if kind == "string" and draw(st.booleans()):
        constraints["pattern"] = draw(
            st.sampled_from(
                ["[a-z]+", r"\d{2,4}", "a|b@.*", "^x?.$", ".*", r"[^\d]*", "(a|[0-9])*", r"\w+"]
            )
        )
    if kind == "year" and draw(st.booleans()):
        constraints |= {"minimum": "1999", "exclusiveMaximum": "2024"}
    if kind in ("number", "integer") and draw(st.booleans()):
        constraints |= {"minimum": draw(st.sampled_from(["-7", "0", "5", "10"]))}
        constraints |= {"exclusiveMaximum": draw(st.sampled_from(["11", "2024", "100000"]))}
    if kind == "date" and field["format"] == "default" and draw(st.booleans()):
        constraints["minimum"] = "2000-06-15"
        constraints["exclusiveMaximum"] = "2024-02-29"
        constraints |= draw(st.sampled_from([{}, {"enum": ["2024-02-28", "2000-06-15"]}]))
    if kind == "string" and field["format"] == "default" and draw(st.booleans()):
        constraints["enum"] = ["", "NA", "a", "é", 'say "hi"', "5"]
    if constraints:
        field["constraints"] = constraints
    if kind in ("number", "integer"):
        field |= draw(st.sampled_from(MARKS[: 4 if kind == "integer" else None]))
    missing = draw(st.sampled_from([[], [""], ["", "NA"], ["007", "+5", "1,5"]]))
    return contract_of(field, missingValues=missing).fields[0]


@st.composite
def numerals(draw: st.DrawFn) -> str:
    """A number with points, commas, spaces or apostrophes, mostly where they may be."""
    groups = "[.,' ][0-9]{3}" if draw(st.booleans()) else "[.,' \u2019]?[0-9]{1,3}"
    pattern = rf"[+-]?(0{{0,2}}[0-9]{{1,3}}({groups}){{0,3}})?([.,][0-9]{{0,3}})?"
    if draw(st.booleans()):
        pattern = rf"[+-]?([$€,(-]|[A-Z]{{2,3}})? ?{pattern} ?([%€)e.-]|[A-Za-z]{{1,5}})?"
    return draw(st.from_regex(pattern, fullmatch=True))


def _one_of(values: Values, index: int) -> Values:
    """The values of one row."""
    texts, json = (part if part is None else part[index : index + 1] for part in values[:2])
    assert texts is not None
    return Values(texts, json, None)


def json_text(field: Field, values: Values, index: int) -> str:
    lines = RecordLines(FileFacts([field], "f", "")).composed(
        pl.Series([1]),
        [_one_of(values, index)],
    )
    assert lines is not None
    file = BytesIO()
    lines.write(file)
    return (
        file.getvalue()
        .decode()
        .removeprefix('{"id":"f-1","original_row":1,"data":{"f":')
        .removesuffix('},"processed_at":""}\n')
    )


@examples(64)
@given(
    fields(),
    st.lists(st.one_of(texts, numerals()), min_size=1, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, COUNTED]),
)
def test_a_column_reads_like_its_cells(
    field: Field, cells: Any, neutralise: bool, trim: bool, copies: int
) -> None:
    if trim:
        object.__setattr__(field, "trim", True)
    read = reader(field, neutralise_formulas=neutralise)
    columns = ColumnReader(field, neutralise)
    expected = [read(cell) for cell in cells] * copies
    for _ in range(2):  # the second time repeated texts are known
        values = columns.read(pl.Series(cells * copies, dtype=pl.String))
        assert (values.counts is not None) == (copies == COUNTED)
        found = values.faults.to_dict() if values.faults else {}
        assert found == {n: cell.faults for n, cell in enumerate(expected) if cell.faults}
        for index, cell in enumerate(expected[: len(cells)]):
            if not cell.faults:
                assert json_text(field, values, index) == cell.json
        keep = [not cell.faults and index % 3 > 0 for index, cell in enumerate(expected)]
        kept = values.filter(pl.Series(keep, dtype=pl.Boolean))
        assert kept.counts in (None, Counter(kept.texts.to_list()))
