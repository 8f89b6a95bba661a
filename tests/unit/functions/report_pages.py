"""Makes summaries and reports for tests, and reads the pages as a browser would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from data_report.page import render
from tabular.faults import RuleKey
from tabular.reading.header import compare_columns
from tabular.statistics.accumulator import reject_examples
from tabular.statistics.reject_examples import Example
from tabular.statistics.summary import summarize
from tests.unit.tabular.engine import run

FILE_ID = "0123456789abcdef0123456789abcdef"
_VOID = frozenset({"meta", "rect", "path"})
# A start tag ends these if they are open, as the page leaves their end tags out.
_ENDED_BY = {
    "td": {"td", "th"},
    "th": {"td", "th"},
    "tr": {"td", "th", "tr"},
    "tbody": {"td", "th", "tr", "thead"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "li": {"li"},
}


@dataclass
class Page(HTMLParser):
    """What is in a page: its tags, its attributes, the texts of elements, and its tables."""

    tags: Counter[str] = field(default_factory=Counter)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _section: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        while self._open and self._open[-1] in _ENDED_BY.get(tag, ()):
            self._open.pop()
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs).get("id") or ""
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in {"td", "th"}:
            self.tables[self._section][-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))
        if {"td", "th"} & set(self._open):
            self.tables[self._section][-1][-1] += data

    @property
    def text(self) -> str:
        """All text that is shown."""
        return "".join(text for tag, text in self.texts if tag not in {"style", "title"})

    def headings(self) -> list[str]:
        return [text for tag, text in self.texts if tag == "h2"]


def read(page: bytes) -> Page:
    """The page, read to its end with all its elements closed."""
    read = Page()
    read.feed(page.decode())
    read.close()
    assert read._open == []
    return read


def summary_of(
    content: bytes, contract: Any = None, *, key: str = "raw/people/people.csv", **changes: Any
) -> tuple[dict[str, Any], dict[RuleKey, list[Example]]]:
    """The summary of a file as `Summarize` writes it, and the examples of its rejects."""
    result = run(content, contract)
    terms = result.layout.contract
    part = result.part
    summary = summarize(
        part.statistics,
        record_count=part.record_count,
        processed_count=part.processed_count,
        error_count=part.error_count,
        generated_at="2026-03-01T08:00:05.000Z",
        file={
            "file_id": FILE_ID,
            "attempt": 1,
            "source": {
                "bucket": "in",
                "key": key,
                "version_id": "v1",
                "etag": "e",
                "size": len(content),
                "event_time": "2026-03-01T08:00:00.000Z",
                "dataset": key.split("/")[1],
            },
            "contract_key": f"contracts/{key.split('/')[1]}.json" if contract else None,
            "contract_version": "v2" if contract else None,
            "splits": 1,
            **result.layout.facts(),
        },
        show_values=terms.report_examples,
    )
    summary |= {
        "shows_values": terms.report_examples,
        "limit": {"max_percent": 50.0, "max_count": None},
        "columns": compare_columns(result.layout.labels, terms),
        "correction_key": f"corrections/people/{FILE_ID}.csv",
        "execution": {"arn": "arn:aws:states:execution", "name": "one"},
        "engine": {"code": "c0de", "polars": "1", "python": "3.13", "processor": "arm64"},
        "usual": None,
    }
    return summary | changes, reject_examples(part.statistics)


def page_of(
    summary: Mapping[str, Any], examples: Mapping[RuleKey, Sequence[Example]] | None = None
) -> Page:
    return read(render(summary, examples or {}))


def report(content: bytes, contract: Any = None, **changes: Any) -> Page:
    """The report of a file."""
    return page_of(*summary_of(content, contract, **changes))
