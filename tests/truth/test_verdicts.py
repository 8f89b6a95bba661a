from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from failure_gate.gate import error_to_raise
from shared.job import Failure
from tests.infrastructure.deployed import ROOT, template
from tests.truth.known import LOCALSTACK, MINISTACK
from tests.truth.ministack import UNCAUGHT_RULE, adapted
from tests.truth.runner import not_done, resumed
from tests.truth.scenarios import scenarios
from tests.truth.verdicts import ComparedAspect, Known, Observation, compare, problems, summary

ENGINES = (*MINISTACK, *LOCALSTACK)
RIGHT = Observation("SUCCEEDED", "", ("ParseCsv",), ("succeeded",), 0, ("succeeded",), "complete")
KNOWN = Known("no names", {"a file": {"error": "Unknown"}}, "theirs")


def _verdict(verdicts: list[ComparedAspect], shown: str) -> ComparedAspect:
    [found] = [one for one in verdicts if one.aspect == shown]
    return found


def test_what_holds_agrees() -> None:
    verdicts = compare("a file", RIGHT, RIGHT, [])

    assert {one.text for one in verdicts} == {"agrees"}
    assert list(problems(verdicts, [])) == []


def test_a_new_difference_is_a_problem() -> None:
    verdicts = compare("a file", RIGHT, replace(RIGHT, dead_letters=1), [KNOWN])

    assert _verdict(verdicts, "dead_letters").text == "NEW DIFFERENCE"
    assert list(problems(verdicts, [])) == ["a file: dead_letters must be 0, but is 1"]


def test_a_known_difference_is_named_and_no_problem() -> None:
    verdicts = compare("a file", RIGHT, replace(RIGHT, error="Unknown"), [KNOWN])

    assert _verdict(verdicts, "error").text == "known: no names"
    assert list(problems(verdicts, [KNOWN])) == []


def test_only_exactly_what_was_seen_is_known() -> None:
    other_value = compare("a file", RIGHT, replace(RIGHT, error="Other"), [KNOWN])
    other_file = compare("b file", RIGHT, replace(RIGHT, error="Unknown"), [KNOWN])

    assert _verdict(other_value, "error").text == "NEW DIFFERENCE"
    assert _verdict(other_file, "error").text == "NEW DIFFERENCE"


def test_a_known_difference_that_is_gone_is_a_problem() -> None:
    verdicts = compare("a file", RIGHT, RIGHT, [KNOWN])

    assert list(problems(verdicts, [KNOWN])) == [
        "a file: the known difference 'no names' of error does not occur any more"
    ]


def test_the_summary_counts_each_scenario_once() -> None:
    seen = {"a file": replace(RIGHT, error="Unknown"), "b file": RIGHT}
    seen["c file"] = replace(RIGHT, error="Other", dead_letters=1)
    verdicts = [one for name in seen for one in compare(name, RIGHT, seen[name], [KNOWN])]

    assert summary(verdicts) == "1 of 3 agree, 1 differ as known, 1 newly"


def test_scenarios_have_names_of_their_own_and_known_differences_name_one() -> None:
    found = list(scenarios())
    names = [one.name for one in found]
    resumed_names = [f"{one.name}: resumed" for one in found if one.resumed]

    assert len(set(names)) == len(names)
    known = {name for one in ENGINES for name in one.seen}
    assert known <= {*names, *resumed_names}


def test_the_documentation_lists_every_known_difference() -> None:
    rows = (ROOT / "docs" / "truth.md").read_text().splitlines()
    names = [row.split("|")[1].strip() for row in rows if row.startswith("|")]

    assert {one.name for one in ENGINES} <= set(names)


def test_every_target_of_resume_at_has_a_scenario() -> None:
    resume_at = _definition()["States"]["ResumeAt"]
    after = {
        one.resumed.states[one.resumed.states.index("ResumeAt") + 1]
        for one in scenarios()
        if one.resumed
    }

    assert after == {choice["Next"] for choice in resume_at["Choices"]} | {resume_at["Default"]}


def test_every_catch_has_a_scenario() -> None:
    states = _definition()["States"]
    catches = {
        (name, catch["Next"]) for name, state in states.items() for catch in state.get("Catch", [])
    }
    names = [one.name for one in scenarios()]
    passed = {pair for one in scenarios() for pair in pairwise(one.expected.states)}
    # Where a state goes on as without an error, only the scenario's name says that it fails.
    reached = {
        (name, behind)
        for name, behind in catches
        if (
            any(one.startswith(f"{name} fails") for one in names)
            if states[name]["Next"] == behind
            else (name, behind) in passed
        )
    }

    assert len(catches) > 15
    assert catches - reached == set()


def test_the_parts_of_the_lane_that_failed_are_those_of_the_gates_cause() -> None:
    failure = Failure("Bad", "no", "Summarize", 0, not_done=("dead_letter", "record"))
    gate = error_to_raise(failure)

    assert not_done(json.dumps({"errorMessage": str(gate)})) == ("dead_letter", "record")
    assert not_done("") == ()


def _definition() -> dict[str, Any]:
    path = ROOT / "statemachine" / "pipeline.asl.json"
    definition: dict[str, Any] = json.loads(path.read_text())
    return definition


def test_the_template_that_is_deployed_has_no_numbers_and_no_conditions_on_unset_keys() -> None:
    document = adapted(template().document, {})

    assert {one["Type"] for one in document["Parameters"].values()} == {"String"}
    assert "Fn::Split" not in json.dumps(document["Conditions"])
    assert "events:source" not in json.dumps(document["Resources"])
    # The permission itself is still there.
    assert "events:PutEvents" in json.dumps(document["Resources"])


def test_the_rule_that_is_disabled_is_the_one_of_the_template() -> None:
    rule = template().document["Resources"]["UncaughtRule"]["Properties"]["Name"]

    assert rule == {"Fn::Sub": UNCAUGHT_RULE.replace("-dev", "-${Environment}")}


def test_a_resumed_execution_begins_at_a_gate_that_sees_one_redrive() -> None:
    started = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    execution = {"executionArn": "arn", "name": "file", "startDate": started}

    definition = resumed(_definition(), execution)

    assert definition["StartAt"] == "FailureGate"
    payload = definition["States"]["FailureGate"]["Parameters"]["Payload"]
    assert payload["execution"]["RedriveCount"] == 1
    assert payload["execution"]["Name"] == "file"
    assert payload["execution"]["StartTime"] == "2026-11-26T00:00:00.000Z"
    assert '$$.Execution"' not in json.dumps(definition)
    assert payload["job.$"] == "$"
