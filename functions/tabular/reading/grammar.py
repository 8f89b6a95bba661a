"""Finds where records begin and end: the only module that knows quotes and malformed records.

A record ends at the first line end outside a quoted cell. Line ends are LF, CR LF and CR, in any
mix. A quoted cell ends at a quote followed by a delimiter, a line end or the end of the file. A
record in which a quote is anywhere else, or whose quoted cell is not closed within
`MAX_RECORD_BYTES` of the record's start, is malformed: it consists of its first physical line, and
the next record begins on the next line. So damage never spreads beyond its line.

So a record of several lines has an odd number of quotes on its first line, because every cell
before the open one is well-formed. A line with an even number of quotes is always a whole record.
Only lines with an odd number are examined one by one.

Example, of four physical lines and three records:

    1,"x        one quote: the cell is open, the record continues
    y",2        its closing quote is followed by a delimiter: one record of two lines
    3,"a"b",4   the second quote is followed by `b`: malformed, a record of this line
    5,c,6       no quote: a record
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import MisalignedSplits
from tabular.reading.line_ends import count_lines, has_regular_line_ends, line_end, strip_line_end
from tabular.reading.line_ranges import LineRanges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from tabular.model import Dialect
    from tabular.reading.lines import Lines

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""A longer record is rejected. Large enough for geometry in a cell, small enough to look past a
split's end for a closing quote."""

_PAIRED_ODD_LINES = 100
_MANY_ODD_LINES = 1_000
"""From these numbers on, one search in all of them takes less time than reading each."""
_FIRST_PAIRS = 250
"""More are in vain if one of them is damaged. The longer none is, the more are read at once."""
_TRIED_LINES = 50
_ESCAPED_IN_JSON = {*range(0x20), *b'"\\'}


class NoRecordEnd(IntEnum):
    """What `Grammar.record_end` returns if the record has no end."""

    MALFORMED = -1
    INCOMPLETE = -2


class Spans(NamedTuple):
    """The records of a text: one per line, except those that span several.

    `multi` are the lines of records of several lines, counted from 0. `lines` and `size`
    are the number of lines and bytes of whole records; what follows is incomplete.
    `physical` are all lines of the text, if they had to be found.
    `marks` are `Grammar.marks` of the text.
    """

    multi: LineRanges
    lines: int
    size: int
    physical: Lines | None
    marks: bytes


