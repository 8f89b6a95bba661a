"""Points and spans of time: read from the command line, and written in tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_DURATION = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_since(text: str, now: datetime) -> datetime:
    """The time that `2h`, `3d` or an ISO date or time means; without an offset it is UTC.

    Raises ValueError for anything else.
    """
    duration = _DURATION.fullmatch(text.strip())
    try:
        if duration:
            return now - timedelta(seconds=int(duration[1]) * _SECONDS[duration[2]])
        time = datetime.fromisoformat(text.strip())
        # Converting to UTC overflows for some times on the first and last days of the calendar.
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text}' is neither a time such as 2026-03-01 or 2026-03-01T08:00Z, nor a duration"
            " such as 90m, 2h or 3d."
        ) from None


class _Since(click.ParamType):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read an option's value."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_since(str(value), datetime.now(UTC))
        except ValueError as error:
            self.fail(str(error), param, ctx)


SINCE = _Since()


def format_time(time: datetime | str | None) -> str:
    """A time in UTC, to the second; `-` for None."""
    if time is None:
        return "-"
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def format_duration(milliseconds: float | None) -> str:
    """A duration in one or two units: `850 ms`, `3.2 s`, `2 min 5 s`, `3 h 20 min`."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def format_age(time: datetime | str, now: datetime) -> str:
    """How long ago a time was, in one unit: `5 min`, `3 h`, `12 days`."""
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    minutes = max(0, int((now - time).total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"
