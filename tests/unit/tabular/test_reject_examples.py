"""Examples of rejected records, and the counts by rule, of whole files and of their splits."""

from __future__ import annotations

from typing import Any

from tabular.statistics.accumulator import merge, reject_counts, reject_examples
from tests.unit.tabular.engine import contract_of, run

ROWS = "id,amount,state\n" + "".join(
    f"{row},{'x' if row % 3 else row},{'new' if row % 2 else 'odd'}\n" for row in range(1, 121)
)


def contract(**settings: Any) -> Any:
    return contract_of(
        {"name": "id", "type": "integer", "constraints": {"minimum": 5, "unique": True}},
        {"name": "amount", "type": "integer", "constraints": {"minimum": 9, "maximum": 90}},
        {
            "name": "state",
            "type": "string",
            "constraints": {"enum": ["new"], "pattern": "[a-z]{3}"},
        },
        pipeline={"maxRejectPercent": 100, **settings},
    )


def test_rules_of_one_field_are_counted_one_by_one() -> None:
    result = run(ROWS.encode(), contract())
    counts = {key: count.records for key, count in reject_counts(result.part.statistics).items()}
    assert counts == {
        ("amount", "constraint-error", "maximum"): 10,
        ("amount", "constraint-error", "minimum"): 2,
        ("amount", "type-error", "type"): 80,
        ("id", "constraint-error", "minimum"): 4,
        ("state", "constraint-error", "enum"): 60,
    }


def test_an_example_has_the_rejected_record_s_place_and_text() -> None:
    result = run(ROWS.encode(), contract())
    rejects = {reject["row"]: reject for reject in result.rejects}
    for key, examples in reject_examples(result.part.statistics).items():
        broken = [
            row
            for row, reject in rejects.items()
            if any((e["field"], e["code"], e["rule"]) == key for e in reject["errors"])
        ]
        assert [example.row for example in examples] == broken[:10]
        for example in examples:
            reject = rejects[example.row]
            assert (example.line, example.raw) == (reject["line"], reject["raw"])
            assert {
                "field": key[0],
                "code": key[1],
                "rule": key[2],
                "message": example.message,
                "value": example.value,
            } in reject["errors"]


def test_blocks_and_splits_change_no_example() -> None:
    whole = run(ROWS.encode(), contract()).part.statistics
    for block_bytes in (40, 200):
        cut = run(ROWS.encode(), contract(), block_bytes=block_bytes).part.statistics
        assert cut["examples"] == whole["examples"]
        assert cut["rejects"] == whole["rejects"]
    assert merge([whole])["examples"] == whole["examples"]


def test_three_extra_cells_are_three_faults_of_one_record() -> None:
    result = run(b"a,b\n1,2,3,4,5\n1,2\n")
    assert reject_counts(result.part.statistics) == {(None, "extra-cell", None): (3, 1)}
    [example] = reject_examples(result.part.statistics)[None, "extra-cell", None]
    assert (example.row, example.value) == (1, "3")


def test_the_extra_cells_of_many_records_are_those_of_each() -> None:
    content = b'a,b\n1,2,3,4\n5,6,7\n"8",9,"x,y","z""w"\n1,2' + b",z" * 22 + b"\n"
    rejects = run(content).rejects
    assert [[fault["value"] for fault in reject["errors"]] for reject in rejects] == [
        ["3", "4"],
        ["7"],
        ["x,y", 'z"w'],
        ["z"] * 20 + [None],
    ]
    assert [reject["errors"][-1]["message"] for reject in rejects] == [
        "the row has 4 cells, the header 2: cell 4 is extra",
        "the row has 3 cells, the header 2: cell 3 is extra",
        "the row has 4 cells, the header 2: cell 4 is extra",
        "the row has 24 cells, the header 2: 2 more cells are extra",
    ]


def test_only_rows_that_are_readable_without_spaces_get_that_hint() -> None:
    rejects = run(b'a,b\nx, "y"\nx, "y"z\nx, "y", "z"\nx, "y,""z"\n').rejects
    hinted = ["skipInitialSpace" in reject["errors"][0]["message"] for reject in rejects]
    assert hinted == [True, False, False, True]


def test_without_examples_no_cell_is_kept() -> None:
    result = run(ROWS.encode(), contract(reportExamples="none"))
    examples = [one for found in reject_examples(result.part.statistics).values() for one in found]
    assert examples
    assert {(one.value, one.raw) for one in examples} == {(None, "")}


def test_a_contract_of_two_unique_keys_counts_each() -> None:
    terms = contract_of(
        {"name": "a"},
        {"name": "b"},
        uniqueKeys=[["a"], ["a", "b"]],
        pipeline={"maxRejectPercent": 100},
    )
    result = run(b"a,b\n1,2\n1,2\n1,3\n", terms)
    assert reject_counts(result.part.statistics) == {
        (None, "unique-error", "uniqueKeys[1]"): (1, 1),
        ("a", "unique-error", "uniqueKeys[0]"): (2, 2),
    }
