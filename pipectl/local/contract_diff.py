"""Compares two contracts: what changes, and what a change breaks.

A change breaks *files* if files or records that the old contract accepts may be refused by the new
one. It breaks the *output* if names, types or notation of what is published change, so that a
program that reads it may fail.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tabular.model import Contract, Dialect, Field
from tabular.values.canonical import canonical, physical

Breaks = Literal["files", "output"]

_WIDER: dict[str, tuple[str, ...]] = {
    "integer": ("number",),
    "year": ("integer", "number"),
}
"""Types whose notations include those of the type before the colon."""
_NOTATION = (
    *(("trim", "trim"), ("decimal_char", "decimalChar"), ("group_char", "groupChar")),
    *(("bare_number", "bareNumber"), ("list_delimiter", "delimiter")),
    ("list_item_type", "itemType"),
)
_BOUNDS = (
    ("min_length", "minLength", True),
    ("max_length", "maxLength", False),
    ("minimum", "minimum", True),
    ("maximum", "maximum", False),
    ("exclusive_minimum", "exclusiveMinimum", True),
    ("exclusive_maximum", "exclusiveMaximum", False),
)
_COMPARED_FIELD = {
    *("name", "output_name", "type", "format", "aliases", "missing_values", "constraints"),
    *("true_values", "false_values", "time_zone", *(attribute for attribute, _ in _NOTATION)),
}
_OUTPUT_SETTINGS = (
    ("output_format", "outputFormat"),
    ("record", "record"),
    ("versions", "versions"),
    ("neutralise_formulas", "neutraliseFormulas"),
)
_HARMLESS_SETTINGS = (("report_examples", "reportExamples"), ("freshness", "freshness"))
_COMPARED_CONTRACT = {
    *("fields", "fields_match", "primary_key", "unique_keys", "dialect", "encoding"),
    *("max_reject_percent", "max_reject_count", "extra_columns", "missing_columns"),
    *(attribute for attribute, _ in (*_OUTPUT_SETTINGS, *_HARMLESS_SETTINGS)),
    # It is compared as the output names of the fields.
    "output_names",
}


@dataclass(frozen=True)
class Change:
    """One difference: its place, its description, and what it breaks."""

    path: str
    message: str
    breaks: tuple[Breaks, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The change as `--json` prints it."""
        return {
            "path": self.path,
            "message": self.message,
            "breaking": bool(self.breaks),
            "breaks": list(self.breaks),
        }


def compare_contracts(old: Contract, new: Contract) -> list[Change]:
    """All differences between two contracts, those of the fields first."""
    return [
        *_compare_fields(old, new),
        *_compare_matching(old, new),
        *_compare_keys(old, new),
        *_compare_reading(old, new),
        *_compare_limits(old, new),
        *_compare_output(old, new),
    ]


def _compare_fields(old: Contract, new: Contract) -> Iterator[Change]:
    known = {field.name: field for field in old.fields}
    renamed = {
        alias: field.name
        for field in new.fields
        for alias in field.aliases
        if alias in known and field.name not in known
    }
    current = {field.name: field for field in new.fields}
    successors = set(renamed.values())
    for field in old.fields:
        path = f"fields.{field.name}"
        successor = current.get(renamed.get(field.name, field.name))
        if successor is None:
            yield _removed(path, new)
            continue
        if successor.name != field.name:
            yield Change(path, f"renamed to {successor.name!r}, and still accepted as an alias")
        yield from _compare_field(path, field, successor)
    for field in new.fields:
        if field.name not in known and field.name not in successors:
            yield _added(f"fields.{field.name}", field, new)
    shared = [field.name for field in old.fields if field.name in current]
    order = [field.name for field in new.fields if field.name in known]
    if shared != order:
        breaks: tuple[Breaks, ...] = ("files",) if new.fields_match == "exact" else ()
        yield Change("fields", "the fields are in another order", breaks)


def _removed(path: str, new: Contract) -> Change:
    if _lets_extra_pass(new):
        policy = "kept as text" if new.extra_columns == "keep" else "dropped"
        return Change(path, f"removed; the column is {policy}", ("output",))
    return Change(path, "removed; files that have the column fail", ("files", "output"))


def _added(path: str, field: Field, new: Contract) -> Change:
    is_required = field.constraints.required
    if _lets_missing_pass(new) and not is_required:
        return Change(path, f"added ({field.type}); null for files without the column")
    return Change(path, f"added ({field.type}); files without the column fail", ("files",))


