"""csv.reader, record by record: full validation, typed JSON Lines, rejects, statistics.

What one would write by hand for this contract, with orjson for the output. Memory does not grow
with the file: distinct values are counted up to a bound.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from tests.benchmarks.orders import COUNTRIES, HEADER, MAX_QUANTITY, STATUSES
from tests.benchmarks.runs.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAX_DISTINCT = 10_000
_MAX_NOTE = 200
_PROCESSED_AT = "2024-02-01T00:00:00Z"
_ID = re.compile(r"ORD-[0-9]{9}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "0"), False),
}

Fault = tuple[str, str]


def run(source: Path, contract: Path, out: Path) -> Result:
    """Write `records.jsonl`, `rejected.jsonl` and `summary.json`; the contract is built in."""
    del contract
    statistics = {name: _Statistics() for name in HEADER}
    processed = rejected = 0
    codes: Counter[Fault] = Counter()
    with (
        source.open(encoding="utf-8", newline="") as file,
        (out / "records.jsonl").open("wb") as records,
        (out / "rejected.jsonl").open("wb") as rejects,
    ):
        reader = csv.reader(file)
        next(reader)
        line = reader.line_num
        for number, cells in enumerate(reader, 1):
            data, faults = _read(cells)
            if faults:
                rejected += 1
                codes.update(faults)
                reject = {"row": number, "line": line + 1, "errors": faults, "raw": cells}
                rejects.write(orjson.dumps(reject) + b"\n")
            else:
                processed += 1
                for name, value in data.items():
                    statistics[name].add(value)
                record = {
                    "id": f"orders-{number}",
                    "original_row": number,
                    "data": data,
                    "processed_at": _PROCESSED_AT,
                }
                records.write(orjson.dumps(record) + b"\n")
            line = reader.line_num
    fields = {name: gathered.finish() for name, gathered in statistics.items()}
    faults_found = {f"{name}: {code}": count for (name, code), count in codes.items()}
    (out / "summary.json").write_bytes(
        orjson.dumps({"field_statistics": fields, "faults": faults_found})
    )
    return Result(processed, rejected, statistics["amount"].total)


def _read(cells: list[str]) -> tuple[dict[str, Any], list[Fault]]:
    if len(cells) != len(HEADER):
        return {}, [("", "extra-cell" if len(cells) > len(HEADER) else "missing-cell")]
    data: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, text in zip(HEADER, cells, strict=True):
        check, required = _FIELDS[name]
        if text == "":
            data[name] = None
            if required:
                faults.append((name, "constraint-error"))
            continue
        try:
            data[name] = check(text)
        except ValueError as error:
            faults.append((name, str(error.args[0])))
    return data, faults


def _string(test: Callable[[str], object]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not test(text):
            raise ValueError("constraint-error")
        return text

    return read


def _date(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise ValueError("type-error")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("type-error") from None
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("type-error") from None


def _price(text: str) -> float:
    price = _number(text)
    if price < 0:
        raise ValueError("constraint-error")
    return price


def _quantity(text: str) -> int:
    try:
        quantity = int(text)
    except ValueError:
        raise ValueError("type-error") from None
    if not 1 <= quantity <= MAX_QUANTITY:
        raise ValueError("constraint-error")
    return quantity


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text]
    except KeyError:
        raise ValueError("type-error") from None


_FIELDS: dict[str, tuple[Callable[[str], Any], bool]] = {
    "order_id": (_string(_ID.fullmatch), True),
    "customer": (str, True),
    "email": (_string(_EMAIL.fullmatch), False),
    "status": (_string(set(STATUSES).__contains__), False),
    "country": (_string(set(COUNTRIES).__contains__), False),
    "order_date": (_date, True),
    "quantity": (_quantity, False),
    "price": (_price, False),
    "amount": (_number, True),
    "gift": (_boolean, False),
    "note": (_string(lambda text: len(text) <= _MAX_NOTE), False),
}


class _Statistics:
    """Count, nulls, range, sums and, up to a bound, the number of each value."""

    def __init__(self) -> None:
        self.count = self.nulls = 0
        self.smallest: Any = None
        self.largest: Any = None
        self.total = self.squares = 0.0
        self.counts: dict[Any, int] | None = {}

    def add(self, value: Any) -> None:
        if value is None:
            self.nulls += 1
            return
        self.count += 1
        if self.smallest is None:
            self.smallest = self.largest = value
        elif value < self.smallest:
            self.smallest = value
        elif value > self.largest:
            self.largest = value
        if not isinstance(value, str):
            self.total += value
            self.squares += value * value
        if self.counts is not None:
            self.counts[value] = self.counts.get(value, 0) + 1
            if len(self.counts) > _MAX_DISTINCT:
                self.counts = None

    def finish(self) -> dict[str, Any]:
        top = None
        if self.counts is not None:
            top = [[str(value), n] for value, n in Counter(self.counts).most_common(10)]
        mean = self.total / self.count if self.count else 0.0
        spread = max(self.squares - self.count * mean * mean, 0.0)
        return {
            "count": self.count,
            "nulls": self.nulls,
            "distinct": None if self.counts is None else len(self.counts),
            "min": self.smallest,
            "max": self.largest,
            "sum": self.total,
            "mean": mean,
            "standard_deviation": math.sqrt(spread / max(self.count - 1, 1)),
            "top_values": top,
        }
