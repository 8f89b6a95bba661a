"""Transforms a file with unique values where the disk is small, for a test.

Arguments: the size of the file and of the disk, both in MB. It runs in a process of its own,
because the restriction of the disk can't be undone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator

from pipectl.embedded import sandbox
from tabular.contract.descriptor import parse_contract
from tabular.errors import TabularError
from tabular.reading.layout import read_layout
from tabular.reading.split import Split
from tabular.transform import transform

MB = 1024 * 1024
LINES = 100_000


def pieces(size: int) -> Iterator[bytes]:
    """A file of about `size` bytes with a different number in each line."""
    yield b"id\n"
    written = number = 0
    while written < size:
        piece = b"".join(b"%d\n" % one for one in range(number, number + LINES))
        yield piece
        number += LINES
        written += len(piece)


def main() -> None:
    size, disk = (int(argument) * MB for argument in sys.argv[1:])
    field = {"name": "id", "type": "integer", "constraints": {"unique": True}}
    contract = parse_contract({"name": "a", "path": "a.csv", "schema": {"fields": [field]}})
    layout = read_layout(b"id\n1\n", size=size, name="a.csv", contract=contract)
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        sandbox.restrict(folder, disk)
        try:
            part = transform(
                pieces(size),
                layout,
                Split(0, len(b"id\n"), None),
                file_id="f",
                processed_at="2026-01-01T00:00:00Z",
                processed=None,
                rejected=None,
                corrections=None,
            )
        except TabularError as error:
            print(f"{type(error).__name__}: {error}")
        else:
            print(f"{part.processed_count} processed, {part.error_count} rejected")


if __name__ == "__main__":
    main()
