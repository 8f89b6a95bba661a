"""Matches the columns of the file to the fields of the contract.

No message here repeats a label of the file: if a file has no header, its labels are a record.
Messages give column numbers, and names that the contract has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import HeaderMismatch
from tabular.model import Field, output_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tabular.model import Contract

_LISTED = 8
"""Maximum number of names or column numbers in a message; a header may have thousands."""
_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_EXTRA_ALLOWED = ("subset", "partial")
_MISSING_ALLOWED = ("superset", "partial")
_CERTAIN_NAMES = 2
_CERTAIN_SHARE = 2 / 3
"""Labels are certainly a header if at least two of them, and two thirds, are the contract's."""


class Column(NamedTuple):
    """A field of the output, and its cell's index in the record, None if the file lacks it."""

    position: int | None
    field: Field


def check_labels(labels: Sequence[str]) -> None:
    """Raise HeaderMismatch, with positions, if labels are blank, occur twice or contain NUL."""
    null = next((number for number, label in enumerate(labels, 1) if "\0" in label), None)
    if null is not None:
        raise HeaderMismatch(
            f"The name of column {null} contains a NUL character. Remove it, or export the file "
            "again."
        )
    blank = [number for number, label in enumerate(labels, 1) if not label.strip()]
    if blank:
        raise HeaderMismatch(
            f"The header is blank in column {_numbers(blank)} of {len(labels)}. "
            "Name every column. If the names are in another row, or in several rows, "
            'say so in the contract: "dialect": {"headerRows": [...]}.'
        )
    _check_twice(labels)


def check_line_ends(labels: Sequence[str]) -> None:
    """Raise HeaderMismatch if a label contains a character that ends lines outside CSV.

    Where such characters separate the lines, the whole file is one header. Quoted labels may have
    several lines, but these end with CR and LF.
    """
    for number, label in enumerate(labels, 1):
        found = _OTHER_LINE_ENDS.search(label)
        if found:
            raise HeaderMismatch(
                f"The name of column {number} contains the character U+{ord(found[0]):04X}, which "
                "ends a line in other formats, but not in CSV. Export the file with LF or CR LF "
                "as line ends, or remove the character."
            )


def ends_with_delimiter(labels: Sequence[str]) -> bool:
    """Whether only the last of several columns has no name: every line ends with a delimiter.

    Example: the header `A|B|` has the labels A, B and an empty one.
    """
    return len(labels) > 1 and not labels[-1].strip() and all(map(str.strip, labels[:-1]))


def match_columns(labels: Sequence[str], contract: Contract) -> tuple[Column, ...]:
    """Find the contract's fields among the file's labels; the columns are in output order.

    The rules are Table Schema's `fieldsMatch`, widened by the contract's policies for extra and
    missing columns. If `fieldsMatch` itself allows them, extra columns are dropped and missing ones
    are null, unless a policy says otherwise. Raises HeaderMismatch.
    """
    labels = as_fields(labels, contract)
    _check_aliases(labels, contract)
    _check_twice(labels)
    names = {field.name for field in contract.fields}
    positions = {label: position for position, label in enumerate(labels)}
    extra = [position for position, label in enumerate(labels) if label not in names]
    missing = [field for field in contract.fields if field.name not in positions]
    _check_matching(labels, extra, missing, contract)

    columns = [
        Column(positions.get(field.name), field)
        for field in contract.fields
        if field.name in positions or contract.missing_columns != "drop"
    ]
    if contract.extra_columns == "keep":
        columns += [Column(place, _extra_field(labels[place], contract)) for place in extra]
    _check_output_names(columns, contract)
    return tuple(columns)


def _extra_field(label: str, contract: Contract) -> Field:
    return Field(label, output_name(label, contract.output_names))


def compare_columns(labels: Sequence[str], contract: Contract) -> dict[str, list[str]]:
    """The names in the header and in the contract, by what became of them.

    `matched` are in both. `dropped` and `kept` are only in the header, `missing` only in the
    contract.
    """
    labels = as_fields(labels, contract)
    names, present = {field.name for field in contract.fields}, set(labels)
    extra = [label for label in labels if label not in names]
    keep = contract.extra_columns == "keep"
    return {
        "matched": [label for label in labels if label in names],
        "dropped": [] if keep else extra,
        "missing": [field.name for field in contract.fields if field.name not in present],
        "kept": extra if keep else [],
    }


def _check_twice(labels: Sequence[str]) -> None:
    same = next((numbers for numbers in _places(labels).values() if len(numbers) > 1), None)
    if same:
        raise HeaderMismatch(
            f"Columns {_numbers(same)} of the header have the same name. "
            "Give every column a different name."
        )


def _check_aliases(labels: Sequence[str], contract: Contract) -> None:
    """Raise HeaderMismatch if two columns mean the same field, one of them by an alias."""
    places = _places(labels)
    for field in contract.fields:
        same = places.get(field.name, [])
        if field.aliases and len(same) > 1:
            raise HeaderMismatch(
                f"Columns {_numbers(same)} of the header are the same field of the contract, "
                f"{field.name!r}, by its name and aliases. Leave one of them out."
            )


def _places(labels: Sequence[str]) -> dict[str, list[int]]:
    """The numbers, from 1, of the columns with each label."""
    places: dict[str, list[int]] = {}
    for number, label in enumerate(labels, 1):
        places.setdefault(label, []).append(number)
    return places


