"""`pipectl contract diff`: every kind of change, and whether it breaks files or output."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.commands.contract import command
from pipectl.local.contract_diff import _compare_others, compare_contracts
from tabular.contract.descriptor import parse_contract
from tabular.model import Constraints, Contract, Dialect, Field
from tabular.writing.output_formats import FORMATS

A = {"name": "a", "type": "integer"}
B = {"name": "b", "type": "string"}


def contract(*fields: dict[str, Any], **settings: Any) -> Any:
    schema = {"fields": list(fields)}
    for name in ("fieldsMatch", "primaryKey", "uniqueKeys", "missingValues"):
        if name in settings:
            schema[name] = settings.pop(name)
    return parse_contract({"schema": schema, **settings}, output_formats=FORMATS)


def field(**properties: Any) -> dict[str, Any]:
    return {"name": "a", "type": "integer", **properties}


def limited(**constraints: Any) -> Any:
    return contract(field(constraints=constraints))


def pipeline(**settings: Any) -> Any:
    return contract(A, pipeline=settings)


@pytest.mark.parametrize(
    ("old", "new", "path", "breaks"),
    [
        (contract(A, B), contract(A), "fields.b", ("files", "output")),
        (contract(A, B), contract(A, fieldsMatch="subset"), "fields.b", ("output",)),
        (contract(A), contract(A, B), "fields.b", ("files",)),
        (contract(A), contract(A, B, fieldsMatch="superset"), "fields.b", ()),
        (
            contract(A, fieldsMatch="superset"),
            contract(A, {**B, "constraints": {"required": True}}, fieldsMatch="superset"),
            "fields.b",
            ("files",),
        ),
        (
            contract(A),
            contract(field(name="c", pipeline={"aliases": ["a"], "outputName": "a"})),
            "fields.a",
            (),
        ),
        (contract(A, B), contract(B, A), "fields", ("files",)),
        (contract(A), contract(field(type="number")), "fields.a.type", ("output",)),
        (contract(A), contract(field(type="string")), "fields.a.type", ("output",)),
        (contract(A), contract(field(type="date")), "fields.a.type", ("files", "output")),
        (
            contract(field(type="date")),
            contract(field(type="date", format="%d.%m.%Y")),
            "fields.a.format",
            ("files",),
        ),
        (contract(A), contract(field(groupChar=",")), "fields.a.groupChar", ("files",)),
        (contract(A), contract(field(missingValues=["", "-"])), "fields.a.missingValues", ()),
        (contract(A), contract(field(missingValues=[])), "fields.a.missingValues", ("files",)),
        (
            contract(A),
            contract(field(pipeline={"outputName": "x"})),
            "fields.a.pipeline.outputName",
            ("output",),
        ),
        (
            contract(field(pipeline={"aliases": ["x"]})),
            contract(A),
            "fields.a.pipeline.aliases",
            ("files",),
        ),
        (contract(A), limited(required=True), "fields.a.constraints.required", ("files",)),
        (limited(required=True), contract(A), "fields.a.constraints.required", ()),
        (limited(minimum=1), limited(minimum=2), "fields.a.constraints.minimum", ("files",)),
        (limited(minimum=2), limited(minimum=1), "fields.a.constraints.minimum", ()),
        (limited(maximum=1), limited(maximum=2), "fields.a.constraints.maximum", ()),
        (contract(A), limited(maximum=2), "fields.a.constraints.maximum", ("files",)),
        (limited(enum=[1, 2]), limited(enum=[1, 2, 3]), "fields.a.constraints.enum", ()),
        (limited(enum=[1, 2]), limited(enum=[1]), "fields.a.constraints.enum", ("files",)),
        (
            contract({**B, "constraints": {"pattern": "a"}}),
            contract({**B, "constraints": {"pattern": "b"}}),
            "fields.b.constraints.pattern",
            ("files",),
        ),
        (contract(A), contract(A, fieldsMatch="subset"), "fieldsMatch", ()),
        (contract(A, fieldsMatch="equal"), contract(A), "fieldsMatch", ("files",)),
        (contract(A), contract(A, primaryKey=["a"]), "primaryKey", ("files",)),
        (contract(A, uniqueKeys=[["a"]]), contract(A), "uniqueKeys", ()),
        (contract(A), contract(A, encoding="cp1252"), "encoding", ("files",)),
        (contract(A), contract(A, dialect={"delimiter": ";"}), "dialect", ("files",)),
        (
            contract(A, dialect={"delimiter": ";"}),
            contract(A, dialect={"delimiter": ";", "skipBlankRows": True}),
            "dialect.skipBlankRows",
            (),
        ),
        (
            pipeline(maxRejectPercent=5),
            pipeline(maxRejectPercent=1),
            "pipeline.maxRejectPercent",
            ("files",),
        ),
        (pipeline(maxRejectCount=5), pipeline(maxRejectCount=-1), "pipeline.maxRejectCount", ()),
        (pipeline(), pipeline(outputFormat="parquet"), "pipeline.outputFormat", ("output",)),
        (pipeline(), pipeline(record="flat"), "pipeline.record", ("output",)),
    ],
)
def test_a_change_says_where_it_is_and_what_it_breaks(
    old: Any, new: Any, path: str, breaks: tuple[str, ...]
) -> None:
    found = {change.path: change for change in compare_contracts(old, new)}

    assert found[path].breaks == breaks
    assert found[path].message


def test_the_same_contract_has_no_changes() -> None:
    same = contract(field(constraints={"minimum": 1, "enum": [1, 2]}), B, primaryKey=["a"])

    assert compare_contracts(same, same) == []


def run(tmp_path: Path, old: Any, new: Any, *options: str) -> Any:
    paths = []
    for name, document in (("old.json", old), ("new.json", new)):
        (tmp_path / name).write_text(json.dumps(document))
        paths.append(str(tmp_path / name))
    return CliRunner().invoke(command, ["diff", *paths, *options])


def test_breaking_changes_come_first_and_end_with_status_1(tmp_path: Path) -> None:
    old = {"fields": [A, B]}
    new = {"fields": [field(type="number"), {**B, "constraints": {"minLength": 2}}]}
    result = run(tmp_path, old, new)

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "breaks output            fields.a.type: number instead of integer; every value still fits",
        "breaks files             fields.b.constraints.minLength: set to 2",
        "2 changes, 2 of them breaking",
    ]


def test_the_changes_as_json(tmp_path: Path) -> None:
    result = run(tmp_path, {"fields": [A]}, {"fields": [A], "fieldsMatch": "equal"}, "--json")

    assert result.exit_code == 0
    assert json.loads(result.output) == {
        "breaking": False,
        "changes": [
            {
                "path": "fieldsMatch",
                "message": "now accepts columns in another order",
                "breaking": False,
                "breaks": [],
            }
        ],
    }


def test_an_invalid_contract_has_status_1(tmp_path: Path) -> None:
    result = run(tmp_path, {"fields": [A]}, {"fields": 1})

    assert result.exit_code == 1
    assert "new.json: InvalidContract" in result.output


ANY = Field("a", "a", "integer")
WHOLE = Contract(fields=(ANY,), dialect=Dialect())
# What each attribute becomes. A new attribute of the model needs an entry, and so a rule.
OTHERS: dict[str, Any] = {
    "aliases": ("x",),
    "bare_number": False,
    "constraints": Constraints(required=True),
    "decimal_char": ",",
    "dialect": None,
    "encoding": "cp1252",
    "enum": (1,),
    "exclusive_maximum": 1,
    "exclusive_minimum": 1,
    "extra_columns": "drop",
    "false_values": ("no",),
    "fields": (Field("b", "b"),),
    "fields_match": "equal",
    "format": "any",
    "freshness": 1.0,
    "group_char": ",",
    "list_delimiter": ";",
    "list_item_type": "integer",
    "max_length": 1,
    "max_reject_count": 1,
    "max_reject_percent": 1.0,
    "maximum": 1,
    "min_length": 1,
    "minimum": 1,
    "missing_columns": "drop",
    "missing_values": ("-",),
    "name": "b",
    "neutralise_formulas": True,
    "output_format": "parquet",
    "output_name": "x",
    "pattern": "a",
    "primary_key": ("a",),
    "record": "flat",
    "report_examples": False,
    "required": True,
    "time_zone": "none",
    "trim": True,
    "true_values": ("yes",),
    "type": "string",
    "unique": True,
    "unique_keys": (("a",),),
    "versions": "all",
}


def changed(kind: type, attribute: str) -> Any:
    value = OTHERS[attribute]
    if kind is Contract:
        return replace(WHOLE, **{attribute: value})
    if kind is Constraints:
        return replace(WHOLE, fields=(replace(ANY, constraints=Constraints(**{attribute: value})),))
    return replace(WHOLE, fields=(replace(ANY, **{attribute: value}),))


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        (kind, one.name)
        for kind in (Contract, Field, Constraints)
        for one in fields(kind)
        if one.name != "output_names"
    ],
)
def test_a_change_of_any_attribute_of_a_contract_is_reported(kind: type, attribute: str) -> None:
    before: Any = WHOLE
    if attribute in ("true_values", "false_values"):
        before = replace(WHOLE, fields=(replace(ANY, type="boolean"),))
        after = replace(
            WHOLE, fields=(replace(ANY, type="boolean", **{attribute: OTHERS[attribute]}),)
        )
    else:
        after = changed(kind, attribute)

    assert compare_contracts(before, after)
    assert compare_contracts(after, after) == []


def test_an_attribute_without_a_rule_may_break_everything() -> None:
    (change,) = _compare_others("path", ANY, replace(ANY, trim=True), compared=())

    assert (change.path, change.breaks) == ("path.trim", ("files", "output"))
