"""ZIP archives: one CSV-like member, streamed, with damage and bombs refused."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator

import pytest

from tabular.errors import (
    EmptyFile,
    FileTooLarge,
    TabularError,
    UnreadableFile,
    UnsupportedFormat,
)
from tabular.file_names import IgnoredNames
from tabular.reading.layout import Layout, read_layout
from tabular.reading.split import Split
from tabular.reading.zip_archive import MAX_DIRECTORY_BYTES, Member, find_member, unzip
from tests.unit.tabular.engine import run

CONTENT = b"id,name\n" + b"".join(b"%d,name %d\n" % (n, n * n) for n in range(2000))
DEFLATED, STORED = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED


def packed(*members: tuple[str, bytes], method: int = DEFLATED, comment: bytes = b"") -> bytes:
    """An archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return file.getvalue()


class Unseekable(io.RawIOBase):
    """A sink like a pipe, to which `zipfile` writes sizes behind the content."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


def with_data_descriptor(content: bytes) -> bytes:
    pipe = Unseekable()
    with zipfile.ZipFile(pipe, "w", DEFLATED) as archive, archive.open("a.csv", "w") as member:
        member.write(content)
    assert pipe.content[6] & 0x8
    return pipe.content


def with_zip64(content: bytes) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", DEFLATED) as archive,
        archive.open("a.csv", "w", force_zip64=True) as member,
    ):
        member.write(content)
    return file.getvalue()


def member_of(data: bytes) -> Member:
    return find_member(lambda start, length: data[start : start + length], len(data))


def content_of(data: bytes, chunk: int = 1000) -> bytes:
    member = member_of(data)
    rest = data[member.start :]
    return b"".join(unzip((rest[i : i + chunk] for i in range(0, len(rest), chunk)), member))


def directory_of(data: bytes) -> int:
    """The offset of the only member's entry in the directory."""
    return data.index(b"PK\x01\x02")


def patched(data: bytes, offset: int, form: str, value: int) -> bytes:
    """The archive with one number of its directory entry changed."""
    at = directory_of(data) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


ARCHIVES = {
    "deflated": packed(("a.csv", CONTENT)),
    "stored": packed(("a.csv", CONTENT), method=STORED),
    "with a comment": packed(("a.csv", CONTENT), comment=b"x" * 65535),
    "with a data descriptor": with_data_descriptor(CONTENT),
    "zip64": with_zip64(CONTENT),
    "in folders": packed(("2026/03/A.CSV", CONTENT)),
    "from a Mac": packed(
        ("a/", b""), ("a/a.csv", CONTENT), ("__MACOSX/a/._a.csv", b"x"), ("a/.DS_Store", b"x")
    ),
    "with other files": packed(("licence.pdf", b"%PDF"), ("a.csv", CONTENT), ("x.csv.tmp", b"")),
    "after other bytes": b"#!/bin/sh\n" + packed(("a.csv", CONTENT)),
}


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
@pytest.mark.parametrize("chunk", [1, 997, 10**9])
def test_the_content_is_that_of_the_csv_member(data: bytes, chunk: int) -> None:
    assert content_of(data, chunk) == CONTENT


@pytest.mark.parametrize("size", [1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024])
@pytest.mark.parametrize("chunk", [7, 10**9])
def test_content_that_fills_a_piece_exactly_is_complete(size: int, chunk: int) -> None:
    content = bytes(size)
    assert content_of(packed(("a.csv", content)), chunk) == content


@pytest.mark.parametrize("name", ["a.zip", "a.csv"])
def test_records_are_those_of_the_uncompressed_file(name: str) -> None:
    plain, archived = run(CONTENT), run(ARCHIVES["from a Mac"], name=name, chunk=1000)
    assert archived.outputs == plain.outputs
    assert archived.layout.compression == "zip"
    assert archived.part.record_count == 2000


def test_the_layout_is_the_same_after_writing_and_reading_and_is_one_split() -> None:
    layout = run(ARCHIVES["deflated"], name="a.zip").layout
    again = Layout.from_document(layout.to_document())
    assert again == layout
    member = member_of(ARCHIVES["deflated"])
    assert Split.whole(again) == Split(0, member.start, member.end, 1, 2)


