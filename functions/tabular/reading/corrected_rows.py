"""Reads the corrected rows of a file: the changes to the CSV that the pipeline had written.

People save that CSV with spreadsheets: in UTF-8, UTF-16 or Windows-1252, with commas, semicolons or
tabs, with moved columns, without some of the rows, with blank rows at the end. A cell counts as
changed only if its text differs from what was written, beyond the changes that spreadsheets make
automatically.

No damaged or doubtful row is guessed: all of them are reported together, each with its line, and
then no row is corrected.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import polars as pl

from tabular.correction_format import (
    head,
    is_cut,
    meta_columns,
    one_line_end,
    restored,
)
from tabular.encoding import BOMS
from tabular.errors import InvalidCorrections
from tabular.model import Contract, Dialect
from tabular.reading.blocks import lines_a_block, read_blocks
from tabular.reading.grammar import Grammar, NoRecordEnd
from tabular.reading.layout import Layout
from tabular.reading.line_ends import count_lines, line_end, strip_line_end
from tabular.reading.other_formats import binary_format
from tabular.reading.patches import Patch
from tabular.reading.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_CORRECTED_BYTES = 32 * 1024 * 1024
"""Maximum size of a corrected file, which is held in memory. Rows without changes can be left out
of it, so the number of rejected rows is not limited."""

_PIECE_BYTES = 1024 * 1024
_SLICE_ROWS = 10_000
_DELIMITERS = (",", ";", "\t")
_LISTED_PROBLEMS = 10
_ROW_DIGITS = 18
_ENCODING_OF_SPREADSHEETS = "cp1252"


def read_corrected_rows(
    uploaded: bytes, generated: Iterable[bytes], layout: Layout, *, execution: str = ""
) -> Iterator[Patch]:
    """The changed rows, sorted by row number.

    `uploaded` is the corrected file; `generated`, in pieces of any size, the file that was to be
    corrected, which is streamed; `layout` that of the file with the rejected rows. `execution` is
    the name that the patches get. The last patch may be followed by an error, so none may be used
    before all have been read.

    Raises InvalidCorrections, which lists what is wrong in which lines of `uploaded`.
    """
    problems = _Problems()
    upload = _read_upload(uploaded, layout, problems)
    del uploaded
    yield from _changes(upload, generated, layout, problems, execution)
    problems.check()


def too_large(size: int) -> InvalidCorrections:
    """The error of a corrected file of this size in bytes, beyond MAX_CORRECTED_BYTES."""
    return InvalidCorrections(
        f"The corrected file has {size:,} bytes, and the limit is {MAX_CORRECTED_BYTES:,}. Remove "
        "the rows that you have not changed: they don't have to be in the file."
    )


class _Problems:
    """What is wrong with the uploaded rows, of which there may be millions."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}
        # One byte for each line of the file.
        self._is_wrong = bytearray()

    def add(self, line: int, problem: str) -> None:
        """Note a problem of the row in this line; only the first one of a row is kept."""
        if line >= len(self._is_wrong):
            self._is_wrong.extend(bytes(line + 1 - len(self._is_wrong)))
        if self._is_wrong[line]:
            return
        self._is_wrong[line] = 1
        if len(self._first) < _LISTED_PROBLEMS or line < max(self._first):
            self._first[line] = problem
        if len(self._first) > _LISTED_PROBLEMS:
            del self._first[max(self._first)]

    def check(self) -> None:
        """Raise InvalidCorrections if there are any."""
        number = self._is_wrong.count(1)
        if not number:
            return
        listed = [f"Line {line}: {self._first[line]}." for line in sorted(self._first)]
        more = number - len(listed)
        if more:
            listed.append(f"{more} more lines have problems.")
        count = f"{number} rows" if number > 1 else "1 row"
        raise InvalidCorrections(
            f"{count} of the corrected file can't be used, so nothing was corrected. "
            f"{' '.join(listed)} Fix these rows or remove them, and upload the file again."
        )


