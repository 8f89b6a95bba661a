"""Drawings as inline SVG. All of them repeat numbers that are in a table or in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_report.formatting import percent
from shared.markup import Html, el

_HEIGHT = 60
_WIDTH = 200
_HALF = 50
_HEADROOM = 1.3
_LEAST_SCALE = 1.0


def share_of_limit(rate: float, limit: float | None) -> Html:
    """The share of rejected records as a bar, with the limit marked. Both are in percent."""
    marked = limit if limit is not None else 100.0
    full = min(100.0, max(rate, marked, _LEAST_SCALE) * _HEADROOM)
    over = limit is not None and rate > limit
    parts = [
        el("rect", x=0, y=20, width="100%", height=14, rx=7, class_="track"),
        el(
            "rect",
            x=0,
            y=20,
            width=f"{_position(rate, full):.2f}%",
            height=14,
            rx=3,
            class_="badbar" if over else "bar",
        ),
    ]
    if limit is not None:
        at = _position(limit, full)
        parts += [
            el("rect", x=f"{min(at, 99.7):.2f}%", y=14, width=2, height=26, class_="mark"),
            _label(at, 52, f"limit {percent(limit)}"),
        ]
    parts.append(_label(_position(rate, full), 11, f"{percent(rate)} rejected"))
    return el("svg", *parts, class_="limit", aria_hidden="true")


def share(rate: float, most: float = 100.0, *, bad: bool = True) -> Html:
    """A small bar for a share; `most` has the longest. A share above 0 is always visible."""
    width = 0.0 if not rate else max(2.0, min(rate / most * 100, 100.0))
    return el(
        "svg",
        el("rect", width=100, height=10, class_="track"),
        el("rect", width=width, height=10, class_="badbar" if bad else "bar"),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )


def histogram(counts: Sequence[int]) -> Html:
    """Bins of equal width as columns. A bin that is not empty is always visible."""
    most = max(counts)
    wide = _WIDTH / len(counts)
    steps = []
    for number, times in enumerate(counts):
        if times:
            high = max(1.0, times / most * _HEIGHT)
            left = number * wide
            steps.append(f"M{left + 0.4:.4g} {_HEIGHT}v-{high:.3g}h{wide - 0.8:.4g}v{high:.3g}z")
    return el(
        "svg",
        el("path", d="".join(steps), class_="bar"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        class_="hist",
        aria_hidden="true",
    )


def box(low: float, high: float, quantiles: Mapping[str, Any]) -> Html | None:
    """The distribution of the values: 5-95% thin, 25-75% thick, and the median."""
    if not low < high:
        return None

    def at(name: str) -> float:
        place: float = (quantiles[name] - low) / (high - low)
        return max(0.0, min(1.0, place)) * _WIDTH

    return el(
        "svg",
        el("rect", x=at("p5"), y=4, width=at("p95") - at("p5"), height=4, class_="thin"),
        el("rect", x=at("p25"), y=2, width=at("p75") - at("p25"), height=8, class_="bar"),
        el("rect", x=max(0.0, at("p50") - 0.6), width=1.2, height=12, class_="mark"),
        viewBox=f"0 0 {_WIDTH} 12",
        preserveAspectRatio="none",
        class_="box",
        aria_hidden="true",
    )


def _position(rate: float, full: float) -> float:
    return max(0.0, min(100.0, rate / full * 100))


def _label(at: float, y: int, text: str) -> Html:
    """A label at its mark, on the side that has space for it."""
    return el("text", text, x=f"{at:.2f}%", y=y, text_anchor="end" if at > _HALF else "start")
