"""One run of `shapes`: makes a file of a shape, or does a function's work with it.

`make FOLDER SHAPE MEGABYTES` writes the file and its contract. `transform FOLDER SHAPE` does what
Transform does, with bytes that are thrown away instead of uploaded, and `summarize FOLDER SPLITS`
merges the statistics of that many splits.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import shared.clients  # noqa: F401  which the functions have in memory, too
from shared.part_buffer import PartBuffer
from tabular.contract.descriptor import read_contract
from tabular.reading.layout import read_layout
from tabular.reading.split import Split
from tabular.statistics.accumulator import merge
from tabular.statistics.summary import summarize as summary_of
from tabular.transform import transform as work
from tabular.writing.output_formats import FORMATS
from tests.benchmarks.orders import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CHUNK_BYTES = 16 * 1024 * 1024
"""As Transform reads from S3, and as it uploads."""
_SEED = 20261126
_CELLS_AT_ONCE = 100_000


class Shape(NamedTuple):
    """A kind of file: its fields, its `n`-th row, and the rules of its contract beside the fields.

    `good` names the shape that a file is compared with of which every record is rejected: as many
    bytes in as many records and cells, all good. Lone surrogates in a row become bytes that are not
    valid in the `encoding`.
    """

    fields: list[dict[str, Any]]
    row: Callable[[int], str]
    rules: Mapping[str, Any] = {}
    good: str | None = None
    encoding: str = "utf-8"
    dialect: Mapping[str, str] = {"delimiter": ","}


def _fields(kind: str, *names: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": kind} for name in names]


def _columns(count: int) -> tuple[str, ...]:
    return tuple(f"column_{number}" for number in range(count))


def _numbers(count: int, most: int, *, last: str = "") -> Callable[[int], str]:
    """Rows of random numbers; `last` is written before the last one."""
    generator = random.Random(_SEED)
    before = f",{last}" if count > 1 else last

    def row(_: int) -> str:
        numbers = [str(generator.randrange(most)) for _ in range(count)]
        return ",".join(numbers[:-1]) + before + numbers[-1]

    return row


def _some_wrong(count: int, most: int) -> Callable[[int], str]:
    """Rows of equal integers, of which at least one and at most `most` random ones are wrong."""
    generator = random.Random(_SEED)

    def row(_: int) -> str:
        wrong = generator.sample(range(count), generator.randint(1, most))
        return ",".join("12345x" if place in wrong else _INTEGER for place in range(count))

    return row


_INTEGER = "123456"
_TWO_TEXTS = _fields("string", "a", "b")
_DATED = [*_fields("string", "a"), *_fields("date", "b")]
_NUMBERED = [*_fields("string", "a"), *_fields("integer", "b")]
_TYPED = [*_fields("string", "a"), *_fields("integer", "b"), *_fields("date", "c")]
_SIX = [{"name": kind, "type": kind} for kind in ("integer", "date", "boolean")]
_SIX += [{"name": kind, "type": kind} for kind in ("number", "time", "year")]
_SIX_RIGHT = ("12", "2024-02-28", "true", "1.5", "10:20:30", "2024")
_SIX_WRONG = ("1z", "2024-02-30", "trux", "1.x", "25:20:30", "y024")
_LONG = "x" * 5_000
_CONTROLS = "\1" * 1_000
_ESCAPING = {"delimiter": ",", "escapeChar": "\\"}


def _combined(n: int) -> str:
    """Each combination of a wrong integer, a wrong date, an extra cell, a NUL and a bad byte."""
    kinds = n % 31 + 1
    cells = [f"x{n}", "z" if kinds & 1 else "12", "2024-02-30" if kinds & 2 else "2024-02-28"]
    cells += ["q"] if kinds & 4 else []
    return ",".join(cells) + ("\0" if kinds & 8 else "") + ("\udcff" if kinds & 16 else "")


_ALL_KINDS = ("x{}", "x{},y,z", "x{},\udcff", "x{},\0", 'x{},y"', " ,x,{}")

SHAPES: dict[str, Shape] = {
    "narrow": Shape(_TWO_TEXTS, lambda n: f"x{n},y"),
    "narrow, wrong types": Shape(_fields("integer", "a", "b"), lambda n: f"x{n},y", good="narrow"),
    "narrow, cells missing": Shape(
        _fields("string", "a", "b", "c"), lambda n: f"x{n},y", good="narrow"
    ),
    "narrow, cells extra": Shape(_fields("string", "a"), lambda n: f"x{n},y", good="narrow"),
    "narrow, bad bytes": Shape(_TWO_TEXTS, lambda n: f"x{n},\udcff", good="narrow"),
    "narrow, stray quotes": Shape(_TWO_TEXTS, lambda n: f'x{n},y"', good="narrow"),
    "narrow, quoted": Shape(_TWO_TEXTS, lambda n: f'x{n},"y"'),
    "narrow, open quotes": Shape(_TWO_TEXTS, lambda n: f'x{n},"yz', good="narrow, quoted"),
    "narrow, NUL": Shape(_TWO_TEXTS, lambda n: f"x{n},\0", good="narrow"),
    "narrow, all kinds": Shape(
        _TWO_TEXTS,
        lambda n: _ALL_KINDS[n % 6].format(n),
        good="narrow",
    ),
    "narrow, many cells extra": Shape(
        _TWO_TEXTS,
        lambda n: f"x{n}{',y' * (2 + n % 3)}",
        good="narrow",
    ),
    "narrow, one to seven extra": Shape(
        _TWO_TEXTS, lambda n: f"x{n}{',y' * (2 + n % 7)}", good="narrow"
    ),
    "typed": Shape(_TYPED, lambda n: f"x{n},12,2024-02-28"),
    "typed, faults combined": Shape(_TYPED, _combined, good="typed"),
    "ten columns": Shape(_fields("string", *_columns(10)), lambda n: f"x{n}{',y' * 9}"),
    "ten columns, one to nine missing": Shape(
        _fields("string", *_columns(10)), lambda n: f"x{n}{',y' * (n % 9)}", good="ten columns"
    ),
    "thirteen columns": Shape(_fields("string", *_columns(13)), lambda n: f"x{n}{',y' * 12}"),
    "two columns, one to twenty extra": Shape(
        _TWO_TEXTS, lambda n: f"x{n}{',y' * (2 + n % 20)}", good="thirteen columns"
    ),
    "UTF-16": Shape(_TWO_TEXTS, lambda n: f"x{n},y", encoding="utf-16-le"),
    "UTF-16, damaged": Shape(
        _TWO_TEXTS, lambda n: f"x{n},\ud800", good="UTF-16", encoding="utf-16-le"
    ),
    "GB18030": Shape(_TWO_TEXTS, lambda n: f"x{n},\u597d", encoding="gb18030"),
    "GB18030, damaged": Shape(
        _TWO_TEXTS, lambda n: f"x{n},\udcba\udcff", good="GB18030", encoding="gb18030"
    ),
    "GB18030, lost characters": Shape(
        _TWO_TEXTS, lambda n: f"x{n},\u597d\ufffd", encoding="gb18030"
    ),
    "GB18030, lost characters, damaged": Shape(
        _TWO_TEXTS,
        lambda n: f"x{n},\udcba\udcff\ufffd",
        good="GB18030, lost characters",
        encoding="gb18030",
    ),
    "long lines": Shape(_NUMBERED, lambda n: f"{_LONG},{n}"),
    "long lines, wrong types": Shape(_NUMBERED, lambda n: f"{_LONG},x{n}", good="long lines"),
    "long lines, bad bytes": Shape(_NUMBERED, lambda n: f"{_LONG}\udcff,{n}", good="long lines"),
    "long cells": Shape(_NUMBERED, lambda n: f"{_LONG[:1_000]},{n}"),
    "long cells of control characters": Shape(
        _NUMBERED, lambda n: f"{_CONTROLS},x{n}", good="long cells"
    ),
    "escapes": Shape(_TWO_TEXTS, lambda n: f"x{n},y\\,z", dialect=_ESCAPING),
    "escapes, cells extra": Shape(
        _TWO_TEXTS, lambda n: f"x{n},y\\,z,w,v", good="escapes", dialect=_ESCAPING
    ),
    "two lines a record": Shape(_NUMBERED, lambda n: f'"x\n{n}",{n}'),
    "two lines a record, wrong types": Shape(
        _NUMBERED, lambda n: f'"x\n{n}",x{n}', good="two lines a record"
    ),
    "dates": Shape(_DATED, lambda n: f"x{n},{1000 + n % 9000}-02-28"),
    "dates, no such day": Shape(_DATED, lambda n: f"x{n},{1000 + n % 9000}-02-30", good="dates"),
    "integers": Shape(_NUMBERED, lambda n: f"x,11{n}"),
    "integers, hyphens": Shape(_NUMBERED, lambda n: f"x,1-{n}", good="integers"),
    "narrow, unique": Shape(_TWO_TEXTS, lambda n: f"x{n},y", {"uniqueKeys": [["a"]]}),
    "narrow, repeated keys": Shape(
        _TWO_TEXTS, lambda n: f"x{n},y", {"uniqueKeys": [["b"]]}, good="narrow, unique"
    ),
    "five columns": Shape(_fields("string", *"abcde"), lambda _: "a,,,,"),
    "no content": Shape(_fields("string", *"abcde"), lambda _: ",,,,", good="five columns"),
    "blank lines": Shape(_TWO_TEXTS, lambda _: ""),
    "a cell without end": Shape(_fields("string", "a"), lambda n: "x" if n else '"x'),
    "100 columns": Shape(_fields("integer", *_columns(100)), _numbers(100, 10**6)),
    "100 columns, one wrong": Shape(
        _fields("integer", *_columns(100)), _numbers(100, 10**6, last="x"), good="100 columns"
    ),
    "100 columns, all wrong": Shape(
        _fields("boolean", *_columns(100)), _numbers(100, 10**6), good="100 columns"
    ),
    "100 columns, 9,900 values": Shape(_fields("integer", *_columns(100)), _numbers(100, 9_900)),
    "100 equal columns": Shape(
        _fields("integer", *_columns(100)), lambda _: ",".join([_INTEGER] * 100)
    ),
    "100 equal columns, any wrong": Shape(
        _fields("integer", *_columns(100)), _some_wrong(100, 100), good="100 equal columns"
    ),
    "100 equal columns, a few wrong": Shape(
        _fields("integer", *_columns(100)), _some_wrong(100, 3), good="100 equal columns"
    ),
    "six types": Shape(_SIX, lambda _: ",".join(_SIX_RIGHT)),
    "six types, any wrong": Shape(
        _SIX,
        lambda n: ",".join(
            (_SIX_WRONG if n % 63 + 1 >> place & 1 else _SIX_RIGHT)[place] for place in range(6)
        ),
        good="six types",
    ),
    "wide, 2,000 columns": Shape(_fields("integer", *_columns(2_000)), _numbers(2_000, 10**6)),
    "wide, one wrong": Shape(
        _fields("integer", *_columns(2_000)),
        _numbers(2_000, 10**6, last="x"),
        good="wide, 2,000 columns",
    ),
    "wide, wrong types": Shape(
        _fields("boolean", *_columns(2_000)), _numbers(2_000, 10**6), good="wide, 2,000 columns"
    ),
}


def make(folder: Path, shape: str, megabytes: float) -> None:
    """Write `data.csv` and `contract.json`; "orders" are those of the other benchmarks."""
    if shape == "orders":
        orders = generate(folder, megabytes)
        orders.path.rename(folder / "data.csv")
        orders.contract_path.rename(folder / "contract.json")
        return
    fields, row, rules, _, encoding, dialect = SHAPES[shape]
    schema = {"fields": fields, **rules}
    contract = {"schema": schema, "dialect": dict(dialect), "encoding": encoding}
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    (folder / "contract.json").write_text(json.dumps(contract))
    left, at_once = megabytes * 1e6, min(1_000, -(-_CELLS_AT_ONCE // len(fields)))
    with (folder / "data.csv").open("wb") as file:
        header = ",".join(field["name"] for field in fields) + "\n"
        left -= file.write(header.encode(encoding))
        number = 0
        while left > 0:
            rows = "\n".join(map(row, range(number, number + at_once))) + "\n"
            left -= file.write(rows.encode(encoding, errors))
            number += at_once


def transform(folder: Path, output_format: Any) -> dict[str, Any]:
    """Transform `data.csv` as one split."""
    path = folder / "data.csv"
    contract = read_contract((folder / "contract.json").read_bytes(), output_formats=FORMATS)
    with path.open("rb") as file:
        head = file.read(1024 * 1024)
        layout = read_layout(head, size=path.stat().st_size, name=path.name, contract=contract)
        file.seek(layout.data_start)
        started = time.process_time()
        part = work(
            iter(lambda: file.read(_CHUNK_BYTES), b""),
            layout,
            Split.whole(layout),
            file_id="f",
            processed_at="2026-01-01T00:00:00Z",
            processed=_FakeUpload(),
            rejected=_FakeUpload(),
            corrections=_FakeUpload(),
            output_format=output_format,
        )
        document = json.dumps(part.statistics, ensure_ascii=False).encode()
        seconds = time.process_time() - started
    (folder / "statistics.json").write_bytes(document)
    return {
        "bytes": path.stat().st_size,
        "cpu_seconds": seconds,
        "records": part.record_count,
        "rejected": part.error_count,
        "statistics_bytes": len(document),
    }


def summarize(folder: Path, splits: int) -> dict[str, Any]:
    """Merge the statistics of `splits` splits, all like the one that was transformed."""
    path = folder / "statistics.json"
    started = time.process_time()
    merged = merge(json.loads(path.read_bytes()) for _ in range(splits))
    summary = summary_of(merged, record_count=1, processed_count=1, error_count=0, generated_at="t")
    json.dumps(summary, indent=2, ensure_ascii=False).encode()
    size = path.stat().st_size
    return {
        "bytes": size * splits,
        "cpu_seconds": time.process_time() - started,
        "records": 0,
        "rejected": 0,
        "statistics_bytes": size,
    }


class _FakeUpload:
    """Keeps a part of an upload and the one before it in memory, and sends nothing."""

    def __init__(self) -> None:
        self._buffer = PartBuffer(_CHUNK_BYTES)
        self._sent = b""

    def write(self, data: bytes | memoryview, /) -> None:
        for part in self._buffer.add(data):
            self._sent = part


def main() -> None:
    """Run the action on the command line, and print its result as JSON."""
    action, folder, argument, *more = sys.argv[1:]
    if action == "make":
        make(Path(folder), argument, float(more[0]))
    elif action == "transform":
        print(json.dumps(transform(Path(folder), argument)))
    else:
        print(json.dumps(summarize(Path(folder), int(argument))))


if __name__ == "__main__":
    main()
