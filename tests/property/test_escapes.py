"""Records with escape characters are the same, whether read in columns or one by one."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.model import Dialect
from tabular.reading.escapes import rewritten
from tests.effort import examples
from tests.unit.tabular.engine import contract_of, run

FIELDS = [{"name": "a", "type": "string"}, {"name": "b", "type": "integer"}]
MISSING = ["", "\\N", '\\"', '\\a"b', "\\,"]
DIALECTS: list[dict[str, Any]] = [
    {},
    {"quoteChar": ""},
    {"doubleQuote": False},
    {"commentChar": "#"},
    {"skipBlankRows": True},
    {"delimiter": "N"},
]
PIECES = ("x", "1", "N", ",", '"', "\n", "\\", "\\,", '\\"', "\\\\", "\\N", '""', "\\\n", "\r\n")
ODD_PIECES = ("\x04", "\x05", "é", "#", " ", ",,", '",', ',"', '\\a"b', '"\\a""b"')
pieces = st.sampled_from((*PIECES, *ODD_PIECES))


@pytest.mark.parametrize("dialect", DIALECTS)
@examples(100)
@given(text=st.lists(pieces, max_size=30).map("".join))
def test_outputs(dialect: dict[str, Any], text: str) -> None:
    described = {"delimiter": ",", "escapeChar": "\\", **dialect}
    contract = contract_of(*FIELDS, dialect=described, missingValues=MISSING)
    content = f"a{described['delimiter']}b\n{text}\n".encode()
    found = run(content, contract)
    with (
        patch("tabular.reading.escapes.rewritten", return_value=None),
        patch("tabular.reading.records.rewritten", return_value=None),
    ):
        assert run(content, contract).outputs == found.outputs


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (b"a\\\n", Dialect(escape_char="\\")),
        (b"a\\", Dialect(escape_char="\\")),
        (b'"a"",b\\c', Dialect(escape_char="\\", double_quote=False)),
        (b"a\\b", Dialect(escape_char="\\", delimiter="||")),
        (b"a\\b", Dialect(escape_char="\\", quote_char="\\")),
        (b"a\\b", Dialect(escape_char="\\", skip_initial_space=True)),
        (b"a\\b", Dialect(escape_char="\\", comment_char="\\#")),
        (bytes(range(256)), Dialect(escape_char="\\")),
        (b"a", Dialect()),
    ],
)
def test_what_may_be_read_otherwise_is_not_rewritten(text: bytes, dialect: Dialect) -> None:
    assert rewritten(text, dialect, "latin-1") is None


def test_rewritten_text_has_the_same_length_and_no_escape_character() -> None:
    text = b'a\\,b,"\\"c",\\\\,d\\e\n'
    found = rewritten(text, Dialect(escape_char="\\"), "utf-8")
    assert found is not None
    assert len(found.text) == len(text)
    assert b"\\" not in found.text
    assert found.text.count(b",") == 3
