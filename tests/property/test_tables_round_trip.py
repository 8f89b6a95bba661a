"""Every table, written in any dialect, is read back unchanged."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.unit.tabular.engine import contract_of, run

DELIMITERS = [",", ";", "\t", "|"]
# Of control characters a few: a file in another encoding than UTF-8 that has many is binary data.
characters = st.characters(exclude_categories=["Cs", "Cc"])
controls = ["\x01", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", "\x85"]
structure = ['"', '""', "\n", "\r\n", "\r", ",", ";", "\t", "|", " ", "'", "\ufeff"]
special = st.sampled_from([*structure, *controls])
texts = st.lists(st.one_of(special, st.text(characters, max_size=5)), max_size=5).map("".join)
tables = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(texts, min_size=width, max_size=width), max_size=12)
)


@st.composite
def written(draw: st.DrawFn, table: list[list[str]], delimiter: str) -> Any:
    """The table as CSV; cells that need no quotes have them as it pleases the writer."""
    line_ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]]))
    lines = []
    for row in table:
        cells = [
            f'"{cell.replace(chr(34), chr(34) * 2)}"'
            if draw(st.booleans()) or row == [""] or set(cell) & {'"', "\n", "\r", delimiter}
            else cell
            for cell in row
        ]
        lines.append(delimiter.join(cells) + draw(st.sampled_from(line_ends)))
    text = "".join(lines)
    return text if draw(st.booleans()) else text.removesuffix("\n").removesuffix("\r")


def contract_for(width: int, delimiter: str) -> Any:
    names = [{"name": f"c{number}", "type": "string"} for number in range(width)]
    return contract_of(*names, missingValues=[], dialect={"delimiter": delimiter})


@examples(12)
@given(st.data(), st.sampled_from(DELIMITERS), st.sampled_from([1, 30, 8_000_000]))
def test_a_table_is_read_back_unchanged(data: Any, delimiter: str, block_bytes: int) -> None:
    table = data.draw(tables)
    width = len(table[0]) if table else 2
    header = [f"c{number}" for number in range(width)]
    text = data.draw(written([header, *table], delimiter))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]))
    contract = contract_for(width, delimiter)
    if encoding == "gb18030":
        object.__setattr__(contract, "encoding", encoding)
    content = text.encode(encoding)
    name = "t.csv"
    if data.draw(st.booleans()):
        content, name = gzip.compress(content, 1), "t.csv.gz"
    result = run(
        content,
        contract,
        name=name,
        block_bytes=block_bytes,
        chunk=data.draw(st.sampled_from([1, 13, None])),
    )
    assert [list(row.values()) for row in result.data] == table
    assert result.part.error_count == 0


TYPED = contract_of(
    {"name": "id", "type": "integer", "constraints": {"required": True, "minimum": 0}},
    {"name": "when", "type": "date"},
    {"name": "note", "type": "string", "constraints": {"maxLength": 9}},
    {"name": "price", "type": "number"},
)
GOOD = b'7,2024-05-06,"a ""b""\nc",1.50'
FAULTY = [
    (b"7,2024-05-06,n", ["missing-cell"]),
    (b"7,2024-05-06,n,1,9", ["extra-cell"]),
    (b"x,2024-05-06,n,1", ["type-error"]),
    (b",2024-05-06,n,1", ["constraint-error"]),
    (
        b"-1,2024-02-30,0123456789,z",
        ["constraint-error", "type-error", "constraint-error", "type-error"],
    ),
    (b'7,2024-05-06,"n,1', ["source-error"]),
    (b'7,2024-05-06,n"n,1', ["source-error"]),
    (b'7,2024-05-06,"n"n,1', ["source-error"]),
    (b"7,2024-05-06,\xfe,1", ["encoding-error"]),
    (b"7,2024-05-06,\0,1", ["source-error"]),
    (b"", ["blank-row"]),
]


@examples(10)
@given(
    st.lists(st.one_of(st.just((GOOD, [])), st.sampled_from(FAULTY)), min_size=1, max_size=25),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.sampled_from([1, 200, 8_000_000]),
)
def test_every_row_with_a_fault_rejects_only_itself(
    rows: Any, line_end: bytes, block_bytes: int
) -> None:
    # A line after the last: at the file's very end a blank line would be no line.
    content = line_end.join([b"id,when,note,price", *(row for row, _ in rows), GOOD])
    result = run(content, TYPED, block_bytes=block_bytes)
    expected = {number: codes for number, (_, codes) in enumerate(rows, 1) if codes}
    assert result.codes == expected
    assert result.part.record_count == len(rows) + 1
    assert len(result.rows) == len(rows) + 1 - len(expected)
    for reject in result.rejects:
        row = rows[reject["row"] - 1][0]
        assert content[reject["byte_offset"] :].startswith(row + line_end)


@pytest.mark.long
@settings(max_examples=5_000)
@given(st.data(), st.sampled_from(DELIMITERS), st.sampled_from([1, 30, 8_000_000]))
def test_very_many_tables_are_read_back_unchanged(
    data: Any, delimiter: str, block_bytes: int
) -> None:
    table = data.draw(tables)
    width = len(table[0]) if table else 2
    text = data.draw(written([[f"c{n}" for n in range(width)], *table], delimiter))
    result = run(text.encode(), contract_for(width, delimiter), block_bytes=block_bytes)
    assert result.part.error_count == 0
    assert [list(row.values()) for row in result.data] == table


@examples(10)
@given(st.data(), st.booleans(), st.sampled_from([None, "\\"]))
def test_dialects_that_are_not_plain_read_plain_texts_the_same(
    data: Any, skip_initial_space: bool, escape: Any
) -> None:
    table = data.draw(tables)
    width = len(table[0]) if table else 2
    text = data.draw(written([[f"c{n}" for n in range(width)], *table], ","))
    assume(" " not in text and "\\" not in text)
    dialect = {"skipInitialSpace": skip_initial_space}
    if escape:
        dialect["escapeChar"] = escape
    names = [{"name": f"c{number}", "type": "string"} for number in range(width)]
    result = run(text.encode(), contract_of(*names, missingValues=[], dialect=dialect))
    assert [list(row.values()) for row in result.data] == table
