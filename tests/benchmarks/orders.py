"""Generated order files: the same bytes for the same size, about 125 bytes a record, 1 % bad.

Every kind of bad record is one that all compared engines can be made to find: wrong types, broken
constraints, missing and extra cells. (Stray quotes and undecodable bytes are not among them: there
most others fail as a whole or change the data, which is a matter for tests, not for timing.)
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATUSES = ("new", "paid", "packed", "shipped", "delivered", "cancelled")
COUNTRIES = ("AT", "CH", "CN", "DE", "ES", "FR", "GB", "IT", "JP", "US")
HEADER = (
    "order_id",
    "customer",
    "email",
    "status",
    "country",
    "order_date",
    "quantity",
    "price",
    "amount",
    "gift",
    "note",
)
MAX_QUANTITY = 99
CONTRACT: dict[str, Any] = {
    "name": "orders",
    "encoding": "utf-8",
    "dialect": {"delimiter": ","},
    "schema": {
        "fields": [
            {
                "name": "order_id",
                "type": "string",
                "constraints": {"required": True, "pattern": "ORD-[0-9]{9}"},
            },
            {"name": "customer", "type": "string", "constraints": {"required": True}},
            {"name": "email", "type": "string", "format": "email"},
            {"name": "status", "type": "string", "constraints": {"enum": list(STATUSES)}},
            {"name": "country", "type": "string", "constraints": {"enum": list(COUNTRIES)}},
            {"name": "order_date", "type": "date", "constraints": {"required": True}},
            {
                "name": "quantity",
                "type": "integer",
                "constraints": {"minimum": 1, "maximum": MAX_QUANTITY},
            },
            {"name": "price", "type": "number", "constraints": {"minimum": 0}},
            {"name": "amount", "type": "number", "constraints": {"required": True}},
            {"name": "gift", "type": "boolean"},
            {"name": "note", "type": "string", "constraints": {"maxLength": 200}},
        ]
    },
}

_BAD_SHARE = 0.01
_ROWS_A_BLOCK = 400
_SEED = 20240131
_SYLLABLES = (
    "an",
    "ber",
    "da",
    "el",
    "fin",
    "ga",
    "hol",
    "is",
    "jo",
    "ka",
    "lu",
    "mar",
    "nor",
    "ol",
)
_WORDS = (
    *("please", "ring", "twice", "leave", "at", "door", "call", "before", "delivery", "gift"),
    *("wrap", "fragile", "handle", "with", "care", "second", "floor", "back", "entrance", "no"),
    *("signature", "needed", "birthday", "urgent", "replacement", "order"),
)


@dataclass(frozen=True)
class Orders:
    """A generated file, and the counts that a correct engine finds in it."""

    path: Path
    contract_path: Path
    size: int
    records: int
    rejected: int
    amount: Decimal

    @property
    def processed(self) -> int:
        """How many records are good."""
        return self.records - self.rejected


def generate(folder: Path, megabytes: float) -> Orders:
    """Write a file of at least `megabytes` (10^6 bytes) and the contract beside it.

    It ends with a whole block of 400 records, some 50 KB.
    """
    path = folder / f"orders-{megabytes:g}.csv"
    contract_path = folder / "orders.contract.json"
    contract_path.write_text(json.dumps(CONTRACT), encoding="utf-8")
    records = rejected = size = cents = 0
    with path.open("w", encoding="ascii", newline="") as file:
        size += file.write(",".join(HEADER) + "\n")
        for block, bad, good_cents in _blocks(random.Random(_SEED)):
            size += file.write(block)
            records, rejected, cents = records + _ROWS_A_BLOCK, rejected + bad, cents + good_cents
            if size >= megabytes * 1_000_000:
                break
    return Orders(path, contract_path, size, records, rejected, Decimal(cents).scaleb(-2))


def _blocks(generator: random.Random) -> Iterator[tuple[str, int, int]]:
    """Endless blocks of rows, with how many are bad and the cents of the good rows' amounts."""
    names = _names(generator)
    customers = [f"{generator.choice(names)} {generator.choice(names)}" for _ in range(20_000)]
    notes = [_note(generator) for _ in range(40_000)]
    for first in itertools.count(0, _ROWS_A_BLOCK):
        lines: list[str] = []
        bad = cents = 0
        for row, row_cents in _good_rows(generator, first, customers, notes):
            if generator.random() < _BAD_SHARE:
                lines.append(_spoilt(generator, row))
                bad += 1
            else:
                lines.append(row)
                cents += row_cents
        lines.append("")
        yield "\n".join(lines), bad, cents


