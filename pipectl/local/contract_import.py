"""Makes contracts from Frictionless Data Packages, and from data contracts of ODCS.

ODCS is the Open Data Contract Standard, version 3: https://bitol-io.github.io/open-data-contract-standard/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipectl.errors import PipectlError

_PROFILE = "https://datapackage.org/profiles/2.0/dataresource.json"
_REFUSED_IN_SCHEMA = ("foreignKeys",)
_REFUSED_IN_RESOURCE = ("data",)
_ODCS_TYPES = {
    **{kind: kind for kind in ("string", "date", "time", "number", "integer", "boolean")},
    "object": "object",
    "array": "array",
    "timestamp": "datetime",
}
_ODCS_STRING_FORMATS = {"email": "email", "uri": "uri", "uuid": "uuid", "binary": "binary"}
_ODCS_OPTIONS = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_ODCS_OPTIONS["integer"] = _ODCS_OPTIONS["date"] = _ODCS_OPTIONS["number"]
_ODCS_OPTIONS["datetime"] = _ODCS_OPTIONS["time"] = _ODCS_OPTIONS["number"]
# Directives of strptime for the pattern letters of Java's DateTimeFormatter, which ODCS uses for
# dates (`logicalTypeOptions.format`). A run of letters that is not here has no exact counterpart.
# https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/time/format/DateTimeFormatter.html
_JAVA = {
    "yyyy": "%Y",  # year of era, four digits
    "uuuu": "%Y",  # year, four digits
    "yy": "%y",  # year, two digits
    "MMMM": "%B",  # name of the month
    "MMM": "%b",  # name of the month, shortened
    "MM": "%m",  # month, two digits
    "M": "%m",  # month, one or two digits
    "dd": "%d",  # day of the month, two digits
    "d": "%d",  # day of the month, one or two digits
    "HH": "%H",  # hour from 0 to 23
    "H": "%H",
    "hh": "%I",  # hour from 1 to 12 of half a day
    "h": "%I",
    "mm": "%M",  # minute
    "ss": "%S",  # second
    "SSS": "%f",  # fraction of a second, three digits; strptime accepts one to six
    "SSSSSS": "%f",
    "a": "%p",  # AM or PM
    "XXX": "%z",  # offset such as +01:30, or Z for zero
    "Z": "%z",  # offset such as +0130
    "EEE": "%a",  # name of the day of the week, shortened
    "EEEE": "%A",  # name of the day of the week
}
# Optional sections begin with [ and end with ]; the other three are reserved.
_JAVA_RESERVED = frozenset("[]{}#")
_ISO = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%dT%H:%M:%S", "time": "%H:%M:%S"}


@dataclass
class Imported:
    """A contract's document, and notes on the parts of the original that are left out."""

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def import_contract(path: Path, name: str | None = None) -> Imported:
    """Make a contract from a document in JSON or YAML.

    `name` is the resource of a Data Package or the table of a data contract, if there are several.
    Raises PipectlError if the document is neither, if it has several and none is named, or if the
    format of a date can't be translated.
    """
    document = _loaded(path)
    if isinstance(document.get("resources"), list):
        return _from_package(document["resources"], path.parent, name)
    if document.get("kind") == "DataContract":
        return _from_odcs(document, name)
    if "schema" in document or "fields" in document:
        notes: list[str] = []
        return Imported(_resource(document, path.parent, notes), notes)
    raise PipectlError(
        f"{path} is neither a Frictionless Data Package, Data Resource or Table Schema nor a data"
        " contract of the Open Data Contract Standard, version 3."
    )


