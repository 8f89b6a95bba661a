"""Corrected rows take the places of the rejected ones, and nothing else changes.

Random files with all that makes rows be rejected, in many dialects and encodings. The CSV of their
rejected rows is edited with Python's own CSV module, and saved in the ways of spreadsheets.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tabular.reading.layout import Layout
from tabular.reading.measure import measure
from tabular.reading.patches import Patch, merge_patches
from tabular.reading.split import Split
from tabular.reading.splits import number_splits
from tests.effort import examples
from tests.unit.tabular.correcting import patches_of, saved, table_of
from tests.unit.tabular.engine import TransformResult, contract_of, layout_of, run

ENCODINGS = ["utf-8", "utf-8-sig", "cp1252", "utf-16", "shift_jis"]
FREE_TEXTS = [
    "b",
    "=1+1",
    "'=x",
    "-5",
    "+49 1",
    "",
    " ",
    "\uff1da",
    "ÄÖ",
    "a'b",
    "5.0",
    "\\",
    "…",
    "?",
]
NEW_IDS = 1_000
COMMENT_LINE = 4


class File(NamedTuple):
    content: bytes
    layout: Layout
    delimiter: str


@st.composite
def rows(draw: st.DrawFn, delimiter: str, quote: str, escape: str | None) -> str:
    """A row that may be good, or wrong in one of many ways; `\\0` and U+DCxx are bad bytes."""
    number = draw(st.integers(0, 12))
    text = draw(st.sampled_from(FREE_TEXTS))
    if escape is not None:
        text = text.replace(escape, escape * 2)
    inner = draw(st.sampled_from(["x", "two\nlines", f"a{delimiter}b", "c\r\nd"]))
    text = draw(st.sampled_from([text, quote + inner + quote]))
    cells = draw(
        st.sampled_from(
            [
                [str(number), text, "5"],
                [str(number), text, "5"],
                [str(number), text, "x"],
                ["", text, "5"],
                ["no", text, "5"],
                [str(number), f"a{quote}b", "5"],
                [str(number), f"{quote}open", "5"],
                [str(number), f"close{quote}", "7"],
                [str(number), text],
                [str(number)],
                [str(number), text, "5", "6"],
                [str(number), text, "5", "", ""],
                [str(number), "a\udcffb", "5"],
                [str(number), text, "5\udcff"],
                [str(number), "a\0b", "5"],
                ["", "", ""],
                [""],
                ["#note", text],
                ["id", "text", "n"],
                [f"{number}{escape}{delimiter}" if escape else "+1", text, "5"],
            ]
        )
    )
    return delimiter.join(cells)


@st.composite
def files(draw: st.DrawFn, *, byte_structured: bool = False) -> File:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    quote = draw(st.sampled_from(['"', '"', "'"]))
    escape = draw(st.sampled_from([None, None, "\\"]))
    encoding = draw(st.sampled_from(ENCODINGS[:3] if byte_structured else ENCODINGS))
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    header_rows = draw(st.sampled_from([[1], [2], [1, 3]]))
    header = {1: "id,text,n", 2: "A title\nid,text,n", 3: "i,te,\n\nd,xt,n"}[header_rows[-1]]
    dialect: dict[str, Any] = {
        "delimiter": delimiter,
        "quoteChar": quote,
        "headerRows": header_rows,
        "headerJoin": "",
        "skipBlankRows": draw(st.booleans()),
    }
    if escape:
        dialect |= {"escapeChar": escape, "doubleQuote": False}
    if draw(st.booleans()):
        dialect["commentChar"] = "#"
    if not byte_structured and draw(st.booleans()):  # which are counted from the file's start
        dialect["commentRows"] = [COMMENT_LINE]
    unique: dict[str, Any] = {}
    if not byte_structured:
        unique = draw(st.sampled_from([{}, {"primaryKey": ["id"]}, {"uniqueKeys": [["id"]]}]))
    contract = contract_of(
        {"name": "id", "type": "integer"},
        {"name": "text", "type": "string"},
        {"name": "n", "type": "integer", "constraints": {"required": True}},
        dialect=dialect,
        **({} if encoding in ("utf-8-sig", "utf-16") else {"encoding": encoding}),
        **unique,
    )
    body = draw(st.lists(rows(delimiter, quote, escape), min_size=1, max_size=14))
    text = "\n".join([header.replace(",", delimiter), *body])
    if draw(st.booleans()):
        text += "\n"
    content = encoded(text.replace("\n", line_end), encoding)
    return File(content, layout_of(content, contract), delimiter)


def encoded(text: str, encoding: str) -> bytes:
    """The text's bytes; a lone surrogate is a byte that is not valid in the encoding."""
    if encoding == "utf-16":
        return text.encode("utf-16", "surrogatepass")
    bad = {"cp1252": b"\x81", "shift_jis": b"\x80"}.get(encoding, b"\xff")
    parts = text.split("\udcff")
    plain = encoding.removesuffix("-sig")
    mark = b"\xef\xbb\xbf" if encoding.endswith("-sig") else b""
    return mark + bad.join(part.encode(plain, "replace") for part in parts)


