"""What a file's name means: whether the pipeline ignores, processes or refuses the file.

The starter, ParseCsv and `pipectl` decide with this module, and `docs/contracts.md` has its tables.
Nothing that is dropped under `raw/` is silent: a file is processed, fails visibly, or matches the
list of ignored names, and then the starter logs and counts it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tabular.errors import UnsupportedFormat

DELIMITERS: dict[str, str | None] = {".csv": None, ".tsv": "\t", ".txt": None, ".psv": "|"}
"""The suffixes of CSV-like files, in any case, and the delimiter that a suffix names; None: the
delimiter is detected."""
GZIP = ".gz"
ZIP = ".zip"

PROCESSED_SUFFIXES = (*DELIMITERS, *(suffix + GZIP for suffix in DELIMITERS), ZIP)
"""What the name of a file that is processed ends with, in any case."""

HALF_WRITTEN = (".tmp", ".filepart", ".crdownload", ".part", ".partial")
"""Suffixes that programs give to a file until it is complete, in any case. They then rename it."""
HIDDEN = ("_", ".")
"""What names of markers and hidden files begin with, such as `_SUCCESS` and `.DS_Store`."""
TEMPORARY_FOLDER = "_temporary"
"""Hadoop and Spark write here before they commit, and then copy the files to their places."""
FOLDER_MARKER = "_$folder$"
"""What Hadoop's S3 clients append to a folder's name for the empty object that marks the folder."""

MAX_PATTERNS_LENGTH = 1000
"""Of characters. A function's whole environment has at most 4 KB."""

# No brackets: `*` and `?` are the only characters with a meaning. A pattern of only wildcards and
# dots, such as `*` or `*.*`, would ignore every file.
_PATTERN = re.compile(r"[^,/\[\]\x00-\x1f\x7f]*[^,/\[\]\x00-\x1f\x7f.*?\s][^,/\[\]\x00-\x1f\x7f]*")

_WHAT_TO_SEND = (
    "Send .csv, .tsv, .txt or .psv files, each also compressed as .gz, or a .zip archive with one "
    "of them."
)
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_ARCHIVES = (".7z", ".rar", ".tar", ".tgz")
_COMPRESSED = (".bz2", ".xz", ".zst", ".lz4", ".z", ".br", ".snappy")
_SHOWN_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}", re.ASCII)


class InvalidPatterns(ValueError):
    """The list of ignored names has a pattern that isn't one; the message says which and why."""


@dataclass(frozen=True)
class IgnoredNames:
    """Patterns for the names of further files to ignore; `*` and `?` are wildcards.

    They are compared with the file's own name, the part of its key after the last `/`, in any case.
    """

    patterns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> IgnoredNames:
        """Read a comma-separated list, such as `*.pdf, readme*`; an empty text is an empty list.

        Raises `InvalidPatterns`. A pattern needs a character that is neither a wildcard nor a dot,
        because `*.*` would ignore every file.
        """
        if len(text) > MAX_PATTERNS_LENGTH:
            raise InvalidPatterns(
                f"The list has {len(text):,} characters; at most {MAX_PATTERNS_LENGTH:,} are "
                "allowed."
            )
        if not text.strip():
            return cls()
        patterns = tuple(pattern.strip() for pattern in text.split(","))
        for number, pattern in enumerate(patterns, 1):
            if not _PATTERN.fullmatch(pattern):
                raise InvalidPatterns(
                    f"Pattern {number} of {len(patterns)} is not allowed. A pattern is a file name "
                    "with * and ? as wildcards, without '/', '[', ']' and control characters, and "
                    "has a character other than wildcards and dots."
                )
        return cls(patterns)

    def match(self, name: str) -> str | None:
        """The first pattern that a file's own name matches, or None."""
        return next((one for one in self.patterns if _regex(one).fullmatch(name)), None)


NO_IGNORED_NAMES = IgnoredNames()


def why_ignored(
    key: str, size: int | None = None, ignored: IgnoredNames = NO_IGNORED_NAMES
) -> str | None:
    """Why the pipeline ignores an object, for logs and messages; None if it doesn't.

    `key` is the object's key below the bucket or an archive member's path, and `size` its size in
    bytes, None if that is unknown. Folder markers are empty: with content they are files.
    """
    *folders, name = key.split("/")
    if size in (0, None) and (not name or name.endswith(FOLDER_MARKER)):
        return "it marks a folder"
    if TEMPORARY_FOLDER in folders:
        return f"it is below a folder {TEMPORARY_FOLDER}/"
    if name.startswith(HIDDEN):
        return f"its name begins with {name[0]}"
    if (suffix := last_suffix(name)) in HALF_WRITTEN:
        return f"its name ends with {suffix}, so it is not complete"
    pattern = ignored.match(name)
    return None if pattern is None else f"its name matches {pattern} in IgnoredNames"


def last_suffix(name: str) -> str:
    """The name's last suffix in lower case, with its dot: `.gz` of `A.CSV.GZ`; "" without one."""
    _, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot else ""


def table_suffix(name: str) -> str | None:
    """The key of `DELIMITERS` that the name ends with, also before `.gz`; None if there is none.

    Examples: `.csv` of `raw/a.CSV.gz`, None of `a.json.gz` and of `a.zip`.
    """
    if last_suffix(name) == GZIP:
        name = name[: -len(GZIP)]
    suffix = last_suffix(name)
    return suffix if suffix in DELIMITERS else None


def check_name(name: str) -> None:
    """Raise `UnsupportedFormat` if no file of this name is processed, with what to send instead."""
    if table_suffix(name) or last_suffix(name) == ZIP:
        return
    raise UnsupportedFormat(f"{_fault(name)} {_WHAT_TO_SEND}")


def _fault(name: str) -> str:
    """What is wrong with a name, and what to do about it if that depends on the suffix."""
    suffix = last_suffix(name)
    if suffix == GZIP:
        return (
            "The file's name ends with .gz, but the part before it is not the name of a CSV file. "
            "If it is a compressed CSV file, rename it so that it ends with .csv.gz."
        )
    if not _SHOWN_SUFFIX.fullmatch(suffix):
        return (
            "The file's name does not say that it is a CSV file. If it is one, rename it so that "
            "it ends with .csv."
        )
    fault = f"The pipeline does not process files whose names end with {suffix}."
    if suffix in _WORKBOOKS:
        return f"{fault} Export the sheet as CSV in UTF-8."
    if suffix in _ARCHIVES:
        return f"{fault} Pack the CSV file as .zip."
    if suffix in _COMPRESSED:
        return f"{fault} Compress the CSV file with gzip."
    return f"{fault} If it is a CSV file, rename it so that it ends with .csv."


def _regex(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression in which wildcards don't backtrack into each other."""
    # Atomic groups, as in `fnmatch`: `*a*b` matches the first `a`, which is always enough.
    first, *others = (_escaped(part) for part in pattern.split("*"))
    if not others:
        return re.compile(first, re.IGNORECASE | re.DOTALL)
    *middle, last = others
    inner = "".join(f"(?>.*?{part})" for part in middle if part)
    return re.compile(f"{first}{inner}.*{last}", re.IGNORECASE | re.DOTALL)


def _escaped(part: str) -> str:
    return ".".join(re.escape(text) for text in part.split("?"))
