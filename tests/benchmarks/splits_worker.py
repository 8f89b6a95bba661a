"""Does one split in a process of its own: `python -m tests.benchmarks.splits_worker STEP ...`.

It reads a file on the disk in the ranges in which the functions read S3, and prints a JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.storage import LOOKAHEAD_BYTES, RANGE_BYTES
from tabular.reading.layout import Layout
from tabular.reading.measure import measure
from tabular.reading.split import Split
from tabular.transform import transform

_STARTED = "2026-03-01T08:00:00.000Z"
_FILE_ID = "0123456789abcdef0123456789abcdef"


class Ranges:
    """The bytes of a file from a split's start on, read as `shared.storage.stream` reads S3."""

    def __init__(self, path: Path, split: Split) -> None:
        self._path = path
        self._split = split
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._split.start)
            left = (self._split.end or self._path.stat().st_size) - self._split.start
            while left:
                yield self._counted(file.read(min(left, RANGE_BYTES)))
                left -= min(left, RANGE_BYTES)
            while more := file.read(LOOKAHEAD_BYTES):
                yield self._counted(more)

    def _counted(self, data: bytes) -> bytes:
        self.bytes_read += len(data)
        return data


class CountingSink:
    """Counts the bytes that would be uploaded, and forgets them."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Take the bytes."""
        self.size += len(data)


def main() -> None:
    """Run the step and print its costs, without the interpreter's start and imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["measure", "transform"])
    parser.add_argument("source", type=Path)
    parser.add_argument("layout", type=Path)
    parser.add_argument("split", type=json.loads)
    options = parser.parse_args()
    layout = Layout.from_document(json.loads(options.layout.read_bytes()))
    split = Split(**options.split)
    ranges = Ranges(options.source, split)
    started, processor = time.perf_counter(), time.process_time()
    done = _measure(ranges, layout, split) if options.step == "measure" else None
    done = done or _transform(ranges, layout, split)
    done |= {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - processor,
        "bytes_read": ranges.bytes_read,
    }
    print(json.dumps(done))


def _measure(ranges: Ranges, layout: Layout, split: Split) -> dict[str, Any]:
    return measure(ranges, layout, split).to_document()


def _transform(ranges: Ranges, layout: Layout, split: Split) -> dict[str, Any]:
    sinks = CountingSink(), CountingSink(), CountingSink()
    part = transform(
        ranges,
        layout,
        split,
        file_id=_FILE_ID,
        processed_at=_STARTED,
        processed=sinks[0],
        rejected=sinks[1],
        corrections=sinks[2],
    ).to_document()
    statistics = json.dumps(part.pop("statistics"))
    sizes = {"processed": sinks[0].size, "rejected": sinks[1].size, "corrections": sinks[2].size}
    return {**part, **sizes, "statistics": len(statistics)}


if __name__ == "__main__":
    main()
