"""Computes exact sums of decimal numbers, whatever the order, the blocks or the splits.

Floating-point sums depend on the order of addition, so the sums of a file's parts would not add up
to the digits of the whole file's sum. Here every cell contributes the exact decimal value of its
text, as an integer at a power of ten. Almost all cells are added by vectorised operations that are
proven exact for them; `decimal` reads the others.

Example: the cells `0.1` and `0.12`. At scale 1 they are 1.0, an integer, and 1.2, which is not. So
1 is added at scale 1, and `0.12` is tried at scale 2, where it is 12. The sum is 1/10 + 12/100,
which is written as `22e-2`, whichever part of the file has which cell.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from itertools import repeat
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

# A decimal of up to 15 significant digits is identified by the double nearest to it (IEEE 754
# binary64, DBL_DIG), so text of up to 15 characters can be recovered from the cast number.
_EXACT_DIGITS = 15
_EXACT_LIMIT = 1e15
_TOLERANCE = 2.0**-51
_SCALES = tuple(range(13))
_GUESSED_FROM = 8
# Text of 16 to 24 characters goes through Polars' Decimal, which parses any JSON number and rounds
# to the scale. At the scale given for each range of |x| nothing is rounded: without an exponent
# such text has at most 23 decimals (12 from 1e10 on), with one at most 21 digits, so the last
# decimal place is above |x| / 1e21; and nothing reaches 1e34, as the two halves must.
_LONG_DIGITS = 24
_RANGES = ((34, 1e-13, 1e-3), (24, 1e-3, 1e10), (14, 1e10, 1e20))
_HALF = 10**17
_ROWS_OF_HALVES = 2**14  # products of halves are below 1e34, and as many of them fit 128 bits
# Cells are exact down to this decimal place, below it they are rounded half to even. It is beyond
# the smallest double (5e-324), and bounds a sum to some 650 digits however long the cells are.
_LAST_PLACE = 340
_INT64_LIMIT = 2**63
_WIDE = Context(prec=1_000)


@dataclass
class Moments:
    """Count, sum and sum of squares of decimal numbers, exact and mergeable in any order."""

    count: int = 0
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    _scale: int | None = field(default=None, repr=False, compare=False)

    def add(
        self, numbers: pl.Series, texts: pl.Series, occurrences: pl.Series | None = None
    ) -> None:
        """Add finite Float64 `numbers` and, of the same rows, the JSON `texts` they were cast from.

        Neither may have nulls. The value of each text is added once, or as many times as
        `occurrences` says.
        """
        self.count += len(numbers) if occurrences is None else int(occurrences.sum())
        lengths = texts.str.len_bytes()
        longest = lengths.max()
        if not isinstance(longest, int):
            return
        if longest > _EXACT_DIGITS:
            is_short = lengths <= _EXACT_DIGITS
            is_long = ~is_short & (numbers != 0)
            if occurrences is None:
                self._add_long(numbers.filter(is_long), texts.filter(is_long))
            else:
                self._add_decimals(texts.filter(is_long), occurrences.filter(is_long))
                occurrences = occurrences.filter(is_short)
            numbers, texts = numbers.filter(is_short), texts.filter(is_short)
        self._add_short(numbers, texts, occurrences)

    def merge(self, other: Moments) -> None:
        """Add the numbers that `other` has."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    def mean(self) -> Fraction | None:
        """The exact mean, or None without any value."""
        return self.total / self.count if self.count else None

    def standard_deviation(self) -> float | None:
        """The sample standard deviation (divisor n - 1), or None for fewer than two values."""
        if self.count < 2:
            return None
        spread = self.squares - self.total * self.total / self.count
        return _square_root(spread / (self.count - 1))

    def to_document(self) -> dict[str, Any]:
        """The JSON form: exact decimals as text. Equal moments give equal documents."""
        return {
            "count": self.count,
            "sum": _decimal_text(self.total),
            "squares": _decimal_text(self.squares),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Moments:
        """Read what `to_document` wrote."""
        return cls(
            count=document["count"],
            total=_from_decimal_text(document["sum"]),
            squares=_from_decimal_text(document["squares"]),
        )

    def _add_short(
        self, numbers: pl.Series, texts: pl.Series, occurrences: pl.Series | None
    ) -> None:
        """Add cells of at most 15 characters, first at the scale that served the block before.

        Let D be a cell's decimal. The computed x * 10^k differs from D * 10^k by at most 2^-52 of
        it. If D * 10^k is not an integer, it is more than 1e-15 of itself away from every integer,
        because D has at most 15 digits. So 2^-51 separates the two cases: a value that close to an
        integer is that integer.
        """
        if self._scale is None:
            self._scale = _decimal_places(texts)
        for attempt, scale in enumerate((self._scale, *_SCALES)):
            if not len(numbers):
                return
            if not scale and (integers := _integers(numbers)) is not None:
                self._add_integers(integers, scale, occurrences)
                if attempt:
                    self._scale = scale
                return
            scaled = numbers * 10.0**scale
            whole = scaled.round()
            sizes = whole.abs()
            exact = ((scaled - whole).abs() <= sizes * _TOLERANCE) & (sizes < _EXACT_LIMIT)
            if exact.all():
                self._add_integers(whole, scale, occurrences)
                if attempt:
                    self._scale = scale
                return
            some = None if occurrences is None else occurrences.filter(exact)
            self._add_integers(whole.filter(exact), scale, some)
            numbers, texts = numbers.filter(~exact), texts.filter(~exact)
            occurrences = None if occurrences is None else occurrences.filter(~exact)
        self._add_decimals(texts, occurrences)

    def _add_integers(self, scaled: pl.Series, scale: int, occurrences: pl.Series | None) -> None:
        """Add numbers of |x| < 1e15 that are integers at 10^-scale, choosing a width they fit.

        Their squares are below 1e30, so that 128 bits hold the sum of 10^8 of them.
        """
        if not len(scaled):
            return
        integers = scaled.cast(pl.Int64)
        bound = _size(integers)
        times = len(integers) if occurrences is None else int(occurrences.sum())
        wide, wider = integers, integers
        if bound * times >= _INT64_LIMIT:
            wide = integers.cast(pl.Int128)
        if bound * bound * times >= _INT64_LIMIT:
            wider = integers.cast(pl.Int128)
        weighed, squares = wide, wider * wider
        if occurrences is not None:
            weighed = wide * occurrences.cast(wide.dtype)
            squares = squares * occurrences.cast(wider.dtype)
        self.total += Fraction(int(weighed.sum()), 10**scale)
        self.squares += Fraction(int(squares.sum()), 10 ** (2 * scale))

    def _add_long(self, numbers: pl.Series, texts: pl.Series) -> None:
        """Add cells of more than 15 characters that are not zero."""
        sizes = numbers.abs()
        fits = texts.str.len_bytes() <= _LONG_DIGITS
        rest = texts.is_not_null()
        for scale, low, high in _RANGES:
            rows = fits & (sizes >= low) & (sizes < high)
            rest &= ~rows
            self._add_halves(texts.filter(rows), scale)
        self._add_decimals(texts.filter(rest))

    def _add_halves(self, texts: pl.Series, scale: int) -> None:
        """Add cells whose |x| * 10^scale is an integer below 1e34."""
        scaled = texts.cast(pl.Decimal(38, scale)).to_physical()
        half = pl.Series([_HALF], dtype=pl.Int128)
        for start in range(0, len(scaled), _ROWS_OF_HALVES):
            part = scaled.slice(start, _ROWS_OF_HALVES)
            high = part // half
            low = part - high * half
            total = int(high.sum()) * _HALF + int(low.sum())
            squares = int((high * high).sum()) * _HALF**2
            squares += 2 * int((high * low).sum()) * _HALF + int((low * low).sum())
            self.total += Fraction(total, 10**scale)
            self.squares += Fraction(squares, 10 ** (2 * scale))

    def _add_decimals(self, texts: pl.Series, occurrences: pl.Series | None = None) -> None:
        times = repeat(1) if occurrences is None else occurrences
        totals: Counter[int] = Counter()
        squares: Counter[int] = Counter()
        for text, count in zip(texts, times, strict=False):
            value, scale = _decimal_value(text)
            totals[scale] += value * count
            squares[scale] += value * value * count
        for scale in totals:
            self.total += Fraction(totals[scale], 10**scale)
            self.squares += Fraction(squares[scale], 10 ** (2 * scale))


def _integers(numbers: pl.Series) -> pl.Series | None:
    """The numbers as Int64 if all are integers below 1e15, as they are without decimals."""
    integers = numbers.cast(pl.Int64, strict=False)
    if integers.null_count() or _size(integers) >= _EXACT_LIMIT:
        return None
    return integers if (integers.cast(pl.Float64) == numbers).all() else None


def _size(integers: pl.Series) -> int:
    """The largest absolute value of integers, of which there is at least one."""
    return max(-int(integers.min()), int(integers.max()))  # type: ignore[arg-type]


def _decimal_places(texts: pl.Series) -> int:
    """How many decimals the first texts have: the likely scale of the others."""
    first = texts.head(_GUESSED_FROM).to_list()
    return min(max((len(text.partition(".")[2]) for text in first), default=0), _SCALES[-1])


def _decimal_value(text: str) -> tuple[int, int]:
    """An integer and the scale at which it is the text's value: "12.50" is 1250 at 2."""
    number = Decimal(text)
    exponent = int(number.as_tuple().exponent)
    if exponent >= 0:
        return int(number), 0
    if -exponent > _LAST_PLACE:
        exponent = -_LAST_PLACE
        number = number.quantize(Decimal(1).scaleb(exponent), context=_WIDE)
    return int(number.scaleb(-exponent, context=_WIDE)), -exponent


def _decimal_text(value: Fraction) -> str:
    """A fraction whose denominator divides a power of ten, as `<integer>e-<scale>`."""
    scale = 0
    denominator = value.denominator
    for prime in (2, 5):
        power, rest = 0, denominator
        while rest % prime == 0:
            power, rest = power + 1, rest // prime
        scale = max(scale, power)
    return f"{value.numerator * 10**scale // denominator}e-{scale}"


def _from_decimal_text(text: str) -> Fraction:
    digits, _, scale = text.partition("e-")
    return Fraction(int(digits), 10 ** int(scale))


def _square_root(value: Fraction) -> float:
    """The root of a fraction of any size, to the digits of a double."""
    context = Context(prec=40)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return float(context.sqrt(quotient))
