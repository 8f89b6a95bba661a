"""Calls Polars' CSV reader so that it interprets only delimiters, quotes and line feeds.

Polars looks at the first bytes it is given: `1f 8b` (gzip), `28 b5 2f fd` (Zstandard) and `x`
before one of four bytes, `^` among them (zlib), are taken for compressed data, which it
decompresses silently. It drops a byte order mark. But a block of a file may begin with any bytes.
So only this module calls the reader, and always puts its own line before the block.
"""

from __future__ import annotations

import polars as pl


def read_rows(
    *pieces: bytes | memoryview, width: int, separator: str, quote: str | None
) -> pl.DataFrame:
    """Read lines as rows of `width` String columns, named by number from "0" on.

    `pieces` put together are the lines, which must be UTF-8 (ComputeError otherwise). Short lines
    are padded, long ones are cut. With one column, empty lines are rows; with several, the reader
    skips them. Quotes are those of RFC 4180; `quote` None means that cells are never quoted.
    """
    # An empty row. It begins with no magic number, whatever the separator is. It has as many cells
    # as there are columns, because the reader expects all rows to be like the first one.
    own_line = separator.encode() * (width - 1) + b"\n"
    frame = pl.read_csv(
        b"".join((own_line, *pieces)),
        has_header=False,
        separator=separator,
        quote_char=quote,
        comment_prefix=None,
        skip_rows=0,
        null_values=None,
        ignore_errors=False,
        try_parse_dates=False,
        encoding="utf8",
        eol_char="\n",
        schema=schema_of(width),
        empty_string_is_null=False,
        truncate_ragged_lines=True,
    )
    return frame.slice(1).rechunk()


def schema_of(width: int) -> dict[str, type[pl.String]]:
    """The columns that `read_rows` gives."""
    return {str(position): pl.String for position in range(width)}