def as_fields(labels: Sequence[str], contract: Contract) -> list[str]:
    """The labels; each one that means a field is replaced by the field's name.

    A label means a field if it is its name or an alias of it, in any case if the dialect says that
    case does not matter.
    """
    is_exact = contract.dialect is None or contract.dialect.case_sensitive_header
    plain: Callable[[str], str] = str if is_exact else str.casefold
    names = {plain(alias): field.name for field in contract.fields for alias in field.aliases}
    names |= {plain(field.name): field.name for field in contract.fields}
    return [names.get(plain(label), label) for label in labels]


def _check_matching(
    labels: Sequence[str], extra: list[int], missing: list[Field], contract: Contract
) -> None:
    match = contract.fields_match
    known = len(labels) - len(extra)
    header = _certain_header(labels, known)
    if missing and match not in _MISSING_ALLOWED and contract.missing_columns == "fail":
        raise HeaderMismatch(
            f"The header lacks {_names(missing)}, which the contract expects."
            f"{_lookalike(missing, extra, labels)} {_unmatched(labels, extra)}",
            header=header,
            missing_fields=len(missing),
            unknown_columns=len(extra),
        )
    if extra and match not in _EXTRA_ALLOWED and contract.extra_columns == "fail":
        raise HeaderMismatch(
            f"The contract has no field for column {_numbers(_one_based(extra))} of the "
            f"{len(labels)} columns in the header. Remove them, add them to the contract's "
            'fields, or set "extraColumns" in its pipeline settings to "drop" or "keep".',
            header=header,
            missing_fields=len(missing),
            unknown_columns=len(extra),
        )
    if match == "partial" and not known:
        raise HeaderMismatch(
            f"The header has none of the contract's fields: {_names(contract.fields)}. "
            f"{_unmatched(labels, extra)}",
            missing_fields=len(missing),
            unknown_columns=len(extra),
        )
    keys = frozenset(contract.primary_key)
    required = [f for f in missing if f.constraints.required or f.name in keys]
    if required:
        raise HeaderMismatch(
            f"The header lacks {_names(required)}, which the contract requires."
            f"{_lookalike(required, extra, labels)}",
            header=header,
            missing_fields=len(missing),
            unknown_columns=len(extra),
        )
    if match == "exact":
        _check_order(labels, contract, header)


def _certain_header(labels: Sequence[str], known: int) -> tuple[str, ...] | None:
    """The labels if they are certainly a header, and not the first record of a file without one."""
    is_certain = known >= _CERTAIN_NAMES and known >= _CERTAIN_SHARE * len(labels)
    return tuple(labels) if is_certain else None


def _unmatched(labels: Sequence[str], extra: list[int]) -> str:
    """Say which columns are not fields of the contract, and what it may mean if none is."""
    if not extra:
        return f"The header has {len(labels)} columns, all of which are in the contract."
    if len(extra) < len(labels):
        return f"Column {_numbers(_one_based(extra))} of {len(labels)} is not in the contract."
    return (
        f"None of the {len(labels)} columns is in the contract: the file may have no header, "
        "another delimiter, or belong to another dataset."
    )


def _check_order(labels: Sequence[str], contract: Contract, header: tuple[str, ...] | None) -> None:
    names = {field.name for field in contract.fields}
    there = set(labels)
    known = [(number, label) for number, label in enumerate(labels, 1) if label in names]
    present = [field.name for field in contract.fields if field.name in there]
    for (number, label), name in zip(known, present, strict=True):
        if label != name:
            raise HeaderMismatch(
                f"Column {number} of the header should be {name!r} and is {label!r}: the contract "
                "requires its fields in order. If any order is acceptable, put "
                '"fieldsMatch": "equal" into it.',
                header=header,
            )


def _check_output_names(columns: list[Column], contract: Contract) -> None:
    """Refuse an extra column whose output name a field of the contract or another column has.

    The output names of the contract's own fields differ from each other.
    """
    own = {field.name for field in contract.fields}
    first: dict[str, Column] = {}
    for column in columns:
        other = first.setdefault(column.field.output_name, column)
        if other is column:
            continue
        number = (column.position or 0) + 1
        if other.field.name not in own:
            raise HeaderMismatch(
                f"Columns {(other.position or 0) + 1} and {number} of the header, which the "
                "contract has no fields for, have the same name in lower case and with "
                "underscores for spaces. Rename one, or keep the names as they are: put "
                '"outputNames": "original" into the contract\'s pipeline settings.'
            )
        raise HeaderMismatch(
            f"Column {number} of the header, which the contract has no field for, would have "
            f"the name {other.field.output_name!r} in the output, like the field "
            f"{other.field.name!r} of the contract. Rename the column, or give the field another "
            "output name in the contract."
        )


def _lookalike(missing: Iterable[Field], extra: Iterable[int], labels: Sequence[str]) -> str:
    """A hint at a column whose name differs only in case, white space or invisible characters."""
    plain = {_plain(labels[place]): place for place in extra}
    for field in missing:
        place = plain.get(_plain(field.name))
        if place is not None:
            return (
                f" The name of column {place + 1} differs from {field.name!r} in case, white "
                "space or invisible characters only."
            )
    return ""


def _plain(label: str) -> str:
    return "".join(label.split()).casefold().strip("\ufeff\u200b")


def _one_based(places: Iterable[int]) -> list[int]:
    return [place + 1 for place in places]


def _names(fields: Sequence[Field]) -> str:
    more = f" and {len(fields) - _LISTED} more" if len(fields) > _LISTED else ""
    return ", ".join(repr(field.name) for field in fields[:_LISTED]) + more


def _numbers(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return ", ".join(map(str, numbers[:_LISTED])) + more
