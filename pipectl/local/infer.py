"""Drafts a contract from a sample of a file.

A field gets a type only if every value of the sample fits it unambiguously. If two interpretations
fit (is 01/02/2024 in January or in February?), the field stays text, and a note explains why.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from tabular.contract.descriptor import parse_contract
from tabular.contract.dialect_descriptor import short_document
from tabular.errors import EmptyFile
from tabular.model import ORIGIN_NAMES, Contract, Dialect, output_name
from tabular.reading.content_head import read_content_head
from tabular.reading.end_mark import strip_end_marks
from tabular.reading.layout import read_layout
from tabular.values.canonical import canonical
from tabular.values.cells import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tabular.reading.content_head import ContentHead
    from tabular.reading.layout import Layout
    from tabular.sink import ReadRange
    from tabular.values.cells import Cell

MOST_RECORDS = 20_000
"""More records rarely change the types, but take time."""

_PLACEHOLDERS = (
    *("NA", "N/A", "n/a", "na", "#N/A", "NULL", "null", "Null", "None", "none", "nil"),
    *("NaN", "nan", "-", "--", "---", ".", "..", "?", "\\N", "missing", "unknown"),
)
"""Texts that mean a missing value, if all other values of a field have a narrower type."""
_CODE = re.compile(r"[+-]?0[0-9]|\+|-?[0-9]{16,}$")
"""Leading zeros, a plus, or more digits than a double has: a code or a telephone number, which must
keep its characters."""
_COMPACT_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
"""A date without separators, or a number that happens to look like one."""
_SYMBOLS = {"", "€", "$", "£", "¥", "%", "EUR", "USD", "GBP", "JPY", "CHF"}
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d")
_NAMED_DAYS = ("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S.%f")
_KEY_RECORDS = 100
"""With fewer records, unique values without gaps may be chance."""
_REPLACEMENT = "\ufffd"
"""Replaces bytes that are invalid in the file's encoding."""
_FEW = 0.05
"""Up to this share of exceptions, a field that is almost of a type gets a note."""


@dataclass(frozen=True)
class Inference:
    """A descriptor (a Data Resource) that accepts the sample, and notes on open questions."""

    document: dict[str, Any]
    notes: tuple[str, ...]
    records: int


@dataclass(frozen=True)
class _Column:
    """A column of the sample: its name, how often each text occurs, and how many records."""

    name: str
    texts: Counter[str]
    records: int


def infer_contract(
    head: bytes,
    *,
    size: int,
    name: str,
    dialect: Dialect | None = None,
    encoding: str | None = None,
    read: ReadRange | None = None,
    most_records: int = MOST_RECORDS,
) -> Inference:
    """Infer a contract from the head of a file.

    `head` are its first bytes (all of a small file), `size` is the whole file's size in bytes,
    `name` its name; `read` reads other ranges of it, as for `read_content_head`. `dialect` and
    `encoding` are detected if they are not given. Records that are malformed, not as wide as the
    header or not in the encoding are skipped and noted.

    Raises EmptyFile, UnreadableFile, UnsupportedEncoding or HeaderMismatch, as every reader of the
    file does.
    """
    given = Contract(
        fields=(),
        fields_match="subset",
        dialect=dialect,
        encoding=encoding,
        output_names="original",
    )
    layout = read_layout(head, size=size, name=name, contract=given, read=read)
    opened = read_content_head(head, size=size, name=name, read=read)
    notes: list[str] = []
    columns, records, blank = _read_columns(layout, opened, most_records, notes)
    fields = [_infer_field(column, notes) for column in columns]
    found = replace(layout.dialect, skip_blank_rows=blank > 0)
    document = _resource(name, found, fields, encoding or layout.encoding)
    if _clash([field["name"] for field in fields]):
        document["pipeline"] = {"outputNames": "original"}
        notes.append(
            "The output keeps the column names as they are: two of them would be the same in lower "
            "case and with underscores for spaces."
        )
    parse_contract(document)
    return Inference(document, tuple(notes), records)


def _clash(names: Sequence[str]) -> bool:
    """Whether cleaned names of columns are the same, or blank."""
    cleaned = {output_name(name, "cleaned") for name in names}
    return len(cleaned) < len(names) or "" in cleaned


def _resource(
    name: str, found: Dialect, fields: list[dict[str, Any]], encoding: str
) -> dict[str, Any]:
    stem = name.rpartition("/")[2].partition(".")[0].lower()
    return {
        "$schema": "https://datapackage.org/profiles/2.0/dataresource.json",
        "name": re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-") or "dataset",
        "path": name.rpartition("/")[2],
        "encoding": encoding,
        "dialect": short_document(found),
        "schema": {"fields": fields},
    }


