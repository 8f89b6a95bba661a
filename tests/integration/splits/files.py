"""Files that are hard to cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

HEADER = b"id,amount,text"
BOM = b"\xef\xbb\xbf"

CONTRACT: dict[str, Any] = {
    "name": "cut",
    "path": "cut.csv",
    "schema": {
        "fields": [
            {"name": "id", "type": "integer"},
            {"name": "amount", "type": "number", "constraints": {"maximum": 900}},
            {"name": "text", "type": "string", "constraints": {"maxLength": 3500}},
        ]
    },
}

PLAIN = (b"plain", b"", b" padded ", b"x" * 60, "größe".encode())
MULTI_LINE = (b'"two\nlines"', b'"\r\n"', b'"a\r\nb\rc\n"', b'"\n"', b'"""\n"""')
QUOTED = (b'"with ""quotes"""', b'"a, b"', b'""""', b'""', b'","')
BAD = (b'stray"quote', b"too,many", b"\xff\xfe", b'"open', b'"closed" and more', b"a\x00b")
LIKE_RECORDS = (b'"1,2,x\n2,3,y\n3,4,z\n"', b'"\r\n1,2,x\r\n"', b'"x\n4,5,"')
GIANT = (b'"' + b"one long cell\n" * 220 + b'"', b"y" * 3000)


@dataclass(frozen=True)
class GeneratedFile:
    """A generated file, with or without a contract."""

    body: bytes
    contract: dict[str, Any] | None

    def __repr__(self) -> str:
        return f"GeneratedFile({self.body!r}, contract={self.contract is not None})"


@st.composite
def files(draw: st.DrawFn, *, cells: tuple[bytes, ...], most: int) -> GeneratedFile:
    """A file of up to `most` records whose last cells are of these, with any line ends."""
    ends = draw(st.sampled_from([(b"\n",), (b"\r\n",), (b"\r",), (b"\n", b"\r\n", b"\r")]))
    end = st.sampled_from(ends)
    text = st.sampled_from(cells)
    amount = st.sampled_from([b"1", b"12.50", b"-3", b"", b"1000", b"n/a"])
    records = draw(st.lists(st.tuples(amount, text, end), min_size=1, max_size=most))
    lines = [b"%d,%b,%b%b" % (row, *cells) for row, cells in enumerate(records)]
    head = draw(st.sampled_from([b"", BOM])) + HEADER + draw(end)
    tail = draw(st.sampled_from([b"", b"", draw(end), b'7,8,"never closed', b" "]))
    body = head + b"".join(lines)
    return GeneratedFile(
        body.rstrip(b"\r\n") if draw(st.booleans()) else body + tail,
        draw(st.sampled_from([None, CONTRACT])),
    )