@dataclass(frozen=True)
class _Columns:
    """Where the columns are in the uploaded file."""

    row: int
    raw: int | None
    cells: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class _UploadedRows:
    """The uploaded rows, sorted by row number, as texts: a cell alone would take 16 bytes.

    `rows` has the columns `row` (UInt64), `line` (UInt32) and `text`, the whole record.
    `encoding` is what a spreadsheet may have had to write the texts in, None for Unicode.
    """

    rows: pl.DataFrame
    dialect: Dialect
    columns: _Columns
    encoding: str | None

    def cells(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Some of the rows, with a column for each cell of the file's header and for `_raw`.

        The columns have the cells' positions and `raw` as their names; a cell that is missing is
        null.
        """
        pieces = (
            "".join(f"{text}\n" for text in some["text"]).encode()
            for some in rows.iter_slices(_SLICE_ROWS)
        )
        found = _records(pieces, self.dialect, self.columns.width, start=0, line=1)
        frames = [_cells(records, self.columns) for records, _ in found]
        return pl.concat([rows.select("row", "line"), pl.concat(frames)], how="horizontal")


def _read_upload(uploaded: bytes, layout: Layout, problems: _Problems) -> _UploadedRows:
    text, encoding = _decoded(uploaded)
    labels, dialect, start = _header(text, layout.labels)
    columns = _columns(labels, layout.labels)
    line = count_lines(text[:start]) + 1
    pieces = (text[at : at + _PIECE_BYTES] for at in range(start, len(text), _PIECE_BYTES))
    found = _records(pieces, dialect, columns.width, start=start, line=line)
    empty = pl.DataFrame(schema={"row": pl.UInt64, "line": pl.UInt32, "text": pl.String})
    frames = (_rows_of(records, rows, columns, problems) for records, rows in found)
    rows = pl.concat([empty, *frames])
    if not rows["row"].is_sorted():
        rows = rows.sort("row", maintain_order=True)
    repeated = rows.select("row", "line").filter(pl.col("row") == pl.col("row").shift(1))
    if repeated.height:
        rows = rows.unique("row", keep="first", maintain_order=True)
        first = rows.select("row", first="line")
        for again, other in repeated.join(first, on="row").select("line", "first").iter_rows():
            problems.add(again, f"its `_row` is also that of line {other}")
    return _UploadedRows(rows, dialect, columns, encoding)


def _decoded(uploaded: bytes) -> tuple[bytes, str | None]:
    """The file in UTF-8 without byte order mark, and its encoding if that may not be Unicode."""
    if len(uploaded) > MAX_CORRECTED_BYTES:
        raise too_large(len(uploaded))
    what = binary_format(uploaded)
    if what is not None:
        raise InvalidCorrections(
            f"The corrected file is {what}. Save it as CSV (UTF-8), and upload that."
        )
    other = None
    for mark, name in BOMS:
        if uploaded.startswith(mark):
            encoding, content = name, uploaded[len(mark) :]
            break
    else:
        encoding, content = "utf-8", uploaded
        if uploaded.isascii() or not _is_utf8(uploaded):
            encoding = other = _ENCODING_OF_SPREADSHEETS
    try:
        text = _in_utf8(content, encoding)
    except _UndecodableError as error:
        line = count_lines(content[: error.place]) or 1
        raise InvalidCorrections(
            f"Line {line} of the corrected file has bytes that are not valid {encoding}. "
            "Save it as CSV UTF-8, and upload it again."
        ) from None
    if b"\0" in text:
        raise InvalidCorrections(
            f"Line {count_lines(text[: text.index(0)]) or 1} of the corrected file "
            "has a NUL character. Save it as CSV UTF-8, and upload it again."
        )
    return text, other


class _UndecodableError(Exception):
    """The bytes at `place` are not valid in the encoding."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


def _is_utf8(data: bytes) -> bool:
    try:
        _in_utf8(data, "utf-8")
    except _UndecodableError:
        return False
    return True


def _in_utf8(content: bytes, encoding: str) -> bytes:
    """The text in UTF-8; raises `_UndecodableError`.

    Decoded in pieces: as a whole, a text takes up to four bytes for each character.
    """
    if encoding in {"utf-8", _ENCODING_OF_SPREADSHEETS} and content.isascii():
        return content
    decoder = codecs.getincrementaldecoder(encoding)()
    text = bytearray()
    for at in range(0, len(content) + 1, _PIECE_BYTES):
        end = at + _PIECE_BYTES
        try:
            piece = decoder.decode(content[at:end], final=end > len(content))
        except UnicodeDecodeError as error:
            # The decoder may have kept bytes of the piece before.
            place = min(end, len(content)) - len(error.object) + error.start
            raise _UndecodableError(place) from None
        if encoding != "utf-8":
            text += piece.encode()
    return content if encoding == "utf-8" else bytes(text)


def _header(text: bytes, labels: Sequence[str]) -> tuple[list[str], Dialect, int]:
    """The uploaded header, the dialect in which it was found, and where the rows begin."""
    name = meta_columns(labels).row
    for delimiter in _DELIMITERS:
        dialect = Dialect(delimiter=delimiter)
        grammar = Grammar(dialect)
        end = grammar.record_end(text, 0, complete=True)
        if end == NoRecordEnd.MALFORMED:
            continue
        cells = grammar.cells(strip_line_end(text[:end])) or []
        if name in _plain_labels(cells):
            return cells, dialect, end
    first = text[: line_end(text, 0)]
    raise InvalidCorrections(
        f"The first line of the corrected file, of {len(first)} bytes, is not a header with the "
        f"column `{name}`. Keep the first line as it was, and separate columns with commas, "
        "semicolons or tabs."
    )


def _plain_labels(labels: Sequence[str]) -> list[str]:
    """Labels as they are compared."""
    frame = pl.DataFrame({"": labels}, schema={"": pl.String})
    return one_line_end(restored(frame)).to_series().to_list()


def _columns(uploaded: Sequence[str], labels: Sequence[str]) -> _Columns:
    """Find the columns; raises InvalidCorrections, with positions, if they are others."""
    names = meta_columns(labels)
    there = _plain_labels(uploaded)
    wanted = one_line_end(pl.DataFrame({"": labels})).to_series().to_list()
    places: dict[str, list[int]] = {}
    for place, name in enumerate(there):
        places.setdefault(name, []).append(place)
    missing = [number for number, name in enumerate(wanted, 1) if name not in places]
    if missing:
        raise InvalidCorrections(
            f"The corrected file lacks column {_numbers(missing)} of the {len(labels)} columns "
            "that the rejected rows have. Only the columns "
            f"`{names.errors}` and `{names.raw}` can be removed."
        )
    known = {*wanted, *names}
    for name, found in places.items():
        if name and name not in known:
            raise InvalidCorrections(
                f"Column {_numbers([place + 1 for place in found])} of the corrected file is not "
                "a column of the rejected rows. Remove it."
            )
        if name and len(found) > 1:
            raise InvalidCorrections(
                f"Columns {_numbers([place + 1 for place in found])} of the corrected file have "
                "the same name. Remove all but one."
            )
    raw = places.get(names.raw)
    return _Columns(
        places[names.row][0],
        raw[0] if raw else None,
        tuple(places[name][0] for name in wanted),
        len(uploaded),
    )


def _numbers(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _LISTED_PROBLEMS} more"
    listed = ", ".join(map(str, numbers[:_LISTED_PROBLEMS]))
    return listed + (more if len(numbers) > _LISTED_PROBLEMS else "")


def _records(
    chunks: Iterable[bytes], dialect: Dialect, width: int, *, start: int, line: int
) -> Iterator[tuple[Records, Layout]]:
    """The records of text in UTF-8, block by block, without rows in which all cells are blank."""
    layout = Layout(
        encoding="utf-8",
        bom=False,
        compression=None,
        dialect=dialect,
        labels=tuple(map(str, range(width))),
        contract=Contract(()),
        blank_rows="skip-white",
        data_start=start,
        data_line=line,
        size=0,
    )
    for block in read_blocks(
        chunks,
        layout.grammar,
        layout.codec,
        start=start,
        end=None,
        first_line=line,
        most_lines=lines_a_block(layout),
    ):
        yield Records(block, layout), layout


def _rows_of(
    records: Records, layout: Layout, columns: _Columns, problems: _Problems
) -> pl.DataFrame:
    """The usable rows of a block, as `_UploadedRows.rows` has them."""
    parsed = records.parsed
    lines = records.lines + records.block.first_line
    _report_unparsed(records, lines, problems)
    lines = lines.gather(parsed.indexes)
    numbers = _column(records, columns.row).fill_null("").str.strip_chars()
    usable = numbers.str.contains(f"^[0-9]{{1,{_ROW_DIGITS}}}$")
    for place in (~usable).arg_true():
        problem = "`_row` is not a number" if numbers[place] else "`_row` is missing"
        problems.add(int(lines[place]), problem)
    for place in _with_extra_cells(records, layout):
        problems.add(int(lines[place]), "the row has more cells than the header")
        usable = usable.scatter(place, False)
    return pl.DataFrame(
        {
            "row": numbers.set(~usable, "0").cast(pl.UInt64),
            "line": lines.cast(pl.UInt32),
            "text": records.texts.gather(parsed.indexes),
        }
    ).filter(usable)


def _cells(records: Records, columns: _Columns) -> pl.DataFrame:
    """The cells of usable rows, as `_UploadedRows.cells` returns them."""
    places = {str(number): place for number, place in enumerate(columns.cells)}
    return pl.DataFrame(
        {name: _column(records, place) for name, place in {**places, "raw": columns.raw}.items()}
    )


def _column(records: Records, position: int | None) -> pl.Series:
    """The cells at a position of the parsed records; null where a record has none."""
    parsed = records.parsed
    if position is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, parsed.cells.height)
    texts = parsed.cells.to_series(position)
    return texts if parsed.widths is None else texts.set(parsed.widths <= position, None)


