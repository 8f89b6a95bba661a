"""What can be wrong with a record: faults are data that end up in the quarantine, not exceptions.

Codes are those of Frictionless, so that other tools and people who know them understand a reject.
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

SHOWN_CHARACTERS = 200
"""How much of a cell a fault repeats. The raw text of the record stands beside it, in full."""


class Fault(NamedTuple):
    """One thing that is wrong with a record.

    `field` is the name in the header, None where the fault is the whole record's. `message` says
    what was expected and never holds the value, which stands in `value` (None: there is none).
    """

    field: str | None
    code: FaultCode
    message: str
    value: str | None

    def to_document(self) -> dict[str, str | None]:
        """Give the fault as it is written into rejects: field, code, message, value."""
        return self._asdict()


def shown(text: str) -> str:
    """Shorten a cell to what a fault repeats of it; a cut text ends in an ellipsis."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[: SHOWN_CHARACTERS - 1] + "…"
