"""The gate of policy rules lets through only what has a written reason."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure import policy_gate
from tests.infrastructure.policy_gate import (
    PACKS,
    Finding,
    checked_template,
    findings_of,
    guard_findings_of,
    nag_findings_of,
    unexplained,
)
from tests.infrastructure.suppressions import SUPPRESSED

# cfn-lint is run by lint.py.
PACKS_TOOLS = [tool for tool in SUPPRESSED if tool != "cfn-lint"]
TOOLS = pytest.mark.parametrize("tool", PACKS_TOOLS)


def expected(tool: str) -> list[Finding]:
    """One finding for each suppression."""
    return [
        (rule, "StarterFunction" if name == "*" else name, "a rule")
        for rule, (names, _) in SUPPRESSED[tool].items()
        for name in names
    ]


@TOOLS
def test_suppressed_findings_are_let_through(tool: str) -> None:
    assert unexplained(tool, expected(tool)) == []


def test_a_finding_of_another_rule_or_of_another_resource_is_not() -> None:
    new = [("CKV_AWS_18", "InputBucket", "logs"), ("CKV_AWS_21", "InputBucket", "versions")]
    assert unexplained("checkov", [*expected("checkov"), *new]) == [
        "CKV_AWS_18 InputBucket: logs",
        "CKV_AWS_21 InputBucket: versions",
    ]


@TOOLS
def test_a_suppression_that_finds_nothing_any_more_is_a_finding(tool: str) -> None:
    findings = expected(tool)
    rule, resource, _ = findings[0]
    resource = "*" if SUPPRESSED[tool][rule][0] == ("*",) else resource
    assert unexplained(tool, findings[1:]) == [
        f"{rule} is suppressed for {resource} and finds nothing"
    ]


@pytest.mark.parametrize(
    ("read", "report"),
    [
        (findings_of, {"passed": 0, "failed": 0}),
        (nag_findings_of, {"rules": {}, "findings": []}),
        (nag_findings_of, {"rules": {"AwsSolutions": 40, "Serverless": 0}, "findings": []}),
        (guard_findings_of, [{"compliant": [], "not_compliant": []}]),
    ],
)
def test_a_report_of_nothing_is_an_error(read: Any, report: Any) -> None:
    with pytest.raises(ValueError, match="checked nothing"):
        read(report)


def installed(venv: Path) -> Path:
    """A folder in which both environments are complete."""
    (venv / ".checkov").touch()
    (venv / ".packs").touch()
    return venv


@pytest.mark.parametrize("program", ["node", "npm"])
def test_without_node_its_packs_are_skipped_and_checkov_is_not(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def which(name: str) -> str | None:
        return None if name == program else f"/usr/bin/{name}"

    monkeypatch.setattr(shutil, "which", which)
    found = policy_gate.tools(installed(tmp_path))
    assert callable(found["checkov"])
    assert found["cdk-nag"] == found["cfn-guard"] == policy_gate.NO_NODE


def test_what_could_not_be_installed_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_gate, "_why_no_node", lambda: None)
    assert set(policy_gate.tools(tmp_path).values()) == {policy_gate.NOT_INSTALLED}
    assert all(callable(check) for check in policy_gate.tools(installed(tmp_path)).values())


@pytest.mark.parametrize(
    ("version", "reason"), [("v12.22.9", policy_gate.OLD_NODE), ("v20.0.0", None)]
)
def test_the_packs_need_a_node_that_their_library_supports(
    version: str, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert policy_gate._why_no_node() == reason


@pytest.mark.parametrize(("required", "status"), [("", 0), ("required", 1)])
def test_a_skipped_tool_is_named_and_an_error_where_it_is_required(
    required: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POLICIES", required)
    monkeypatch.setattr(sys, "argv", ["policy_gate", str(tmp_path)])
    assert policy_gate.main() == status
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": SKIPPED, because ")[0] for line in lines] == PACKS_TOOLS


@TOOLS
def test_each_pack_is_reported_with_what_is_suppressed_and_what_is_left(tool: str) -> None:
    checked = policy_gate.ToolResult(["9 checks"], expected(tool))
    lines, explained = policy_gate.report_of(tool, checked)
    assert explained
    assert lines[0] == f"{tool}: 9 checks"
    assert lines[-1] == "  no findings without a reason"
    for rule, (names, reason) in SUPPRESSED[tool].items():
        assert f"  {rule}, {len(names)} suppressed: {reason}" in lines
    new = ("NEW_1", "InputBucket", "logs")
    lines, explained = policy_gate.report_of(tool, replace(checked, found=[*checked.found, new]))
    assert not explained
    assert lines[-2:] == ["  FOUND NEW_1 InputBucket: logs", "  1 findings without a reason"]


def test_cdk_nags_rules_are_named_without_their_pack() -> None:
    found = {"rule": "HIPAA.Security-LambdaDLQ", "resource": "NotifyFunction", "text": "No - (1)."}
    report = {"rules": {"HIPAA.Security": 9}, "findings": [found]}
    assert nag_findings_of(report) == [("LambdaDLQ", "NotifyFunction", "No")]


def test_cfn_guards_findings_name_each_resource_once() -> None:
    places = [{"from": {"path": f"/Resources/{name}/Properties"}} for name in ("B", "A", "A")]
    broken = {"Rule": {"name": "a_check", "checks": places}}
    report = [{"compliant": ["other"], "not_compliant": [broken]}]
    assert [found[:2] for found in guard_findings_of(report)] == [
        ("a_check", "A"),
        ("a_check", "B"),
    ]


@TOOLS
def test_suppressions_name_resources_that_exist_and_give_a_reason(tool: str) -> None:
    named = {name for names, _ in SUPPRESSED[tool].values() for name in names if name != "*"}
    assert named <= {*checked_template()["Resources"], "StarterFunctionQueue"}
    assert all(reason.endswith(".") for _, reason in SUPPRESSED[tool].values())


def test_the_packs_from_npm_are_pinned_with_hashes_and_without_an_address() -> None:
    locked = json.loads((PACKS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((PACKS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert locked[""]["dependencies"] == wanted
    installed = {name: it for name, it in locked.items() if name and not it.get("inBundle")}
    assert all("integrity" in it and "resolved" not in it for it in installed.values())
