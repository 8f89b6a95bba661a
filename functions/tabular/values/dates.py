"""Reads dates, times and durations of cells (Table Schema v2, after XML Schema)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = (
    r"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<zone>Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
)
_CLOCK = re.compile(_TIME)
_DATETIME = re.compile(rf"(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})T{_TIME}")
_YEAR = re.compile(r"-?[0-9]{4}|-?[1-9][0-9]{4,8}")
_YEARMONTH = re.compile(r"(?P<year>-?[0-9]{4}|-?[1-9][0-9]{4,8})-(?P<month>0[1-9]|1[0-2])")
# All numbers are limited, because comparing durations takes quadratic time in their digits.
_DURATION = re.compile(
    r"(?P<sign>-?)P(?=[0-9T])"
    r"(?:(?P<weeks>[0-9]{1,15})W|"
    r"(?:(?P<years>[0-9]{1,15})Y)?(?:(?P<months>[0-9]{1,15})M)?(?:(?P<days>[0-9]{1,15})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,15})H)?(?:(?P<minutes>[0-9]{1,15})M)?"
    r"(?:(?P<seconds>[0-9]{1,15}(?:\.[0-9]{1,1000})?)S)?)?)"
)
_YEAR_DIRECTIVES = frozenset("YyGcx")
_MICROSECOND_DIGITS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class YearMonth(NamedTuple):
    """A month of a year; the order of the tuple is the order in time."""

    year: int
    month: int


class Duration(NamedTuple):
    """A length of time as in XML Schema: months and seconds, which are not convertible."""

    months: int
    seconds: Decimal


class FineDatetime(datetime):
    """A datetime with digits beyond the microsecond, such as .NET's 100 nanoseconds.

    `finer` are these digits without trailing zeros. It compares and converts like any `datetime`;
    `instant` compares all digits.
    """

    finer: str = ""

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:  # noqa: ARG002 all digits are shown
        """Write it with all its digits."""
        return _with_finer(super().isoformat(sep, "microseconds"), self.finer)


class FineTime(time):
    """A time with digits beyond the microsecond, as `FineDatetime`."""

    finer: str = ""

    def isoformat(self, timespec: str = "auto") -> str:  # noqa: ARG002 all digits are shown
        """Write it with all its digits."""
        return _with_finer(super().isoformat("microseconds"), self.finer)


def read_date(text: str) -> tuple[date, str] | None:
    """Read a date of the default format, YYYY-MM-DD and nothing else."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text), f'"{text}"'
    except ValueError:
        return None


def read_datetime(text: str) -> tuple[datetime, str] | None:
    """Read a datetime of the default format, XML Schema's dateTime: YYYY-MM-DDThh:mm:ss.

    A fraction of a second of any length and a time zone may follow. 24:00:00 is the next midnight.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    try:
        if match["clock"].startswith("24"):
            return _next_midnight(match)
        iso = f"{match['day']}T{_iso_clock(match)}"
        finer = _finer_digits(match)
        if not finer:
            return datetime.fromisoformat(iso), f'"{text}"'
        value = FineDatetime.fromisoformat(iso)
        value.finer = finer
        return value, f'"{text}"'
    except (ValueError, OverflowError):
        return None


def read_time(text: str) -> tuple[time, str] | None:
    """Read a time of the default format, hh:mm:ss with an optional fraction and time zone."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    try:
        if match["clock"].startswith("24"):
            _only_midnight(match)
            text = f"00:00:00{match['zone'] or ''}"
            return time.fromisoformat(text), f'"{text}"'
        finer = _finer_digits(match)
        if not finer:
            return time.fromisoformat(_iso_clock(match)), f'"{text}"'
        value = FineTime.fromisoformat(_iso_clock(match))
        value.finer = finer
        return value, f'"{text}"'
    except ValueError:
        return None


def pattern_reader(
    kind: str, pattern: str
) -> Callable[[str], tuple[date | datetime | time, str] | None]:
    """Make the reader of a date, datetime or time field whose format is a strptime pattern.

    The JSON text is ISO 8601, whatever the pattern.
    """
    part = _PART[kind]

    def read(text: str) -> tuple[date | datetime | time, str] | None:
        try:
            value = part(read_moment(text, pattern))
        except (ValueError, OverflowError):
            return None
        return value, f'"{value.isoformat()}"'

    return read


def read_moment(text: str, pattern: str) -> datetime:
    """Read a moment by a strptime pattern; without a year in the pattern, it is of 1900.

    Raises ValueError if the text does not fit the pattern.
    """
    if names_year(pattern):
        return datetime.strptime(text, pattern)
    # 1900 is what strptime assumes. It is written out because Python 3.13 warns of a day of the
    # month without a year, and 3.15 refuses it.
    return datetime.strptime(f"1900|{text}", f"%Y|{pattern}")


def names_year(pattern: str) -> bool:
    """Whether a strptime pattern has a directive that says the year."""
    # In pairs: "%%Y" is a percent sign and a letter.
    return not _YEAR_DIRECTIVES.isdisjoint(re.findall("%(.)", pattern, re.DOTALL))


def names_zone(pattern: str) -> bool:
    """Whether a strptime pattern has the directive that says the time zone."""
    return "z" in re.findall("%(.)", pattern, re.DOTALL)


