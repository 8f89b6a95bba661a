"""One field of a Table Schema descriptor: from document to `Field`."""

from __future__ import annotations

import typing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tabular.contract.problems import REFUSED_REFERENCE, Node, did_you_mean, shown
from tabular.model import Constraints, Field, TimeZone
from tabular.values.canonical import canonical, physical
from tabular.values.cells import cast, expected, reader
from tabular.values.dates import names_year, names_zone, read_moment
from tabular.values.patterns import compile_pattern
from tabular.values.string_formats import STRING_FORMATS

_TEMPORAL = ("date", "datetime", "time")
_TIME_ZONES = ("utc", "none")
_LENGTHS = ("minLength", "maxLength")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_EVERY_TYPE = ("required", "unique", "enum")
_CONSTRAINTS: dict[str, tuple[str, ...]] = {
    "string": (*_EVERY_TYPE, *_LENGTHS, "pattern"),
    "number": (*_EVERY_TYPE, *_BOUNDS),
    "integer": (*_EVERY_TYPE, *_BOUNDS),
    "boolean": _EVERY_TYPE,
    "object": (*_EVERY_TYPE, *_LENGTHS),
    "array": (*_EVERY_TYPE, *_LENGTHS),
    "list": (*_EVERY_TYPE, *_LENGTHS),
    "date": (*_EVERY_TYPE, *_BOUNDS),
    "datetime": (*_EVERY_TYPE, *_BOUNDS),
    "time": (*_EVERY_TYPE, *_BOUNDS),
    "year": (*_EVERY_TYPE, *_BOUNDS),
    "yearmonth": (*_EVERY_TYPE, *_BOUNDS),
    "duration": (*_EVERY_TYPE, *_BOUNDS),
    "geopoint": _EVERY_TYPE,
    "any": _EVERY_TYPE,
}
_ALL_CONSTRAINTS = (*_EVERY_TYPE, *_LENGTHS, *_BOUNDS, "pattern")
_FORMATS: dict[str, tuple[str, ...]] = {
    "string": ("default", *STRING_FORMATS),
    "geopoint": ("default", "array", "object"),
    **dict.fromkeys(_TEMPORAL, ("default", "any")),
}
_TYPE_PROPERTIES: dict[str, tuple[str, ...]] = {
    "number": ("decimalChar", "groupChar", "bareNumber"),
    "integer": ("groupChar", "bareNumber", "categories", "categoriesOrdered"),
    "boolean": ("trueValues", "falseValues"),
    "list": ("delimiter", "itemType"),
    "string": ("categories", "categoriesOrdered"),
}
_ITEM_TYPES = ("string", "integer", "boolean", "number", "datetime", "date", "time")
_COMMON_PROPERTIES = ("name", "type", "format", "constraints", "missingValues", "pipeline")
_IGNORED = ("title", "description", "example", "examples", "rdfType", "floatNumber")
_REFUSED = {
    **REFUSED_REFERENCE,
    **{name: f'belongs in "constraints": {{"{name}": ...}}' for name in _ALL_CONSTRAINTS},
    **{
        name: f"applies to {' and '.join(kinds)} fields only"
        for name, kinds in {
            name: [kind for kind, names in _TYPE_PROPERTIES.items() if name in names]
            for names in _TYPE_PROPERTIES.values()
            for name in names
        }.items()
    },
    "arrayItem": "is not supported: the items of an array are not checked; use type list",
    "outputName": 'belongs in "pipeline": {"outputName": ...}',
    "trim": 'belongs in "pipeline": {"trim": ...}',
    "aliases": 'belongs in "pipeline": {"aliases": [...]}',
}
_REFUSED_CONSTRAINTS = {
    **REFUSED_REFERENCE,
    "jsonSchema": "is not supported: this pipeline does not check JSON Schema; remove it",
}
_NUMERAL_CHARACTERS = frozenset("0123456789+-eE")
_SAMPLE = datetime(2024, 1, 31, 15, 30, 59, 123456, tzinfo=UTC)


def read_field(node: Node, schema_missing: tuple[str, ...]) -> Field:
    """Make a field from its descriptor; errors are noted in the node's problems.

    `schema_missing` are the schema's missing values, which the field's own replace. The output name
    is empty unless the descriptor gives one: the default depends on the contract.
    """
    name = node.text("name", "")
    if not node.has("name"):
        node.wrong("name", "expected the name of a column, found nothing")
    elif "\0" in name:
        node.wrong("name", "has a NUL character, which no column's name can have")
    kind = _read_type(node)
    if kind is None:
        # Which other properties are valid depends on the type.
        return Field(name=name, output_name="")
    properties = (*_COMMON_PROPERTIES, *_TYPE_PROPERTIES.get(kind, ()))
    node.check_names(properties, refused=_REFUSED, ignored=_IGNORED)
    settings = node.child("pipeline")
    more = ("timeZone",) if kind == "datetime" else ()
    settings.check_names(("outputName", "trim", "aliases", *more), refused={}, strict=True)
    field = Field(
        name=name,
        output_name=settings.text("outputName", ""),
        type=kind,
        format=_read_format(node, kind),
        aliases=settings.texts("aliases") or (),
        missing_values=read_missing_values(node, schema_missing),
        trim=settings.flag("trim", default=False),
    )
    if kind == "datetime":
        field = replace(field, time_zone=_read_time_zone(settings, field.format))
    field = _READ_PROPERTIES.get(kind, _nothing_more)(node, field)
    return replace(field, constraints=_read_constraints(node, field))