@st.composite
def savings(draw: st.DrawFn, table: list[list[str]]) -> bytes:
    """The table as some spreadsheet saves it."""
    columns = list(range(len(table[0])))
    if draw(st.booleans()):
        columns.remove(1)  # `_errors`
    columns = draw(st.permutations(columns))
    body = draw(st.permutations(table[1:])) if draw(st.booleans()) else table[1:]
    found = [[row[column] for column in columns] for row in [table[0], *body]]
    if draw(st.booleans()):
        found = [[*row, ""] for row in found]
    found += [[""] * len(found[0])] * draw(st.integers(0, 2))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    found = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in found]
    return saved(
        found,
        encoding=draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        delimiter=draw(st.sampled_from([",", ";", "\t"])),
        line_end=line_end,
    )


def fixed(
    file: File, result: TransformResult, table: list[list[str]], chosen: Any, *, by_raw: bool
) -> Any:
    """The table with the chosen rows corrected, and the data they should give.

    A sound row keeps its key if that is right, so that what it means for other rows stays.
    """
    codes = result.codes
    changed, data = [table[0]], {}
    for row in table[1:]:
        number = int(row[0])
        if number not in chosen:
            changed.append(row)
            continue
        key = str(NEW_IDS + number)
        if not row[-1] and row[2].isdigit() and codes[number] == ["type-error"]:
            key = row[2]
        data[number] = {"id": int(key), "text": f"fixed {number}", "n": 8}
        cells = [key, f"fixed {number}", "8"]
        if by_raw and row[-1]:
            changed.append([*row[:-1], file.delimiter.join(cells)])
        else:
            changed.append([*row[:2], *cells, row[-1]])
    return changed, data


def outcome(result: TransformResult) -> Any:
    """The rejects as they are, and the data of the processed records by row."""
    return result.rejects, dict(zip(result.rows, result.data, strict=True))


def draw_rows(data: Any, result: TransformResult) -> Any:
    rejected = [reject["row"] for reject in result.rejects]
    return data.draw(st.sets(st.sampled_from(rejected))) if rejected else set()


@examples(4)
@given(st.data())
def test_an_unchanged_upload_corrects_nothing(data: Any) -> None:
    file = data.draw(files())
    result = run(
        file.content, layout=file.layout, block_bytes=data.draw(st.sampled_from([9, 9999]))
    )
    table = table_of(result.corrections)
    assert [int(row[0]) for row in table[1:]] == [reject["row"] for reject in result.rejects]
    assert all(row[1] for row in table[1:])
    assert patches_of(result, result.corrections) == []
    assert patches_of(result, data.draw(savings(table))) == []


@examples(4)
@given(st.data())
def test_exactly_the_corrected_rows_are_processed_in_their_places(data: Any) -> None:
    assert_corrected_in_place(data)


@pytest.mark.long
@settings(max_examples=1_500)
@given(st.data())
def test_very_many_corrected_rows_are_processed_in_their_places(data: Any) -> None:
    assert_corrected_in_place(data)