def any_reader(kind: str) -> Callable[[str], tuple[date | datetime | time, str] | None]:
    """Make the reader of a date, datetime or time field of format `any`.

    It accepts only unambiguous notations. `01/02/2024` and `20240102` are not: a pattern must say
    which digits are the month.
    """
    readers = [DEFAULT_READERS[kind], *(pattern_reader(kind, pattern) for pattern in _ANY[kind])]

    def read(text: str) -> tuple[date | datetime | time, str] | None:
        text = " ".join(text.split())
        for reader in readers:
            result = reader(text)
            if result is not None:
                return result
        return None

    return read


def read_year(text: str) -> tuple[int, str] | None:
    """Read a year, XML Schema's gYear without time zone: four digits or more, maybe negative."""
    if not _YEAR.fullmatch(text) or text == "-0000":
        return None
    year = int(text)
    return year, str(year)


def read_yearmonth(text: str) -> tuple[YearMonth, str] | None:
    """Read a month of a year, XML Schema's gYearMonth without time zone: YYYY-MM."""
    match = _YEARMONTH.fullmatch(text)
    if match is None or match["year"] == "-0000":
        return None
    return YearMonth(int(match["year"]), int(match["month"])), f'"{text}"'


def read_duration(text: str) -> tuple[Duration, str] | None:
    """Read a duration, XML Schema's PnYnMnDTnHnMnS, or PnW of ISO 8601."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    weeks, years, months, days, hours, minutes = (
        int(match[name] or 0) for name in ("weeks", "years", "months", "days", "hours", "minutes")
    )
    whole = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60
    second, _, fraction = (match["seconds"] or "0").partition(".")
    # Built from text: arithmetic on Decimal would round to 28 digits.
    seconds = Decimal(f"{whole + int(second)}.{fraction or '0'}")
    if match["sign"]:
        return Duration(-12 * years - months, seconds.copy_negate()), f'"{text}"'
    return Duration(12 * years + months, seconds), f'"{text}"'


def instant(value: datetime) -> tuple[timedelta, str]:
    """A datetime's place on the time line, for comparisons; without time zone it counts as UTC.

    The second part are the digits beyond the microsecond.
    """
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware - _EPOCH, value.finer if isinstance(value, FineDatetime) else ""


def since_midnight(value: time) -> tuple[timedelta, str]:
    """A time of day's distance from midnight UTC; otherwise as `instant`."""
    clock = timedelta(
        hours=value.hour,
        minutes=value.minute,
        seconds=value.second,
        microseconds=value.microsecond,
    )
    finer = value.finer if isinstance(value, FineTime) else ""
    return clock - (value.utcoffset() or timedelta()), finer


def elapsed(value: Duration) -> tuple[Fraction, ...]:
    """A duration's length in seconds from each of XML Schema's four reference dates.

    A duration is longer than another if it is so from all four (XML Schema part 2, 3.2.6.2).
    """
    return tuple(
        (_days_of_month(year, month + value.months) - _days_of_month(year, month)) * 86400
        + Fraction(value.seconds)
        for year, month in ((1696, 9), (1697, 2), (1903, 3), (1903, 7))
    )


def _iso_clock(match: re.Match[str]) -> str:
    fraction = match["fraction"]
    clock = match["clock"]
    if fraction:
        clock += "." + fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    zone = match["zone"] or ""
    return clock + ("+00:00" if zone == "Z" else zone)


def _finer_digits(match: re.Match[str]) -> str:
    return (match["fraction"] or "")[_MICROSECOND_DIGITS:].rstrip("0")


def _with_finer(iso: str, finer: str) -> str:
    """Put the digits after those of the microsecond."""
    whole, point, rest = iso.partition(".")
    return f"{whole}{point}{rest[:_MICROSECOND_DIGITS]}{finer}{rest[_MICROSECOND_DIGITS:]}"


def _only_midnight(match: re.Match[str]) -> None:
    if match["clock"] != "24:00:00" or (match["fraction"] or "").strip("0"):
        raise ValueError("24 is an hour at midnight only")


def _next_midnight(match: re.Match[str]) -> tuple[datetime, str]:
    _only_midnight(match)
    day = date.fromisoformat(match["day"]) + timedelta(days=1)
    text = f"{day.isoformat()}T00:00:00{match['zone'] or ''}"
    return datetime.fromisoformat(text), f'"{text}"'


def _days_of_month(year: int, month: int) -> int:
    """Count days from 0000-03-01 to the first of a month; months beyond 12 roll over."""
    year, month = divmod(year * 12 + month - 1, 12)
    # The year begins in March, so that the leap day is its last.
    year, month = (year, month - 2) if month >= 2 else (year - 1, month + 10)
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5


def _date_of(value: datetime) -> date:
    return value.date()


def _datetime_of(value: datetime) -> datetime:
    return value


def _time_of(value: datetime) -> time:
    return value.timetz()


_PART: dict[str, Callable[[datetime], date | datetime | time]] = {
    "date": _date_of,
    "datetime": _datetime_of,
    "time": _time_of,
}
DEFAULT_READERS: dict[str, Callable[[str], tuple[date | datetime | time, str] | None]] = {
    "date": read_date,
    "datetime": read_datetime,
    "time": read_time,
}
_ANY_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%a, %d %b %Y",
)
_ANY_TIMES = (
    "%H:%M:%S",
    "%H:%M:%S.%f",
    "%H:%M",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%H:%M:%S%z",
    "%H:%M:%S %z",
    "%H:%M:%S.%f%z",
)
_ANY = {
    "date": _ANY_DATES,
    "time": _ANY_TIMES,
    "datetime": (
        *(f"{day}T{clock}" for day in _ANY_DATES[:2] for clock in _ANY_TIMES),
        *(f"{day} {clock}" for day in _ANY_DATES for clock in _ANY_TIMES),
    ),
}
