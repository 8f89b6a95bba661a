"""The file compared with the last ones of its dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data_report.formatting import count, counted, figure, moment, percent, size
from shared.markup import Html, data, el, join

JUDGED_FROM = 5
"""With fewer files, most new values are outside of the range of the earlier ones."""
_SHOWN_FIELDS = 20


def compared(summary: Mapping[str, Any]) -> Html:
    """The rows, bytes, rejects and nulls of the file beside the medians of the last files."""
    usual = summary["usual"]
    if usual is None:
        return el("p", "No history: this is the first file of the dataset that has a report.")
    files = usual["files"]
    since = moment(usual["since"])
    sentence = (
        f"Compared with the last {files} files of the dataset, since {since}."
        if files > 1
        else f"Compared with the only earlier file of the dataset, of {since}."
    )
    if files < JUDGED_FROM:
        sentence += f" After {JUDGED_FROM} files the report also says what is unusual."
    return join([el("p", sentence, class_="soft"), _table(usual, files), _rest(usual)])


def _table(usual: Mapping[str, Any], files: int) -> Html:
    rows = [
        _row("Records", usual["rows"], count, files),
        _row("Bytes", usual["bytes"], size, files),
        _row("Share rejected", usual["reject_rate"], percent, files),
        *(
            _row(join(["Nulls in ", data(name, 60)]), figures, percent, files)
            for name, figures in _changed(usual)
        ),
    ]
    head = el(
        "thead",
        el(
            "tr",
            el("th", "Figure", scope="col"),
            el("th", "This file", scope="col", class_="n"),
            el("th", "Median", scope="col", class_="n"),
            el("th", "Range", scope="col", class_="n"),
            el("td") if files < JUDGED_FROM else el("th", "Verdict", scope="col"),
        ),
    )
    return el("table", head, el("tbody", *rows), class_="stack")


def _row(name: str | Html, figures: Mapping[str, Any], shown: Any, files: int) -> Html:
    low, high = figures["lowest"], figures["highest"]
    written = shown(low) if low == high else f"{shown(low)} \u2013 {shown(high)}"
    median = figures["median"]
    middle = shown(median) if shown is percent else shown(round(median))
    return el(
        "tr",
        el("th", name, scope="row"),
        el("td", shown(figures["value"]), class_="n", data_l="This file"),
        el("td", middle, class_="n", data_l="Median"),
        el("td", written, class_="n", data_l="Range"),
        el("td", _verdict(figures), data_l="Verdict") if files >= JUDGED_FROM else el("td"),
    )


def _verdict(figures: Mapping[str, Any]) -> Html:
    value = figures["value"]
    if value > figures["highest"]:
        return el("span", "\u25b2 higher than before", class_="pill warn")
    if value < figures["lowest"]:
        return el("span", "\u25bc lower than before", class_="pill warn")
    return el("span", "\u2713 as usual", class_="pill plain")


def _changed(usual: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields with other shares of nulls than usual, those that differ most first."""
    different = [
        (name, figures)
        for name, figures in usual["null_rates"].items()
        if figures["value"] != figures["median"]
    ]
    different.sort(key=lambda pair: -abs(pair[1]["value"] - pair[1]["median"]))
    yield from different[:_SHOWN_FIELDS]


def _rest(usual: Mapping[str, Any]) -> Html:
    rates = usual["null_rates"]
    others = len(rates) - len(list(_changed(usual)))
    if not others:
        return Html()
    same = all(f["value"] == f["median"] for f in rates.values())
    what = "All" if same else "The other"
    differ = sum(f["value"] != f["median"] for f in rates.values())
    if differ > _SHOWN_FIELDS:
        sentence = (
            f"{counted(differ - _SHOWN_FIELDS, 'more field')} with an unusual share of nulls."
        )
    else:
        noun = "field has" if others == 1 else "fields have"
        sentence = f"{what} {figure(others)} {noun} the usual share of nulls."
    return el("p", sentence, class_="small soft")