def assert_corrected_in_place(data: Any) -> None:
    file = data.draw(files())
    before = run(file.content, layout=file.layout)
    chosen = draw_rows(data, before)
    table, new = fixed(
        file, before, table_of(before.corrections), chosen, by_raw=data.draw(st.booleans())
    )
    patches = patches_of(before, data.draw(savings(table)))
    assert [patch.row for patch in patches] == sorted(chosen)
    after = run(
        file.content,
        layout=file.layout,
        patches=patches,
        block_bytes=data.draw(st.sampled_from([9, 9999])),
    )
    rejects, processed = outcome(before)
    assert outcome(after) == (
        [reject for reject in rejects if reject["row"] not in chosen],
        dict(sorted((processed | new).items())),
    )
    assert after.part.record_count == before.part.record_count
    rest = [row for row in table_of(before.corrections) if row[0] not in set(map(str, chosen))]
    assert table_of(after.corrections) == rest


@examples(3)
@given(st.data())
def test_corrections_add_up(data: Any) -> None:
    file = data.draw(files())
    first = run(file.content, layout=file.layout)
    some, others = draw_rows(data, first), draw_rows(data, first)
    table = table_of(first.corrections)
    half = patches_of(first, saved(fixed(file, first, table, some, by_raw=False)[0]))
    second = run(file.content, layout=file.layout, patches=half)
    table = table_of(second.corrections)
    rest = fixed(file, first, table, others - some, by_raw=True)[0]
    lines = [patch.to_line() for patch in merge_patches(half, patches_of(second, saved(rest)))]
    all_patches = [Patch.from_line(line) for line in lines]
    table = table_of(first.corrections)
    at_once = patches_of(first, saved(fixed(file, first, table, some | others, by_raw=True)[0]))
    after = run(file.content, layout=file.layout, patches=all_patches)
    assert outcome(after) == outcome(run(file.content, layout=file.layout, patches=at_once))
    assert after.rejected == run(file.content, layout=file.layout, patches=at_once).rejected


@examples(3)
@given(st.data())
def test_splits_take_their_own_corrections(data: Any) -> None:
    file = data.draw(files(byte_structured=True))
    whole = run(file.content, layout=file.layout)
    assume(len(whole.rejects) > 1)
    chosen = draw_rows(data, whole)
    table = fixed(file, whole, table_of(whole.corrections), chosen, by_raw=True)[0]
    patches = patches_of(whole, saved(table))
    starts = [reject["byte_offset"] for reject in whole.rejects][1:]
    edges = [file.layout.data_start, *sorted(set(starts)), None]
    splits = [
        Split(index, start, end, 1, file.layout.data_line)
        for index, (start, end) in enumerate(pairwise(edges))
    ]
    numbered = number_splits(
        splits, [measure([file.content[s.start :]], file.layout, s) for s in splits]
    )
    parts = [run(file.content, layout=file.layout, split=s, patches=patches) for s in numbered]
    expected = run(file.content, layout=file.layout, patches=patches)
    for kind, output in enumerate(expected.outputs):
        assert b"".join(part.outputs[kind] for part in parts) == output


@examples(3)
@given(st.data())
def test_rows_that_stay_wrong_are_rejected_again_with_their_own_text(data: Any) -> None:
    file = data.draw(files())
    before = run(file.content, layout=file.layout)
    chosen = draw_rows(data, before)
    header, *body = table_of(before.corrections)
    table = [header]
    for row in body:
        key = str(NEW_IDS + int(row[0]))
        wrong = [*row[:2], key, "=still", "wrong", ""]
        table.append(wrong if int(row[0]) in chosen else row)
    after = run(file.content, layout=file.layout, patches=patches_of(before, saved(table)))
    texts = {reject["row"]: reject["raw"] for reject in before.rejects}
    assert {reject["row"]: reject["raw"] for reject in after.rejects} | texts == texts
    assert set(after.codes) >= chosen
    shown = {int(row[0]): row[2:] for row in table_of(after.corrections)[1:]}
    assert all(shown[row][1:] == ["'=still", "wrong", ""] for row in chosen)
    assert chosen.isdisjoint(after.rows)
