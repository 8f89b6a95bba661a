"""No library interprets a file's first bytes: text that looks like another format is still text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tabular
from tabular.errors import UnsupportedFormat
from tabular.reading.split import Split
from tests.unit.tabular.engine import contract_of, layout_of, run

TWO_TEXTS = contract_of(
    {"name": "f", "type": "string"}, {"name": "n", "type": "string"}, missingValues=[]
)
ONE_TEXT = contract_of({"name": "f", "type": "string"}, missingValues=[])
STARTS = [
    *("x\x01", "x^", "x^2+1", "x\u009c", "x\u00da"),
    *("\ufeff", "\ufeffx^", "#", "# comment", "//", "%", "sep=", "\\", "'", "PK\x03\x04"),
    *("-", "=1", "null", "NaN", "2024-01-01", "\x1f", "\x1f\u008b", "(\u00b5/\u00fd", "BZh9"),
]


@pytest.mark.parametrize("block_bytes", [1, 7, 8_000_000])
@pytest.mark.parametrize("start", STARTS)
def test_a_record_may_begin_with_anything(start: str, block_bytes: int) -> None:
    rows = [start + "a", "b" + start, start]
    wide = "f,n\r\n" + "".join(f"{row},1\r\n" for row in rows)
    narrow = "f\n" + "".join(f"{row}\n" for row in rows)
    result = run(wide.encode(), TWO_TEXTS, block_bytes=block_bytes)
    assert result.data == [{"f": row, "n": "1"} for row in rows]
    result = run(narrow.encode(), ONE_TEXT, block_bytes=block_bytes)
    assert result.data == [{"f": row} for row in rows]


@pytest.mark.parametrize(
    "magic", [b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b\x08", b"(\xb5/\xfd"]
)
def test_the_first_record_of_a_split_in_a_single_byte_encoding_is_text(magic: bytes) -> None:
    contract = contract_of({"name": "f", "type": "string"}, encoding="latin-1")
    body = b"f\na\n" + magic + b"1\n" + magic + b"\n"
    start = body.index(magic)
    layout = layout_of(body, contract)
    split = Split(1, start, None, first_row=2, first_line=3)
    result = run(body, contract, layout=layout, split=split)
    text = magic.decode("latin-1")
    assert [data["f"] for data in result.data] == [text + "1", text]


def test_a_formula_in_the_first_record_is_processed() -> None:
    result = run(b"f,n\nx^2+1,1\na,2\nb,3\n")
    assert [data["f"] for data in result.data] == ["x^2+1", "a", "b"]
    assert result.part.record_count == 3


@pytest.mark.parametrize("name", ["PAR1", "BZh", "BZh9", "%PDF", "SQLite format 3"])
def test_a_column_may_be_called_like_a_file_format(name: str) -> None:
    assert run(f"{name},n\na,1\n".encode()).part.processed_count == 1


@pytest.mark.parametrize(
    "content",
    [b"PAR1\x15\x04\x15", b"BZh91AY&SY\x12", b"%PDF-1.7\n", b"SQLite format 3\x00\x10"],
)
def test_files_of_other_formats_are_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="This is not a CSV file"):
        run(content)


def test_only_one_module_calls_a_reader_that_looks_at_the_bytes() -> None:
    callers = [
        path.name
        for path in Path(tabular.__path__[0]).glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("pl", "polars", "csv")
        and node.attr.startswith(("read_", "scan_", "Sniffer", "reader"))
    ]
    assert callers == ["csv_reader.py"]