def _read_columns(
    layout: Layout, opened: ContentHead, most: int, notes: list[str]
) -> tuple[list[_Column], int, int]:
    """The columns, the number of records, and the number of blank records that were skipped."""
    labels: Sequence[str] = layout.labels
    counts: list[Counter[str]] = [Counter() for _ in labels]
    records = 0
    passed: Counter[str] = Counter()
    for cells in islice(_records(layout, opened), most):
        if not layout.dialect.header and not labels and cells and any(cells):
            labels = [f"field{number}" for number in range(1, len(cells) + 1)]
            counts = [Counter() for _ in labels]
        reason = _why_passed_over(cells, labels, layout)
        if cells is None or reason is not None:
            passed[reason or ""] += 1
            continue
        records += 1
        for count, cell in zip(counts, cells, strict=True):
            count[cell] += 1
    if not labels:
        raise EmptyFile("The file has neither a header nor records to infer a contract from.")
    notes += _blank_note(passed["blank"])
    if passed["width"]:
        notes.append(
            f"{passed['width']} of the sample's records were skipped: they are malformed, or not "
            f"{len(labels)} cells wide."
        )
    if passed["header"]:
        notes.append(
            f"{passed['header']} of the sample's records repeat the header and were skipped. The "
            "pipeline rejects them as repeated-header."
        )
    notes += _undecodable_note(passed["bytes"], layout)
    if not records:
        notes.append("The sample has no readable record, so all types are undecided.")
    columns = zip(labels, counts, strict=True)
    found = [_Column(label, texts, records) for label, texts in columns]
    return found, records, passed["blank"]


def _why_passed_over(
    cells: list[str] | None, labels: Sequence[str], layout: Layout
) -> Literal["blank", "width", "header", "bytes"] | None:
    """Why a record is skipped; None if it is used."""
    if cells is not None and not any(cells):
        return "blank"
    if cells is None or len(cells) != len(labels):
        return "width"
    if layout.dialect.header and len(cells) > 1 and tuple(cells) == layout.labels:
        return "header"
    return "bytes" if any(_REPLACEMENT in cell for cell in cells) else None


def _blank_note(blank: int) -> list[str]:
    if not blank:
        return []
    return [
        f"{blank} of the sample's records are blank. skipBlankRows in the dialect skips them; "
        "without it they are rejected."
    ]


def _undecodable_note(undecodable: int, layout: Layout) -> list[str]:
    if not undecodable:
        return []
    likely = layout.likely_encoding
    return [
        f"{undecodable} of the sample's records were skipped: they are not valid {layout.encoding}."
        + (f" The whole file may be in {likely}." if likely else "")
    ]


def _records(layout: Layout, opened: ContentHead) -> Iterator[list[str] | None]:
    """The cells of each record of the sample; None for a malformed record."""
    content, complete = opened.content, opened.complete
    body = content[layout.data_start :]
    codec = layout.codec
    body = strip_end_marks(body, codec) if complete else body[: codec.lines_end(body)]
    grammar = layout.grammar_utf8
    comment = (layout.dialect.comment_char or "").encode()
    text, _ = layout.codec.to_utf8(body)
    for record in grammar.records(text, complete=complete, most=-1):
        if not (comment and record.startswith(comment)):
            yield grammar.cells(record)


def _infer_field(column: _Column, notes: list[str]) -> dict[str, Any]:
    field = {"name": column.name} | _infer_type(column, notes)
    if output_name(column.name, "cleaned") in ORIGIN_NAMES:
        free = f"source{output_name(column.name, 'cleaned')}"
        field["pipeline"] = field.get("pipeline", {}) | {"outputName": free}
    if _is_key(column):
        field["constraints"] = {"required": True}
    return field


def _is_key(column: _Column) -> bool:
    """Whether every record has a value, and no value occurs twice."""
    return (
        column.records >= _KEY_RECORDS
        and len(column.texts) == column.records
        and all(text.strip() for text in column.texts)
    )


def _infer_type(column: _Column, notes: list[str]) -> dict[str, Any]:
    """The type of all values; placeholders count as missing if that gives a narrower type."""
    filled = {text.strip() for text in column.texts} - {""}
    if not filled and not column.records:
        return {"type": "any"}
    if not filled:
        notes.append(f"{column.name!r} is empty in all records, so its type is undecided.")
        return {"type": "any"}
    values = sorted(filled.difference(_PLACEHOLDERS))
    found = _narrow_type(column.name, values, notes) if values else None
    if found is None:
        return {"type": "string"}
    missing = sorted(filled.intersection(_PLACEHOLDERS))
    if missing:
        found["missingValues"] = ["", *missing]
    if any(text != text.strip() for text in column.texts):
        found["pipeline"] = {"trim": True}
    return found