def _good_rows(
    generator: random.Random, first: int, customers: list[str], notes: list[str]
) -> Iterator[tuple[str, int]]:
    """One block's rows, with the cents of their amounts."""
    columns = zip(
        range(first, first + _ROWS_A_BLOCK),
        generator.choices(customers, k=_ROWS_A_BLOCK),
        generator.choices(STATUSES, k=_ROWS_A_BLOCK),
        generator.choices(COUNTRIES, k=_ROWS_A_BLOCK),
        generator.choices(range(1, MAX_QUANTITY + 1), k=_ROWS_A_BLOCK),
        generator.choices(range(99, 50_000), k=_ROWS_A_BLOCK),
        generator.choices(range(2_190), k=_ROWS_A_BLOCK),
        generator.choices(("true", "false", "false"), k=_ROWS_A_BLOCK),
        generator.choices(notes, k=_ROWS_A_BLOCK),
        strict=True,
    )
    for number, customer, status, country, quantity, price, day, gift, note in columns:
        amount = quantity * price
        name = f'"{customer.replace(" ", ", ")}"' if number % 8 == 0 else customer
        email = f"{customer.lower().replace(' ', '.')}{number % 9973}@example.com"
        date = f"{2019 + day // 365}-{day % 365 // 31 + 1:02d}-{day % 28 + 1:02d}"
        yield (
            f"ORD-{number:09d},{name},{email},{status},{country},{date},{quantity},"
            f"{price // 100}.{price % 100:02d},{amount // 100}.{amount % 100:02d},{gift},{note}",
            amount,
        )


def _names(generator: random.Random) -> list[str]:
    return ["".join(generator.choices(_SYLLABLES, k=3)).capitalize() for _ in range(400)]


def _note(generator: random.Random) -> str:
    """Free text: often blank, one in eight quoted for its commas or quotes, few of two lines."""
    words = generator.choices(_WORDS, k=generator.randrange(2, 7))
    match generator.randrange(40):
        case 0:
            return f'"{" ".join(words)}\n{generator.choice(_WORDS)}"'
        case 1 | 2:
            return f'"{" ".join(words[1:])} ""{words[0]}"""'
        case 3 | 4:
            return f'"{", ".join(words)}"'
        case kind if kind < 15:
            return ""
        case _:
            return " ".join(words)


def _spoilt(generator: random.Random, row: str) -> str:
    """The row with one thing wrong. Cells before the note hold no quotes but in the name."""
    head, name, rest = _parted(row)
    cells = rest.split(",", 8)  # email, status, country, date, quantity, price, amount, gift, note
    match generator.randrange(9):
        case 0:
            cells[6] = "n/a"
        case 1:
            cells[5] = "12.5O"
        case 2:
            cells[4] = "0"
        case 3:
            cells[1] = "unknown"
        case 4:
            cells[2] = "XX"
        case 5:
            cells[3] = "2024-02-30"
        case 6:
            head = ""
        case 7:
            cells = cells[:6]
        case _:
            cells.append("extra")
    return ",".join([head, name, *cells])


def _parted(row: str) -> tuple[str, str, str]:
    """The order's id, the customer's name (quoted or not), and the rest of a row."""
    head, _, rest = row.partition(",")
    if rest.startswith('"'):
        end = rest.index('"', 1) + 1
        return head, rest[:end], rest[end + 1 :]
    name, _, rest = rest.partition(",")
    return head, name, rest
