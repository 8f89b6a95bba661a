"""The errors of whole files. Faults of rows are data, see `faults.Fault`, not exceptions.

The class names are API: the workflow matches them in `ErrorEquals`, operators filter by them. A
message says what is wrong, where, and what to do. It travels into queue messages, mail and logs, so
it never repeats text of the file: neither a cell's value nor a label of the header. If a file has
no header, its first record may be taken for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.model import Dialect


# In characters. A message can quote a contract's names and patterns, whose length is not limited;
# `shared.errors` says where the number comes from.
MAX_MESSAGE = 4000


class TabularError(Exception):
    """A file as a whole cannot be processed; trying the same file again changes nothing.

    A message has at most `MAX_MESSAGE` characters. `details` are the error's numbers, such as
    `limit_bytes`, for programs.
    """

    def __init__(self, message: str = "", **details: float) -> None:
        super().__init__(_bounded(message))
        self.details = details


def _bounded(message: str) -> str:
    """The message, without its middle if it is too long: the end says what to do."""
    if len(message) <= MAX_MESSAGE:
        return message
    half = (MAX_MESSAGE - len(" ... ")) // 2
    return f"{message[:half]} ... {message[-half:]}"


class EmptyFile(TabularError):
    """The file has no bytes, or only blank lines and comments: there is no header."""


class UnsupportedFormat(TabularError):
    """The file's name or content is not that of a CSV file, such as a workbook's or an image's."""


class UnsupportedEncoding(TabularError):
    """The bytes are not text in the expected encoding, and guessing another would corrupt data."""


class UnreadableFile(TabularError):
    """The file is not a CSV that can be read: damaged compression, binary, no clear delimiter."""

    # `advice` is the dialect in the message with which the file can be read; None if there is none
    # or several.
    def __init__(self, message: str = "", *, advice: Dialect | None = None) -> None:
        super().__init__(message)
        self.advice = advice


class FileTooLarge(TabularError):
    """The file exceeds a limit of what can be processed; the message names the limit."""


class InvalidContract(TabularError):
    """The contract is invalid; the message names the property and what it expects."""

    # `problems` pairs each wrong property's path in the document with what is wrong there.
    def __init__(
        self, message: str, *, problems: Sequence[tuple[str, str]] = (), **details: float
    ) -> None:
        super().__init__(message, **details)
        self.problems = tuple(problems)


class HeaderMismatch(TabularError):
    """The header does not match the contract, or its names are not possible in the output."""

    # `header` are the file's own labels if they are certainly a header; None if they may be a
    # record. They are for reports: the message never repeats them.
    def __init__(
        self, message: str, *, header: Sequence[str] | None = None, **details: float
    ) -> None:
        super().__init__(message, **details)
        self.header = None if header is None else tuple(header)


class TooManyRejects(TabularError):
    """More records were rejected than the contract, or the pipeline's default, allows."""


class InvalidCorrections(TabularError):
    """The corrected rows are not among the file's rejected rows, or can't be read."""


class MisalignedSplits(TabularError):
    """A planned split does not end on a record's end, so the file must run as one split."""
