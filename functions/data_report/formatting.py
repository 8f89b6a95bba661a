"""Numbers, sizes and times in a form for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_KILO = 1000
_DECIMALS = 4
_MOST_DIGITS = 40
_PLAIN_FROM, _PLAIN_TO = 1e-3, 1e15


def count(number: int) -> str:
    """A whole number with separators: `1,234,567`."""
    return f"{number:,}"


def percent(rate: float) -> str:
    """A percentage as the summary has it: with up to two decimals."""
    return f"{rate:.2f}".rstrip("0").rstrip(".") + "%"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what it counts: `1 record`, `2 records`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """A size in bytes, with its unit: `1.5 MB`."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < _KILO or unit == "TB":
            break
        amount /= _KILO
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def figure(value: Any) -> str:
    """A statistic: numbers with separators and at most four decimals, other values as they are."""
    if value is None:
        return "\u2013"
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    return _double(value) if isinstance(value, float) else str(value)


def _integer(value: int) -> str:
    # The digits of an integer have no limit, so it is written only if it is short.
    short = abs(value) < 10**_MOST_DIGITS
    return count(value) if short else f"about 10^{value.bit_length() * 30103 // 100000}"


def _double(value: float) -> str:
    if value and not _PLAIN_FROM <= abs(value) < _PLAIN_TO:
        return f"{value:.6g}"
    return f"{value:,.{_DECIMALS}f}".rstrip("0").rstrip(".")


def moment(text: str) -> str:
    """A time in UTC, to the second: `2026-03-01 08:00:00 UTC`; other text as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
