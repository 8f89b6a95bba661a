"""The report: one self-contained HTML page of bounded size that needs no script.

All numbers come from the summary, so the page and the JSON cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_report import fields, rejects
from data_report.charts import share_of_limit
from data_report.comparison import compared
from data_report.formatting import count, counted, moment, percent
from data_report.frame import Section, contract, document, facts, tiles
from data_report.origin import columns, provenance
from data_report.style import STYLE
from shared.markup import Html, data, el, join, size_of
from tabular.faults import RuleKey
from tabular.statistics.reject_examples import Example

MAX_BYTES = 1_000_000
"""The page of any file is smaller."""
_FIELDS_BYTES = 520_000
_REST_BYTES = 10_000
_ALL = 100

Summary = Mapping[str, Any]


def render(summary: Summary, examples: Mapping[RuleKey, Sequence[Example]]) -> bytes:
    """The page of a published file, UTF-8.

    `summary` is the summary document as `Summarize` writes it, `examples` are the first records
    that break each rule.
    """
    sections = [
        Section("verdict", _verdict(summary)),
        Section("usual", compared(summary)),
        Section("wrong", rejects.table(summary, examples)),
        Section("examples", rejects.examples(summary, examples)),
        Section("fix", rejects.fixes(summary)),
    ]
    after = [
        Section("columns", columns(summary["columns"])),
        Section("provenance", provenance(summary)),
    ]
    taken = sum(size_of(one.markup()) for one in (*sections, *after))
    room = min(_FIELDS_BYTES, MAX_BYTES - taken - size_of(STYLE) - _REST_BYTES)
    sections.append(Section("fields", fields.cards(summary, room)))
    return document(summary["file"]["source"], _pill(summary), [*sections, *after], _end(summary))


def _end(summary: Summary) -> Html:
    return join(
        [
            "Made by the data pipeline on ",
            moment(summary["generated_at"]),
            ". The same numbers for programs are in ",
            el("code", data(f"{summary['file']['file_id']}_summary.json")),
            ", in the same folder.",
        ]
    )


def _pill(summary: Summary) -> Html:
    """The outcome as a shape and a word, so that it does not depend on the colour."""
    if summary["total_errors"]:
        return el("span", "\u25b2 Published, with rejects", class_="pill warn")
    return el("span", "\u2713 Published", class_="pill good")


def _verdict(summary: Summary) -> Html:
    records, rejected = summary["total_input_rows"], summary["total_errors"]
    rate = reject_rate(summary)
    limit = _limit_in_percent(summary)
    return join(
        [
            el("p", _sentence(summary), class_="say"),
            tiles(
                ("records read", count(records)),
                ("published", count(summary["total_processed"])),
                ("rejected", count(rejected)),
                ("share rejected", percent(rate)),
            ),
            share_of_limit(rate, limit) if records else None,
            el("p", _limit_sentence(summary), class_="small soft"),
            _identity(summary),
        ]
    )


def reject_rate(summary: Summary) -> float:
    """Rejected records in percent of all, with two decimals, 0 if there are none."""
    records: int = max(summary["total_input_rows"], 1)
    return round(int(summary["total_errors"]) / records * 100, 2)


def _sentence(summary: Summary) -> str:
    records, rejected = summary["total_input_rows"], summary["total_errors"]
    published = summary["total_processed"]
    if not records:
        return "The file has a header and no records. An output without records was published."
    if not rejected:
        return (
            "The only record was published."
            if records == 1
            else f"All {count(records)} records were published."
        )
    were = "was" if published == 1 else "were"
    return (
        f"{count(published)} of {counted(records, 'record')} {were} published, and "
        f"{count(rejected)} {'was' if rejected == 1 else 'were'} rejected "
        f"({percent(reject_rate(summary))})."
    )


def _limit_in_percent(summary: Summary) -> float | None:
    """The stricter of the two limits as a share of this file's records, None without a limit."""
    limit, records = summary["limit"], summary["total_input_rows"]
    shares = []
    if limit["max_percent"] is not None and limit["max_percent"] < _ALL:
        shares.append(float(limit["max_percent"]))
    if limit["max_count"] is not None and records:
        shares.append(min(100.0, limit["max_count"] / records * 100))
    return min(shares) if shares else None


def _limit_sentence(summary: Summary) -> str:
    limit = summary["limit"]
    parts = []
    if limit["max_percent"] is not None and limit["max_percent"] < _ALL:
        parts.append(f"{percent(float(limit['max_percent']))} of the records")
    if limit["max_count"] is not None:
        parts.append(counted(limit["max_count"], "record"))
    if not parts:
        return "No limit of rejected records applies."
    return (
        f"At most {' and '.join(parts)} may be rejected. Beyond that the file fails, and nothing "
        "of it is published."
    )


def _identity(summary: Summary) -> Html:
    file = summary["file"]
    source = file["source"]
    return facts(
        ("File", data(f"s3://{source['bucket']}/{source['key']}", 1100)),
        ("Processed", moment(summary["generated_at"])),
        ("Contract", contract(file)),
    )
