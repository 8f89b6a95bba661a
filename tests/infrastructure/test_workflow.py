"""The workflow's definition: its structure, and how it fits the template and the functions."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.infrastructure import deployed, lint, workflow

FUNCTIONS = deployed.ROOT / "functions"
LAMBDA = "arn:${Partition}:states:::lambda:invoke"

State = dict[str, Any]


def _lambda_tasks() -> dict[str, State]:
    return {
        name: dict(state)
        for name, state in workflow.states(deployed.definition())
        if state.get("Resource") == LAMBDA
    }


def _function_of(task: Mapping[str, Any]) -> str:
    """The logical ID, without `Function`, that the template gives for a task's function."""
    name = task["Parameters"]["FunctionName"].strip("${}")
    given = deployed.properties(deployed.STATE_MACHINE)["DefinitionSubstitutions"][name]
    return deployed.text_of(given).removesuffix("Function.Arn")


class TestDefinition:
    def test_it_has_no_defects(self) -> None:
        assert workflow.defects(deployed.definition(), workflow.error_classes(FUNCTIONS)) == []

    def test_the_template_gives_exactly_what_it_substitutes(self) -> None:
        assert list(lint.workflow_findings()) == []

    def test_each_function_is_given_under_its_own_name(self) -> None:
        given = deployed.properties(deployed.STATE_MACHINE)["DefinitionSubstitutions"]
        functions = {name: it for name, it in given.items() if name.endswith("FunctionArn")}
        assert functions == {
            name: {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]} for name in functions
        }

    def test_the_role_may_invoke_exactly_the_functions_that_it_calls(self) -> None:
        called = {
            f"lambda:InvokeFunction {_function_of(it)}Function.Arn"
            for it in _lambda_tasks().values()
        }
        granted = deployed.grants("PipelineStateMachineRole")
        assert {it for it in granted if it.startswith("lambda:")} == called

    @pytest.mark.parametrize("name", _lambda_tasks())
    def test_a_step_is_given_up_after_its_function_has_timed_out(self, name: str) -> None:
        task = _lambda_tasks()[name]
        function = deployed.functions()[_function_of(task)]
        timeout = function["Timeout"]
        if isinstance(timeout, Mapping):
            mapping, *path = timeout["Fn::FindInMap"]
            timeout = deployed.template().document["Mappings"][mapping][path[0]][path[1]]
        assert task["TimeoutSeconds"] > timeout

    def test_paths_lead_to_fields_that_an_earlier_step_wrote(self) -> None:
        put: dict[str, set[str]] = {}
        read: list[tuple[str, str]] = []
        for _, state in workflow.states(deployed.definition()):
            name, _, part = str(state.get("ResultPath", "$")).removeprefix("$.").partition(".")
            result = state.get("ResultSelector", state.get("Parameters", {}))
            fields = {part} if part else {field.removesuffix(".$") for field in result}
            put.setdefault(name, set()).update(fields)
            read += _fields_read(state)
        wrong = [f"$.{name}.{field}" for name, field in read if field not in put.get(name, {field})]
        assert wrong == []


class TestRetries:
    def test_no_permanent_error_is_retried(self) -> None:
        retried = {
            error
            for _, state in workflow.states(deployed.definition())
            for rule in state.get("Retry", [])
            for error in rule["ErrorEquals"]
        }
        assert retried & workflow.error_classes(FUNCTIONS) == {"TransientError"}


def _seed(change: Callable[[State], object]) -> list[str]:
    definition = copy.deepcopy(deployed.definition())
    change(definition["States"])
    return workflow.defects(definition, workflow.error_classes(FUNCTIONS))


class TestSeededDefects:
    """Each of these passes at least one of cfn-lint, asl-validator and moto unseen."""

    @pytest.mark.parametrize(
        ("change", "defect"),
        [
            pytest.param(
                lambda states: states["Summarize"].update(Next="Nowhere"),
                "Summarize leads to Nowhere, which is no state of the workflow",
                id="dangling Next",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Catch"][0].update(Next="Nowhere"),
                "Summarize leads to Nowhere, which is no state of the workflow",
                id="dangling catcher",
            ),
            pytest.param(
                lambda states: states["ResumeAt"].update(Default="Nowhere"),
                "ResumeAt leads to Nowhere, which is no state of the workflow",
                id="dangling Default",
            ),
            pytest.param(
                lambda states: states.update(Forgotten={"Type": "Succeed"}),
                "Forgotten can't be reached",
                id="unreachable state",
            ),
            pytest.param(
                lambda states: states["Summarize"].pop("Next"),
                "Summarize needs exactly one of Next and End",
                id="missing Next and End",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Retry"][0].update(MaxTries=3),
                "Summarize: Retry 0 has the unknown field MaxTries",
                id="unknown field in Retry",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Retry"][0].update(BackoffRate=0.5),
                "Summarize: Retry 0: BackoffRate must be from 1 to inf",
                id="BackoffRate below 1",
            ),
            pytest.param(
                lambda states: states["Summarize"].update(ResultPath="summary"),
                "Summarize: ResultPath summary does not begin with $",
                id="ResultPath without $",
            ),
            pytest.param(
                lambda states: states["Summarize"].update(Type="Tsk"),
                "Summarize has the unknown type Tsk",
                id="unknown Type",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Catch"].append(
                    {"ErrorEquals": ["States.Timeout"], "ResultPath": "$.failure", "Next": "Done"}
                ),
                "Summarize: Catch 0: States.ALL must be alone and last",
                id="catcher after States.ALL",
            ),
            pytest.param(
                lambda states: states["Summarize"].update(TimeoutSecond=3),
                "Summarize has the field TimeoutSecond, which a Task does not know",
                id="unknown field in a state",
            ),
            pytest.param(
                lambda states: states["Summarize"].pop("TimeoutSeconds"),
                "Summarize has no TimeoutSeconds",
                id="no time limit",
            ),
            pytest.param(
                lambda states: states["Summarize"].pop("Catch"),
                "Summarize has no Catch",
                id="no Catch",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Catch"][0].pop("ResultPath"),
                "Summarize: Catch 0: without a ResultPath such as $.failure the error replaces the "
                "document",
                id="catcher that drops the document",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Retry"][0]["ErrorEquals"].append("Transient"),
                "Summarize: Retry 0 names Transient, which nothing raises",
                id="error that nobody raises",
            ),
            pytest.param(
                lambda states: states["Summarize"]["Parameters"]["Payload"].update(job="$.job"),
                "Summarize: Parameters: job would be the literal text $.job; call it job.$",
                id="path as literal text",
            ),
            pytest.param(
                lambda states: states["FailureGate"].update(Catch=states["Summarize"]["Catch"]),
                "FailureGate has a Catch, so the execution would not fail",
                id="gate that can't fail",
            ),
            pytest.param(
                lambda states: states["TransformSplits"]["ItemProcessor"]["States"][
                    "TransformSplit"
                ].update(Next="WriteOutput", End=None),
                "TransformSplit leads to WriteOutput, which is no state of TransformSplits",
                id="out of a Map",
            ),
        ],
    )
    def test_it_is_found(self, change: Callable[[State], object], defect: str) -> None:
        assert defect in _seed(change)


def _fields_read(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The `$.name.field` that a state reads: all of them but the place of its result."""
    catchers = [{**rule, "ResultPath": None} for rule in state.get("Catch", [])]
    reading = {**state, "ResultPath": None, "Catch": catchers, "ItemProcessor": None}
    return re.findall(r"(?<!\$)\$\.(\w+)\.(\w+)", json.dumps(reading))
