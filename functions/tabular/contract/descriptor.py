"""From a descriptor document to a `Contract`, and back.

A descriptor is a Frictionless Data Resource with its schema, or a Table Schema alone, of version
2 or 1. The pipeline's own settings are in an object named `pipeline`.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tabular.contract.dialect_descriptor import null_sequence, read_dialect
from tabular.contract.field_descriptor import read_field, read_missing_values
from tabular.contract.problems import REFUSED_REFERENCE, Node, did_you_mean, shown
from tabular.contract.settings_descriptor import with_settings
from tabular.encoding import find_encoding
from tabular.errors import InvalidContract, UnsupportedEncoding
from tabular.model import ORIGIN_NAMES, Contract, Dialect, Field, FieldsMatch, output_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SCHEMA_PROPERTIES = ("fields", "fieldsMatch", "missingValues", "primaryKey", "uniqueKeys")
_RESOURCE_PROPERTIES = ("schema", "dialect", "encoding", "pipeline")
_RESOURCE_IGNORED = (
    "$schema",
    "name",
    "type",
    "path",
    "extrapaths",
    "innerpath",
    "scheme",
    "compression",
    "title",
    "description",
    "homepage",
    "format",
    "mediatype",
    "bytes",
    "hash",
    "sources",
    "licenses",
    "profile",
    "version",
    "created",
    "keywords",
)
_SCHEMA_IGNORED = ("$schema", "name", "title", "description", "homepage", "version", "profile")
_DIALECT_NAMES = ("delimiter", "quoteChar", "escapeChar", "header", "headerRows", "commentChar")
_REFUSED_IN_SCHEMA = {
    "foreignKeys": "is not supported: this pipeline sees one file at a time; remove it",
    **REFUSED_REFERENCE,
    "dialect": 'belongs in a Data Resource: {"schema": {...}, "dialect": {...}}',
    "encoding": 'belongs in a Data Resource: {"schema": {...}, "encoding": ...}',
    **dict.fromkeys(_DIALECT_NAMES, "belongs in the dialect of a Data Resource"),
}
_REFUSED_IN_RESOURCE = {
    **REFUSED_REFERENCE,
    "data": "is not supported: a contract describes files, it does not contain data; remove it",
    **dict.fromkeys((*_SCHEMA_PROPERTIES, "foreignKeys"), 'belongs in "schema"'),
    **dict.fromkeys(_DIALECT_NAMES, 'belongs in "dialect"'),
}
_KNOWN_PROFILES = ("data-resource", "tabular-data-resource", "default", "table-schema")
_OFFICIAL_PROFILES = ("https://datapackage.org/profiles/", "https://specs.frictionlessdata.io/")
_FILE_FORMATS = ("csv", "tsv", "txt")
_COMPRESSIONS = ("gz", "no", "zip")
_FIELDS_MATCH = ("exact", "equal", "subset", "superset", "partial")
_LISTED_PROBLEMS = 50
"""Maximum number of problems in a message: it travels in a state document of at most 256 KiB."""


def read_contract(data: bytes, *, output_formats: Collection[str]) -> Contract:
    """Make a contract from the bytes of its JSON document (UTF-8).

    `output_formats` are the names that `outputFormat` may have.

    Raises InvalidContract, which lists every problem with the property's path.
    """
    problems: list[tuple[str, str]] = []

    def collect(members: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [name for name, count in Counter(name for name, _ in members).items() if count > 1]
        problems.extend((name, "occurs more than once in the same object") for name in twice)
        return dict(members)

    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text, parse_float=Decimal, object_pairs_hook=collect)
        halves = list(_half_characters(document))
    except UnicodeDecodeError as error:
        _refuse([("(document)", f"expected UTF-8, found another byte at offset {error.start}")])
    except (ValueError, RecursionError) as error:
        _refuse([("(document)", f"expected JSON: {error}")])
    problem = "contains half of a surrogate pair, which is not a character"
    problems += [(path or "(document)", problem) for path in halves]
    if problems:
        _refuse(problems)
    return parse_contract(document, output_formats=output_formats)


def _half_characters(value: Any, path: str = "") -> Iterator[str]:
    r"""Paths of texts with a lone surrogate, which JSON can escape (`\ud83d`) but UTF-8 lacks."""
    match value:
        case str():
            if any("\ud800" <= character <= "\udfff" for character in value):
                yield path
        case list():
            for index, item in enumerate(value):
                yield from _half_characters(item, f"{path}[{index}]")
        case dict():
            for name, item in value.items():
                yield from _half_characters(name, path)
                yield from _half_characters(item, f"{path}.{name}" if path else name)


def parse_contract(
    document: Mapping[str, Any], *, output_formats: Collection[str] = ()
) -> Contract:
    """Make a contract from a descriptor: a Data Resource, or a Table Schema alone.

    `output_formats` are the names that `outputFormat` may have; without any, it may have none.

    Raises InvalidContract, which lists every problem with the property's path.
    """
    if not isinstance(document, dict):
        _refuse([("(document)", f"expected an object, found {shown(document)}")])
    root = Node(document)
    read = _read_resource if _is_resource(document) else _read_bare_schema
    contract = read(root, output_formats)
    if root.problems:
        _refuse(root.problems)
    return contract


def _refuse(problems: list[tuple[str, str]]) -> NoReturn:
    listed = [f"{path}: {message}" for path, message in problems[:_LISTED_PROBLEMS]]
    more = len(problems) - _LISTED_PROBLEMS
    if more > 0:
        listed.append(f"and {more} more")
    raise InvalidContract("; ".join(listed), problems=problems)


def _is_resource(document: Mapping[str, Any]) -> bool:
    return "fields" not in document or "schema" in document


def _read_resource(root: Node, output_formats: Collection[str]) -> Contract:
    if "resources" in root.properties:
        root.wrong("resources", "this is a Data Package; a contract is one of its resources")
        return Contract(fields=())
    root.check_names(_RESOURCE_PROPERTIES, refused=_REFUSED_IN_RESOURCE, ignored=_RESOURCE_IGNORED)
    _check_kind(root)
    dialect, more_missing = _read_dialect(root)
    if _has_no_schema(root):
        contract = _read_settings_alone(root, dialect, more_missing, output_formats)
        return replace(contract, dialect=dialect, encoding=_read_encoding(root))
    schema = _schema_of(root)
    if schema.has("pipeline") and root.has("pipeline"):
        schema.wrong("pipeline", "is next to the schema as well; keep one of them")
    settings = root if root.has("pipeline") else schema
    contract = with_settings(
        _read_schema(schema, more_missing), settings.child("pipeline"), output_formats
    )
    contract = _with_output_names(schema, contract)
    encoding = _read_encoding(root)
    if dialect is not None:
        _check_names_without_case(schema, contract, dialect)
        _check_encodable(root.child("dialect"), dialect, encoding or "utf-8")
    return replace(contract, dialect=dialect, encoding=encoding)


def _has_no_schema(root: Node) -> bool:
    """Whether the contract leaves the schema out on purpose, and not by a typing error."""
    return "schema" not in root.properties and not _slip_of_schema(root)


def _slip_of_schema(root: Node) -> str:
    known = ("schema", "fields")
    slips = (did_you_mean(name, known) for name in root.properties if name not in known)
    return next(filter(None, slips), "")


def _read_settings_alone(
    root: Node,
    dialect: Dialect | None,
    more_missing: tuple[str, ...],
    output_formats: Collection[str],
) -> Contract:
    """Read a contract without a schema: the reference's rules, with the settings that are given.

    It has no fields; those of a file are its header's (`reference_contract`).
    """
    if dialect is not None and not dialect.header:
        root.wrong("schema", "is needed where files have no header: nothing else names the columns")
    if more_missing:
        root.wrong("schema", "is needed beside nullSequence, which is a rule for its fields")
    return with_settings(Contract(fields=()), root.child("pipeline"), output_formats)


def _check_names_without_case(schema: Node, contract: Contract, dialect: Dialect) -> None:
    """Note names that differ only in case, if the case of headers does not matter."""
    if dialect.case_sensitive_header:
        return
    first: dict[str, int] = {}
    for index, field in enumerate(contract.fields):
        other = first.setdefault(field.name.casefold(), index)
        if other != index and field.name != contract.fields[other].name:
            path = f"fields[{index}].name"
            schema.wrong(
                path, f"differs only in case from that of fields[{other}]: caseSensitiveHeader"
            )
    for index, field in enumerate(contract.fields):
        for alias in field.aliases:
            other = first.setdefault(alias.casefold(), index)
            if other != index:
                path = f"fields[{index}].pipeline.aliases"
                message = (
                    f"{shown(alias)} differs only in case from a name or alias of fields[{other}]"
                )
                schema.wrong(path, f"{message}: caseSensitiveHeader")


def _check_encodable(node: Node, dialect: Dialect, encoding: str) -> None:
    """Note characters of the dialect that the encoding does not have."""
    characters = {
        "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char,
        "escapeChar": dialect.escape_char,
        "commentChar": dialect.comment_char,
    }
    for name, character in characters.items():
        try:
            (character or "").encode(encoding)
        except UnicodeEncodeError:
            node.wrong(name, f"expected text that {encoding} has, found {shown(character)}")


def _schema_of(root: Node) -> Node:
    schema = root.properties.get("schema")
    if isinstance(schema, str):
        root.wrong("schema", "is a path or an address, which is not followed; put the schema here")
    elif schema is None:
        hint = _slip_of_schema(root)
        root.wrong("schema", f"expected a Table Schema with its fields, found nothing{hint}")
    else:
        return root.child("schema")
    # Its fields can't be checked.
    return Node({"fields": [{"name": "unknown"}]})


def _read_bare_schema(root: Node, output_formats: Collection[str]) -> Contract:
    contract = with_settings(_read_schema(root, ()), root.child("pipeline"), output_formats)
    return _with_output_names(root, contract)


def _check_kind(root: Node) -> None:
    """Note properties by which the resource is not CSV, or follows rules that are not checked."""
    _check_profile(root)
    kind = root.properties.get("type")
    if kind not in (None, "table"):
        root.wrong("type", f"expected table, found {shown(kind)}")
    file_format = root.properties.get("format")
    if file_format is not None and str(file_format).lower() not in _FILE_FORMATS:
        root.wrong("format", f"expected {', '.join(_FILE_FORMATS)}, found {shown(file_format)}")
    root.choice("compression", _COMPRESSIONS, "no")


def _check_profile(node: Node) -> None:
    for name in ("profile", "$schema"):
        profile = node.properties.get(name)
        known = profile in _KNOWN_PROFILES or str(profile).startswith(_OFFICIAL_PROFILES)
        if profile is not None and not known:
            node.wrong(name, f"is not supported: custom profiles are not checked: {shown(profile)}")


def _read_dialect(root: Node) -> tuple[Dialect | None, tuple[str, ...]]:
    if not root.has("dialect"):
        return None, ()
    if isinstance(root.properties["dialect"], str):
        root.wrong("dialect", "is a path or an address, which is not followed; put it here")
        return None, ()
    node = root.child("dialect")
    _check_profile(node)
    return read_dialect(node), null_sequence(node)


def _read_encoding(root: Node) -> str | None:
    if not root.has("encoding"):
        return None
    name = root.text("encoding", "utf-8")
    try:
        info = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        root.wrong("encoding", f"expected a text encoding such as utf-8 or cp1252, found {name!r}")
        return None
    if not _has_readable_structure(info.name):
        root.wrong(
            "encoding",
            f"is not supported: the line ends and delimiters of {name} are not plain bytes; "
            "convert the files to UTF-8",
        )
        return None
    return info.name


def _has_readable_structure(encoding: str) -> bool:
    """Whether files in the encoding can be cut into lines and cells."""
    if encoding in ("utf-16", "utf-32"):
        return True  # a file's byte order mark says the rest
    try:
        find_encoding(encoding)
        # Codecs that are not for files, such as idna, fail this test.
        bytes(range(256)).decode(encoding, "replace")
    except (UnsupportedEncoding, UnicodeError):
        return False
    return True


def _read_schema(schema: Node, more_missing: tuple[str, ...]) -> Contract:
    properties = (*_SCHEMA_PROPERTIES, "pipeline")
    schema.check_names(properties, refused=_REFUSED_IN_SCHEMA, ignored=_SCHEMA_IGNORED)
    _check_profile(schema)
    missing = read_missing_values(schema, ("",))
    fields = [
        _with_missing(read_field(node, missing), more_missing) for node in schema.children("fields")
    ]
    if not fields and isinstance(schema.properties.get("fields"), list):
        schema.wrong("fields", "expected at least one field")
    _check_unique_names(schema, fields)
    primary_key = _read_key(schema, "primaryKey", fields)
    keys = frozenset(primary_key)
    return Contract(
        fields=tuple(_required(field) if field.name in keys else field for field in fields),
        fields_match=_read_fields_match(schema),
        primary_key=primary_key,
        unique_keys=_read_unique_keys(schema, fields),
    )


def _with_missing(field: Field, more: tuple[str, ...]) -> Field:
    added = tuple(text for text in more if text not in field.missing_values)
    return replace(field, missing_values=field.missing_values + added)


def _required(field: Field) -> Field:
    """A field of the primary key is required, as in SQL (Table Schema v2, `primaryKey`)."""
    return replace(field, constraints=replace(field.constraints, required=True))


def _check_unique_names(schema: Node, fields: list[Field]) -> None:
    seen: dict[str, int] = {}
    for index, field in enumerate(fields):
        first = seen.setdefault(field.name, index)
        if first != index:
            schema.wrong(f"fields[{index}].name", f"is the same as that of fields[{first}]")
    for index, field in enumerate(fields):
        for alias in field.aliases:
            first = seen.setdefault(alias, index)
            if first != index or alias == field.name:
                path = f"fields[{index}].pipeline.aliases"
                schema.wrong(path, f"{shown(alias)} is a name or alias of fields[{first}]")


def _with_output_names(schema: Node, contract: Contract) -> Contract:
    """Name the fields in the output; names that are reserved or occur twice are noted."""
    fields: list[Field] = []
    first: dict[str, int] = {}
    for index, field in enumerate(contract.fields):
        name = field.output_name or output_name(field.name, contract.output_names)
        explicit = bool(field.output_name)
        path = f"fields[{index}]." + ("pipeline.outputName" if explicit else "name")
        other = first.setdefault(name, index)
        if field.name and not name:
            schema.wrong(path, "is blank; give the column a name in the output: outputName")
        elif name in ORIGIN_NAMES:
            schema.wrong(
                path, f"{name!r} is reserved for a column of the pipeline; set another outputName"
            )
        elif other != index and field.name != contract.fields[other].name:
            schema.wrong(path, _same_output_name(name, other, explicit=explicit))
        fields.append(replace(field, output_name=name))
    return replace(contract, fields=tuple(fields))


def _same_output_name(name: str, other: int, *, explicit: bool) -> str:
    problem = f"gives the output name {name!r}, which fields[{other}] has too"
    if explicit:
        return problem
    return f'{problem}; set outputName, or "outputNames": "original" in the pipeline settings'


def _read_fields_match(schema: Node) -> FieldsMatch:
    value = schema.properties.get("fieldsMatch")
    if isinstance(value, list) and len(value) == 1:
        # The first profile of version 2 asked for a list, against the text of the standard.
        schema = Node({"fieldsMatch": value[0]}, schema.path, schema.problems)
    return cast("FieldsMatch", schema.choice("fieldsMatch", _FIELDS_MATCH, "exact"))


def _read_unique_keys(schema: Node, fields: list[Field]) -> tuple[tuple[str, ...], ...]:
    keys = schema.properties.get("uniqueKeys")
    if keys is None:
        return ()
    if not isinstance(keys, list) or not all(isinstance(key, list) and key for key in keys):
        schema.wrong("uniqueKeys", f"expected a list of lists of field names, found {shown(keys)}")
        return ()
    nodes = {f"uniqueKeys[{index}]": key for index, key in enumerate(keys)}
    read = Node(nodes, schema.path, schema.problems)
    return tuple(_read_key(read, name, fields) for name in nodes)


def _read_key(schema: Node, name: str, fields: list[Field]) -> tuple[str, ...]:
    """Read the names of a key's fields; version 1 also writes a single name without a list."""
    value = schema.properties.get(name)
    if isinstance(value, str):
        schema = Node({name: [value]}, schema.path, schema.problems)
    key = schema.texts(name) or ()
    known = {field.name for field in fields}
    for part in key:
        if part not in known:
            schema.wrong(name, f"expected names of fields, found {shown(part)}")
    return key