def read_missing_values(node: Node, default: tuple[str, ...]) -> tuple[str, ...]:
    """Read `missingValues`: texts, or objects with the text as `value` and maybe a `label`."""
    values = node.properties.get("missingValues")
    if isinstance(values, list) and any(isinstance(item, dict) for item in values):
        # An empty text is a valid value, which `text` would refuse.
        objects = node.children("missingValues")
        node = Node(
            {"missingValues": [item.properties.get("value") for item in objects]},
            node.path,
            node.problems,
        )
    texts = node.texts("missingValues")
    return default if texts is None else texts


def _read_type(node: Node) -> str | None:
    """Read the type; None where it is wrong."""
    if not node.has("type"):
        return "any"
    if node.properties["type"] == "geojson":
        node.wrong(
            "type",
            "geojson is not supported: use type object, which only checks that a value is JSON",
        )
        return None
    return node.choice("type", _CONSTRAINTS, "") or None


def _read_format(node: Node, kind: str) -> str:
    text = node.text("format", "default").removeprefix("fmt:")
    if kind in _TEMPORAL and text not in ("default", "any"):
        problem = _pattern_problem(kind, text)
        if problem:
            node.wrong("format", problem)
        return "default" if problem else text
    formats = _FORMATS.get(kind, ("default",))
    if text not in formats:
        hint = did_you_mean(text, formats)
        listed = ", ".join(formats)
        node.wrong("format", f"expected one of {listed} for {kind}, found {shown(text)}{hint}")
        return "default"
    return text


def _read_time_zone(settings: Node, form: str) -> TimeZone:
    """Read whether values have a time zone; it must not contradict the format."""
    if form in ("default", "any"):
        return typing.cast("TimeZone", settings.choice("timeZone", _TIME_ZONES, "utc"))
    stated: TimeZone = "utc" if names_zone(form) else "none"
    chosen = settings.choice("timeZone", _TIME_ZONES, stated)
    if chosen != stated:
        what = "has a time zone (%z)" if stated == "utc" else "has no time zone (%z)"
        settings.wrong("timeZone", f"expected {stated}, found {shown(chosen)}: the format {what}")
    return stated


def _pattern_problem(kind: str, pattern: str) -> str | None:
    """The error in a strptime pattern: a time that it has written must read back unchanged."""
    if "%" not in pattern:
        return f"expected default, any or a strptime pattern such as %d/%m/%Y, found {pattern!r}"
    try:
        read_moment(_SAMPLE.strftime(pattern), pattern)
    except ValueError as error:
        return f"{pattern!r} is not a strptime pattern: {error}"
    if kind != "time" and not names_year(pattern):
        return f"{pattern!r} has no year (%Y or %y), so it can't give a {kind}"
    return None


def _nothing_more(_: Node, field: Field) -> Field:
    return field


def _read_number(node: Node, field: Field) -> Field:
    field = replace(
        field,
        decimal_char=node.character("decimalChar", may_be_empty=False) or field.decimal_char,
        group_char=node.character("groupChar"),
        bare_number=node.flag("bareNumber", default=True),
    )
    for name, character in (("decimalChar", field.decimal_char), ("groupChar", field.group_char)):
        if character in _NUMERAL_CHARACTERS:
            node.wrong(name, f"expected a character that numbers do not have, found {character!r}")
    if field.type == "number" and field.decimal_char == field.group_char:
        node.wrong("groupChar", f"expected another character than decimalChar {field.group_char!r}")
    return field


def _read_boolean(node: Node, field: Field) -> Field:
    true_values, false_values = node.texts("trueValues"), node.texts("falseValues")
    for name, values in (("trueValues", true_values), ("falseValues", false_values)):
        if values == ():
            node.wrong(name, "expected at least one text")
    field = replace(
        field,
        true_values=true_values or field.true_values,
        false_values=false_values or field.false_values,
    )
    both = set(field.true_values) & set(field.false_values)
    if both:
        node.wrong("falseValues", f"expected none of trueValues, found {', '.join(sorted(both))}")
    return field


def _read_list(node: Node, field: Field) -> Field:
    return replace(
        field,
        list_delimiter=node.text("delimiter", field.list_delimiter),
        list_item_type=node.choice("itemType", _ITEM_TYPES, field.list_item_type),
    )


_READ_PROPERTIES = {
    "number": _read_number,
    "integer": _read_number,
    "boolean": _read_boolean,
    "list": _read_list,
}


