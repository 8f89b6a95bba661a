"""The report of a file that failed: what is wrong, and how to fix it.

The pipeline does not write it, because a failed file has no outputs. `pipectl` makes it from what
the failed execution left under `work/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from data_report import rejects
from data_report.charts import share_of_limit
from data_report.formatting import count, moment, percent
from data_report.frame import Section, contract, document, facts, tiles
from data_report.origin import columns, provenance
from shared.markup import Html, data, el, join, message
from tabular.faults import RuleCount, RuleKey
from tabular.statistics.accumulator import Accumulator, reject_examples
from tabular.statistics.reject_examples import Example
from tabular.statistics.summary import summarize

MOST_REJECTS = 200_000
"""Rejected records that are counted. A file can have many millions, of the same few rules."""

_KEPT = "Nothing of it was published. What an earlier version of it published is unchanged."


@dataclass(frozen=True)
class ReportedFailure:
    """What is known of a file that failed.

    `file` is as in the summary, without what is unknown: how it was read, if `ParseCsv` failed.
    `records` and `rejected` are the file's counts, None if it was not read to its end.
    `rejected_lines` are the rejected records that were kept, each the JSON text of a line under
    `rejected/`; `no_rejects` says why there are none although there should be. `limit_percent` is
    the contract's limit of rejected records, if it has one. `columns` compares the header with the
    contract, None if one of them is unknown. `next_step` is what to do about the execution, with
    `next_command` if it is one.
    """

    file: Mapping[str, Any]
    execution: Mapping[str, str]
    started_at: str
    failed_at: str
    code: str
    message: str
    state: str | None
    records: int | None
    rejected: int | None
    rejected_lines: Iterable[bytes]
    no_rejects: str | None
    limit_percent: float | None
    shows_values: bool
    columns: Mapping[str, Sequence[str]] | None
    correction_key: str
    next_step: str | None
    next_command: str | None


def render_failure(failed: ReportedFailure) -> bytes:
    """The page of a file that failed, UTF-8. It has the sections for which something is known."""
    summary, examples, partly = _counted(failed)
    sections = [Section("verdict", _verdict(failed))]
    if summary["rejects"]["faults"]:
        sections += [
            Section("wrong", join([partly, rejects.table(summary, examples)])),
            Section("examples", rejects.examples(summary, examples)),
        ]
    elif failed.no_rejects:
        sections.append(Section("wrong", el("p", message(failed.no_rejects))))
    sections += [
        Section("fix", _fix(failed, summary)),
        Section("columns", _columns(failed)),
        Section("provenance", provenance(summary)),
    ]
    pill = el("span", "\u2715 Failed, nothing published", class_="pill bad")
    end = Html("Made by pipectl from what the failed execution left. It is kept for 15 days.")
    return document(failed.file["source"], pill, sections, end)


def _counted(
    failed: ReportedFailure,
) -> tuple[dict[str, Any], Mapping[RuleKey, Sequence[Example]], Html | None]:
    """The summary of the rejected records, their examples, and a sentence if some are missing."""
    lines = iter(failed.rejected_lines)
    found = Accumulator(())
    read = 0
    for line in islice(lines, MOST_REJECTS):
        _add(found, json.loads(line))
        read += 1
    more = next(lines, None) is not None
    statistics = found.partial()
    rejected = read if failed.rejected is None else failed.rejected
    summary = summarize(
        statistics,
        record_count=failed.records or 0,
        processed_count=0,
        error_count=rejected,
        generated_at=failed.started_at,
        file=failed.file,
        show_values=failed.shows_values,
    )
    if failed.records is None or more:
        for rule in summary["rejects"]["by_rule"]:
            rule |= {"checked": None, "failure_rate": None}
    partly = None
    if more:
        partly = el("p", f"Counted in the first {count(read)} rejected records.", class_="soft")
    elif failed.records is None and read:
        partly = el(
            "p",
            "Reading stopped when the limit was exceeded: the rest of the file is not counted.",
            class_="soft",
        )
    summary |= {
        "shows_values": failed.shows_values,
        "execution": failed.execution,
        "correction_key": failed.correction_key,
        "published": False,
    }
    return summary, reject_examples(statistics), partly


def _add(found: Accumulator, record: Mapping[str, Any]) -> None:
    """Add a rejected record, read from its line."""
    counts: dict[RuleKey, RuleCount] = {}
    for error in record["errors"]:
        key = (error["field"], error["code"], error["rule"])
        counts[key] = RuleCount(counts[key].faults + 1 if key in counts else 1, 1)
        if found.wants_example(key):
            texts = error["message"], error["value"], record["raw"]
            found.add_examples([Example(key, record["row"], record["line"], *texts)])
    found.add_rejects(counts)


def _verdict(failed: ReportedFailure) -> Html:
    source = failed.file["source"]
    where = f" in {failed.state}" if failed.state else ""
    figures = None
    if failed.records is not None and failed.rejected is not None:
        rate = round(failed.rejected / max(failed.records, 1) * 100, 2)
        figures = join(
            [
                tiles(
                    ("records read", count(failed.records)),
                    ("published", "0"),
                    ("rejected", count(failed.rejected)),
                    ("share rejected", percent(rate)),
                ),
                share_of_limit(rate, failed.limit_percent) if failed.rejected else None,
            ]
        )
    return join(
        [
            el("p", "The file failed with ", data(failed.code), f"{where}. ", _KEPT, class_="say"),
            el("p", message(failed.message)),
            figures,
            facts(
                ("File", data(f"s3://{source['bucket']}/{source['key']}", 1100)),
                ("Failed", moment(failed.failed_at)),
                ("Contract", contract(failed.file)),
            ),
        ]
    )


def _fix(failed: ReportedFailure, summary: Mapping[str, Any]) -> Html:
    parts: list[Html] = []
    if failed.next_step:
        step = message(failed.next_step)
        parts.append(el("p", step))
    if failed.next_command:
        parts.append(el("pre", data(failed.next_command, 300)))
    parts.append(el("p", "Or upload a corrected file under the same name: it is a new version."))
    if summary["rejects"]["faults"]:
        parts.append(rejects.fixes(summary))
    return join(parts)


def _columns(failed: ReportedFailure) -> Html:
    if failed.columns is not None:
        return columns(failed.columns, published=False)
    return el(
        "p",
        "They are not compared: no header was read, or what was read may be a record of a file"
        " without a header, or the dataset has no valid contract.",
    )
