r"""Rewrites text with escape characters so that a plain dialect reads it a whole column at a time.

Each escape character becomes a mark, and a delimiter, quote or escape character after it becomes a
substitute. Mark and substitutes are control characters that the text does not contain. The
rewritten text has the same length, and its records and cells begin and end in the same places.

Example, with `<` as mark and `D` and `Q` as substitutes: the record `a\,b,"\"c"` becomes
`a<Db,"<Qc"`. A plain dialect reads the cells `a<Db` and `<Qc`, which mean `a,b` and `"c`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tabular.model import Dialect

_UNUSED = bytes((*range(0x04, 0x09), *range(0x0E, 0x1B)))
"""Control characters that are neither line ends nor separators for reading whole lines."""


@dataclass(frozen=True)
class Rewritten:
    """Text without escape characters, and what its marks and substitutes mean."""

    text: bytes
    meanings: dict[str, str]
    """What takes the place of a mark with a substitute, and of a mark alone, in this order."""
    verbatim: dict[str, str]
    """Cells as they are read, and as they are in the file, of those whose escapes are kept."""

    def restored(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The cells as they are meant."""
        return cells.with_columns(map(self._restored, cells.get_columns()))

    def _restored(self, texts: pl.Series) -> pl.Series:
        *_, mark = self.meanings
        found = texts.str.contains(mark, literal=True).fill_null(value=False).arg_true()
        if not len(found):
            return texts
        changed = some = texts[found]
        for written, meaning in self.meanings.items():
            changed = changed.str.replace_all(written, meaning, literal=True)
        for read, original in self.verbatim.items():
            changed = changed.set(some == read, original)
        return texts.clone().scatter(found, changed)


def plain_dialect(dialect: Dialect) -> Dialect:
    """The dialect in which rewritten text is written."""
    return replace(dialect, escape_char=None, double_quote=True)


def rewritten(
    text: bytes, dialect: Dialect, encoding: str, verbatim: Iterable[str] = ()
) -> Rewritten | None:
    """The text in `plain_dialect`; None if that is not certainly the same.

    It isn't if line ends are escaped, and in dialects with longer or equal characters.
    `verbatim` are cells whose escapes are kept as they are unless the cell is quoted.
    """
    escape, delimiter, quote = (
        (character or "").encode(encoding)
        for character in (dialect.escape_char, dialect.delimiter, dialect.quote_char)
    )
    special = dict.fromkeys(filter(None, (escape, delimiter, quote)))
    taken = text + b"".join(special)
    mark, *substitutes = [*(bytes((n,)) for n in _UNUSED if n not in taken), b""]
    comment = (dialect.comment_char or "").encode(encoding)
    if (
        not escape
        or any(len(character) > 1 for character in special)
        or len(special) < 2 + bool(quote)
        or len(substitutes) <= len(special)
        or dialect.skip_initial_space
        or escape in comment
    ):
        return None
    pairs = dict(zip(special, substitutes, strict=False))
    found = _replaced(text, escape, mark, pairs)
    ends = (escape + b"\n", escape + b"\r")
    if found.endswith(escape) or any(end in found for end in ends):
        return None
    found = found.replace(escape, mark)
    if quote and not dialect.double_quote and quote * 2 in found:
        return None
    kept = {}
    for cell in verbatim:
        read = _replaced(cell.encode(encoding), escape, mark, pairs).replace(escape, mark)
        if quote and quote + read + quote in found:
            return None
        if not quote or quote not in read:  # otherwise such a cell is quoted
            kept[read.decode(encoding)] = cell
    meanings = {
        (mark + substitute).decode(): character.decode(encoding)
        for character, substitute in pairs.items()
    }
    return Rewritten(found, meanings | {mark.decode(): ""}, kept)


def _replaced(text: bytes, escape: bytes, mark: bytes, pairs: dict[bytes, bytes]) -> bytes:
    """The text with marks and substitutes for escaped special characters.

    The first one is the escape character: in a row of them, each one before another escapes it.
    """
    for character, substitute in pairs.items():
        text = text.replace(escape + character, mark + substitute)
    return text
