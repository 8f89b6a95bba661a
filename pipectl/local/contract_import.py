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
# Patterns of Java's DateTimeFormatter, which ODCS uses, and of strptime.
_JAVA = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%m",
    "dd": "%d",
    "d": "%d",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "SSS": "%f",
    "a": "%p",
    "XXX": "%z",
    "Z": "%z",
    "EEE": "%a",
}
_ISO = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%dT%H:%M:%S", "time": "%H:%M:%S"}


@dataclass
class Imported:
    """A contract's document, and notes on the parts of the original that are left out."""

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def import_contract(path: Path, name: str | None = None) -> Imported:
    """Make a contract from a document in JSON or YAML.

    `name` is the resource of a Data Package or the table of a data contract, if there are several.
    Raises PipectlError if the document is neither, or if it has several and none is named.
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
    text = path.read_text(encoding="utf-8-sig")
    try:
        if path.suffix.lower() in (".yaml", ".yml"):
            import yaml

            document = yaml.safe_load(text)
        else:
            document = json.loads(text)
    except ValueError as error:
        raise PipectlError(f"{path}: expected JSON: {error}") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "yaml":
            raise
        raise PipectlError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise PipectlError(f"{path}: expected an object.")
    return document


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
    table = _chosen("table", document.get("schema") or [], name)
    notes: list[str] = []
    columns = [one for one in table.get("properties") or [] if isinstance(one, dict)]
    fields = [_odcs_field(column, notes) for column in columns]
    schema: dict[str, Any] = {"fields": fields}
    keys = [one for one in columns if one.get("primaryKey")]
    if keys:
        keys.sort(key=lambda one: one.get("primaryKeyPosition") or 0)
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
    options = column.get("logicalTypeOptions") or {}
    pattern = options.get("format")
    if kind in _ISO and pattern:
        _set_date_format(found, kind, str(pattern), notes)
    elif kind == "string" and pattern in _ODCS_STRING_FORMATS:
        found["format"] = _ODCS_STRING_FORMATS[pattern]
    constraints = {
        option: options[option]
        for option in _ODCS_OPTIONS.get(found["type"], ())
        if option in options
    }
    constraints |= {rule: True for rule in ("required", "unique") if column.get(rule)}
    if constraints:
        found["constraints"] = constraints
    return found


def _set_date_format(found: dict[str, Any], kind: str, pattern: str, notes: list[str]) -> None:
    """Translate a pattern of Java's DateTimeFormatter; ISO 8601 is the default and left out."""
    translated = _strptime(pattern)
    if translated is None:
        notes.append(f"{found['name']}: the format {pattern!r} is left out, check it")
    elif translated != _ISO[kind]:
        found["format"] = translated


def _strptime(pattern: str) -> str | None:
    """The same pattern for strptime; None if a letter has no counterpart."""
    parts = []
    for found in _RUNS.finditer(pattern):
        run = found["run"]
        if run and run not in _JAVA:
            return None
        parts.append(_JAVA[run] if run else (found["quoted"] or found["other"] or "'"))
    return "".join(parts)


_RUNS = re.compile(r"'(?P<quoted>[^']*)'|(?P<run>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)")
