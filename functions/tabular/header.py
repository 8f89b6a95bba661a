"""Which column of the file is which field of the contract."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tabular.contract import Field
from tabular.errors import HeaderMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.contract import Contract

_LISTED = 8
"""So many names stand in a message; a header may have hundreds."""
_EXTRA_ALLOWED = ("subset", "partial")
_MISSING_ALLOWED = ("superset", "partial")


class Column(NamedTuple):
    """A field of the output, and its cell's index in the record; None: the file lacks it."""

    position: int | None
    field: Field


def check_labels(labels: Sequence[str]) -> None:
    """Raise HeaderMismatch, with positions, where labels are blank or occur twice."""
    blank = [number for number, label in enumerate(labels, 1) if not label.strip()]
    if blank:
        raise HeaderMismatch(
            f"The header is blank in column {_numbers(blank)} of {len(labels)}. "
            "Name every column. If the names stand in another row, or in several rows, "
            'say so in the contract: "dialect": {"headerRows": [...]}.'
        )
    _check_twice(labels)


def _check_twice(labels: Sequence[str]) -> None:
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        label = twice[0]
        where = [number for number, other in enumerate(labels, 1) if other == label]
        raise HeaderMismatch(
            f"The header names {label!r} more than once: in columns {_numbers(where)}. "
            "Give every column a name of its own."
        )


def match_columns(labels: Sequence[str], contract: Contract) -> tuple[Column, ...]:
    """Find the contract's fields among the file's labels; the columns stand in output order.

    The rules are Table Schema's `fieldsMatch`, widened by the contract's policies for extra and
    missing columns. Where `fieldsMatch` itself allows them, extra columns are dropped and missing
    ones are null unless a policy says otherwise. Raises HeaderMismatch.
    """
    labels = _in_contract_case(labels, contract)
    _check_twice(labels)
    fields = {field.name: field for field in contract.fields}
    extra = [label for label in labels if label not in fields]
    missing = [name for name in fields if name not in labels]
    _check_matching(labels, extra, missing, contract)

    positions = {label: position for position, label in enumerate(labels)}
    columns = [
        Column(positions.get(field.name), field)
        for field in contract.fields
        if field.name in positions or contract.missing_columns != "drop"
    ]
    if contract.extra_columns == "keep":
        columns += [Column(positions[label], Field(label, label)) for label in extra]
    _check_output_names(columns)
    return tuple(columns)


def _in_contract_case(labels: Sequence[str], contract: Contract) -> list[str]:
    """The labels, written as the contract's fields are where case does not matter."""
    if contract.dialect is None or contract.dialect.case_sensitive_header:
        return list(labels)
    names = {field.name.casefold(): field.name for field in contract.fields}
    return [names.get(label.casefold(), label) for label in labels]


def _check_matching(
    labels: Sequence[str], extra: list[str], missing: list[str], contract: Contract
) -> None:
    match, names = contract.fields_match, [field.name for field in contract.fields]
    if missing and match not in _MISSING_ALLOWED and contract.missing_columns == "fail":
        raise HeaderMismatch(
            f"The header lacks {_names(missing)}, which the contract expects."
            f"{_lookalike(missing, extra)} The header has {_names(labels)}."
        )
    if extra and match not in _EXTRA_ALLOWED and contract.extra_columns == "fail":
        raise HeaderMismatch(
            f"The contract does not know {_names(extra)} in column "
            f"{_numbers([labels.index(label) + 1 for label in extra])} of the header. Remove them, "
            'add them to the contract\'s fields, or set its policy for extra columns to "drop" '
            'or "keep".'
        )
    if match == "partial" and len(missing) == len(names):
        raise HeaderMismatch(f"The header {_names(labels)} has no field of the contract at all.")
    required = [
        field.name
        for field in contract.fields
        if field.name in missing and _is_required(field, contract)
    ]
    if required:
        raise HeaderMismatch(
            f"The header lacks {_names(required)}, which the contract requires."
            f"{_lookalike(required, extra)}"
        )
    if match == "exact":
        _check_order(labels, names)


def _is_required(field: Field, contract: Contract) -> bool:
    return field.constraints.required or field.name in contract.primary_key


def _check_order(labels: Sequence[str], names: list[str]) -> None:
    known = [(number, label) for number, label in enumerate(labels, 1) if label in names]
    present = [name for name in names if name in labels]
    for (number, label), name in zip(known, present, strict=True):
        if label != name:
            raise HeaderMismatch(
                f"Column {number} of the header should be {name!r} and is {label!r}: the contract "
                'wants its fields in order. If any order will do, put "fieldsMatch": "equal" into '
                "it."
            )


def _check_output_names(columns: list[Column]) -> None:
    first: dict[str, str] = {}
    for column in columns:
        output = column.field.output_name
        if output in first:
            raise HeaderMismatch(
                f"The columns {first[output]!r} and {column.field.name!r} would both be called "
                f"{output!r} in the output. Rename one, or give it another output name in the "
                "contract."
            )
        first[output] = column.field.name


def _lookalike(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Point at a label that differs in case or invisible characters only."""
    plain = {_plain(label): label for label in extra}
    for name in missing:
        label = plain.get(_plain(name))
        if label is not None:
            return f" It has {label!r} instead of {name!r}."
    return ""


def _plain(label: str) -> str:
    return "".join(label.split()).casefold().strip("\ufeff\u200b")


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more


def _numbers(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return ", ".join(map(str, numbers[:_LISTED])) + more
