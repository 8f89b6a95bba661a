"""Where the lines of wide encodings begin, found without cutting the file's bytes."""

from __future__ import annotations

import pytest

from tabular.encoding import find_encoding
from tests.unit.tabular.engine import contract_of, run

ROWS = ["x", "é,日", "\U0001f600,\ufffd", "a,b,c", "\U0001f600\U0001f601", "z"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"])
@pytest.mark.parametrize("damage", [b"", b"\x00\xd8\x00\xd8"], ids=["whole", "damaged"])
def test_rejects_name_the_byte_at_which_their_row_begins(
    name: str, end: str, damage: bytes
) -> None:
    encoded = [f"{row}{end}".encode(name) for row in ["a,b", *ROWS]]
    encoded[3] = damage + encoded[3]
    content = b"".join(encoded)
    contract = contract_of(
        {"name": "a", "type": "string"},
        {"name": "b", "type": "integer"},
        encoding=name,
        dialect={"delimiter": ","},
    )
    found = run(content, contract)
    assert len(found.rejects) == len(ROWS)
    lines = find_encoding(name).split_lines(content)
    starts = [sum(map(len, lines[:number])) for number in range(1, len(lines))]
    assert [reject["byte_offset"] for reject in found.rejects] == starts
