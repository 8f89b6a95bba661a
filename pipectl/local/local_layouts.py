"""Decides how to read a local file, as the pipeline would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipectl.errors import PipectlError

if TYPE_CHECKING:
    from tabular.model import Contract
    from tabular.reading.layout import Layout

HEAD_BYTES = 1024 * 1024
"""Number of bytes at the beginning of a file that are read to decide its layout."""


def contract_in(path: Path | None) -> Contract | None:
    """The contract in a file, None without one. Raises PipectlError if it is invalid."""
    from tabular.errors import InvalidContract

    if path is None:
        return None
    try:
        return read_contract_file(path)
    except InvalidContract as error:
        raise PipectlError(f"{path}: InvalidContract. {error}") from None


def read_contract_file(path: Path) -> Contract:
    """The contract in a file. Raises InvalidContract."""
    from tabular.contract.descriptor import read_contract
    from tabular.writing.output_formats import FORMATS

    return read_contract(path.read_bytes(), output_formats=FORMATS)


def layout_of_file(path: Path, contract: Contract | None) -> Layout:
    """Decide how a file is read. Raises PipectlError if it can't be."""
    from pipectl.local.ranges import ranges_of
    from tabular.reading.layout import read_layout

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    with reading(path):
        return read_layout(
            head,
            size=path.stat().st_size,
            name=path.name,
            contract=contract,
            read=ranges_of(path),
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Report that a file can't be read, with the engine's reason."""
    from tabular.errors import TabularError

    try:
        yield
    except TabularError as error:
        raise PipectlError(f"{path}: {type(error).__name__}. {error}") from None
