"""The report: one self-contained HTML page of bounded size that needs no script.

All numbers come from the summary, so the page and the JSON cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from shared.markup import Html, data, el, join, size_of
from summarize.report import fields, rejects
from summarize.report.budget import within
from summarize.report.charts import share_of_limit
from summarize.report.comparison import compared
from summarize.report.formatting import count, counted, moment, percent, size
from summarize.report.style import POLICY, STYLE
from tabular.faults import RuleKey
from tabular.statistics.reject_examples import Example

MAX_BYTES = 1_000_000
"""The page of any file is smaller."""
_COLUMNS_BYTES = 60_000
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
        _section("verdict", "Verdict", _verdict(summary)),
        _section("usual", "Against the usual", compared(summary)),
        _section("wrong", "What was wrong", rejects.table(summary, examples)),
        _section("examples", "Examples", rejects.examples(summary, examples)),
        _section("fix", "How to fix it", rejects.fixes(summary)),
    ]
    after = [
        _section("columns", "Columns", _columns(summary["columns"])),
        _section("provenance", "Provenance", _provenance(summary)),
    ]
    taken = sum(map(size_of, (*sections, *after))) + size_of(STYLE) + _REST_BYTES
    room = min(_FIELDS_BYTES, MAX_BYTES - taken)
    sections.append(_section("fields", "Fields", fields.cards(summary, room)))
    return _document(summary, [*sections, *after])


def _document(summary: Summary, sections: Sequence[Html]) -> bytes:
    name = _name(summary)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width,initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="robots", content="noindex"),
        el("meta", name="color-scheme", content="light dark"),
        # A title has no markup, so that an escaped character looks like text in it.
        el("title", _title(name)),
        Html(f"<style>{STYLE}</style>"),
    )
    source = summary["file"]["source"]
    top = el(
        "header",
        el("p", "Data report \u00b7 dataset ", data(source["dataset"]), class_="over"),
        el("h1", data(name, 200)),
        _pill(summary),
        _contents(),
    )
    end = el(
        "footer",
        "Made by the data pipeline on ",
        moment(summary["generated_at"]),
        ". The same numbers for programs are in ",
        el("code", data(f"{summary['file']['file_id']}_summary.json")),
        ", in the same folder.",
    )
    body = el("body", top, el("main", *sections), end)
    return ("<!doctype html>\n" + el("html", head, body, lang="en")).encode()


def _title(name: str) -> str:
    return f"{name[:100]} \u2013 data report"


_CONTENTS = {
    "verdict": "Verdict",
    "usual": "Against the usual",
    "wrong": "What was wrong",
    "examples": "Examples",
    "fix": "How to fix it",
    "fields": "Fields",
    "columns": "Columns",
    "provenance": "Provenance",
}


def _contents() -> Html:
    links = [el("li", el("a", title, href=f"#{name}")) for name, title in _CONTENTS.items()]
    return el("nav", el("ul", *links), aria_label="Sections")


def _section(name: str, title: str, content: Html) -> Html:
    return el(
        "section",
        el("h2", title, id=f"{name}-title"),
        content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _name(summary: Summary) -> str:
    return PurePosixPath(summary["file"]["source"]["key"]).name


def _pill(summary: Summary) -> Html:
    """The outcome as a shape and a word, so that it does not depend on the colour."""
    if summary["total_errors"]:
        return el("span", "\u25b2 Published, with rejects", class_="pill warn")
    return el("span", "\u2713 Published", class_="pill good")


def _verdict(summary: Summary) -> Html:
    records, rejected = summary["total_input_rows"], summary["total_errors"]
    rate = reject_rate(summary)
    limit = _limit_in_percent(summary)
    tiles = (
        ("records read", count(records)),
        ("published", count(summary["total_processed"])),
        ("rejected", count(rejected)),
        ("share rejected", percent(rate)),
    )
    return join(
        [
            el("p", _sentence(summary), class_="say"),
            el(
                "dl",
                *(el("div", el("dt", name), el("dd", value)) for name, value in tiles),
                class_="tiles",
            ),
            share_of_limit(rate, limit) if records else None,
            el("p", _limit_sentence(summary), class_="small soft"),
            el("dl", *_identity(summary), class_="facts"),
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


def _identity(summary: Summary) -> list[Html]:
    file = summary["file"]
    source = file["source"]
    return _pairs(
        ("File", data(f"s3://{source['bucket']}/{source['key']}", 1100)),
        ("Processed", moment(summary["generated_at"])),
        ("Contract", _contract(file)),
    )


def _contract(file: Mapping[str, Any]) -> Html:
    if not file["contract_key"]:
        return join(["None: the file was read by the default rules, without checks of its values."])
    version = file["contract_version"]
    return join(
        [data(file["contract_key"], 300), f", version {version}" if version != "null" else None]
    )


def _columns(columns: Mapping[str, Sequence[str]]) -> Html:
    kinds = (
        ("dropped", "Dropped", "In the header, but not in the contract; not in the output."),
        ("missing", "Missing", "In the contract, but not in the header."),
        ("kept", "Kept", "In the header, but not in the contract; in the output as text."),
        ("matched", "Matched", "In the header and in the contract."),
    )
    different = sum(len(columns[kind]) for kind, _, _ in kinds[:3])
    header = sum(len(columns[kind]) for kind in ("matched", "dropped", "kept"))
    sentence = (
        f"The header has {counted(header, 'column')}: "
        + (
            "exactly those of the contract."
            if not different
            else f"{counted(different, 'difference')} from the contract."
        )
        if header or different
        else "The file has no columns."
    )
    parts: list[Html] = [el("p", sentence)]
    for kind, title, meaning in kinds:
        names = columns[kind]
        if not names:
            continue
        heading = el("h3", f"{title}: {count(len(names))} ", el("small", meaning, class_="soft"))
        shown, more = within(_COLUMNS_BYTES // len(kinds), (el("li", data(n)) for n in names))
        rest = f"and {counted(len(names) - len(shown), 'more column')}" if more else None
        parts += [heading, el("ul", *shown, el("li", rest) if rest else None, class_="chips")]
    return join(parts)


def _provenance(summary: Summary) -> Html:
    file, engine = summary["file"], summary["engine"]
    source, dialect = file["source"], file["dialect"]
    execution = summary["execution"]
    encoding = file["encoding"] + (" with a byte order mark" if file["byte_order_mark"] else "")
    header = "with a header" if dialect["header"] else "without a header"
    pairs = _pairs(
        ("File ID", el("code", data(file["file_id"]))),
        ("Object version", data(source["version_id"] or "none: the bucket has no versions")),
        ("ETag", el("code", data(source["etag"]))),
        ("Size", f"{size(file['size'])} ({counted(file['size'], 'byte')})"),
        ("Encoding", join([data(encoding), ", gzip" if file["compression"] else None])),
        (
            "Dialect",
            join(
                [
                    "delimiter ",
                    el("code", data(dialect["delimiter"])),
                    ", quote ",
                    el("code", data(dialect["quote_char"])) if dialect["quote_char"] else "none",
                    f", {header}",
                ]
            ),
        ),
        *_footer(dialect),
        ("Splits", count(file["splits"])),
        ("Attempt", count(file["attempt"])),
        ("Execution", data(execution["arn"], 300)),
        ("Uploaded", moment(source["event_time"])),
        ("Started", moment(summary["generated_at"])),
        (
            "Engine",
            join(
                [
                    el("code", data(str(engine["code"])[:12])),
                    f", Polars {engine['polars']}, Python {engine['python']}, ",
                    str(engine["processor"]),
                ]
            ),
        ),
    )
    return el("dl", *pairs, class_="facts")


def _footer(dialect: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = dialect["footer_rows"]
    return [("Footer", f"{counted(rows, 'row')} left out")] if rows else []


def _pairs(*pairs: tuple[str, str | Html]) -> list[Html]:
    return [join([el("dt", name), el("dd", value)]) for name, value in pairs]
