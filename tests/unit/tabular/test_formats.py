"""Files that are clearly not CSV are refused with their format; headers of CSV files never are."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable

import pytest

from tabular.errors import FileTooLarge, HeaderMismatch, UnsupportedEncoding, UnsupportedFormat
from tabular.reading.layout import MAX_COLUMNS, Layout
from tests.unit.tabular.engine import contract_of, layout_of

ZEROS = b"\0" * 300


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04\x14\x00", "a ZIP archive or a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook"),
        (b"\x09\x08\x10\x00\x00\x06", "an Excel workbook"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"Obj\x01\x04\x16avro.schema", "an Avro file"),
        (b"ORC\x11\x00", "an ORC file"),
        (b"ARROW1\x00\x00", "an Arrow or Feather file"),
        (b"a.csv" + ZEROS[:252] + b"ustar\x0000", "a tar archive"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"MZ\x90\x00\x03", "a program"),
        (b"<!DOCTYPE html>\n<html><head><title>Login</title></head></html>\n", "an HTML page"),
        (b"\xef\xbb\xbf \r\n<html lang='en'>\n", "an HTML page"),
        (b"<!-- saved from x -->\n<HTML>\n<body>\n", "an HTML page"),
        (b"<table>\n<tr><td>id</td></tr>\n</table>\n", "an HTML page"),
        ("<html>\n".encode("utf-16"), "an HTML page"),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (b"<rows>\n<row id='1'/>\n</rows>\n", "an XML document"),
        (b'{"id": 1}\n{"id": 2}\n', "JSON"),
        (b'[\n  {"id": 1},\n', "JSON"),
        (b'[1, "a", null]\n', "JSON"),
        (b"{\\rtf1\\ansi", "an RTF document"),
        (b"-----BEGIN PGP MESSAGE-----\n", "a file encrypted"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer"),
        (b"-- MySQL dump 10.13\n", "an SQL dump"),
        (b"INSERT INTO t (a, b) VALUES (1, 2);\n", "an SQL script"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n", "an HTTP response"),
        (b"--xYz\r\nContent-Disposition: form-data\r\n", "the body of an upload form"),
        (b"Traceback (most recent call last):\n", "a program's error report"),
    ],
)
def test_a_file_that_is_not_csv_is_refused_with_its_format(content: bytes, what: str) -> None:
    for contract in (None, contract_of({"name": "id"}), contract_of({"name": "id"}, dialect={})):
        with pytest.raises(UnsupportedFormat, match=f"This is not a CSV file but {what}"):
            layout_of(content, contract)


def test_binary_data_without_a_name_is_refused() -> None:
    noise = bytes((number * 167 + number // 7) % 256 for number in range(1, 3000))
    for content in (noise, noise.replace(b"\0", b"x"), b"a\0\0b,c\n\0\0\0\0\n"):
        with pytest.raises(UnsupportedFormat, match="binary data"):
            layout_of(content)
        with pytest.raises(UnsupportedFormat, match="binary data"):
            layout_of(content, contract_of({"name": "a"}, encoding="cp1252"))


@pytest.mark.parametrize("length", range(12))
def test_text_with_control_characters_is_text_wherever_it_is_cut(length: int) -> None:
    cell = "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\U00020000"
    layout = layout_of(f"name\n{cell}{'x' * length}\n{cell * 300}\n".encode())
    assert layout.encoding == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_refused_with_an_encoding_that_reads_it(encoding: str) -> None:
    content = "id,stra\u00dfe\r\n1,\u4f1a\u793e\r\n".encode(encoding)
    with pytest.raises(UnsupportedEncoding, match=f'"encoding": "{encoding}"'):
        layout_of(content)
    fields = [{"name": "id"}, {"name": "stra\u00dfe"}]
    assert layout_of(content, contract_of(*fields, encoding=encoding)).labels[0] == "id"


@pytest.mark.parametrize(
    "header",
    [
        b"<TICKER>,<PER>,<DATE>,<OPEN>",
        b"[id],[name]",
        b"[2019],[a]",
        b"{id},{name}",
        b"PAR1,PAR2",
        b"ORC,MZ",
        b"BM,II*",
        b"GIF89a,b",
        b"insert into,b",
        b"version,url",
        b"<b>id</b>,<b>name</b>",
        b"%PDF,a",
        b"--,x",
    ],
)
def test_unusual_names_are_a_header(header: bytes) -> None:
    assert layout_of(header + b"\n1,2,3,4\n").labels == tuple(header.decode().split(","))


def test_without_a_header_a_first_value_may_be_markup() -> None:
    contract = contract_of({"name": "markup"}, dialect={"header": False})
    assert layout_of(b"<rows>\n</rows>\n", contract).labels == ("markup",)


def assert_cpu_seconds(work: Callable[[], None], limit: float) -> None:
    """One of three runs takes less CPU time than this, without Python's garbage collector.

    The collector looks at everything that earlier tests of the process have left, again and again.
    """
    gc.collect()
    gc.disable()
    try:
        assert any(_timed(work) < limit for _ in range(3))
    finally:
        gc.enable()


def _timed(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize(
    ("columns", "seconds"), [(10_000, 2), pytest.param(MAX_COLUMNS, 3, marks=pytest.mark.slow)]
)
def test_a_wide_header_is_read_in_seconds(columns: int, seconds: int) -> None:
    names = [f"column{number}" for number in range(columns)]
    content = (",".join(names) + "\n" + ",".join(["1"] * columns) + "\n").encode()

    def read() -> None:
        layout = layout_of(content)
        assert len(layout.columns) == columns
        document = json.loads(json.dumps(layout.to_document()))
        assert Layout.from_document(document).width == columns

    assert_cpu_seconds(read, seconds)


def test_a_wide_header_is_compared_with_a_wide_contract_in_seconds() -> None:
    names = [f"column{number}" for number in range(5_000)]
    contract = contract_of(*({"name": name} for name in names), primaryKey=names)

    def compare() -> None:
        assert layout_of(",".join(names).encode() + b"\n", contract).width == len(names)
        for header in (reversed(names), (name.upper() for name in names), [*names, "more"]):
            with pytest.raises(HeaderMismatch):
                layout_of(",".join(header).encode() + b"\n", contract)

    assert_cpu_seconds(compare, 2)


def test_a_wide_header_of_aliases_is_compared_in_seconds() -> None:
    numbers = range(6_000)
    contract = contract_of(
        *({"name": f"name{one}", "pipeline": {"aliases": [f"alias{one}"]}} for one in numbers)
    )
    header = ",".join(f"alias{one}" for one in numbers).encode() + b"\n"

    def compare() -> None:
        assert layout_of(header, contract).width == len(numbers)

    assert_cpu_seconds(compare, 2)


def test_more_columns_than_the_limit_are_refused_by_number() -> None:
    header = ",".join(f"c{number}" for number in range(MAX_COLUMNS + 1)).encode()
    with pytest.raises(FileTooLarge, match=r"50,001 columns, and the limit is 50,000"):
        layout_of(header + b"\n")
