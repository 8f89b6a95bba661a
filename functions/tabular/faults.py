"""Why a record is rejected: faults are data for the quarantine, not exceptions.

The codes are Frictionless's, so that other tools, and people who know them, understand a reject.
Only `repeated-header` is our own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

FaultCode = Literal[
    "type-error",
    "constraint-error",
    "unique-error",
    "primary-key",
    "extra-cell",
    "missing-cell",
    "blank-row",
    "repeated-header",
    "encoding-error",
    "source-error",
]

RuleKey = tuple[str | None, str, str | None]
"""What is counted: a fault's field, code and rule."""

SHOWN_CHARACTERS = 200
"""Maximum length of a cell in a fault. The record's raw text is next to it, in full."""


class Advice(NamedTuple):
    """When a code occurs, and what to do about it; backticks surround names and settings."""

    when: str
    fix: str


ADVICE: dict[FaultCode, Advice] = {
    "type-error": Advice(
        "a cell does not fit its field's type and format",
        "correct the cell, add the text to `missingValues`, or set the format that the "
        "file really has",
    ),
    "constraint-error": Advice(
        "a value breaks a constraint; the message names it",
        "correct the cell or the constraint",
    ),
    "unique-error": Advice(
        "a value of a `unique` field, or a combination of `uniqueKeys`, occurred in an "
        "earlier record",
        "remove the repeated row",
    ),
    "primary-key": Advice(
        "a combination of `primaryKey` occurred in an earlier record",
        "remove the repeated row",
    ),
    "extra-cell": Advice(
        "the row has more cells than the header; the first 20 of them are listed",
        "quote the cell that contains the delimiter",
    ),
    "missing-cell": Advice(
        "the row has fewer cells than the header; the first 20 of them are listed",
        "complete the row; look for a line break within an unquoted cell",
    ),
    "blank-row": Advice(
        "no field of the row has a value: its cells are empty, or texts of `missingValues`",
        "remove it; `skipBlankRows` in the dialect skips rows whose cells are all empty",
    ),
    "repeated-header": Advice(
        "the row repeats the header, as in concatenated files. It does not apply to "
        "files of one column, where the name may be a value",
        "remove it",
    ),
    "encoding-error": Advice(
        "bytes of the row are not valid in the file's encoding",
        "export the file again; or set `encoding`",
    ),
    "source-error": Advice(
        "the text cannot be read as a record: an unterminated or misplaced quote, a "
        "NUL, a row that is too long",
        "correct the row, or set `quoteChar`",
    ),
}
"""The table of codes in docs/contracts.md."""


class RuleCount(NamedTuple):
    """How often a rule was broken: the number of faults, and of records that have them.

    They differ only where one record breaks a rule several times, as with three extra cells.
    """

    faults: int
    records: int


class Fault(NamedTuple):
    """One reason why a record is rejected.

    `field` is the name in the header, None if the fault concerns the whole record. `rule` is the
    contract's property that the record breaks, such as `type`, `minimum` or `primaryKey`; None if
    no property is involved, as with a missing cell. `message` says what was expected and never
    contains the value, which is in `value` (None: there is none).
    """

    field: str | None
    code: FaultCode
    rule: str | None
    message: str
    value: str | None

    @property
    def key(self) -> RuleKey:
        """What the fault is counted under."""
        return self.field, self.code, self.rule

    def to_document(self) -> dict[str, str | None]:
        """The fault as it is written into the quarantine: field, code, rule, message, value."""
        return self._asdict()


def shown(text: str) -> str:
    """Shorten a cell to what a fault repeats of it; a cut text ends in an ellipsis."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[: SHOWN_CHARACTERS - 1] + "…"
