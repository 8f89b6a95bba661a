"""Text with bytes that cannot be decoded becomes what its lines become one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.encoding import find_encoding
from tests.effort import examples

NAMES = ["utf-8", "cp1252", "shift_jis", "cp932", "shift_jis_2004", "gbk", "big5", "big5hkscs"]
NAMES += ["euc_kr", "johab", "gb18030", "euc_jp", "euc_jis_2004"]
WIDE_NAMES = ["utf-16-le", "utf-16-be", "utf-32-le"]
pieces = st.one_of(
    st.sampled_from([b"a", b",", b"0", b"@", b"\n", b"\r\n", b"\r"]),
    st.sampled_from([b"\xff", b"\x80", b"\x81", b"\x8f", b"\xa1", b"\x01", b"~"]),
    st.sampled_from([b"\xef\xbf\xbd", b"\xc3\xa9", b"\xe3\x81", b"\x84\x31\xa4\x37"]),
    st.sampled_from([b"\x81\x30", b"\x81\x30\x81", b"\xe3\x32\x9a\x36", b"\x8f\xb0\xa1"]),
)
characters = st.text(
    st.sampled_from("a,\n\r\ud800\udc00\U0001f600\ufffd\u010a\u0a0d"), min_size=1, max_size=12
)


def line_by_line(name: str, original: bytes) -> tuple[bytes, tuple[int, ...]]:
    texts, bad = [], []
    for number, line in enumerate(find_encoding(name).split_lines(original)):
        ends = (end.encode(name) for end in ("\r\n", "\n", "\r"))
        whole = len(line) % len("\n".encode(name)) == 0
        end = next((end for end in ends if whole and line.endswith(end)), b"")
        content = line[: len(line) - len(end)]
        texts.append(content.decode(name, "replace") + end.decode(name))
        try:
            content.decode(name)
        except UnicodeDecodeError:
            bad.append(number)
    return "".join(texts).encode(), tuple(bad)


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
