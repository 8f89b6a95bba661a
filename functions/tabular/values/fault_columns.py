"""Faults of many records at once, as columns.

A block can have hundreds of thousands of faulty cells, and a `Fault` with its texts takes half a
kilobyte. But most faults of a column differ only in the cell's text. So what they share is kept
once, as a template, and the texts are a column that refers to the block's own bytes.

Example: in the records 3 and 7, `Total` is -3 and -1.5, and its minimum is 0. That is one template,
`Fault("Total", "constraint-error", "minimum", 'constraint "minimum" is 0', None)`, with the places
3 and 7 and the values `-3` and `-1.5`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import orjson
import polars as pl

from tabular.faults import SHOWN_CHARACTERS, RuleCount
from tabular.values.gathering import gathered
from tabular.values.json_texts import escaped, escaped_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tabular.faults import Fault, RuleKey

DETAIL = "\ue000detail\ue000"
"""Placeholder for the record's own detail in a template's message."""
_VALUE = "\ue000value\ue000"
_CELL = "\ue000cell {}\ue000"
Template = list[str]
"""Constant texts at even places, the names of gaps between them."""
VALUE = "value"
"""The name of the gap for values between quotes, and of others that begin with it."""
_NULLABLE = "nullable"
"""The gap for values of which some are null: their quotes are not part of the constant texts."""


@dataclass(frozen=True)
class FaultColumn:
    """Faults of some records; each record has one template.

    `places` (UInt32, ascending) are the records' indexes. `kinds` (UInt32; None: all 0) says which
    of the `templates` each one has: one fault or several. With `values` (String, null for none),
    that text is the value of all of a record's faults. With `cells` (String), the value of a
    record's first fault is in the first of them, that of the second one in the second, and so on.
    All other values are the templates' own. With `details` (String), that text takes DETAIL's place
    in the messages. `verbatim` says that the values are in the records' text as they are, so that
    JSON escapes no more in them than in it.
    """

    places: pl.Series
    templates: Sequence[tuple[Fault, ...]]
    kinds: pl.Series | None = None
    values: pl.Series | None = None
    cells: tuple[pl.Series, ...] = ()
    details: pl.Series | None = None
    verbatim: bool = False

    def __len__(self) -> int:
        return len(self.places)

    def filter(self, keep: pl.Series) -> FaultColumn:
        """The faults for which `keep` (Boolean) is true."""
        return self if keep.all() else self._with(lambda column: column.filter(keep))

    def without(self, places: pl.Series) -> FaultColumn:
        """The faults of records that are not at `places` (UInt32)."""
        return self.filter(~self.places.is_in(places.implode())) if len(places) else self

    def moved(self, indexes: pl.Series) -> FaultColumn:
        """The same faults where place `n` is the record `indexes[n]` (ascending)."""
        return replace(self, places=gathered(indexes, self.places))

    def merged(self, other: FaultColumn) -> FaultColumn:
        """These faults of cells and another column's; they have no common place."""
        frame = pl.concat(
            pl.DataFrame({"place": part.places, "value": part._own_values}).with_columns(
                pl.col("place").cast(pl.UInt32),
                kind=pl.lit(first, dtype=pl.UInt32) + (0 if part.kinds is None else part.kinds),
            )
            for part, first in ((self, 0), (other, len(self.templates)))
        ).sort("place")
        templates = [*self.templates, *other.templates]
        verbatim = self.verbatim and other.verbatim
        return FaultColumn(
            frame["place"], templates, frame["kind"], frame["value"], verbatim=verbatim
        )

    @property
    def _own_values(self) -> pl.Series:
        """The value of each record's faults (String), which have it in common."""
        if self.values is not None:
            return self.values
        values = pl.Series([faults[0].value for faults in self.templates], dtype=pl.String)
        return values.gather([0] * len(self) if self.kinds is None else self.kinds)

    def slice(self, start: int, length: int) -> FaultColumn:
        """The faults of `length` records from the one numbered `start` among those with faults."""
        return self._with(lambda column: column.slice(start, length))

    def having(self, code: str) -> pl.Series:
        """The places (UInt32) of records with a fault of this code."""
        kinds = [n for n, kind in enumerate(self.templates) if any(f.code == code for f in kind)]
        if len(kinds) == len(self.templates):
            return self.places
        if not kinds or self.kinds is None:
            return self.places.head(0)
        return self.places.filter(self.kinds.is_in(kinds))

    def counts(self) -> dict[RuleKey, RuleCount]:
        """How many faults there are of each field, code and rule."""
        faults: Counter[RuleKey] = Counter()
        records: Counter[RuleKey] = Counter()
        for kind, times in self._kind_counts():
            keys = [fault.key for fault in self.templates[kind]]
            for key in keys:
                faults[key] += times
            for key in set(keys):
                records[key] += times
        return {key: RuleCount(times, records[key]) for key, times in faults.items()}

    def firsts(self, wanted: Callable[[RuleKey], bool], most: int) -> Iterator[tuple[int, Fault]]:
        """The places and faults of the first records that break each rule that is wanted.

        There are at least `most` of each rule, if that many records break it, and at most that
        number of each combination of rules. They are in ascending order of place.
        """
        # Thousands of templates can differ in their messages alone, so they are joined by rules.
        combinations: dict[tuple[RuleKey, ...], int] = {}
        groups = [
            combinations.setdefault(keys, len(combinations)) if any(map(wanted, keys)) else None
            for keys in (tuple(fault.key for fault in faults) for faults in self.templates)
        ]
        if not combinations:
            return
        if self.kinds is None:
            first = self.slice(0, most)
        else:
            group = pl.Series("group", groups, dtype=pl.UInt32).gather(self.kinds)
            keep = pl.col("group").is_not_null() & (pl.int_range(pl.len()).over("group") < most)
            first = self.filter(group.to_frame().select(keep=keep)["keep"])
        for place, faults in first.to_dict().items():
            yield from ((place, fault) for fault in faults if wanted(fault.key))

    @cached_property
    def json_templates(self) -> list[Template]:
        """Each template's faults: JSON objects separated by commas, with gaps for texts."""
        gaps = {VALUE: _VALUE, _NULLABLE: f'"{_VALUE}"', DETAIL: DETAIL}
        gaps |= {_cell_gap(number): _CELL.format(number) for number in range(len(self.cells))}
        return self._templates([_json(self._to_fill(kind)) for kind in self.templates], gaps)

    @cached_property
    def json_texts(self) -> dict[str, pl.Series]:
        """What each record has in the gaps of `json_templates`, before it is escaped."""
        texts = {_cell_gap(number): cells for number, cells in enumerate(self.cells)}
        if self.values is not None:
            texts[_NULLABLE if self.values.null_count() else VALUE] = self.values
        if self.details is not None:
            texts[DETAIL] = self.details
        return texts

    @cached_property
    def sentence_templates(self) -> list[Template]:
        """Each template's faults in words, without the values, with gaps for texts."""
        return self._templates([_sentence(kind) for kind in self.templates], {DETAIL: DETAIL})

    @cached_property
    def sentence_texts(self) -> dict[str, pl.Series]:
        """What each record has in the gaps of `sentence_templates`."""
        return {} if self.details is None else {DETAIL: self.details}

    def to_dict(self) -> dict[int, tuple[Fault, ...]]:
        """The faults one by one, by place."""
        found = {}
        for n, place in enumerate(self.places.to_list()):
            kind = self.templates[0 if self.kinds is None else self.kinds[n]]
            if self.values is not None:
                kind = tuple(fault._replace(value=self.values[n]) for fault in kind)
            own = zip(kind, self.cells, strict=False)
            kind = (*(f._replace(value=cells[n]) for f, cells in own), *kind[len(self.cells) :])
            if self.details is not None:
                detail = self.details[n]
                kind = tuple(f._replace(message=f.message.replace(DETAIL, detail)) for f in kind)
            found[place] = kind
        return found

    def _templates(self, texts: Sequence[str], gaps: Mapping[str, str]) -> list[Template]:
        """The texts, cut at the placeholders of those gaps that this column has."""
        names = {
            gaps[name]: name for name in {**self.json_texts, **self.sentence_texts} if name in gaps
        }
        if not names:
            return [[text] for text in texts]
        pattern = re.compile(f"({'|'.join(map(re.escape, names))})")
        return [[names.get(piece, piece) for piece in pattern.split(text)] for text in texts]

    def _to_fill(self, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        """The faults, with placeholders for the values that are the records' own."""
        if self.values is not None:
            return tuple(fault._replace(value=_VALUE) for fault in faults)
        return tuple(
            fault._replace(value=_CELL.format(number)) if number < len(self.cells) else fault
            for number, fault in enumerate(faults)
        )

    def _kind_counts(self) -> list[tuple[int, int]]:
        if self.kinds is None:
            return [(0, len(self))] if len(self) else []
        counted = self.kinds.alias("kind").value_counts()
        return list(zip(counted["kind"].to_list(), counted["count"].to_list(), strict=True))

    def _with(self, change: Callable[[pl.Series], pl.Series]) -> FaultColumn:
        kinds, values, details = (
            None if column is None else change(column)
            for column in (self.kinds, self.values, self.details)
        )
        places = change(self.places)
        cells = tuple(map(change, self.cells))
        return replace(
            self, places=places, kinds=kinds, values=values, cells=cells, details=details
        )


def shown_texts(texts: pl.Series) -> pl.Series:
    """The part of each of these texts that faults repeat: `faults.shown`."""
    if not (texts.str.len_bytes() > SHOWN_CHARACTERS).any():  # much faster than characters
        return texts
    long = texts.str.len_chars() > SHOWN_CHARACTERS
    if not long.any():
        return texts
    return texts.zip_with(~long, texts.str.slice(0, SHOWN_CHARACTERS - 1) + "…")


def escaped_texts(
    columns: Sequence[FaultColumn], *, escape_free: bool
) -> list[dict[str, pl.Series]]:
    """What the records of each column have in the gaps of `json_templates`, as it is in JSON.

    `escape_free` says that JSON escapes nothing in the text of these records.
    """
    found = [dict(column.json_texts) for column in columns]
    unclean = [
        (texts, name)
        for texts, column in zip(found, columns, strict=True)
        for name in texts
        if name == DETAIL or not (escape_free and column.verbatim)
    ]
    if len({len(texts[name]) for texts, name in unclean}) == 1:
        frame = pl.DataFrame({str(n): texts[name] for n, (texts, name) in enumerate(unclean)})
        for (texts, name), column in zip(unclean, escaped_columns(frame), strict=True):
            texts[name] = column
    else:
        for texts, name in unclean:
            texts[name] = escaped(texts[name])
    for texts in found:
        if (nullable := texts.get(_NULLABLE)) is not None:
            quoted = pl.concat_str(pl.lit('"'), pl.col("text"), pl.lit('"')).fill_null("null")
            texts[_NULLABLE] = nullable.to_frame("text").select(quoted).to_series()
    return found


def _cell_gap(number: int) -> str:
    return f"{VALUE} {number}"


def _sentence(faults: Sequence[Fault]) -> str:
    return "; ".join(
        fault.message if fault.field is None else f"{fault.field}: {fault.message}"
        for fault in faults
    )


def _json(faults: Sequence[Fault]) -> str:
    return ",".join(orjson.dumps(fault.to_document()).decode() for fault in faults)