def test_only_ranges_of_a_large_archive_are_read() -> None:
    noise = random.Random(1).randbytes(400_000).hex().encode()
    body = b"a,b\n" + b"\n".join(noise[i : i + 40] + b",1" for i in range(0, len(noise), 40))
    data = packed(("a.csv", body), method=STORED)
    reads: list[tuple[int, int]] = []

    def read(start: int, length: int) -> bytes:
        reads.append((start, length))
        return data[start : start + length]

    layout = read_layout(data[:4096], size=len(data), name="a.zip", contract=None, read=read)
    assert layout.labels == ("a", "b")
    assert sum(length for _, length in reads) < 200_000


def test_the_members_suffix_names_the_delimiter() -> None:
    assert run(packed(("a.tsv", b"a,b\tc\n1,2\t3\n")), name="a.zip").layout.labels == ("a,b", "c")


BAD_MEMBERS = {
    "two": ([("a.csv", b"a\n"), ("b.txt", b"a\n")], "has 2 CSV files"),
    "the same name twice": ([("a.csv", b"a\n"), ("a.csv", b"a\n")], "has 2 CSV files"),
    "none": ([("a.pdf", b"x"), ("b.json", b"x")], "has no CSV file among its 2 files"),
    "no files": ([], "The ZIP archive has no file."),
    "only hidden ones": ([("_a.csv", b"a\n"), ("b/.c.csv", b"a\n")], "has no file"),
    "a second compression": ([("a.csv.gz", b"x")], "not compressed a second time"),
    "a nested archive": ([("a.zip", b"x")], "not compressed a second time"),
    "a workbook": (
        [("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"x")],
        "a workbook (.xlsx, .ods) or another office document",
    ),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("members", "words"), BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_an_archive_without_exactly_one_csv_file_is_refused(
    members: list[tuple[str, bytes]], words: str
) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        member_of(packed(*members))
    assert words in str(caught.value)


def test_ignored_names_do_not_count_as_members() -> None:
    data = packed(("README.txt", b"x"), ("a.csv", CONTENT))
    ignored = IgnoredNames.parse("readme*")
    layout = read_layout(data, size=len(data), name="a.zip", contract=None, ignored=ignored)
    assert layout.labels == ("id", "name")
    with pytest.raises(UnsupportedFormat, match="2 CSV files"):
        member_of(data)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (packed(("inner.csv", CONTENT)), UnsupportedFormat),
        (b"\x1f\x8b\x08" + bytes(20), UnsupportedFormat),
        (b"", EmptyFile),
    ],
    ids=["archive", "gzip", "nothing"],
)
def test_a_member_that_is_not_csv_is_refused_by_its_content(
    content: bytes, kind: type[TabularError]
) -> None:
    with pytest.raises(kind):
        run(packed(("a.csv", content)), name="a.zip")


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, 0x1, "encrypted"),
        (8, 0x41, "encrypted"),
        (10, 99, "encrypted"),
        (10, 9, "compressed by Deflate64"),
        (10, 93, "compressed by Zstandard"),
        (10, 77, "compressed by method 77"),
        (34, 1, "one part of several"),
    ],
)
def test_an_unsupported_archive_is_refused_with_the_reason(
    offset: int, value: int, words: str
) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        member_of(patched(ARCHIVES["deflated"], offset, "<H", value))
    assert words in str(caught.value)


CRC, STORED_SIZE, SIZE = 16, 20, 24


@pytest.mark.parametrize(
    ("offset", "change"),
    [(CRC, 1), (SIZE, 1), (SIZE, -1), (SIZE, 1000), (STORED_SIZE, -1), (STORED_SIZE, 10**6)],
)
@pytest.mark.parametrize("method", [DEFLATED, STORED])
def test_a_directory_with_wrong_sizes_is_detected(method: int, offset: int, change: int) -> None:
    data = packed(("a.csv", CONTENT), method=method)
    true = int.from_bytes(data[(at := directory_of(data) + offset) : at + 4], "little")
    with pytest.raises(UnreadableFile):
        content_of(patched(data, offset, "<I", true + change))


