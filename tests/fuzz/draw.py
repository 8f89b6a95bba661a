"""Draws cases from a random generator: from bytes, and from the grammar of a dialect."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz.case import Case
from tests.property.fields_and_texts import CONSTRAINED, SEEDS, VARIANTS

ENCODINGS: tuple[str, ...] = (
    "utf-8",
    "utf-8",
    "utf-8",
    "cp1252",
    "latin-1",
    "shift_jis",
    "gb18030",
    "utf-16-le",
)
ENCODINGS += ("utf-16-be", "utf-32-le", "cp437", "euc_kr")
BOMS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
DELIMITERS = ",,,;\t|x^ :~\x1f"
QUOTES = ('"', '"', '"', "'", "`", "|", None)
ESCAPES = (None, None, "\\", "^", '"', "'", "~")
SNIFFED: tuple[bytes, ...] = (
    b"x^",
    b"x\x01",
    b"x\x9c",
    b"x\xda",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"BZh9",
    b"PK\x03\x04",
)
SNIFFED += (b"PAR1", b"\xff\xfe", b"\xef\xbb\xbf", b"#", b"sep=,", b"\x1a", b"<html>", b"{", b"\0")
ORDINARY = ("a", "b", "1", "x", "word", "two words", "2024-01-05", "-1.5", "true", "NA", "é", "日")
ODD = (
    "",
    " ",
    "\t",
    "\0",
    "\ufeff",
    "\ufffd",
    "\u2028",
    "\x1a",
    "\x85",
    "\x0b",
    "\x1c",
    "x^2",
    "#a",
    "\x00x",
)
ENDS = ("\n", "\n", "\r\n", "\r", "\n\n", "\r\r\n", "\n\r")
BLOCKS = (1, 2, 7, 16, 64, 1000, 8_000_000)
CHUNKS = (1, 3, 7, 64, 10**6)
SPLITS = (0, 0, 1, 10, 40, 200)


def draw(random: Random) -> Case:
    """One case."""
    contract = None if random.random() < 0.15 else _contract(random)
    content = _from_bytes(random) if random.random() < 0.2 else _from_grammar(random, contract)
    return Case(
        content,
        contract,
        block=random.choice(BLOCKS),
        chunk=random.choice(CHUNKS),
        split=random.choice(SPLITS),
        members=random.choice((0, 0, 0, 0, 1, 2, 5, -1)),
        processes=2 if random.random() < 0.02 else 1,
    )


def _contract(random: Random) -> dict[str, Any]:
    fields = [_field(random, f"f{number}") for number in range(random.randint(1, 4))]
    if random.random() < 0.2:
        fields[0]["name"] = random.choice(("x^2", "x\x01", "PAR1", "#", "é", " a", "日本"))
    dialect: dict[str, Any] = {"delimiter": random.choice(DELIMITERS)}
    dialect["quoteChar"] = random.choice(QUOTES)
    dialect["escapeChar"] = random.choice(ESCAPES)
    for name in ("doubleQuote", "skipInitialSpace", "skipBlankRows", "header"):
        if random.random() < 0.3:
            dialect[name] = random.random() < 0.5
    if random.random() < 0.1:
        dialect["headerRows"] = random.choice(([2], [1, 2], [1, 3]))
        dialect["headerJoin"] = random.choice((" ", "", "-"))
    if random.random() < 0.15:
        dialect["commentChar"] = random.choice(("#", "//", "x", '"'))
    if random.random() < 0.1:
        dialect["commentRows"] = sorted(random.sample(range(1, 9), random.randint(1, 3)))
    contract: dict[str, Any] = {
        "name": "drawn",
        "encoding": random.choice(ENCODINGS),
        "dialect": {name: value for name, value in dialect.items() if value is not None},
        "schema": {"fields": fields, "missingValues": random.choice(([], [""], ["", "NA"]))},
    }
    if dialect["quoteChar"] is None:
        contract["dialect"]["quoteChar"] = ""
    return contract


def _field(random: Random, name: str) -> dict[str, Any]:
    if random.random() < 0.6:
        return {"name": name, "type": random.choice(("string", "any"))}
    return {"name": name, **random.choice(VARIANTS + CONSTRAINED)}


def _from_bytes(random: Random) -> bytes:
    """Any bytes, but structural ones more often than others."""
    structural = [
        b"\n",
        b"\r",
        b",",
        b'"',
        b"'",
        b"\\",
        b" ",
        b"x",
        b"^",
        b";",
        b"1",
        b"\0",
        b"\xff",
    ]
    pieces = [
        bytes((random.randrange(256),)) if random.random() < 0.2 else random.choice(structural)
        for _ in range(random.randint(0, 80))
    ]
    if random.random() < 0.5:
        pieces.insert(0, random.choice(SNIFFED))
    return b"".join(pieces)


def _from_grammar(random: Random, contract: dict[str, Any] | None) -> bytes:
    dialect = dict(contract["dialect"]) if contract else {"delimiter": random.choice(",;\t|")}
    names = (
        [field["name"] for field in contract["schema"]["fields"]]
        if contract
        else [f"f{number}" for number in range(random.randint(1, 4))]
    )
    end = random.choice(ENDS[:4])
    rows = [_row(random, dialect, names, contract) for _ in range(random.choice((0, 1, 3, 10, 40)))]
    if dialect.get("header", True):
        for number in dialect.get("headerRows", [1]):
            first = int(dialect.get("headerRows", [1])[0])
            labels = names if number == first else [""] * len(names)
            header = _joined(random, dialect, labels, odd=random.random() < 0.1)
            rows.insert(int(number) - 1, header)
    if random.random() < 0.1:
        rows = [row + str(dialect["delimiter"]) for row in rows]
    text = "".join(row + (end if random.random() < 0.9 else random.choice(ENDS)) for row in rows)
    if random.random() < 0.3:
        text = text.rstrip("\r\n")
    encoding = contract["encoding"] if contract else "utf-8"
    content = text.encode(encoding, "replace")
    if random.random() < 0.15:
        mark = random.choice(BOMS) if random.random() < 0.2 else encoding
        if mark in BOMS:
            content = "\ufeff".encode(mark) + text.encode(mark, "replace")
    return _damaged(random, content)


def _row(
    random: Random, dialect: dict[str, Any], names: list[str], contract: dict[str, Any] | None
) -> str:
    kind = random.random()
    if kind < 0.04:
        return random.choice(
            ("", " ", "\t", str(dialect["delimiter"]) * (len(names) - 1), '""', "#", "x")
        )
    if kind < 0.06:
        return _joined(random, dialect, names)
    width = len(names) if kind < 0.9 else max(0, len(names) + random.choice((-1, 1, 2)))
    cells = []
    for place in range(width):
        kinds = contract["schema"]["fields"] if contract else []
        typed = SEEDS[kinds[place]["type"]] if place < len(kinds) else ORDINARY
        texts = random.choices((ORDINARY, typed, ODD), (5, 4, 2))[0]
        cells.append("".join(random.choices(texts, k=random.choice((1, 1, 1, 2)))))
    return _joined(random, dialect, cells)


def _joined(random: Random, dialect: dict[str, Any], cells: list[str], *, odd: bool = True) -> str:
    return str(dialect["delimiter"]).join(
        _written(random, dialect, cell, odd=odd) for cell in cells
    )


def _written(random: Random, dialect: dict[str, Any], cell: str, *, odd: bool) -> str:
    """A cell as the dialect has it, with `odd` most of the time."""
    quote, escape = dialect.get("quoteChar", '"'), dialect.get("escapeChar")
    if odd and random.random() < 0.1:
        special = [dialect["delimiter"], quote, escape, "\n", "\r\n", "\r", " ", "x"]
        cell += random.choice([text for text in special if text])
    special_cell = any(text and text in cell for text in (dialect["delimiter"], quote, "\n", "\r"))
    lead = " " if odd and random.random() < 0.05 else ""
    if quote and (special_cell or random.random() < 0.15) and (not odd or random.random() < 0.95):
        if escape and random.random() < 0.5:
            inner = cell.replace(escape, escape * 2).replace(quote, escape + quote)
            return f"{lead}{quote}{inner}{quote}"
        return f"{lead}{quote}{cell.replace(quote, quote * 2)}{quote}"
    if escape and special_cell and random.random() < 0.8:
        return lead + "".join(
            escape + char if char in (escape, quote, dialect["delimiter"], "\n") else char
            for char in cell
        )
    return lead + cell


def _damaged(random: Random, content: bytes) -> bytes:
    """The content, sometimes with a few random bytes."""
    kind = random.random()
    at = random.randint(0, len(content))
    if kind < 0.1:
        return content[:at] + bytes((random.randrange(256),)) + content[at:]
    if kind < 0.15:
        return content[:at] + content[at + random.randint(1, 3) :]
    if kind < 0.2:
        return random.choice(SNIFFED) + content
    if kind < 0.25:
        return content + random.choice((b"\x1a", b"\x1a\x1a", b"\0", b'"', b"\r", b"\\"))
    return content
