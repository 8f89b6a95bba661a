"""`pipectl stats`: what the summary of a file would say, in the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pipectl import tables
from pipectl.options import file_contract_option
from pipectl.output import counted, echo, echo_json, shortened

_SHOWN_CHARACTERS = 24


@click.command(epilog="Example: pipectl stats orders.csv --contract orders.json")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@file_contract_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document.")
def command(*, file: Path, contract_path: Path | None, as_json: bool) -> None:
    """Show statistics of FILE's processed records: nulls, distinct values, range, median.

    They are the statistics of the summary that the pipeline writes; rejected records don't count.

    Exit status: 0 on success, 1 if the file can't be read, 2 on usage errors.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    summary = _summary(file, contract_path)
    if as_json:
        echo_json(summary)
        return
    records, rejected = summary["total_input_rows"], summary["total_errors"]
    read = counted(records, "record", "records")
    echo(f"{file}: {read}, {records - rejected:,} processed, {rejected:,} rejected")
    header = (
        "COLUMN",
        "TYPE",
        "VALUES",
        "NULLS",
        "DISTINCT",
        "MIN",
        "MEDIAN",
        "MAX",
        "MOST COMMON",
    )
    fields = summary["field_statistics"].items()
    tables.show(header, [_row(name, figures) for name, figures in fields])
    for rule in summary["rejects"]["by_rule"]:
        name = f"{rule['field']}: " if rule["field"] else ""
        count = rule["failed"]
        echo(f"Rejected: {name}{rule['code']}, {count:,} record{'' if count == 1 else 's'}")
    for note in summary["notes"]:
        echo(f"Note: {note}")


def _summary(file: Path, contract_path: Path | None) -> dict[str, Any]:
    from pipectl.local.file_progress import FileProgress
    from pipectl.local.local_layouts import contract_in, layout_of_file, reading
    from pipectl.local.processes import helpers_for, transform_file
    from tabular.statistics.summary import summarize

    contract = contract_in(contract_path)
    progress = FileProgress("Reading")
    with reading(file), helpers_for(file, processes=os.cpu_count() or 1) as helpers:
        layout = layout_of_file(file, contract)
        progress.begin(str(file), file.stat().st_size)
        part = transform_file(
            file, layout, helpers, file_id="", processed_at="", progress=progress.read
        )
    return summarize(
        part.statistics,
        record_count=part.record_count,
        processed_count=part.processed_count,
        error_count=part.error_count,
        generated_at="",
        file=layout.facts(),
    )


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    about = "" if figures.get("distinct_exact", True) else "~"
    common = figures.get("top_values") or []
    shown = f"{_cut(common[0]['value'])} ({common[0]['count']:,}x)" if common else "-"
    return [
        name,
        str(figures["field_type"]),
        f"{figures['count']:,}",
        f"{figures['nulls']:,}",
        f"{about}{figures['distinct']:,}",
        _cut(figures.get("min")),
        _cut((figures.get("quantiles") or {}).get("p50")),
        _cut(figures.get("max")),
        shown,
    ]


def _cut(value: object) -> str:
    return "-" if value is None else shortened(str(value), _SHOWN_CHARACTERS)