def _report_unparsed(records: Records, lines: pl.Series, problems: _Problems) -> None:
    parsed = records.parsed.indexes
    if len(parsed) < len(records):
        unparsed = pl.Series([True]).new_from_index(0, len(records)).scatter(parsed, False)
        for line in lines.filter(unparsed):
            problems.add(line, "a quote is not closed or is misplaced, or the row is too long")


def _with_extra_cells(records: Records, layout: Layout) -> list[int]:
    """The places of parsed records that have more cells than the header, not all of them blank."""
    parsed = records.parsed
    if parsed.widths is None:
        return []
    found = []
    for place in (parsed.widths > layout.width).arg_true():
        text = str(records.texts[int(parsed.indexes[place])])
        cells = layout.grammar_utf8.cells(text.encode()) or []
        if any(map(str.strip, cells[layout.width :])):
            found.append(place)
    return found


def _changes(
    upload: _UploadedRows,
    generated: Iterable[bytes],
    layout: Layout,
    problems: _Problems,
    execution: str,
) -> Iterator[Patch]:
    """Compare the uploaded rows with the generated ones, both sorted by row number."""
    start, width = head(layout.labels), layout.width + 3
    rest = upload.rows
    for records, _ in _records(
        _after(start, generated), Dialect(), width, start=len(start), line=1
    ):
        parsed = records.parsed
        if parsed.widths is not None or len(parsed.indexes) != len(records):
            raise _damaged()
        cells = parsed.cells
        rows = cells.to_series(0).cast(pl.UInt64)
        split = rest["row"].search_sorted(rows[-1], side="right")
        some, rest = rest.head(split), rest.slice(split)
        known = some["row"].is_in(rows.implode())
        _report_unknown(some.filter(~known), problems)
        some = some.filter(known)
        if some.height:
            shown = cells[rows.search_sorted(some["row"])]
            for patch in _patches(upload.cells(some), shown, upload.encoding, layout, problems):
                yield replace(patch, executions=(execution,)) if execution else patch
    _report_unknown(rest, problems)