def _narrow_type(name: str, texts: Sequence[str], notes: list[str]) -> dict[str, Any] | None:
    """The type other than text that fits all texts; None if none fits, or several do."""
    if all(_COMPACT_DATE.fullmatch(text) for text in texts):
        notes.append(
            f"{name!r} stays text: its values may be dates in the format %Y%m%d, or numbers."
        )
        return None
    for candidate in _plain_types(name, texts):
        if _fits(candidate, texts):
            return candidate
    for candidates in (_number_types(texts), _date_types()):
        readings = _distinct_readings(candidates, texts)
        if len(readings) > 1:
            listed = " and ".join(_shown(candidate) for candidate in readings)
            notes.append(f"{name!r} stays text: {listed} fit, but give different values.")
            return None
        if readings:
            return readings[0]
    _note_exceptions(name, texts, notes)
    return None


def _plain_types(name: str, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The types that are unambiguous if they fit, narrowest first."""
    if all(text.lower() in ("true", "false") for text in texts):
        yield {"type": "boolean"}
    if "year" in name.lower():
        yield {"type": "year"}
    if _are_quantities(texts):
        yield {"type": "integer"}
        yield {"type": "number"}
    yield from ({"type": kind} for kind in ("date", "datetime", "time", "yearmonth"))
    yield {"type": "string", "format": "uuid"}
    yield {"type": "string", "format": "email"}
    if all("://" in text for text in texts):
        yield {"type": "string", "format": "uri"}
    yield from ({"type": kind} for kind in ("object", "array"))


def _number_types(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Number formats other than the standard's default."""
    if not _are_quantities(texts):
        return
    affixes = {_affix(text) for text in texts}
    if len(affixes) == 1 and affixes <= _SYMBOLS:
        loose = {} if affixes == {""} else {"bareNumber": False}
        for group in (None, ",", ".", " ", "'", "\u00a0", "\u202f"):
            grouped = {"groupChar": group} if group else {}
            yield {"type": "integer"} | grouped | loose
            for decimal in (".", ","):
                if decimal != group:
                    marked = {"decimalChar": ","} if decimal == "," else {}
                    yield {"type": "number"} | marked | grouped | loose


def _date_types() -> Iterator[dict[str, Any]]:
    """Formats of dates, datetimes and times other than the standard's defaults."""
    for day in (*_DAYS, *_NAMED_DAYS):
        yield {"type": "date", "format": day}
    for clock in _CLOCKS:
        yield {"type": "datetime", "format": f"%Y-%m-%dT{clock}"}
        for day in ("%Y-%m-%d", *_DAYS, *_NAMED_DAYS):
            yield {"type": "datetime", "format": f"{day} {clock}"}
        yield {"type": "time", "format": clock}


def _are_quantities(texts: Sequence[str]) -> bool:
    """Whether texts may be numbers: none has the leading zero, plus or length of an identifier."""
    return not any(_CODE.match(text) for text in texts) and any(
        character.isdigit() for text in texts for character in text
    )


def _affix(text: str) -> str:
    """The text around a number, without spaces: a currency, a percent sign, or nothing."""
    return re.sub(r"[\d\s.,'+-]", "", text)


def _fits(candidate: Mapping[str, Any], texts: Sequence[str]) -> bool:
    read = _reader(candidate)
    return not any(read(text).faults for text in texts)


def _distinct_readings(
    candidates: Iterable[dict[str, Any]], texts: Sequence[str]
) -> list[dict[str, Any]]:
    """The candidates that fit; of those that read the same values, only the first."""
    readings: dict[tuple[str, ...], dict[str, Any]] = {}
    for candidate in candidates:
        if _fits(candidate, texts):
            read = _reader(candidate)
            readings.setdefault(tuple(canonical(read(text).value) for text in texts), candidate)
    return list(readings.values())


def _reader(candidate: Mapping[str, Any]) -> Callable[[str], Cell]:
    return reader(parse_contract({"fields": [{"name": "a", **candidate}]}).fields[0])


def _shown(candidate: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} {value!r}" for name, value in candidate.items() if name != "type")
    return f"{candidate['type']} with {settings}" if settings else str(candidate["type"])


def _note_exceptions(name: str, texts: Sequence[str], notes: list[str]) -> None:
    """Note a type that almost all values have: the others may be faults."""
    if not _are_quantities(texts):
        return
    for kind in ("number", "date"):
        read = _reader({"type": kind})
        others = sum(bool(read(text).faults) for text in texts)
        if others <= len(texts) * _FEW:
            notes.append(
                f"{name!r} stays text: {others} of {len(texts)} distinct values are not a {kind}."
            )
            return