def _read_constraints(node: Node, field: Field) -> Constraints:
    rules = node.child("constraints")
    fitting = _CONSTRAINTS[field.type]
    misfits = {
        name: f"does not apply to type {field.type}, which takes {', '.join(fitting)}"
        for name in _ALL_CONSTRAINTS
    }
    rules.check_names(fitting, refused=_REFUSED_CONSTRAINTS | misfits)
    constraints = Constraints(
        required=rules.flag("required", default=False),
        unique=rules.flag("unique", default=False),
        min_length=rules.integer("minLength", lowest=0) if "minLength" in fitting else None,
        max_length=rules.integer("maxLength", lowest=0) if "maxLength" in fitting else None,
        minimum=_read_bound(rules, "minimum", field),
        maximum=_read_bound(rules, "maximum", field),
        exclusive_minimum=_read_bound(rules, "exclusiveMinimum", field),
        exclusive_maximum=_read_bound(rules, "exclusiveMaximum", field),
        pattern=_read_pattern(rules) if "pattern" in fitting else None,
        enum=_read_enum(node, rules, field),
    )
    _check_range(rules, constraints, field)
    return constraints


def _read_bound(rules: Node, name: str, field: Field) -> Any:
    if name not in _CONSTRAINTS[field.type] or not rules.has(name):
        return None
    value = _cast_constraint(rules, name, rules.properties[name], field)
    if isinstance(value, Decimal) and value.is_nan():
        rules.wrong(name, "expected a number to compare with, found NaN")
        return None
    return value


def _read_pattern(rules: Node) -> str | None:
    if not rules.has("pattern"):
        return None
    pattern = rules.text("pattern", "")
    try:
        compile_pattern(pattern)
    except ValueError as error:
        rules.wrong("pattern", f"expected a regular expression: {error}")
        return None
    return pattern


def _read_enum(node: Node, rules: Node, field: Field) -> tuple[Any, ...] | None:
    """Read `enum`, or otherwise `categories`; both allow only the listed values."""
    values = _cast_all(rules, "enum", rules.properties.get("enum"), field)
    categories = None
    if "categories" in _TYPE_PROPERTIES.get(field.type, ()):
        categories = _cast_all(node, "categories", _category_values(node), field)
    if values is None or categories is None:
        return values or categories
    known = {canonical(item) for item in categories}
    if not all(canonical(item) in known for item in values):
        rules.wrong("enum", "expected values that are among the categories of the field")
    return values


def _category_values(node: Node) -> Any:
    categories = node.properties.get("categories")
    if not isinstance(categories, list):
        return categories
    return [item.get("value") if isinstance(item, dict) else item for item in categories]


def _cast_all(node: Node, name: str, values: Any, field: Field) -> tuple[Any, ...] | None:
    if values is None:
        return None
    if not isinstance(values, list) or not values:
        node.wrong(name, f"expected a list of at least one value, found {shown(values)}")
        return None
    known = len(node.problems)
    cast_values = tuple(
        _cast_constraint(node, f"{name}[{index}]", value, field)
        for index, value in enumerate(values)
    )
    return cast_values if len(node.problems) == known else None


def _cast_constraint(node: Node, name: str, value: Any, field: Field) -> Any:
    """Cast a value of a constraint by the field's type; it may be written as text or as JSON."""
    text = _written_as_cell(value, field)
    try:
        if text is None:
            raise ValueError
        return cast(field, text)
    except ValueError:
        node.wrong(name, f"expected {expected(field)}, found {shown(value)}")
        return None


def _written_as_cell(value: Any, field: Field) -> str | None:
    """Write a value of the descriptor as a cell has it; None if no cell could have it."""
    match value:
        case str():
            return value
        case bool():
            return physical(field, value) if field.type == "boolean" else None
        case int() | float() | Decimal() if field.type in ("number", "integer", "year"):
            return _number_as_cell(Decimal(str(value)), field)
        case list() if field.type == "list":
            return physical(field, value)
        case list() | dict() if field.type in ("array", "object", "geopoint"):
            return physical(_JSON_FIELD, value)
    return None


def _number_as_cell(number: Decimal, field: Field) -> str | None:
    if field.type == "number":
        return physical(field, number)
    if not number.is_finite() or number.adjusted() > _INTEGER_DIGITS:
        return None
    # Not by `% 1`, which the decimal context's 28 digits would limit.
    if number != number.to_integral_value():
        return None
    return physical(field, int(number))


def _check_range(rules: Node, constraints: Constraints, field: Field) -> None:
    """Report bounds between which there is no value."""
    low, high = constraints.min_length, constraints.max_length
    if low is not None and high is not None and low > high:
        rules.wrong("minLength", f"is above maxLength {high}: no value could pass")
    for name, least in (
        ("minimum", Constraints(minimum=constraints.minimum)),
        ("exclusiveMinimum", Constraints(exclusive_minimum=constraints.exclusive_minimum)),
    ):
        passes = reader(replace(field, missing_values=(), constraints=least))
        for most in (constraints.maximum, constraints.exclusive_maximum):
            if most is not None and passes(physical(field, most)).faults:
                most_text = physical(field, most)
                rules.wrong(name, f"is above the maximum {most_text}: no value could pass")


_JSON_FIELD = Field("", "", "object")
_INTEGER_DIGITS = 4000
"""A bound of an integer field that is written as a JSON number has at most this many digits."""