def test_no_more_is_expanded_than_the_directory_states() -> None:
    data = patched(packed(("a.csv", bytes(50_000_000))), SIZE, "<I", 1000)
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match="more than the 1000 bytes"):
        content_of(data, 10**9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("method", [DEFLATED, STORED])
def test_memory_does_not_grow_with_the_content(method: int) -> None:
    data = packed(("a.csv", bytes(60_000_000)), method=method)
    member = member_of(data)
    chunks = (data[start : start + 65_536] for start in range(member.start, len(data), 65_536))
    tracemalloc.start()
    size = sum(map(len, unzip(chunks, member)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 60_000_000
    assert peak < 4_000_000


def bomb(size: int) -> bytes:
    """An archive whose member of zeros expands to `size` bytes, a thousand times its own size."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", DEFLATED) as archive, archive.open("a.csv", "w") as member:
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
    return file.getvalue()


def test_a_bomb_is_refused_before_it_is_expanded() -> None:
    with pytest.raises(FileTooLarge, match="more than 300 times its size"):
        member_of(bomb(80 * 2**20))


def test_a_member_beyond_the_limit_is_refused_before_it_is_expanded() -> None:
    data = patched(with_zip64(CONTENT), SIZE, "<I", 0xFFFFFFFF)
    extra = struct.pack("<HHQ", 1, 8, 17 * 2**30)
    at = directory_of(data)
    data = data[: at + 30] + struct.pack("<H", len(extra)) + data[at + 32 :]
    name_end = at + 46 + len("a.csv")
    data = data[:name_end] + extra + data[name_end:]
    end = data.rindex(b"PK\x05\x06")
    size = int.from_bytes(data[end + 12 : end + 16], "little") + len(extra)
    data = data[: end + 12] + struct.pack("<I", size) + data[end + 16 :]
    with pytest.raises(FileTooLarge, match="expands to more than 17179869184 bytes"):
        member_of(data)


def test_a_directory_of_very_many_members_is_not_read() -> None:
    many = [(f"{number:0200}.pdf", b"") for number in range(5000)]
    data = packed(("a.csv", CONTENT), *many, method=STORED)
    assert len(data) - directory_of(data) > MAX_DIRECTORY_BYTES
    with pytest.raises(UnsupportedFormat, match="too many files"):
        member_of(data)


def test_a_file_whose_name_ends_with_zip_must_be_an_archive() -> None:
    for content in (b"a,b\n", b"\x1f\x8b\x08"):
        with pytest.raises(UnreadableFile, match="not a ZIP archive"):
            run(content, name="a.zip")


def test_an_incomplete_archive_under_another_name_is_refused_as_an_archive() -> None:
    with pytest.raises(UnsupportedFormat, match="a ZIP archive or a workbook"):
        run(ARCHIVES["deflated"][:-30], name="a.csv")


SMALL = {
    "deflated": packed(("d/", b""), ("d/a.csv", b"id,name\n1,x\n2,y\n" * 3)),
    "stored": packed(("a.csv", b"id,name\n1,x\n"), method=STORED),
    "zip64": with_zip64(b"id,name\n1,x\n"),
    "descriptor": with_data_descriptor(b"id,name\n1,x\n"),
}


def damaged(data: bytes) -> Iterator[bytes]:
    """The archive cut off at every byte, with every byte changed, and with many of them changed."""
    for place in range(len(data)):
        yield data[:place]
        yield data[place:]
        for value in {0, 0xFF, data[place] ^ 0x01, data[place] ^ 0x80} - {data[place]}:
            yield data[:place] + bytes([value]) + data[place + 1 :]
    draw = random.Random(7)
    for _ in range(300):
        mixed = bytearray(data)
        for _ in range(draw.randint(2, 12)):
            mixed[draw.randrange(len(mixed))] = draw.randrange(256)
        yield bytes(mixed)


@pytest.mark.parametrize("data", SMALL.values(), ids=SMALL)
def test_damage_is_refused_or_has_no_effect(data: bytes) -> None:
    content = content_of(data)
    assert zlib.crc32(content) == member_of(data).crc
    refused = 0
    for broken in damaged(data):
        try:
            assert content_of(broken) == content
        except TabularError:
            refused += 1
    assert refused > len(data)
