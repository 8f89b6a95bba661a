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
