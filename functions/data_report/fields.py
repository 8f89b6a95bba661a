"""One card for each field: its counts, range and distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from data_report.budget import within
from data_report.charts import box, histogram, share
from data_report.formatting import count, counted, figure, percent
from shared.markup import Html, code, data, el, join

_MOST_CARDS = 1_000
_TOP = 10
_FEWER_TOP = 5
_VALUE = 60
_SHORT_VALUE = 24
_MIDDLES = (("Middle half", "p25", "p75"), ("Middle 90%", "p5", "p95"))

Figures = Mapping[str, Any]


def cards(summary: Mapping[str, Any], room: int) -> Html:
    """The fields in the contract's order, in as much detail as fits into `room` bytes for all."""
    fields: Mapping[str, Figures] = summary["field_statistics"]
    records = summary["total_processed"]
    if not fields:
        return el("p", "The output has no fields.")
    intro = [
        el(
            "p",
            f"{counted(len(fields), 'field')} of {counted(records, 'published record')}. "
            "Rejected records are not in these numbers.",
            class_="soft",
        ),
        *(el("p", data(note, 500)) for note in summary["notes"][:5]),
    ]
    if not summary["shows_values"]:
        intro.append(
            el("p", code("The contract's `reportExamples: none` leaves only counts of the fields."))
        )
    room -= sum(map(len, intro)) * 4
    for detail in (_full, _short) if len(fields) <= _MOST_CARDS else ():
        shown, more = within(room, _each(fields, detail))
        if not more:
            return join([*intro, el("div", *shown, class_="cards")])
    rows, more = within(room, _each(fields, _row))
    rest = (
        el("p", f"{counted(len(fields) - len(rows), 'more field')}: see the summary.")
        if more
        else None
    )
    return join([*intro, _table(rows), rest])


def _each(fields: Mapping[str, Figures], detail: Callable[[str, Figures], Html]) -> Iterator[Html]:
    return (detail(name, figures) for name, figures in fields.items())


def _full(name: str, figures: Figures) -> Html:
    return _card(name, figures, top=_TOP, most=_VALUE, bins=True)


def _short(name: str, figures: Figures) -> Html:
    return _card(name, figures, top=_FEWER_TOP, most=_SHORT_VALUE, bins=False)


def _card(name: str, figures: Figures, *, top: int, most: int, bins: bool) -> Html:
    head = el(
        "header",
        el("h3", data(name, 80)),
        el("span", figures["field_type"], class_="pill plain"),
    )
    return el(
        "article",
        head,
        _drawing(figures),
        el("dl", *_numbers(figures, most)),
        _top_values(figures, top, most) if not _is_distributed(figures) else None,
        _bins(figures["histogram"]) if bins and _is_distributed(figures) else None,
        class_="card",
    )


def _is_distributed(figures: Figures) -> bool:
    """Whether a histogram says more than the most frequent values do."""
    drawn = figures.get("histogram")
    return drawn is not None and len(drawn["counts"]) > 1


def _drawing(figures: Figures) -> Html | None:
    if not _is_distributed(figures):
        return None
    low, high = figures["histogram"]["edges"][0], figures["histogram"]["edges"][-1]
    return join(
        [
            histogram(figures["histogram"]["counts"]),
            box(low, high, figures["quantiles"]),
            el(
                "div",
                el("span", figure(figures["min"])),
                el("span", figure(figures["max"])),
                class_="axis",
                aria_hidden="true",
            ),
        ]
    )


def _numbers(figures: Figures, most: int) -> Iterator[Html]:
    present, nulls = figures["count"], figures["nulls"]
    yield _pair("Values", count(present))
    missing = f"{count(nulls)} ({percent(nulls / (present + nulls) * 100)})" if nulls else "0"
    yield _pair("Nulls", missing)
    about = "" if figures["distinct_exact"] else "about "
    yield _pair("Distinct", about + count(figures["distinct"]))
    if figures.get("non_finite"):
        yield _pair("NaN, infinite", count(figures["non_finite"]))
    if figures["min"] is not None:
        yield _pair("Smallest", _value(figures["min"], most))
        yield _pair("Largest", _value(figures["max"], most))
    if figures.get("mean") is not None:
        yield _pair("Mean", figure(figures["mean"]))
    if figures.get("standard_deviation") is not None:
        yield _pair("Standard deviation", figure(figures["standard_deviation"]))
    quantiles = figures.get("quantiles")
    if quantiles and quantiles["p50"] is not None:
        near = "about " if figures["quantile_relative_error"] else ""
        yield _pair("Median", near + figure(quantiles["p50"]))
        for title, low, high in _MIDDLES:
            yield _pair(title, f"{near}{figure(quantiles[low])} \u2013 {figure(quantiles[high])}")
    if figures.get("range_days") is not None:
        yield _pair("Range", counted(figures["range_days"], "day"))
    if figures.get("with_time_zone"):
        yield _pair("With a time zone", count(figures["with_time_zone"]))


def _top_values(figures: Figures, top: int, most: int) -> Html | None:
    values: Sequence[Mapping[str, Any]] | None = figures["top_values"]
    if not values or values[0]["count"] == 1 < figures["count"]:
        return None
    rows = [
        el(
            "tr",
            el("td", _value(entry["value"], most)),
            el("td", share(entry["count"], values[0]["count"], bad=False), class_="w"),
            el("td", count(entry["count"]), class_="n"),
        )
        for entry in values[:top]
    ]
    return el("table", el("caption", "Most frequent values"), *rows)


def _bins(drawn: Mapping[str, Any]) -> Html:
    rows = [
        el("tr", el("td", f"{figure(low)} \u2013 {figure(high)}"), el("td", count(n), class_="n"))
        for (low, high), n in zip(pairwise(drawn["edges"]), drawn["counts"], strict=True)
    ]
    return el("details", el("summary", "Histogram in numbers"), el("table", *rows))


def _row(name: str, figures: Figures) -> Html:
    about = "" if figures["distinct_exact"] else "about "
    return el(
        "tr",
        el("th", data(name, 60), scope="row"),
        el("td", figures["field_type"], data_l="Type"),
        el("td", count(figures["nulls"]), class_="n", data_l="Nulls"),
        el("td", about + count(figures["distinct"]), class_="n", data_l="Distinct"),
        el("td", _value(figures["min"], _SHORT_VALUE), data_l="Smallest"),
        el("td", _value(figures["max"], _SHORT_VALUE), data_l="Largest"),
    )


def _table(rows: Sequence[Html]) -> Html:
    names = ("Field", "Type", "Nulls", "Distinct", "Smallest", "Largest")
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in names)))
    return el("table", head, el("tbody", *rows), class_="stack")


def _pair(name: str, value: str | Html) -> Html:
    return join([el("dt", name), el("dd", value)])


def _value(value: Any, most: int) -> Html:
    if value == "":
        return el("span", "empty text", class_="soft")
    return data(value if isinstance(value, str) else figure(value), most)
