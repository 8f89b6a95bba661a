"""Numbers as text and as small charts."""

from __future__ import annotations

from collections.abc import Sequence

from shared.markup import Html, el

_STEP = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_WIDTH, _HEIGHT, _MARGIN = 160.0, 32.0, 3.0


def size_text(count: int | None) -> str:
    """A number of bytes: `512 bytes`, `1.4 MiB`; `-` for None."""
    if count is None:
        return "-"
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count:,} bytes" if unit == 0 else f"{value:,.1f} {_UNITS[unit]}"


def share_text(part: int, whole: int) -> str:
    """A share in percent that is 0% or 100% only if it is exactly that."""
    if not whole or not part:
        return "0%"
    percent = part / whole * 100
    if percent < 0.1:
        return "<0.1%"
    if part != whole and percent > 99.9:
        return ">99.9%"
    return f"{percent:.1f}%" if percent < 10 else f"{percent:.0f}%"


def sparkline(values: Sequence[float], title: str, *, tone: str = "plain") -> Html:
    """Values as a line, oldest first, with the last one marked; from zero, so heights compare."""
    top = max(values, default=0) or 1
    count = max(len(values) - 1, 1)
    points = [
        (
            _MARGIN + number * (_WIDTH - 2 * _MARGIN) / count,
            _HEIGHT - _MARGIN - value / top * (_HEIGHT - 2 * _MARGIN),
        )
        for number, value in enumerate(values)
    ]
    line = " ".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points)
    )
    base = f"{_HEIGHT - _MARGIN:.1f}"
    area = f"{line} L{points[-1][0]:.1f} {base} L{points[0][0]:.1f} {base} Z" if points else ""
    dot = el("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, class_="dot") if points else None
    return el(
        "svg",
        el("title", title),
        el("path", d=area, class_="area") if len(points) > 1 else None,
        el("path", d=line, class_="line") if len(points) > 1 else None,
        dot,
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
        class_=f"spark {tone}",
    )