def _after(start: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks without the header that they should begin with."""
    iterator, buffer = iter(chunks), b""
    while len(buffer) < len(start):
        chunk = next(iterator, None)
        if chunk is None:
            break
        buffer += chunk
    if not buffer.startswith(start):
        raise InvalidCorrections(
            "The columns of the rejected rows are no longer those of the file: the contract has "
            "changed since. Rerun the file, and correct the rows that it then rejects."
        )
    yield buffer[len(start) :]
    yield from iterator


def _damaged() -> InvalidCorrections:
    return InvalidCorrections(
        "The rejected rows, which the pipeline had written, have been changed or are damaged. "
        "Rerun the file, and correct the rows that it then rejects."
    )


def _report_unknown(rows: pl.DataFrame, problems: _Problems) -> None:
    for line in rows["line"]:
        problems.add(line, "its `_row` is not that of a rejected row")


class _Comparison:
    """Some uploaded rows beside the generated ones, row by row.

    `before` and `after` are their cells and `_raw`, in columns of the same names, as they are
    written in the files; what is missing in the uploaded file is null.
    """

    def __init__(self, before: pl.DataFrame, after: pl.DataFrame, encoding: str | None) -> None:
        self._before = one_line_end(before)
        self._after = one_line_end(after)
        self._encoding = encoding

    def changed(self) -> dict[str, pl.Series]:
        """The columns in which somebody has changed a text, and in which rows (Boolean)."""
        both = pl.concat(
            [self._before, self._after.rename(lambda name: f"after {name}")], how="horizontal"
        )
        # All columns at once: there may be thousands.
        differences = both.select(
            (pl.col(name) != pl.col(f"after {name}")).fill_null(value=False)
            for name in self._before.columns
        )
        found = differences.select(pl.all().any()).row(0)
        names = [
            name for name, is_found in zip(differences.columns, found, strict=True) if is_found
        ]
        changed = {name: self._really(name, differences[name]) for name in names}
        return {name: differs for name, differs in changed.items() if differs.any()}

    def _really(self, name: str, differs: pl.Series) -> pl.Series:
        """The differences that were made by a person, not by the spreadsheet."""
        places = differs.arg_true()
        before, after = (
            frame[name].gather(places).to_frame() for frame in (self._before, self._after)
        )
        # Some drop the apostrophe.
        really = restored(before).to_series() != restored(after).to_series()
        if self._encoding is not None:
            # What the encoding does not have is replaced by question marks.
            saved = [
                text.encode(self._encoding, "replace").decode(self._encoding)
                for text in before.to_series()
            ]
            really &= after.to_series() != pl.Series(saved, dtype=pl.String)
        return differs.scatter(places, really)


def _patches(
    rows: pl.DataFrame,
    shown: pl.DataFrame,
    encoding: str | None,
    layout: Layout,
    problems: _Problems,
) -> Iterator[Patch]:
    """The changed rows among these uploaded ones; `shown` are the generated ones."""
    names = [*map(str, range(layout.width)), "raw"]
    before = shown.select(pl.nth(range(2, shown.width))).rename(
        dict(zip(shown.columns[2:], names, strict=True))
    )
    after = rows.select(names)
    nothing = pl.Series([False]).new_from_index(0, rows.height)
    lacking = nothing
    if any(column.null_count() for column in after.drop("raw")):
        pairs = zip(before.drop("raw"), after.drop("raw"), strict=True)
        for generated, uploaded in pairs:
            lacking |= uploaded.is_null() & (generated != "")
    for line in rows["line"].filter(lacking):
        problems.add(line, "the row has fewer cells than the header")
    changed = _Comparison(before, after, encoding).changed()
    of_raw = changed.get("raw", nothing)
    where = (reduce(or_, changed.values(), nothing) & ~lacking).arg_true()
    if not len(where):
        return
    before, after = restored(before[where]), restored(after[where])
    columns = [place for place, name in enumerate(names[:-1]) if name in changed]
    flags = [changed[names[place]].gather(where).to_list() for place in columns]
    facts = zip(
        rows["line"].gather(where), rows["row"].gather(where), of_raw.gather(where), strict=True
    )
    for number, ((line, row, raw_changed), old, new) in enumerate(
        zip(facts, before.iter_rows(), after.iter_rows(), strict=True)
    ):
        *old_cells, old_raw = old
        *new_cells, new_raw = new
        cells: list[str | None] = [None] * layout.width
        for place, flag in zip(columns, flags, strict=True):
            if flag[number]:
                cells[place] = new_cells[place]
        try:
            found = _new_cells(cells, new_cells, new_raw if raw_changed else None, layout)
        except _UnusableRowError as error:
            problems.add(line, str(error))
        else:
            yield Patch(row, tuple(old_cells), old_raw, found)


class _UnusableRowError(Exception):
    """A row's changes can't be applied; the message says why."""


def _new_cells(
    changed: Sequence[str | None], cells: Sequence[str | None], raw: str | None, layout: Layout
) -> tuple[str | None, ...]:
    """The cells of a changed row, None for those that stay.

    `cells` are all of the uploaded row, `changed` those that were changed, and `raw` is the text of
    `_raw` if that was changed. An emptied `_raw` means that the row is what its cells show.
    """
    if any(cell is not None and is_cut(cell) for cell in changed):
        raise _UnusableRowError("a changed cell was too long to be shown; write all of its text")
    if raw is None or not raw.strip():
        return tuple(changed)
    if is_cut(raw):
        raise _UnusableRowError("`_raw` was too long to be shown; empty it and fill in the cells")
    grammar, text = layout.grammar_utf8, raw.encode()
    found = grammar.cells(text) if grammar.is_well_formed(text) else None
    if found is None:
        raise _UnusableRowError("`_raw` still has an unterminated or misplaced quote, or two rows")
    if not layout.fits(found):
        raise _UnusableRowError(f"`_raw` has {len(found)} cells instead of {layout.width}")
    read = found[: layout.width]
    # A replacement in the whole file changes both alike.
    if any(cell is not None for cell in changed) and read != list(cells):
        raise _UnusableRowError(
            "the cells and `_raw` were changed and contradict each other; empty `_raw`"
        )
    return tuple(read)
