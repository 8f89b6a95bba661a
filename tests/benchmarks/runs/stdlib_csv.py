"""csv.reader, record by record: full validation, typed JSON Lines, rejects, statistics.

What one would write by hand for this contract, with orjson for the output. It gives what the engine
gives: rejects with line, byte offset and raw text, as JSON Lines and CSV, and statistics with
sketches where there are too many values, so that its memory does not grow with the file either.
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
from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_MAX_DISTINCT = 10_000
_KEPT_HASHES = 2_048
_MIXER = 0x9E3779B97F4A7C15  # an odd constant: small integers are their own hashes
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


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write records, rejects (twice) and summary; the contract is built in."""
    del contract
    statistics = {name: _Statistics() for name in HEADER}
    processed = rejected = 0
    codes: Counter[Fault] = Counter()
    seen: list[bytes] = []
    with (
        source.open("rb") as file,
        (out / "records.jsonl").open("wb") as records,
        (out / "rejected.jsonl").open("wb") as rejects,
        (out / "rejected.csv").open("wb") as rejects_csv,
    ):
        reader = csv.reader(_lines(file, seen))
        next(reader)
        rejects_csv.write(b"".join(seen))
        line, offset = reader.line_num, sum(map(len, seen))
        seen.clear()
        for number, cells in enumerate(reader, 1):
            data, faults = _read(cells)
            if faults:
                rejected += 1
                codes.update(faults)
                raw = b"".join(seen)
                reject = {
                    "row": number,
                    "line": line + 1,
                    "byte_offset": offset,
                    "errors": faults,
                    "raw": raw.decode().rstrip("\r\n"),
                }
                rejects.write(orjson.dumps(reject) + b"\n")
                rejects_csv.write(raw)
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
            offset += sum(map(len, seen))
            seen.clear()
    fields = {name: gathered.finish() for name, gathered in statistics.items()}
    faults_found = {f"{name}: {code}": count for (name, code), count in codes.items()}
    (out / "summary.json").write_bytes(
        orjson.dumps({"field_statistics": fields, "faults": faults_found})
    )
    return RunResult(processed, rejected, statistics["amount"].total)


def _lines(file: BinaryIO, seen: list[bytes]) -> Iterator[str]:
    """The file's lines as text, each kept in `seen` until its record is done."""
    for line in file:
        seen.append(line)
        yield line.decode()


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
    """Count, nulls, range, sums; the number of each value up to a bound, then sketches."""

    def __init__(self) -> None:
        self.count = self.nulls = 0
        self.smallest: Any = None
        self.largest: Any = None
        self.total = self.squares = 0.0
        self.counts: dict[Any, int] | None = {}
        self.buckets: dict[tuple[int, int], int] = {}
        self.hashes: set[int] = set()
        self.threshold = 2**61

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
        if self.counts is None:
            self._sketch(value, 1)
            return
        self.counts[value] = self.counts.get(value, 0) + 1
        if len(self.counts) > _MAX_DISTINCT:
            counts, self.counts = self.counts, None
            for known, times in counts.items():
                self._sketch(known, times)

    def _sketch(self, value: Any, times: int) -> None:
        """Take the value into the k smallest hashes, and numbers into a logarithmic histogram."""
        word = hash(value) * _MIXER % 2**61
        if word < self.threshold:
            self.hashes.add(word)
            if len(self.hashes) > 2 * _KEPT_HASHES:
                self.hashes = set(sorted(self.hashes)[:_KEPT_HASHES])
                self.threshold = max(self.hashes)
        if not isinstance(value, str):
            mantissa, exponent = math.frexp(value)
            bucket = (exponent, int(mantissa * 256))
            self.buckets[bucket] = self.buckets.get(bucket, 0) + times

    def finish(self) -> dict[str, Any]:
        mean = self.total / self.count if self.count else 0.0
        spread = max(self.squares - self.count * mean * mean, 0.0)
        return {
            "count": self.count,
            "nulls": self.nulls,
            "distinct": self._distinct(),
            "min": self.smallest,
            "max": self.largest,
            "sum": self.total,
            "mean": mean,
            "standard_deviation": math.sqrt(spread / max(self.count - 1, 1)),
            "median": self._median(),
            "top_values": self._top_values(),
        }

    def _distinct(self) -> int:
        if self.counts is not None:
            return len(self.counts)
        kept = sorted(self.hashes)[:_KEPT_HASHES]
        return len(kept) if len(kept) < _KEPT_HASHES else (len(kept) - 1) * 2**61 // kept[-1]

    def _top_values(self) -> list[list[Any]] | None:
        if self.counts is None:
            return None
        return [[str(value), n] for value, n in Counter(self.counts).most_common(10)]

    def _median(self) -> Any:
        """The median, or the middle of its bucket."""
        if not self.count or isinstance(self.smallest, str):
            return None
        ordered: list[tuple[Any, int]] = sorted(
            self.counts.items()
            if self.counts is not None
            else ((math.ldexp(m / 256, e), n) for (e, m), n in self.buckets.items())
        )
        rank = 0
        for value, times in ordered:
            rank += times
            if rank >= self.count / 2:
                return value
        return None
