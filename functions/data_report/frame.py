"""What reports of published and failed files have in common: the page around the sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from data_report.style import POLICY, STYLE
from shared.markup import Html, data, el, join

CONTENTS = {
    "verdict": "Verdict",
    "usual": "Against the usual",
    "wrong": "What was wrong",
    "examples": "Examples",
    "fix": "How to fix it",
    "fields": "Fields",
    "columns": "Columns",
    "provenance": "Provenance",
}
"""The sections of a report by their name in links, in their order."""


class Section(NamedTuple):
    """A section of the page; `name` is one of `CONTENTS`."""

    name: str
    content: Html

    def markup(self) -> Html:
        """The section with its heading."""
        return el(
            "section",
            el("h2", CONTENTS[self.name], id=f"{self.name}-title"),
            self.content,
            id=self.name,
            aria_labelledby=f"{self.name}-title",
        )


def document(
    source: Mapping[str, Any], pill: Html, sections: Sequence[Section], end: Html
) -> bytes:
    """The page of the file `source`, UTF-8. `pill` is its outcome, `end` the last line."""
    name = PurePosixPath(source["key"]).name
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width,initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="robots", content="noindex"),
        el("meta", name="color-scheme", content="light dark"),
        # A title has no markup, so that an escaped character looks like text in it.
        el("title", f"{name[:100]} \u2013 data report"),
        Html(f"<style>{STYLE}</style>"),
    )
    links = [el("li", el("a", CONTENTS[one.name], href=f"#{one.name}")) for one in sections]
    top = el(
        "header",
        el("p", "Data report \u00b7 dataset ", data(source["dataset"]), class_="over"),
        el("h1", data(name, 200)),
        pill,
        el("nav", el("ul", *links), aria_label="Sections"),
    )
    main = el("main", *(one.markup() for one in sections))
    body = el("body", top, main, el("footer", end))
    return ("<!doctype html>\n" + el("html", head, body, lang="en")).encode()


def tiles(*pairs: tuple[str, str]) -> Html:
    """Names and figures, side by side."""
    return el(
        "dl", *(el("div", el("dt", name), el("dd", value)) for name, value in pairs), class_="tiles"
    )


def facts(*pairs: tuple[str, str | Html]) -> Html:
    """Names and values, one below the other."""
    rows = [join([el("dt", name), el("dd", value)]) for name, value in pairs]
    return el("dl", *rows, class_="facts")


def contract(file: Mapping[str, Any]) -> Html:
    """The contract that the file was read with."""
    if not file["contract_key"]:
        return join(["None: the file was read by the default rules, without checks of its values."])
    version = file["contract_version"]
    return join(
        [data(file["contract_key"], 300), f", version {version}" if version != "null" else None]
    )
