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

SHOWN_CHARACTERS = 200
"""Maximum length of a cell in a fault. The record's raw text is next to it, in full."""


class Fault(NamedTuple):
    """One reason why a record is rejected.

    `field` is the name in the header, None if the fault concerns the whole record. `message` says
    what was expected and never contains the value, which is in `value` (None: there is none).
    """

    field: str | None
    code: FaultCode
    message: str
    value: str | None

    def to_document(self) -> dict[str, str | None]:
        """The fault as it is written into the quarantine: field, code, message, value."""
        return self._asdict()


def shown(text: str) -> str:
    """Shorten a cell to what a fault repeats of it; a cut text ends in an ellipsis."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[: SHOWN_CHARACTERS - 1] + "…"
