"""Infers the type of one column: the type of nearly all its values, and what is doubtful.

A notation is tried with the engine's own readers, so a value that does not fit here is a fault of
`pipectl check`, and the other way round.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from pipectl.local.infer.notations import (
    BOOLEAN_WORDS,
    CURRENCIES,
    PLACEHOLDERS,
    affix_of,
    date_notations,
    number_notations,
    reader_of,
    words_of,
)
from tabular.values.canonical import canonical

LARGE_MAJORITY = 0.9
"""Share of a column's values that must fit its type; the others are listed as exceptions."""
_WORTH_A_NOTE = 0.5
"""From this share on, the report on a column that stays text says what most of its values are."""
_MOST_TEXTS = 5_000
"""Number of distinct texts from which the type is decided. Exceptions among the others are found
when the contract is checked."""
_LEAST_ARTICLES = 4
"""Minimum number of texts with a check digit. Four numbers have one by chance once in ten thousand
cases."""
_TRIED_FIRST = 60
"""Number of distinct values that a notation is tried with before it is tried with all."""
_LEAST_SYSTEMATIC, _SYSTEMATIC = 3, 0.01
"""From this number of exceptions of one kind, and this share of all values, they are not typing
errors."""
_CLEARLY = 10
"""A reading wins over another if it explains this many times as many values that the other does
not."""

_NAME_OF_CODE = re.compile(
    r"(?:^|[^a-z])(?:zip|zip ?code|plz|phone|telephone|tel|mobile|fax|iban|bic|ean|gtin|upc|isbn|"
    r"issn|isin|cusip|cik|duns|fips|naics|sku|ssn|vat|tax[ _]?id|"
    r"(?<!status.)(?<!http.)(?<!response.)(?<!exit.)(?<!error.)code)(?:[^a-z]|$)"
)
"""Names of columns whose digits are identifiers, which may get leading zeros later."""
_NAME_OF_DAY = re.compile(
    r"date|datum|(?:^|[^a-z])(?:day|dt|tag|fecha|jour)(?:[^a-z]|$)|_(?:on|dt)$"
)
_NAME_OF_YEAR = re.compile(r"(?:^|[^a-z])(?:year|jahr|année|annee|año|yr)(?:[^a-z]|$)|year")
_ZERO_PADDED = re.compile(r"[+-]?0[0-9]+(?:[.,][0-9]+)?")
_LONG_DIGITS = re.compile(r"-?[0-9]{16,}")
_TELEPHONE = re.compile(r"\+[0-9][0-9 /()-]{5,}[0-9]")
_EXPONENT_CODE = re.compile(r"[0-9]+[eE][0-9]+")
_ACCOUNTING = re.compile(r"\(\s*[^\w()]{0,3}\s*[0-9][0-9.,' ]*\s*\D{0,3}\)|[0-9][0-9.,' ]*-")
_COMPACT_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_NETWORK_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_QUANTITY = re.compile(
    r"\(?[-+]?[^\w.,]{0,3}[A-Z$]{0,3}\s?[-+]?[0-9.,][0-9.,'\u2019\s]*(?:[eE][-+]?[0-9]+)?-?\s?\D{0,4}\)?"
)
"""Anything that may be a number, with its sign and currency."""
_AFFIXES = CURRENCIES | {"", "%", "()"}
_EPOCHS = ((10, 1, "seconds"), (13, 1000, "milliseconds"))
_FIRST_EPOCH, _LAST_EPOCH = 1_000_000_000, 2_100_000_000


_Score = tuple[dict[str, Any], int, frozenset[str]]
"""A candidate, how many values fit it, and the texts that do."""


@dataclass(frozen=True)
class ColumnTexts:
    """A column's texts, in file order, and how often each occurs.

    `empty` is the number of empty cells. `others` is the number of cells with further texts, where
    there are too many to keep.
    """

    name: str
    texts: Counter[str]
    empty: int = 0
    others: int = 0

    @property
    def records(self) -> int:
        """The number of records that the texts are of."""
        return self.texts.total() + self.empty + self.others


@dataclass(frozen=True)
class Typed:
    """What is known about a column.

    `field` are the field's properties in the contract, without its name. `facts` are what was
    found, `doubts` what a person should decide. `readings` are several that fit equally well, but
    give different values; the field is text then. `settings` are the missing values and white space
    of any type narrower than text.
    """

    field: dict[str, Any]
    facts: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    readings: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass
