"""Measured figures as Markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.benchmarks.comparison import ColdTable, ComparisonRow, WarmTable

_BASE = "reference"


def cold_table(table: ColdTable) -> str:
    """All engines on one size, with how many times faster than the reference each is.

    By MB/s of wall time, and by MB/s of processor time, which other work on the machine disturbs
    less, and which is what one pays for.
    """
    orders = table.orders
    base = next((row for row in table.rows if row.engine.name == _BASE and row.runs), None)
    rounds = "one run" if table.rounds == 1 else f"medians of {table.rounds} interleaved runs"
    return "\n".join(
        [
            f"**{orders.size / 1e6:.1f} MB**, {orders.records:,} records of which "
            f"{orders.rejected:,} bad; {rounds}",
            "",
            "| engine | what it does | MB | seconds | CPU seconds | MB/s | x reference "
            "| x reference by CPU | peak MB |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|",
            *(_cold_row(row, base) for row in table.rows),
        ]
    )


def warm_table(table: WarmTable) -> str:
    """Median milliseconds on a small file, and relative to the reference."""
    base = table.milliseconds.get(_BASE)
    return "\n".join(
        [
            f"**{table.orders.size / 1e3:.0f} KB, warm**: {table.orders.records:,} records, median "
            "of 20 repetitions in a process that has run 5 before",
            "",
            "| engine | milliseconds | time / reference |",
            "|---|---:|---:|",
            *(
                f"| {name} | {value:.1f} | {f'{value / base:.2f}' if base else ''} |"
                for name, value in table.milliseconds.items()
            ),
        ]
    )


def _cold_row(row: ComparisonRow, base: ComparisonRow | None) -> str:
    about = f"| {row.engine.name} | {row.engine.work} | {row.megabytes:.0f} |"
    if row.skipped:
        return f"{about} not run: {row.skipped} | | | | | |"
    ratios = " | "
    if base:
        ratios = f"{row.rate / base.rate:.1f} | {row.processor_rate / base.processor_rate:.1f}"
    return (
        f"{about} {row.seconds:.2f} | {row.processor_seconds:.2f} | {row.rate:.1f} | {ratios} | "
        f"{row.peak_megabytes:,.0f} |"
    )


def publish(
    kind: str, machine: Mapping[str, str], tables: Iterable[str], page: Path | None
) -> None:
    """Print what was measured and where, and put it between the marks of a page if one is given."""
    about = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    measured = "\n\n".join([about, *tables])
    print(measured)
    if page:
        replace_measured(page, kind, measured)


def replace_measured(page: Path, kind: str, measured: str) -> None:
    """Put figures between the two marks that a page has for this kind of them."""
    begin, end = f"<!-- measured: {kind} -->", f"<!-- end of measured: {kind} -->"
    before, opened, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"{page} does not have the marks {begin} and {end}. Add them.")
    page.write_text(f"{before}{begin}\n\n{measured}\n\n{end}{after}", encoding="utf-8")