def _compare_field(path: str, old: Field, new: Field) -> Iterator[Change]:
    yield from _compare_type(path, old, new)
    if old.output_name != new.output_name:
        yield Change(
            f"{path}.pipeline.outputName",
            f"the name in the output is {new.output_name!r} instead of {old.output_name!r}",
            ("output",),
        )
    gone = [alias for alias in old.aliases if alias not in (new.name, *new.aliases)]
    if gone:
        yield Change(f"{path}.pipeline.aliases", f"without {_listed(gone)}", ("files",))
    more = [alias for alias in new.aliases if alias not in (old.name, *old.aliases)]
    if more:
        yield Change(f"{path}.pipeline.aliases", f"also {_listed(more)}")
    yield from _compare_texts(f"{path}.missingValues", old.missing_values, new.missing_values)
    if old.type == new.type:
        for attribute, name in _NOTATION:
            before, after = getattr(old, attribute), getattr(new, attribute)
            if before != after:
                message = f"{_written(after)} instead of {_written(before)}"
                yield Change(f"{path}.{name}", message, ("files",))
        if old.time_zone != new.time_zone:
            message = f"{_written(new.time_zone)} instead of {_written(old.time_zone)}"
            yield Change(f"{path}.pipeline.timeZone", message, ("output",))
        yield from _compare_others(path, old, new, _COMPARED_FIELD)
        if new.type == "boolean":
            yield from _compare_texts(f"{path}.trueValues", old.true_values, new.true_values)
            yield from _compare_texts(f"{path}.falseValues", old.false_values, new.false_values)
    yield from _compare_constraints(f"{path}.constraints", old, new)


def _compare_type(path: str, old: Field, new: Field) -> Iterator[Change]:
    if old.type != new.type:
        message = f"{new.type} instead of {old.type}"
        takes_all = new.type in ("any", "string") and new.format == "default"
        if takes_all or new.type in _WIDER.get(old.type, ()):
            yield Change(f"{path}.type", f"{message}; every value still fits", ("output",))
        else:
            yield Change(f"{path}.type", message, ("files", "output"))
    elif old.format != new.format:
        looser = new.format == "default" and new.type == "string"
        breaks: tuple[Breaks, ...] = () if looser else ("files",)
        yield Change(f"{path}.format", f"{new.format} instead of {old.format}", breaks)