class _Values:
    """The values of a column that are neither empty nor placeholders, with facts and doubts.

    `counts` are a sufficient sample of them, `texts` all of them.
    """

    name: str
    counts: Counter[str]
    texts: tuple[str, ...]
    most_exceptions: float
    today: date
    comma_separated: bool
    facts: list[str] = dataclasses.field(default_factory=list)
    doubts: list[str] = dataclasses.field(default_factory=list)

    @property
    def total(self) -> int:
        return self.counts.total()

    def share(self, pattern: re.Pattern[str]) -> float:
        fitting = sum(n for text, n in self.counts.items() if pattern.fullmatch(text))
        return fitting / self.total

    def first(self, pattern: re.Pattern[str]) -> str | None:
        return next((text for text in self.texts if pattern.fullmatch(text)), None)

    def is_majority(self, count: int) -> bool:
        return count >= self.total * (1 - self.most_exceptions)


def type_column(
    column: ColumnTexts,
    *,
    strict: bool = False,
    comma_separated: bool = True,
    today: date | None = None,
) -> Typed:
    """Find the narrowest type that nearly all values of a column have.

    With `strict`, all of them must have it. `comma_separated`: the file's delimiter is a comma, so
    a comma within a number separates groups. `today` decides which two-digit years make sense.
    """
    stripped: Counter[str] = Counter()
    for text, count in column.texts.items():
        stripped[text.strip()] += count
    del stripped[""]
    if not stripped:
        return Typed({"type": "any"}, facts=_nothing(column))
    missing = Counter({text: n for text, n in stripped.items() if text in PLACEHOLDERS})
    filled = stripped - missing
    values = _Values(
        column.name,
        filled if strict else _typical(filled),
        tuple(filled),
        0 if strict else 1 - LARGE_MAJORITY,
        today or datetime.now(tz=UTC).date(),
        comma_separated,
    )
    typed = (_typed(values) if values.counts else None) or Typed({"type": "string"})
    settings: dict[str, Any] = {}
    about_settings = []
    if missing:
        settings["missingValues"] = ["", *sorted(missing)]
        about_settings.append(f"missing values: {_listed(missing)}")
    pipeline: dict[str, Any] = {}
    if any(text != text.strip() for text in column.texts):
        pipeline["trim"] = True
        about_settings.append("white space around values is removed")
    if _without_zone(typed.field, values.counts):
        pipeline["timeZone"] = "none"
        about_settings.append("no value has a time zone")
    if pipeline:
        settings["pipeline"] = pipeline
    facts, doubts = tuple(values.facts), tuple(values.doubts)
    if typed.field == {"type": "string"}:
        kept = (f"{_listed(missing)}: kept as text",) if missing and values.counts else ()
        return Typed(typed.field, facts + kept, doubts, typed.readings, settings)
    return Typed(_with_settings(typed.field, settings), (*facts, *about_settings), doubts)


def _without_zone(field: Mapping[str, Any], texts: Iterable[str]) -> bool:
    """Whether the format leaves the time zone open, and no value has one."""
    if field["type"] != "datetime" or field.get("format", "default") not in ("default", "any"):
        return False
    return not any(cell.value.tzinfo for cell in map(reader_of(field), texts) if cell.value)


