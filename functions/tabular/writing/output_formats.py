"""The output formats that a contract or a stack can choose.

To add one, write a module beside `jsonl.py` that defines a `WRITER`, add the format here, and allow
its name for the template's parameter `OutputFormat`. Nothing else names a format.

Writers need Polars, which ParseCsv loads late and WriteOutput's package does not have. So a
format's module is imported where the format is first written, not with this one. What puts parts
together is in a separate module, because WriteOutput needs it.
"""

from __future__ import annotations

from tabular.writing.output_format import Assembler, OutputFormat, Writer


def _jsonl() -> Writer:
    from tabular.writing.jsonl import WRITER

    return WRITER


def _parquet() -> Writer:
    from tabular.writing.parquet import WRITER

    return WRITER


def _parquet_assembler() -> Assembler:
    from tabular.writing.parquet_footer import ASSEMBLER

    return ASSEMBLER


FORMATS = {
    output_format.name: output_format
    for output_format in (
        OutputFormat(
            name="jsonl",
            suffix="jsonl",
            media_type="application/x-ndjson",
            load_writer=_jsonl,
        ),
        OutputFormat(
            name="parquet",
            suffix="parquet",
            media_type="application/vnd.apache.parquet",
            load_writer=_parquet,
            load_assembler=_parquet_assembler,
            columnar=True,
        ),
    )
}
"""By name."""

DEFAULT_FORMAT = "jsonl"
"""The template's default."""