def _compare_texts(path: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    known, current = set(old), set(new)
    gone = [text for text in old if text not in current]
    more = [text for text in new if text not in known]
    if gone:
        yield Change(path, f"without {_listed(gone)}", ("files",))
    if more:
        yield Change(path, f"also {_listed(more)}")


def _compare_constraints(path: str, old: Field, new: Field) -> Iterator[Change]:
    before, after = old.constraints, new.constraints
    for attribute in ("required", "unique"):
        was, is_now = getattr(before, attribute), getattr(after, attribute)
        if was != is_now:
            breaks: tuple[Breaks, ...] = ("files",) if is_now else ()
            yield Change(f"{path}.{attribute}", "set" if is_now else "removed", breaks)
    if old.type == new.type:
        yield from _compare_bounds(path, old, new)
        yield from _compare_enum(path, old, new)
    if before.pattern != after.pattern:
        if after.pattern is None:
            yield Change(f"{path}.pattern", "removed")
        else:
            yield Change(f"{path}.pattern", f"{after.pattern!r}", ("files",))


def _compare_bounds(path: str, old: Field, new: Field) -> Iterator[Change]:
    for attribute, name, is_lower in _BOUNDS:
        before = getattr(old.constraints, attribute)
        after = getattr(new.constraints, attribute)
        if _same(before, after):
            continue
        if after is None:
            yield Change(f"{path}.{name}", "removed")
        elif before is None:
            yield Change(f"{path}.{name}", f"set to {_bound(new, after)}", ("files",))
        else:
            message = f"{_bound(new, after)} instead of {_bound(old, before)}"
            yield Change(
                f"{path}.{name}",
                message,
                ("files",) if _is_tighter(before, after, is_lower) else (),
            )


def _is_tighter(before: Any, after: Any, is_lower: bool) -> bool:
    """Whether a bound accepts fewer values. If the bounds can't be compared, it may, so true."""
    try:
        return bool(after > before if is_lower else after < before)
    except TypeError:
        return True


def _compare_enum(path: str, old: Field, new: Field) -> Iterator[Change]:
    before, after = old.constraints.enum, new.constraints.enum
    if before is None or after is None:
        if after is not None:
            yield Change(f"{path}.enum", f"set to {len(after)} values", ("files",))
        elif before is not None:
            yield Change(f"{path}.enum", "removed")
        return
    known, current = set(map(canonical, before)), set(map(canonical, after))
    gone = [physical(old, value) for value in before if canonical(value) not in current]
    more = [physical(new, value) for value in after if canonical(value) not in known]
    yield from _compare_texts(f"{path}.enum", gone, more)


def _compare_matching(old: Contract, new: Contract) -> Iterator[Change]:
    for name, lets_pass in (
        ("columns without a field", _lets_extra_pass),
        ("files that lack columns", _lets_missing_pass),
        ("columns in another order", lambda contract: contract.fields_match != "exact"),
    ):
        before, after = lets_pass(old), lets_pass(new)
        if before != after:
            breaks: tuple[Breaks, ...] = () if after else ("files",)
            verb = "now accepts" if after else "no longer accepts"
            yield Change("fieldsMatch", f"{verb} {name}", breaks)
    if _lets_extra_pass(old) and _lets_extra_pass(new) and old.extra_columns != new.extra_columns:
        message = f"{new.extra_columns} instead of {old.extra_columns}"
        yield Change("pipeline.extraColumns", message, ("output",))
    both = _lets_missing_pass(old) and _lets_missing_pass(new)
    if both and old.missing_columns != new.missing_columns:
        message = f"{new.missing_columns} instead of {old.missing_columns}"
        yield Change("pipeline.missingColumns", message, ("output",))


def _lets_extra_pass(contract: Contract) -> bool:
    return contract.fields_match in ("subset", "partial") or contract.extra_columns != "fail"


def _lets_missing_pass(contract: Contract) -> bool:
    return contract.fields_match in ("superset", "partial") or contract.missing_columns != "fail"


def _compare_keys(old: Contract, new: Contract) -> Iterator[Change]:
    if old.primary_key != new.primary_key:
        if not new.primary_key:
            yield Change("primaryKey", "removed")
        else:
            yield Change("primaryKey", ", ".join(new.primary_key), ("files",))
    for key in new.unique_keys:
        if key not in old.unique_keys:
            yield Change("uniqueKeys", f"also {', '.join(key)}", ("files",))
    for key in old.unique_keys:
        if key not in new.unique_keys:
            yield Change("uniqueKeys", f"without {', '.join(key)}")


def _compare_reading(old: Contract, new: Contract) -> Iterator[Change]:
    if old.encoding != new.encoding:
        message = f"{new.encoding or 'utf-8'} instead of {old.encoding or 'utf-8'}"
        if (new.encoding or "utf-8") != (old.encoding or "utf-8"):
            yield Change("encoding", message, ("files",))
    if old.dialect is None or new.dialect is None:
        if new.dialect is not None:
            yield Change("dialect", "set; it was detected for each file", ("files",))
        elif old.dialect is not None:
            yield Change("dialect", "removed; it is detected for each file", ("files",))
        return
    for setting in fields(Dialect):
        before, after = getattr(old.dialect, setting.name), getattr(new.dialect, setting.name)
        if before == after:
            continue
        name = _in_json(setting.name)
        is_looser = (name, after) in (("skipBlankRows", True), ("caseSensitiveHeader", False))
        message = f"{_written(after)} instead of {_written(before)}"
        yield Change(f"dialect.{name}", message, () if is_looser else ("files",))


def _compare_limits(old: Contract, new: Contract) -> Iterator[Change]:
    for attribute, name in (
        ("max_reject_percent", "maxRejectPercent"),
        ("max_reject_count", "maxRejectCount"),
    ):
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before == after:
            continue
        if after is None:
            yield Change(f"pipeline.{name}", "removed; the stack's limit applies", ("files",))
            continue
        unlimited = after < 0
        tighter = not unlimited and (before is None or before < 0 or after < before)
        shown = "no limit" if unlimited else f"{after:g}"
        was = "the stack's" if before is None else "no limit" if before < 0 else f"{before:g}"
        yield Change(f"pipeline.{name}", f"{shown} instead of {was}", ("files",) if tighter else ())


def _compare_output(old: Contract, new: Contract) -> Iterator[Change]:
    for attribute, name in _OUTPUT_SETTINGS:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before != after:
            message = f"{_written(after)} instead of {_written(before)}"
            yield Change(f"pipeline.{name}", message, ("output",))
    for attribute, name in _HARMLESS_SETTINGS:
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before != after:
            message = f"{_written(after)} instead of {_written(before)}"
            yield Change(f"pipeline.{name}", message)
    if old.output_names != new.output_names and not (old.fields and new.fields):
        yield Change("pipeline.outputNames", _written(new.output_names), ("output",))
    yield from _compare_others("pipeline", old, new, _COMPARED_CONTRACT)


def _compare_others(path: str, old: Any, new: Any, compared: Container[str]) -> Iterator[Change]:
    """Changes of all other properties: each of them may break files and the output."""
    for one in fields(old):
        if one.name not in compared:
            before, after = getattr(old, one.name), getattr(new, one.name)
            if before != after:
                message = f"{_written(after)} instead of {_written(before)}"
                yield Change(f"{path}.{_in_json(one.name)}", message, ("files", "output"))


def _in_json(attribute: str) -> str:
    """An attribute's name as contracts have it: `skipBlankRows` of `skip_blank_rows`."""
    head, *rest = attribute.split("_")
    return head + "".join(map(str.capitalize, rest))


def _same(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return before is after
    return canonical(before) == canonical(after)


def _bound(field: Field, value: Any) -> str:
    return str(value) if isinstance(value, int) else physical(field, value)


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - 8} more" if len(texts) > 8 else ""
    return ", ".join(map(repr, texts[:8])) + more


def _written(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else repr(value)