def _typical(counts: Counter[str]) -> Counter[str]:
    """At most `_MOST_TEXTS` of the texts, evenly chosen from the whole sample."""
    step = -(-len(counts) // _MOST_TEXTS)
    return counts if step <= 1 else Counter(dict(islice(counts.items(), 0, None, step)))


def resolved(typed: Typed, chosen: dict[str, Any], reason: str) -> Typed:
    """The same column with one of its readings, for a reason that other columns or files give."""
    facts = (*typed.facts, f"read as {words_of(chosen)} {reason}")
    return Typed(_with_settings(chosen, typed.settings), facts)


def _with_settings(field: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A field with missing values and more settings of the pipeline."""
    pipeline = {**field.get("pipeline", {}), **settings.get("pipeline", {})}
    return {**field, **settings, **({"pipeline": pipeline} if pipeline else {})}


def _nothing(column: ColumnTexts) -> tuple[str, ...]:
    if not column.records:
        return ("no records, so the type is undecided",)
    return (f"empty in all {column.records} records, so the type is undecided",)


def _listed(texts: Mapping[str, int]) -> str:
    shown = [f"{text!r} {count}x" for text, count in sorted(texts.items())[:5]]
    return ", ".join(shown) + (" and more" if len(texts) > 5 else "")


def _typed(values: _Values) -> Typed | None:
    """The type of the values; None for text. Facts and doubts are added to `values`."""
    for find in (_boolean, _numeric, _temporal, _text_format, _nested):
        found = find(values)
        if found is not None:
            return found
    return None


def _boolean(values: _Values) -> Typed | None:
    lower: Counter[str] = Counter()
    for text, count in values.counts.items():
        lower[text.lower()] += count
    if values.is_majority(lower["true"] + lower["false"]):
        return Typed({"type": "boolean"})
    for true, false in BOOLEAN_WORDS:
        counts = [sum(lower[word] for word in words) for words in (true, false)]
        if not values.is_majority(sum(counts)):
            continue
        if not all(counts):
            values.doubts.append(
                f"only {next(iter(values.counts))!r} occurs: boolean if it means yes or no"
            )
            return Typed({"type": "string"})
        return Typed(
            {
                "type": "boolean",
                "trueValues": sorted(text for text in values.counts if text.lower() in true),
                "falseValues": sorted(text for text in values.counts if text.lower() in false),
            }
        )
    return None


def _numeric(values: _Values) -> Typed | None:
    """Numbers, unless they are codes that only look like numbers."""
    digits = {
        text: count
        for text, count in values.counts.items()
        if _QUANTITY.fullmatch(text) and any(map(str.isdigit, text))
    }
    if sum(digits.values()) < _WORTH_A_NOTE * values.total:
        return None
    affixes: Counter[str] = Counter()
    for text, count in digits.items():
        affixes[affix_of(text)] += count
    affix, count = affixes.most_common(1)[0]
    if affix not in _AFFIXES or count < _WORTH_A_NOTE * values.total:
        return None
    # Dates such as 01.02.2024 are not quantities; they are tried later.
    code = _code(values)
    return code if code is not None else _quantity(values, digits, affix, affixes)


def _quantity(
    values: _Values, digits: Mapping[str, int], affix: str, affixes: Mapping[str, int]
) -> Typed | None:
    """The notation of numbers, of which nearly all have the same currency or percent sign."""
    present = set().union(*digits)
    candidates = [
        notation
        for notation in number_notations(affix)
        if {notation.get("groupChar", "0"), notation.get("decimalChar", "0")} <= present | {"0"}
        and not _begins_with_zero(digits, notation)
    ]
    scores = _scores(candidates, values.counts, digits)
    if values.comma_separated:
        scores = _without_decimal_commas(values, scores)
    best = max(fitting for _, fitting, _ in scores)
    if not values.is_majority(best):
        if best >= _WORTH_A_NOTE * values.total:
            values.doubts.append(_almost(values, best, "numbers"))
        return None
    if affix and any(other not in (affix, "") for other in affixes):
        others = ", ".join(sorted(repr(other) for other in affixes if other))
        values.doubts.append(f"numbers with different signs: {others}")
        return Typed({"type": "string"})
    readings = _different(scores, best)
    if len(readings) > 1:
        return _ambiguous_number(values, readings)
    if _looks_like_codes(values, readings[0]):
        return Typed({"type": "string"})
    return _number(values, readings[0], affix)


def _begins_with_zero(texts: Iterable[str], notation: Mapping[str, Any]) -> bool:
    """Whether a number's first group would be a zero: nobody writes 125 as 0.125."""
    group = notation.get("groupChar")
    return group is not None and any(text.lstrip("+-").startswith(f"0{group}") for text in texts)


def _without_decimal_commas(values: _Values, scores: list[_Score]) -> list[_Score]:
    """Leave out decimal commas if most values are numbers without them.

    In a file separated by commas, `2,2` among integers is more likely a list.
    """
    plain = [fitting for c, fitting, _ in scores if not {"decimalChar", "groupChar"} & c.keys()]
    if not any(map(values.is_majority, plain)):
        return scores
    return [score for score in scores if "decimalChar" not in score[0]]


def _code(values: _Values) -> Typed | None:
    """Text, if the values look like numbers but are codes, which must keep their characters."""
    if values.share(_NETWORK_ADDRESS) >= _WORTH_A_NOTE:
        return Typed({"type": "string"})
    zero = values.first(_ZERO_PADDED)
    for text, reason in (
        (zero, "has a leading zero, which a number would lose"),
        (values.first(_LONG_DIGITS), "has more digits than a double can hold: a code"),
        (values.first(_TELEPHONE), "looks like a telephone number"),
        (
            values.texts[0] if _are_article_numbers(values.texts) else None,
            "is an article number (EAN, GTIN, ISBN): all values have its check digit",
        ),
        (
            None if any("." in text for text in values.counts) else values.first(_EXPONENT_CODE),
            "may be a code, or a number with an exponent",
        ),
        (
            values.first(_ACCOUNTING),
            "is how accountants write a negative number, which contracts can't read: have the file "
            "exported with a minus sign in front",
        ),
    ):
        if text is not None:
            values.doubts.append(f"{text!r} {reason}")
            return Typed({"type": "string"})
    return None


def _are_article_numbers(texts: Sequence[str]) -> bool:
    """Whether all texts have the length of a GTIN and its check digit.

    From the right, digits count 1, 3, 1, 3 ...; the sum of an article number is a multiple of ten.
    https://www.gs1.org/services/how-calculate-check-digit-manually
    """
    return len(texts) >= _LEAST_ARTICLES and all(
        len(text) in (12, 13, 14)
        and text.isascii()
        and text.isdecimal()
        and sum(int(digit) * (3 if n % 2 else 1) for n, digit in enumerate(reversed(text))) % 10
        == 0
        for text in texts
    )


def _number(values: _Values, chosen: dict[str, Any], affix: str) -> Typed:
    name = values.name.lower()
    whole = chosen["type"] == "integer"
    if whole and not affix and _NAME_OF_CODE.search(name):
        values.doubts.append("all values are integers, but by its name it is a code")
        return Typed({"type": "string"})
    if (
        values.share(_COMPACT_DATE) >= 1 - values.most_exceptions
        and whole
        and "groupChar" not in chosen
    ):
        if _NAME_OF_DAY.search(name):
            values.facts.append("eight digits that are dates, in a column named for dates")
            return Typed({"type": "date", "format": "%Y%m%d"})
        values.doubts.append("may be dates in the format %Y%m%d, or numbers")
        return Typed({"type": "string"})
    if whole and _NAME_OF_YEAR.search(name) and "groupChar" not in chosen and not affix:
        read = reader_of({"type": "year"})
        if values.is_majority(sum(n for t, n in values.counts.items() if not read(t).faults)):
            return Typed({"type": "year"})
    if affix:
        example = next(iter(values.counts))
        value = reader_of(chosen)(example).json
        values.facts.append(f"{example!r} is read as {value}, without the sign")
    if whole and set(values.counts) <= {"0", "1"}:
        values.facts.append("only 0 and 1 occur: type boolean fits as well")
    _note_epoch(values)
    return Typed(chosen)


def _note_epoch(values: _Values) -> None:
    for digits, factor, unit in _EPOCHS:
        numbers = [text for text in values.counts if len(text) == digits and text.isdecimal()]
        within = sum(
            values.counts[text]
            for text in numbers
            if _FIRST_EPOCH <= int(text) / factor <= _LAST_EPOCH
        )
        if numbers and within == values.total:
            moment = datetime.fromtimestamp(int(numbers[0]) / factor, tz=UTC)
            values.facts.append(
                f"may be Unix time in {unit}: {numbers[0]} would be {moment:%Y-%m-%dT%H:%M:%SZ}"
            )


def _looks_like_codes(values: _Values, chosen: Mapping[str, Any]) -> bool:
    """Whether the exceptions are codes or remarks, such as C536379 or 2013 (1888), not errors.

    They have digits but are not written like numbers, and there are more than a few of them.
    """
    read = reader_of(chosen)
    exceptions = Counter({text: n for text, n in values.counts.items() if read(text).faults})
    others = [
        text
        for text in exceptions
        if any(map(str.isdigit, text))
        and not (_QUANTITY.fullmatch(text) and affix_of(text) in _AFFIXES)
    ]
    count = sum(exceptions[text] for text in others)
    few = max(_LEAST_SYSTEMATIC, _SYSTEMATIC * values.total)
    if len(others) < _LEAST_SYSTEMATIC or count < few or count * 2 < exceptions.total():
        return False
    values.doubts.append(
        f"{count} of {values.total} values are written like {others[0]!r}, the others are numbers: "
        "too many to be errors"
    )
    return True


def _ambiguous_number(values: _Values, readings: Sequence[dict[str, Any]]) -> Typed:
    """Choose among readings such as 1234 and 1.234 of `1,234`, if there is a reason to."""
    if values.comma_separated:
        point = [
            r for r in readings if "decimalChar" not in r and r.get("groupChar") in (None, ",")
        ]
        if len(point) == 1:
            other = next(reading for reading in readings if reading is not point[0])
            example = next(
                text
                for text in values.counts
                if not reader_of(point[0])(text).faults
                and canonical(reader_of(point[0])(text).value)
                != canonical(reader_of(other)(text).value)
            )
            values.doubts.append(
                f"{example!r} is read as {reader_of(point[0])(example).json}, as in other files "
                f"separated by commas; {_either(readings, point[0])} fits as well"
            )
            return Typed(point[0])
    listed = " and ".join(words_of(reading) for reading in readings)
    values.doubts.append(f"{listed} fit, but give different values")
    return Typed({"type": "string"}, readings=tuple(readings))


def _either(readings: Iterable[dict[str, Any]], chosen: dict[str, Any]) -> str:
    return " or ".join(words_of(reading) for reading in readings if reading is not chosen)


def _temporal(values: _Values) -> Typed | None:
    """Dates, datetimes and times; the values themselves show which number is the day."""
    dated = {text: n for text, n in values.counts.items() if _may_be_dated(text)}
    if sum(dated.values()) < _WORTH_A_NOTE * values.total:
        return None
    typical = sorted(dated, key=lambda text: -dated[text])[:_TRIED_FIRST]
    candidates: list[dict[str, Any]] = []
    for has_colon in (False, True):
        some = [text for text in typical if (":" in text) is has_colon]
        if some:
            letters = any(re.search("[A-Za-z]{3}", text) for text in some)
            zones = any(re.search(r"[+-]\d\d:?\d\d$|Z$", text) for text in some)
            candidates += filter(
                partial(_may_fit, texts=some), date_notations(letters, has_colon, zones)
            )
    scores = _scores(candidates, values.counts, dated)
    best = max((fitting for _, fitting, _ in scores), default=0)
    if not values.is_majority(best):
        mixed = _mixed_notations(values, dated)
        if mixed is None and best >= _WORTH_A_NOTE * values.total:
            kind = next(c["type"] for c, fitting, _ in scores if fitting == best)
            values.doubts.append(_almost(values, best, f"{kind}s"))
        return mixed
    readings = _different(scores, best, unless=values)
    if len(readings) > 1:
        listed = " and ".join(words_of(reading) for reading in readings)
        values.doubts.append(f"{listed} fit, but give different values")
        return Typed({"type": "string"}, readings=tuple(readings))
    return _dated(values, readings[0], best)


def _may_fit(candidate: Mapping[str, Any], texts: Iterable[str]) -> bool:
    """Whether some text has the characters that a pattern has between its parts."""
    between = set(re.sub("%.", "", str(candidate.get("format", ""))))
    return any(between <= set(text) for text in texts)


def _may_be_dated(text: str) -> bool:
    return (
        4 <= len(text) <= 40
        and sum(map(str.isdigit, text)) >= 3
        and re.search(r"[-/.:]|[A-Za-z]{3}", text) is not None
    )


def _dated(values: _Values, chosen: dict[str, Any], best: int) -> Typed:
    """A date or datetime, with what its pattern means for two-digit years and for day and month."""
    pattern = str(chosen.get("format", ""))
    if "%y" in pattern:
        years = sorted(
            cell.value.year for cell in map(reader_of(chosen), values.counts) if cell.value
        )
        if years[-1] > (values.today + timedelta(days=366)).year:
            values.doubts.append(
                f"two-digit years: {pattern} would give years up to {years[-1]}, because 00 to 68 "
                "are 2000 to 2068"
            )
            return Typed({"type": "string"})
        values.facts.append(
            "two-digit years: 00 to 68 are read as 2000 to 2068, 69 to 99 as 1969 to 1999"
        )
    swapped = _swapped(pattern)
    if swapped:
        read = reader_of({**chosen, "format": swapped})
        others = sum(n for text, n in values.counts.items() if not read(text).faults)
        order = (
            "the day before the month"
            if pattern.index("%d") < pattern.index("%m")
            else ("the month before the day")
        )
        values.facts.append(f"{order}: {best - others} of {values.total} values fit no other order")
    return Typed(_in_time_zone(values, chosen))


def _in_time_zone(values: _Values, chosen: dict[str, Any]) -> dict[str, Any]:
    """A datetime whose notation allows both kinds, with or without time zone like its values.

    Formats that store instants can store only one kind, and a pattern says which one it is.
    """
    if chosen["type"] != "datetime" or chosen.get("format", "any") != "any":
        return chosen
    read = reader_of(chosen)
    moments = [(read(text).value, count) for text, count in values.counts.items()]
    fitting = [(moment.tzinfo is not None, n) for moment, n in moments if moment is not None]
    zoned = sum(n for has_zone, n in fitting if has_zone)
    total = sum(n for _, n in fitting)
    if 0 < zoned < total:
        values.facts.append(f"{zoned} of {total} values have a time zone")
    if zoned * 2 >= total:
        return chosen
    values.facts.append("without time zone")
    return {**chosen, "pipeline": {"timeZone": "none"}}


def _swapped(pattern: str) -> str:
    """The same pattern with day and month swapped, if both are numbers."""
    starts_with_year = pattern.startswith(("%Y", "%y-%m", "%y/%m"))
    if "%d" not in pattern or "%m" not in pattern or starts_with_year or "." in pattern[:5]:
        return ""
    return pattern.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _mixed_notations(values: _Values, dated: Mapping[str, int]) -> Typed | None:
    """Format `any`, if several notations occur and each of them is unambiguous."""
    for kind in ("date", "datetime"):
        candidate = {"type": kind, "format": "any"}
        ((_, fitting, _),) = _scores([candidate], values.counts, dated)
        if values.is_majority(fitting):
            values.facts.append("written in several notations")
            return Typed(_in_time_zone(values, candidate))
    return None


def _text_format(values: _Values) -> Typed | None:
    candidates = [{"type": "string", "format": name} for name in ("uuid", "email")]
    if any("://" in text for text in values.counts):
        candidates.append({"type": "string", "format": "uri"})
    for candidate in candidates:
        ((_, fitting, texts),) = _scores([candidate], values.counts, values.counts)
        if candidate["format"] == "uri":
            fitting = sum(values.counts[text] for text in texts if "://" in text)
        if values.is_majority(fitting):
            return Typed(candidate)
    return None


def _nested(values: _Values) -> Typed | None:
    for kind, start in (("object", "{"), ("array", "["), ("duration", "P")):
        some = {text: n for text, n in values.counts.items() if text.lstrip("-").startswith(start)}
        if not values.is_majority(sum(some.values())):
            continue
        ((_, fitting, texts),) = _scores([{"type": kind}], values.counts, some)
        # P1D alone could be a code.
        is_clear = kind != "duration" or any("T" in text for text in texts)
        if is_clear and values.is_majority(fitting):
            return Typed({"type": kind})
    return None


def _scores(
    candidates: Sequence[dict[str, Any]], counts: Mapping[str, int], texts: Iterable[str]
) -> list[_Score]:
    """Each candidate with the number of values that fit it, and the texts that do.

    A candidate that fits few of the most common texts is not tried with the others.
    """
    ranked = sorted(texts, key=lambda text: -counts[text])
    found = []
    for candidate in candidates:
        read = reader_of(candidate)
        fitting = {text for text in ranked[:_TRIED_FIRST] if not read(text).faults}
        if len(fitting) * 3 >= len(ranked[:_TRIED_FIRST]):
            fitting.update(text for text in ranked[_TRIED_FIRST:] if not read(text).faults)
        found.append((candidate, sum(counts[text] for text in fitting), frozenset(fitting)))
    return found


def _different(
    scores: Sequence[_Score],
    best: int,
    *,
    unless: _Values | None = None,
) -> list[dict[str, Any]]:
    """The candidates that fit best and read different values; of those that agree, the first.

    With `unless`, a candidate that fits nearly as many values counts too, if the best one does not
    explain clearly more values that the other can't.
    """
    first = next(score for score in scores if score[1] == best)
    readings: dict[tuple[str, ...], dict[str, Any]] = {}
    for candidate, fitting, texts in scores:
        if fitting == best and texts == first[2]:
            read = reader_of(candidate)
            key = tuple(canonical(read(text).value) for text in sorted(texts))
            readings.setdefault(key, candidate)
        elif fitting == best:
            readings.setdefault((str(candidate),), candidate)
        elif unless is not None and unless.is_majority(fitting):
            alone = sum(unless.counts[text] for text in first[2] - texts)
            other = sum(unless.counts[text] for text in texts - first[2])
            if other * _CLEARLY > alone:
                readings.setdefault((str(candidate),), candidate)
    return list(readings.values())


def _almost(values: _Values, fitting: int, kind: str) -> str:
    return f"{fitting} of {values.total} values are {kind}, too few to call the others exceptions"
