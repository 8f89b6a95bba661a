"""Text with bytes that cannot be decoded becomes what its lines become one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.encoding import find_encoding
from tests.effort import examples

NAMES = ["utf-8", "cp1252", "shift_jis", "cp932", "gbk", "big5", "euc_kr", "gb18030", "euc_jp"]
WIDE_NAMES = ["utf-16-le", "utf-16-be", "utf-32-le"]
pieces = st.one_of(
    st.sampled_from([b"a", b",", b"0", b"@", b"\n", b"\r\n", b"\r"]),
    st.sampled_from([b"\xff", b"\x80", b"\x81", b"\x8f", b"\xa1"]),
    st.sampled_from([b"\xef\xbf\xbd", b"\xc3\xa9", b"\xe3\x81", b"\x84\x31\xa4\x37"]),
)
characters = st.text(
    st.sampled_from("a,\n\r\ud800\udc00\U0001f600\ufffd\u010a\u0a0d"), min_size=1, max_size=12
)


def line_by_line(name: str, original: bytes) -> tuple[bytes, tuple[int, ...]]:
    encoding = find_encoding(name)
    found = [encoding.to_utf8(line) for line in encoding.split_lines(original)]
    return b"".join(text for text, _ in found), tuple(n for n, (_, bad) in enumerate(found) if bad)


@pytest.mark.parametrize("name", NAMES)
@examples(60)
@given(original=st.lists(pieces, min_size=1, max_size=14).map(b"".join))
def test_bytes(name: str, original: bytes) -> None:
    assert find_encoding(name).to_utf8(original) == line_by_line(name, original)


@pytest.mark.parametrize("name", WIDE_NAMES)
@examples(60)
@given(text=characters, half=st.sampled_from([b"", b"\0"]))
def test_code_units(name: str, text: str, half: bytes) -> None:
    original = text.encode(name, "surrogatepass") + half
    assert find_encoding(name).to_utf8(original) == line_by_line(name, original)
