"""The contract of a dataset as the engine uses it: fields, constraints, dialect and policies.

`descriptor.parse_contract` makes these from a Frictionless Data Resource or Table Schema document.
Everything here is already checked and cast, so code with a `Contract` can rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

FieldsMatch = Literal["exact", "equal", "subset", "superset", "partial"]
ColumnPolicy = Literal["fail", "drop", "keep"]
RecordShape = Literal["envelope", "flat"]
NamePolicy = Literal["cleaned", "original"]
TimeZone = Literal["utc", "none"]
VersionPolicy = Literal["latest", "all"]

ORIGIN_NAMES = ("_file_id", "_row")
"""In flat records, the names of the file's ID and the record's number: no field can have them."""

MAX_FOOTER_ROWS = 20
"""A footer is a few lines. The blocks that contain it are held in memory at the same time."""

INTEGER_TYPES = frozenset({"integer", "year"})
_NUMERIC_TYPES = INTEGER_TYPES | {"number"}


@dataclass(frozen=True)
class Dialect:
    """How the text is cut into records and cells (Data Package v2, Table Dialect)."""

    delimiter: str = ","
    quote_char: str | None = '"'
    double_quote: bool = True
    escape_char: str | None = None
    skip_initial_space: bool = False
    header: bool = True
    header_rows: tuple[int, ...] = (1,)
    header_join: str = " "
    comment_rows: tuple[int, ...] = ()
    comment_char: str | None = None
    skip_blank_rows: bool = False
    footer_rows: int = 0
    """How many records at the end of the file are no data, such as a total."""
    case_sensitive_header: bool = True

    @property
    def blank_characters(self) -> str:
        """The characters of a row without content: delimiters, quotes, and ignored spaces."""
        space = " " if self.skip_initial_space else ""
        return self.delimiter + (self.quote_char or "") + space


@dataclass(frozen=True)
class Constraints:
    """What a cell's value must satisfy; bounds and enum are values cast to the field's type."""

    required: bool = False
    unique: bool = False
    min_length: int | None = None
    max_length: int | None = None
    minimum: Any = None
    maximum: Any = None
    exclusive_minimum: Any = None
    exclusive_maximum: Any = None
    pattern: str | None = None
    enum: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Field:
    """One column: its name in the header, its type, and the name it has in the output."""

    name: str
    output_name: str
    type: str = "any"
    format: str = "default"
    aliases: tuple[str, ...] = ()
    """Further names that the column may have in a header."""
    missing_values: tuple[str, ...] = ("",)
    trim: bool = False
    decimal_char: str = "."
    group_char: str | None = None
    bare_number: bool = True
    true_values: tuple[str, ...] = ("true", "True", "TRUE", "1")
    false_values: tuple[str, ...] = ("false", "False", "FALSE", "0")
    list_delimiter: str = ","
    list_item_type: str = "string"
    time_zone: TimeZone = "utc"
    constraints: Constraints = Constraints()


@dataclass(frozen=True)
class Contract:
    """A dataset's fields and rules.

    `dialect` and `encoding` are None if they are detected for each file.

    Without `fields`, a contract has settings only: its files are read by the reference's rules.

    `record` is the shape of a JSON Lines record: the reference's envelope, or the fields beside
    `ORIGIN_NAMES`. `versions` says whether the output of a file replaces that of an earlier version
    of the same key (`latest`), or every version has its own (`all`).
    """

    fields: tuple[Field, ...]
    fields_match: FieldsMatch = "exact"
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    dialect: Dialect | None = None
    encoding: str | None = None
    max_reject_percent: float | None = None
    max_reject_count: int | None = None
    extra_columns: ColumnPolicy = "fail"
    missing_columns: ColumnPolicy = "fail"
    neutralise_formulas: bool = False
    output_format: str | None = None
    record: RecordShape = "envelope"
    output_names: NamePolicy = "cleaned"
    versions: VersionPolicy = "latest"
    freshness: float | None = None
    report_examples: bool = True
    """Whether summary and report may show cells: in examples, and as values in statistics."""

    @property
    def labels(self) -> frozenset[str]:
        """All names that columns of the contract's fields may have in a header."""
        names = (label for field in self.fields for label in (field.name, *field.aliases))
        return frozenset(names)


def output_name(name: str, policy: NamePolicy) -> str:
    """The name in the output of a column: as it is, or cleaned by the reference's rule.

    Cleaned means: stripped of white space, in lower case, and with `_` for spaces.
    """
    return name.strip().lower().replace(" ", "_") if policy == "cleaned" else name


def is_numeric(field_type: str) -> bool:
    """Whether values of this Table Schema type are JSON numbers in the output."""
    return field_type in _NUMERIC_TYPES