def _loaded(path: Path) -> dict[str, Any]:
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = _from_yaml(text) if is_yaml else json.loads(text)
    except (ValueError, RecursionError) as error:
        expected = "YAML" if is_yaml else "JSON"
        raise PipectlError(f"{path}: expected {expected}: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise PipectlError(f"{path}: expected an object.")
    return document


def _from_yaml(text: str) -> Any:
    """A YAML document in which dates are text, as in JSON. Raises ValueError if it is invalid."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _chosen(kind: str, items: Sequence[Any], name: str | None) -> Mapping[str, Any]:
    """The item of a name, or the only one."""
    found = [item for item in items if isinstance(item, dict)]
    names = [str(item.get("name")) for item in found]
    wanted = [item for item in found if name is None or item.get("name") == name]
    if len(wanted) != 1:
        problem = f"There is no {kind} {name!r}." if name else f"There are {len(found)} of them."
        raise PipectlError(f"{problem} Name one with --resource: {', '.join(names) or 'none'}.")
    return wanted[0]


def _from_package(resources: Sequence[Any], folder: Path, name: str | None) -> Imported:
    notes: list[str] = []
    return Imported(_resource(_chosen("resource", resources, name), folder, notes), notes)


def _resource(resource: Mapping[str, Any], folder: Path, notes: list[str]) -> dict[str, Any]:
    """A Data Resource with its schema and dialect, without properties that contracts can't have."""
    document = {key: value for key, value in resource.items() if key not in _REFUSED_IN_RESOURCE}
    for key in ("schema", "dialect"):
        if isinstance(document.get(key), str):
            document[key] = _referenced(document[key], folder)
    schema = document.get("schema", document)
    if isinstance(schema, dict):
        left_out = [key for key in _REFUSED_IN_SCHEMA if schema.pop(key, None)]
        notes += [f"{key} is left out: files are processed independently" for key in left_out]
    return document


def _referenced(reference: str, folder: Path) -> Any:
    """A schema or dialect in a file beside the package."""
    path = (folder / reference).resolve()
    if "://" in reference or not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise PipectlError(f"{reference} is not a file in the package's folder. Save it there.")
    return _loaded(path)


def _from_odcs(document: Mapping[str, Any], name: str | None) -> Imported:
    version = str(document.get("apiVersion"))
    if not version.startswith("v3."):
        raise PipectlError(
            f"The data contract has the apiVersion {version}; only version 3 of the standard can be"
            " imported. Convert the contract to version 3 first."
        )
    table = _chosen("table", document.get("schema") or [], name)
    notes: list[str] = []
    columns = [_checked_column(one) for one in table.get("properties") or []]
    fields = [_odcs_field(column, notes) for column in columns]
    schema: dict[str, Any] = {"fields": fields}
    keys = [one for one in columns if one.get("primaryKey")]
    if keys:
        keys.sort(key=_key_position)
        schema["primaryKey"] = [_header_name(one) for one in keys]
    if table.get("quality") or any(column.get("quality") for column in columns):
        notes.append("quality rules are left out")
    return Imported(
        {
            "$schema": _PROFILE,
            "name": _dataset_name(str(table.get("name") or document.get("name") or "dataset")),
            "schema": schema,
        },
        notes,
    )


def _checked_column(column: Any) -> Mapping[str, Any]:
    if not isinstance(column, dict) or not column.get("name"):
        raise PipectlError("A property of the table has no name. Add the name to the contract.")
    if not isinstance(column.get("logicalTypeOptions") or {}, dict):
        raise PipectlError(f"{column['name']}: logicalTypeOptions: expected an object.")
    return column


def _key_position(column: Mapping[str, Any]) -> int:
    position = column.get("primaryKeyPosition")
    return position if isinstance(position, int) else 0


def _dataset_name(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "dataset"


def _header_name(column: Mapping[str, Any]) -> str:
    """The column's name in the file: the physical one, if the contract has it."""
    return str(column.get("physicalName") or column["name"])


def _odcs_field(column: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    name = _header_name(column)
    logical = str(column.get("logicalType") or "string")
    kind = _ODCS_TYPES.get(logical)
    if kind is None:
        notes.append(f"{name}: the type {logical} is not known, so the field takes any text")
    found: dict[str, Any] = {"name": name, "type": kind or "any"}
    if column.get("description"):
        found["description"] = str(column["description"])
    if name != column["name"]:
        found["pipeline"] = {"outputName": str(column["name"])}
    options = dict(column.get("logicalTypeOptions") or {})
    pattern = str(options.pop("format", None) or "")
    if kind in _ISO and pattern:
        _set_date_format(found, kind, pattern)
    elif kind == "string" and pattern in _ODCS_STRING_FORMATS:
        found["format"] = _ODCS_STRING_FORMATS[pattern]
    elif pattern:
        notes.append(f"{name}: the format {pattern!r} is left out")
    known = _ODCS_OPTIONS.get(found["type"], ())
    constraints = {option: options[option] for option in known if option in options}
    left_out = [option for option in options if option not in known]
    notes += [f"{name}: the option {option} is left out" for option in left_out]
    constraints |= {rule: True for rule in ("required", "unique") if column.get(rule)}
    if constraints:
        found["constraints"] = constraints
    return found


def _set_date_format(found: dict[str, Any], kind: str, pattern: str) -> None:
    """Translate a pattern of Java's DateTimeFormatter; ISO 8601 is the default and left out.

    Without its format a field would reject the file's dates, so one that can't be translated is an
    error.
    """
    try:
        translated = _strptime(pattern)
    except _UntranslatablePartError as error:
        raise PipectlError(
            f"{found['name']}: the format {pattern!r} has {error.part!r}, which a contract can't"
            " express. Change the format in the data contract; or remove it there, and set the"
            " field's format in the imported contract."
        ) from None
    if translated != _ISO[kind]:
        found["format"] = translated


class _UntranslatablePartError(Exception):
    """A part of a pattern, such as a run of one letter, has no counterpart in strptime."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


def _strptime(pattern: str) -> str:
    """The same pattern for strptime; raises `_UntranslatablePartError`.

    For example, `dd.MM.yyyy 'at' HH:mm` becomes `%d.%m.%Y at %H:%M`.
    """
    parts = []
    for found in _PARTS.finditer(pattern):
        if found["letters"]:
            directive = _JAVA.get(found["letters"])
            if directive is None:
                raise _UntranslatablePartError(found["letters"])
            parts.append(directive)
            continue
        if found["other"] and (found["other"] in _JAVA_RESERVED or found["other"] == "'"):
            raise _UntranslatablePartError(found["other"])
        # Two apostrophes are one, within quotes and outside of them.
        text = found["other"] or found["quoted"].replace("''", "'") or "'"
        parts.append(text.replace("%", "%%"))
    return "".join(parts)


_PARTS = re.compile(
    r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)",
    re.DOTALL,
)
