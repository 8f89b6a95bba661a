"""The notations that are tried for columns: fields of a contract, and their descriptions."""

from __future__ import annotations

import re
from functools import lru_cache
from json import dumps
from typing import TYPE_CHECKING, Any

from tabular.contract.descriptor import parse_contract
from tabular.values.cells import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tabular.values.cells import Cell

PLACEHOLDERS = frozenset(
    (
        *("NA", "N/A", "n/a", "na", "n.a.", "#N/A", "NULL", "null", "Null", "None", "none", "nil"),
        *("NaN", "nan", "-", "--", "---", ".", "..", "?", "\\N", "missing", "unknown", "#NULL!"),
    )
)
"""Texts that mean a missing value, if the other values of a column have a narrower type."""

CURRENCIES = frozenset(
    (
        *("€", "$", "£", "¥", "₹", "₽", "₩", "zł", "kr", "kr.", "Fr.", "CHF", "R$", "US$", "A$"),
        *("EUR", "USD", "GBP", "JPY", "CNY", "INR", "PLN", "SEK", "NOK", "DKK", "CZK", "HUF"),
        *("CAD", "AUD", "NZD", "BRL", "MXN", "ZAR", "TRY", "SGD", "HKD", "RUB", "ILS", "KRW"),
    )
)
GROUP_CHARACTERS = (",", ".", " ", "'", "\u2019", "\u00a0", "\u202f")

BOOLEAN_WORDS = (
    (frozenset({"yes"}), frozenset({"no"})),
    (frozenset({"y"}), frozenset({"n"})),
    (frozenset({"t"}), frozenset({"f"})),
    (frozenset({"on"}), frozenset({"off"})),
    (frozenset({"ja"}), frozenset({"nein"})),
    (frozenset({"oui"}), frozenset({"non"})),
)
"""Words for true and false, in lower case. Both must occur: N alone could be north."""

_NUMERIC_DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%y/%m/%d"),
)
_NAMED_DAYS = (
    *("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%d/%b/%Y", "%d. %B %Y", "%d.%b.%Y", "%Y-%b-%d"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%b. %d, %Y"),
    *("%a, %d %b %Y", "%A, %B %d, %Y", "%a %b %d %Y"),
    *("%d-%b-%y", "%d %b %y", "%d/%b/%y"),
)
_CLOCKS = (
    *("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p"),
    *("%H:%M:%S.%f", "%H:%M:%S,%f", "%H.%M"),
)
_ZONED_CLOCKS = tuple(
    f"{clock}{space}%z" for clock in (*_CLOCKS[:2], "%H:%M:%S.%f") for space in ("", " ")
)


@lru_cache(maxsize=4096)
def _reader_of(properties: str) -> Callable[[str], Cell]:
    from json import loads

    return reader(parse_contract({"fields": [{"name": "a", **loads(properties)}]}).fields[0])


def reader_of(candidate: Mapping[str, Any]) -> Callable[[str], Cell]:
    """The engine's own reader of a field with these properties."""
    return _reader_of(dumps(candidate, sort_keys=True))


def number_notations(affix: str) -> Iterator[dict[str, Any]]:
    """Integers and numbers as they are written around the world, the plain ones first.

    `affix` is the currency or percent sign that the numbers have; empty for none.
    """
    loose = {"bareNumber": False} if affix else {}
    for group in (None, *GROUP_CHARACTERS):
        grouped = {"groupChar": group} if group else {}
        yield {"type": "integer"} | grouped | loose
        for decimal in (".", ","):
            if decimal != group:
                marked = {"decimalChar": ","} if decimal == "," else {}
                yield {"type": "number"} | marked | grouped | loose


def date_notations(has_letters: bool, has_colon: bool, has_zone: bool) -> Iterator[dict[str, Any]]:
    """Dates, datetimes and times; the flags leave out notations that cannot occur."""
    if not has_colon:
        yield {"type": "date"}
        yield {"type": "yearmonth"}
    days = (*_NUMERIC_DAYS, *(_NAMED_DAYS if has_letters else ()))
    if not has_colon:
        for day in days:
            yield {"type": "date", "format": day}
        # 10.30 alone is a number, so a clock with a point is looked for after a day only.
        for day in ("%Y-%m-%d", *_NUMERIC_DAYS[:7]):
            yield {"type": "datetime", "format": f"{day} %H.%M"}
        return
    yield {"type": "datetime"}
    yield {"type": "time"}
    clocks = (*_CLOCKS, *(_ZONED_CLOCKS if has_zone else ()))
    for clock in clocks:
        yield {"type": "datetime", "format": f"%Y-%m-%dT{clock}"}
        for day in ("%Y-%m-%d", *days):
            yield {"type": "datetime", "format": f"{day} {clock}"}
        if "%z" not in clock:
            yield {"type": "time", "format": clock}
    for day in days[:7]:
        yield from ({"type": "datetime", "format": f"{day}, {clock}"} for clock in _CLOCKS[:5])
    if has_zone or has_letters:
        yield {"type": "datetime", "format": "%d/%b/%Y:%H:%M:%S %z"}


def affix_of(text: str) -> str:
    """The text around a number, without spaces: a currency, a percent sign, or nothing."""
    return re.sub(r"[\d\s.,'\u2019+-]|(?<=\d)[eE](?=[+-]?\d)", "", text)


def words_of(field: Mapping[str, Any]) -> str:
    """A field's type in words: `number (decimal comma, groups by '.')`."""
    kind = str(field["type"])
    details = []
    if field.get("format"):
        details.append(str(field["format"]))
    if field.get("decimalChar") == ",":
        details.append("decimal comma")
    if field.get("groupChar"):
        details.append(f"groups by {field['groupChar']!r}")
    if field.get("bareNumber") is False:
        details.append("currency or percent sign ignored")
    if field.get("trueValues"):
        true, false = "/".join(field["trueValues"]), "/".join(field["falseValues"])
        details.append(f"true: {true}, false: {false}")
    return f"{kind} ({', '.join(details)})" if details else kind