@dataclass(frozen=True)
class Grammar:
    """The syntax of a dialect's records, in the bytes of one encoding."""

    dialect: Dialect
    encoding: str = "utf-8"
    verbatim: frozenset[str] = frozenset()
    """Cells whose escapes are kept as they are unless the cell is quoted."""

    @cached_property
    def delimiter(self) -> bytes:
        """The delimiter's bytes."""
        return self.dialect.delimiter.encode(self.encoding)

    @cached_property
    def quote(self) -> bytes | None:
        """The quote's bytes; None if cells are never quoted."""
        quote = self.dialect.quote_char
        return quote.encode(self.encoding) if quote else None

    @cached_property
    def escape(self) -> bytes | None:
        """The escape character's bytes; None if there is none."""
        escape = self.dialect.escape_char
        return escape.encode(self.encoding) if escape else None

    @cached_property
    def comment(self) -> bytes | None:
        """The bytes with which comments begin, or None. A comment is one physical line."""
        mark = self.dialect.comment_char
        return mark.encode(self.encoding) if mark else None

    @cached_property
    def is_plain(self) -> bool:
        """Whether cells are written as in RFC 4180, with any delimiter and quote character."""
        return not self.dialect.skip_initial_space and self.is_plain_without_spaces

    @cached_property
    def is_plain_without_spaces(self) -> bool:
        """Whether cells are written so, perhaps after spaces that don't count."""
        dialect = self.dialect
        return (
            dialect.escape_char is None
            and (dialect.quote_char is None or dialect.double_quote)
            and len(self.delimiter) == 1
            and (self.quote is None or len(self.quote) == 1)
        )

    def is_plain_in(self, text: bytes) -> bool:
        """Whether this text contains nothing that a plain dialect would read in another way."""
        if self.is_plain:
            return True
        if len(self.delimiter) != 1 or (self.quote is not None and len(self.quote) != 1):
            return False
        oddities = [self.escape] if self.escape is not None else []
        if self.quote is not None and not self.dialect.double_quote:
            oddities.append(self.quote * 2)
        if self.dialect.skip_initial_space:
            oddities += [b"\n ", b"\r ", self.delimiter + b" "]
            if text.startswith(b" "):
                return False
        return not any(oddity in text for oddity in oddities)

    @property
    def spans_lines(self) -> bool:
        """Whether a record can span several lines at all."""
        return self.quote is not None or self.escape is not None

    def record_end(self, text: bytes, start: int, *, complete: bool) -> int:
        """The end of the record that begins at `start`, after its line end; or a NoRecordEnd.

        `complete` says that the file ends where `text` does. INCOMPLETE is returned only if it does
        not, and never for more than MAX_RECORD_BYTES of text.
        """
        undecided = not complete and len(text) - start <= MAX_RECORD_BYTES
        if self.comment and text.startswith(self.comment, start):
            end = line_end(text, start)
            is_cut_off = undecided and end == len(text) and not text.endswith(b"\n")
            return NoRecordEnd.INCOMPLETE if is_cut_off else end
        match = self._record.match(text, start)
        if match is not None:
            end = match.end()
            # At the text's end a missing line end may follow, and a CR be half of a CR LF.
            if end == len(text) and not complete and match["end"] in (b"", b"\r"):
                return NoRecordEnd.INCOMPLETE
            # An escape before the file's last line end is followed by nothing that it could escape.
            dangling = end == len(text) and not match["end"] and text.endswith((b"\n", b"\r"))
            return NoRecordEnd.MALFORMED if dangling or end - start > MAX_RECORD_BYTES else end
        if undecided and self._open.match(text, start):
            return NoRecordEnd.INCOMPLETE
        return NoRecordEnd.MALFORMED

    def is_well_formed(self, record: bytes) -> bool:
        """Whether this text, without its line end, is one record."""
        match = self._record.match(record)
        return match is not None and match.end() == len(record) and not match["end"]

    def records(self, text: bytes, *, complete: bool, most: int) -> Iterator[bytes]:
        """The first `most` records of a text that begins with one, without line ends.

        It works record by record, so it is for heads of files only. An incomplete last record is
        left out.
        """
        start = 0
        while most and start < len(text):
            end = self.record_end(text, start, complete=complete)
            if end == NoRecordEnd.INCOMPLETE:
                return
            if end == NoRecordEnd.MALFORMED:
                end = line_end(text, start)
            yield strip_line_end(text[start:end])
            start, most = end, most - 1

    def cells(self, record: bytes) -> list[str] | None:
        """Cut a record without its line end into cells; None if it is malformed.

        Bytes that are not valid in the grammar's encoding become U+FFFD.
        """
        if self.is_plain and (self.quote is None or self.quote not in record):
            return record.decode(self.encoding, "replace").split(self.dialect.delimiter)
        if not self.is_well_formed(record):
            return None
        text = record.decode(self.encoding, "replace")
        return [self._cell_text(cell) for cell in self._split(text)]

    def _split(self, text: str) -> list[str]:
        """Cut a well-formed record at its delimiters; the cells keep their quotes."""
        cells, start = [], 0
        delimiter = self.dialect.delimiter
        while True:
            match = self._text_cell.match(text, start)
            end = match.end() if match else len(text)
            cells.append(text[start:end])
            if end >= len(text):
                return cells
            start = end + len(delimiter)

    def _cell_text(self, cell: str) -> str:
        """Remove the quotes and escapes of a cell."""
        dialect = self.dialect
        if dialect.skip_initial_space:
            cell = cell.lstrip(" ")
        quote, escape = dialect.quote_char, dialect.escape_char
        quoted = bool(quote) and cell.startswith(str(quote))
        if quote and quoted:
            cell = cell[len(quote) : -len(quote)]
        if escape is not None and escape in cell:
            if not quoted and cell in self.verbatim:
                return cell
            return self._escaped_text.sub(lambda match: match[1] or match[2], cell)
        if quote and quoted and dialect.double_quote:
            return cell.replace(quote * 2, quote)
        return cell

    @cached_property
    def _text_cell(self) -> re.Pattern[str]:
        return re.compile(Grammar(self.dialect, "utf-8")._cell.decode(), re.DOTALL)

    @cached_property
    def _escaped_text(self) -> re.Pattern[str]:
        """An escaped character (group 1), or a doubled quote (group 2 is the quote)."""
        escape, quote = (
            re.escape(c or "") for c in (self.dialect.escape_char, self.dialect.quote_char)
        )
        doubled = f"({quote}){quote}" if quote and self.dialect.double_quote else "(?!)()"
        return re.compile(f"{escape}(.)|{doubled}", re.DOTALL)

    def spans(
        self,
        text: bytes,
        *,
        complete: bool,
        limit: int | None = None,
        marks: bytes | None = None,
    ) -> Spans:
        """Find the records of `text`, which begins with a record and ends with a physical line.

        With `limit`, a line's start within the text, only records that begin before it count, and
        one of several lines that passes it raises MisalignedSplits; `text` beyond may break off.
        `marks` are those of the text, if they are known.
        """
        marks = self.marks(text) if marks is None else marks
        if self.escape is not None and self.escape in text:
            from tabular.reading.escapes import plain_dialect, rewritten  # noqa: PLC0415 for Polars

            found = rewritten(text, self.dialect, self.encoding)
            if found is not None:
                plain = Grammar(plain_dialect(self.dialect), self.encoding)
                spans = plain.spans(found.text, complete=complete, limit=limit)
                return spans._replace(physical=None, marks=marks)
        return self._spans(text, complete=complete, limit=limit, marks=marks)

    def _spans(self, text: bytes, *, complete: bool, limit: int | None, marks: bytes) -> Spans:
        from tabular.reading.lines import Lines  # noqa: PLC0415 Polars, which heads of files do without

        within = len(text) if limit is None else limit
        odd = self._odd_lines(text, marks)
        if not odd:
            lines = count_lines(text[:within]) if limit else _line_count(text, marks)
            return Spans(LineRanges(), lines, within, None, marks)
        physical = Lines(text, marks)
        multi = self._well_formed_pairs(text, physical, odd) if limit is None else LineRanges()
        odd = odd[2 * len(multi) :]
        if len(odd) > _MANY_ODD_LINES:
            odd = self._opening_lines(physical, odd)
            if self._are_mostly_malformed(text, physical, odd, complete=complete):
                odd = self._without_broken(physical, odd)
        free = 0
        starts = physical.starts.gather(odd).to_list() if odd else []
        for line, start in zip(odd, starts, strict=True):
            if line < free:
                continue
            if start >= within:
                break
            end = self.record_end(text, start, complete=complete)
            if end == NoRecordEnd.INCOMPLETE:
                return Spans(multi, line, start, physical, marks)
            if end == NoRecordEnd.MALFORMED:
                continue
            _check_within(start, end, within)
            free = line + count_lines(text[start:end])
            if free - line > 1:
                multi.add(line, free - 1)
        lines = int(physical.starts.search_sorted(within))
        return Spans(multi, lines, within, physical, marks)

    def marks(self, text: bytes) -> bytes:
        """The quotes, control characters and backslashes of a text, in order.

        One pass over the text, for the search for odd lines and for what JSON would escape.
        """
        return text.translate(None, self._unmarked)

    def _odd_lines(self, text: bytes, marks: bytes) -> list[int]:
        """The lines at which a record of several lines may begin."""
        if self.escape is not None and self.escape in text:
            openers = (self.escape, self.quote or self.escape)
            lines = enumerate(text.splitlines())
            return [number for number, line in lines if any(char in line for char in openers)]
        if self.quote is None or self.quote not in text:
            return []
        if len(self.quote) > 1 or not (b"\r" not in marks or has_regular_line_ends(text)):
            lines = enumerate(text.splitlines())
            return [number for number, line in lines if line.count(self.quote) % 2]
        # Only quotes and line feeds remain. Without pairs of quotes, one quote is left on each odd
        # line.
        bare = marks.translate(None, self._neither_quote_nor_line_feed)
        line_feeds = bare.replace(self.quote * 2, b"").split(self.quote)[:-1]
        return list(accumulate(map(len, line_feeds)))

    def _well_formed_pairs(self, text: bytes, physical: Lines, odd: Sequence[int]) -> LineRanges:
        """Pairs of these lines, from the first on, that begin and end a well-formed record.

        Without damage, an odd line opens a quoted cell and the next one closes it. So it is from
        the first pair on, up to the first one whose lines together are no well-formed record.
        """
        few = len(odd) <= _PAIRED_ODD_LINES
        if few or self.comment or self._contents(physical) is None:
            return LineRanges()
        import polars as pl  # noqa: PLC0415 which heads of files do without

        pairs, lines = len(odd) // 2, pl.Series(odd, dtype=pl.UInt32)
        firsts, lasts = lines.gather_every(2).head(pairs), lines.gather_every(2, 1)
        found = 0
        while found < pairs:
            some = slice(found, found + max(_FIRST_PAIRS, found))
            wrong = (~self._are_sound(text, physical, firsts[some], lasts[some])).arg_true()
            if len(wrong):
                found += wrong[0]
                break
            found = min(pairs, some.stop)
        return LineRanges(firsts.head(found).to_list(), lasts.head(found).to_list())

    def _are_sound(
        self, text: bytes, physical: Lines, firsts: pl.Series, lasts: pl.Series
    ) -> pl.Series:
        """Which records of these lines are whole, well-formed and not too long (Boolean)."""
        from tabular.reading.record_syntax import well_formed  # noqa: PLC0415 for Polars

        sizes = physical.starts.gather(lasts + 1) - physical.starts.gather(firsts)
        joined = physical.joined(firsts, lasts)
        sound = well_formed(joined, self.dialect) & (sizes <= MAX_RECORD_BYTES)
        # Only the text's last line can lack its line end.
        if lasts[-1] + 2 == len(physical.starts) and not text.endswith(b"\n"):
            sound[-1] = False
        return sound

    def _opening_lines(self, physical: Lines, odd: list[int]) -> list[int]:
        """Those of the lines with an odd number of quotes that end within a quoted cell.

        The others begin no record of several lines: their quotes are misplaced. All of them are
        returned where a regular expression on whole lines can't decide that.
        """
        contents = self._contents(physical)
        if contents is None:
            return odd
        import polars as pl  # noqa: PLC0415 which heads of files do without

        quote, delimiter, inner, cell = self._patterns
        opening = f"^(?:{cell}{delimiter})*{quote}{inner}$"
        return pl.Series(odd).filter(contents.gather(odd).str.contains(opening)).to_list()

    @property
    def _patterns(self) -> tuple[str, str, str, str]:
        """Patterns for Polars: the quote, the delimiter, a quoted cell's inner text, any cell."""
        quote, delimiter = (re.escape(c.decode()) for c in (self.quote or b"", self.delimiter))
        inner = f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"
        return quote, delimiter, inner, f"(?:{quote}{inner}{quote}|[^{quote}{delimiter}]*)"

    def _contents(self, physical: Lines) -> pl.Series | None:
        """The lines, with other characters for bytes that are no UTF-8.

        None if records can't be searched in them as in bytes.
        """
        if not self.is_plain or not self.quote or not physical.regular:
            return None
        if self.encoding == "utf-8" and physical.is_utf8:
            return physical.contents
        return physical.as_ascii if self.quote.isascii() and self.delimiter.isascii() else None

    def _are_mostly_malformed(
        self, text: bytes, physical: Lines, opening: list[int], *, complete: bool
    ) -> bool:
        """Whether most of some of these lines, from all over the text, begin no record."""
        some = opening[:: len(opening) // _TRIED_LINES + 1]
        starts = physical.starts.gather(some).to_list()
        ends = [self.record_end(text, start, complete=complete) for start in starts]
        return 2 * ends.count(NoRecordEnd.MALFORMED) > len(ends)

    def _without_broken(self, physical: Lines, opening: list[int]) -> list[int]:
        """The opening lines without those whose quoted cell certainly ends in a wrong way.

        A line that begins within a quoted cell leaves it open, or opens another one after it, or
        closes it and is well-formed from there on, or none of these, which is certain damage. What
        counts is the first line that does not leave a cell open.

        Example: in the lines `1,"x`, `2,"y` and `3,"z"`, the first quote of the second line is
        followed by `y`. So the first line begins no record. Neither does the second.
        """
        import polars as pl  # noqa: PLC0415 which heads of files do without

        contents = self._contents(physical)
        if contents is None:
            return opening
        quote, delimiter, inner, cell = self._patterns
        closed = f"^{inner}{quote}(?:{delimiter}{cell})*"
        line = pl.col("line")
        stays = line.str.contains(f"^{inner}$") | line.str.contains(
            f"{closed}{delimiter}{quote}{inner}$"
        )
        breaks = pl.when(~stays).then(~line.str.contains(f"{closed}$"))
        outcomes = (
            contents.to_frame("line")
            .with_row_index("number")
            .filter(line.str.contains(quote))
            .select("number", breaks=breaks.backward_fill().shift(-1).fill_null(value=False))
        )
        broken = outcomes.filter("breaks")["number"]
        lines = pl.Series(opening, dtype=pl.UInt32)
        return lines.filter(~lines.is_in(broken.implode())).to_list()

    @cached_property
    def _unmarked(self) -> bytes:
        return bytes(set(range(256)) - _ESCAPED_IN_JSON - set(self.quote or b""))

    @cached_property
    def _neither_quote_nor_line_feed(self) -> bytes:
        return bytes(set(range(256)) - set(self.quote or b"") - {ord("\n")})

    @cached_property
    def _cell(self) -> bytes:
        """The pattern of a cell. All repeats are possessive: time is linear in the text."""
        delimiter = re.escape(self.delimiter)
        escape = re.escape(self.escape) if self.escape else None
        # An escaped CR LF is one line end.
        escaped = b"|%b(?:\r\n|.)" % escape if escape else b""
        if self.quote is None:
            return b"(?:(?!%b)[^\r\n%b]%b)*+" % (delimiter, escape or b"", escaped)
        bare_stop = b"(?!%b|%b)[^\r\n%b]" % (delimiter, re.escape(self.quote), escape or b"")
        if len(self.delimiter) == len(self.quote) == 1:
            bare_stop = b"[^\r\n%b%b%b]++" % (delimiter, re.escape(self.quote), escape or b"")
        space = b" *+" if self.dialect.skip_initial_space else b""
        closed = b"(?=%b|[\r\n]|\\Z)" % delimiter
        return b"(?>%b%b%b|(?:%b%b)*+)" % (space, self._quoted(), closed, bare_stop, escaped)

    def _quoted(self, *, closed: bool = True) -> bytes:
        quote = re.escape(self.quote or b"")
        escape = re.escape(self.escape) if self.escape else b""
        inner = [b"[^%b%b]++" % (quote, escape)]
        if len(self.quote or b"") > 1:
            inner = [b"(?!%b)[^%b]" % (quote, escape)]
        if escape and escape != quote:
            inner.append(escape + b".")
        if self.dialect.double_quote:
            inner.append(quote * 2)
        return quote + b"(?:" + b"|".join(inner) + b")*+" + (quote if closed else b"")

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        """The pattern of a record with its line end, which is empty at the end of the text."""
        return re.compile(
            b"%b(?:%b%b)*+(?P<end>\r\n|\r|\n|\\Z)"
            % (self._cell, re.escape(self.delimiter), self._cell),
            re.DOTALL,
        )

    @cached_property
    def _open(self) -> re.Pattern[bytes]:
        """The pattern of a record's beginning that ends in a quoted cell, so may be well-formed."""
        if self.quote is None:
            return re.compile(
                b"(?:%b(?:\r\n|.)|[^\r\n])*+(?:%b)?\\Z" % ((re.escape(self.escape or b""),) * 2)
            )
        space = b" *+" if self.dialect.skip_initial_space else b""
        tail = b"(?:%b)?" % b"|".join(
            re.escape(char) for char in (self.escape, self.quote) if char is not None
        )
        return re.compile(
            b"(?:%b%b)*+%b%b%b\\Z"
            % (
                self._cell,
                re.escape(self.delimiter),
                space,
                self._quoted(closed=False),
                tail,
            ),
            re.DOTALL,
        )


def _line_count(text: bytes, marks: bytes) -> int:
    """`count_lines` of a text whose marks are known, which are fewer bytes to look at."""
    if b"\r" in marks:
        return count_lines(text)
    return marks.count(b"\n") + (bool(text) and not text.endswith(b"\n"))


def _check_within(start: int, end: int, limit: int) -> None:
    """Raise MisalignedSplits if a record of several lines passes the limit."""
    if end > limit:
        raise MisalignedSplits(
            f"The split should end at its byte {limit}, within a record of several lines that "
            f"begins at its byte {start}."
        )
