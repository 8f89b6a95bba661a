"""Puts the parts of a file's splits together, as their format requires."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from shared.errors import InternalError
from shared.job import Location
from shared.storage import SMALL_READS, read_range
from tabular.writing.output_format import Assembler, Excerpt, OutputFormat


def assemble(parts: Sequence[Location], output_format: OutputFormat) -> list[Location | bytes]:
    """The pieces of the output, in order: the parts, and the bytes that the format adds to them.

    A single part is an output already. Raises `InternalError` if the parts can't be put together,
    and `FileTooLarge` if the added bytes are too many.
    """
    if len(parts) == 1 or output_format.load_assembler is None:
        return [*parts]
    assembler = output_format.load_assembler()
    try:
        tail = assembler.tail(_excerpts(parts, assembler))
    except ValueError as error:
        raise InternalError(
            f"The {output_format.name} parts can't be put together: {error}. Nothing was "
            "published. Start a new execution."
        ) from None
    return [*parts, tail]


def _excerpts(parts: Sequence[Location], assembler: Assembler) -> Iterator[Excerpt]:
    """The excerpts of the parts, in order; several are read at once, and few are in memory."""

    def read(number: int, part: Location) -> Excerpt:
        try:
            return Excerpt(part.size, assembler.excerpt(part.size, partial(read_range, part)))
        except ValueError as error:
            raise ValueError(f"part {number}: {error}") from None

    with ThreadPoolExecutor(max_workers=SMALL_READS) as pool:
        coming: deque[Future[Excerpt]] = deque()
        for number, part in enumerate(parts):
            coming.append(pool.submit(read, number, part))
            if len(coming) == SMALL_READS:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
