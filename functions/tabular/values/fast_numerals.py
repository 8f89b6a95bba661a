"""Rewrites numbers in another notation as JSON writes them, a whole column at a time.

`numbers` is the reference. A text is rewritten only if it is certainly a number of its field's
notation; its value's text is then the rewritten one. All other texts are left to `cells`.

Example: with decimal comma and points between groups, `+1.234,50` becomes `1234.50`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tabular.values import fast_valid

if TYPE_CHECKING:
    from tabular.model import Field

_SIGNS = "[$€£¥₹]"
_BEFORE = rf"^([+-]?)(?:{_SIGNS}|[A-Z]{{3}}) ?"
_AFTER = rf" ?(?:%|{_SIGNS}|[A-Za-z]{{1,4}})$"
"""Currencies, percent and units around numbers, of fields that allow other characters there."""
_UNUSUAL = r"^(?:\+|-?0[0-9]|-?\.)|\.$"
"""What remains different from JSON after group and decimal characters have been replaced."""


NUMERAL_TYPES = frozenset({"integer", "number"})


class Numerals:
    """Rewrites the texts of a field of one of NUMERAL_TYPES."""

    def __init__(self, field: Field) -> None:
        self._field = field
        usual = replace(field, decimal_char=".", group_char=None)
        rules = fast_valid.conditions(usual, neutralise_formulas=False)
        self._is_valid = None if rules is None else pl.all_horizontal(rules)

    def rewritten(self, texts: pl.Series) -> pl.Series | None:
        """The texts in JSON's notation (String), null for those left to `cells`; None if all are.

        `texts` are Strings without nulls.
        """
        if self._is_valid is None:
            return None
        field = self._field
        certain = texts.str.contains(self._pattern)
        if field.missing_values:
            certain &= ~texts.is_in(list(field.missing_values))
        if not certain.any():
            return None
        found = texts if certain.all() else texts.set(~certain, None)
        if not field.bare_number:
            found = _without_units(found)
        found = self._with_usual_marks(found)
        if found.str.contains(_UNUSUAL).any():
            found = self._with_usual_digits(found)
        frame = found.to_frame("text")
        return frame.select(pl.when(self._is_valid).then("text")).to_series()

    @property
    def _pattern(self) -> str:
        """The numerals of the field (Rust's regex crate), without exponent."""
        field = self._field
        whole = "[0-9]+"
        if field.group_char is not None:
            group = _escaped(field.group_char)
            whole = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+)"
        point = _escaped(field.decimal_char)
        numeral = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)"
        if field.type == "integer":
            numeral = whole
        if field.bare_number:
            return rf"^[+-]?{numeral}$"
        return rf"(?:{_BEFORE}|^[+-]?){numeral}(?:{_AFTER}|$)"

    def _with_usual_marks(self, texts: pl.Series) -> pl.Series:
        field = self._field
        if field.group_char is not None:
            texts = texts.str.replace_all(field.group_char, "", literal=True)
        if field.type == "number" and field.decimal_char != ".":
            texts = texts.str.replace(field.decimal_char, ".", literal=True)
        return texts

    def _with_usual_digits(self, texts: pl.Series) -> pl.Series:
        """Without plus, leading zeros and final point, and with a digit before the point."""
        text = pl.col("text").str.strip_chars_start("+")
        text = text.str.replace(r"^(-?)0+([0-9])", "${1}${2}").str.replace(r"^(-?)\.", "${1}0.")
        text = text.str.strip_chars_end(".")
        if self._field.type == "integer":
            text = text.str.replace("^-0$", "0")
        return texts.to_frame("text").select(text).to_series()


def _without_units(texts: pl.Series) -> pl.Series:
    text = pl.col("text").str.replace(_BEFORE, "${1}").str.replace(_AFTER, "")
    return texts.to_frame("text").select(text).to_series()


def _escaped(character: str) -> str:
    return rf"\x{{{ord(character):x}}}"
