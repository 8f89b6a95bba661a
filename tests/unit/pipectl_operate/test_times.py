"""Times and durations on the command line and in tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipectl.times import format_age, format_duration, format_time, parse_since

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(days=7)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:30", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("2026-03-01T08:30Z", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("2026-03-01T08:30+01:00", datetime(2026, 3, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_duration_or_an_iso_time_is_a_time(text: str, time: datetime) -> None:
    assert parse_since(text, NOW) == time


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2 h", "h", "-2h", "2026-13-01", "9" * 30 + "d"),
        *("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"),
    ],
)
def test_anything_else_is_an_error_that_shows_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="neither a time such as"):
        parse_since(text, NOW)


def test_times_are_shown_in_utc_to_the_second() -> None:
    assert format_time("2026-03-01T08:30:15.123+01:00") == "2026-03-01 07:30:15"
    assert format_time(None) == "-"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (850, "850 ms"),
        (3_210, "3.2 s"),
        (125_000, "2 min 5 s"),
        (12_000_000, "3 h 20 min"),
    ],
)
def test_durations_are_shown_in_at_most_two_units(milliseconds: int | None, text: str) -> None:
    assert format_duration(milliseconds) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=12, hours=5), "12 days"),
    ],
)
def test_an_age_is_shown_in_one_unit(span: timedelta, text: str) -> None:
    assert format_age(NOW - span, NOW) == text
