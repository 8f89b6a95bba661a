"""Checks the template against the rules of checkov, cdk-nag and cfn-guard, for `make lint`.

The template is checked as it is with every protection that its parameters offer, because these
tools don't decide conditions. Run as `python -m tests.infrastructure.policy_gate VENV`: the folder
in which make has installed the tools, each of which is complete once its stamp is there. A tool
that could not be installed is skipped, with a line that says why. Exit status 1 where anything is
found, or where one is skipped and the environment has POLICIES=required.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.infrastructure import effective
from tests.infrastructure.deployed import ROOT, template
from tests.infrastructure.suppressions import SUPPRESSED

PROTECTED = {
    "AccessLogBucket": "access-logs",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000",
    "LogRetentionDays": "365",
    "ReservedConcurrency": "10",
    "StartOnScanResult": "true",
    "TableDeletionProtection": "true",
    "WebhookSecret": "chat",
}
PACKS = Path(__file__).parent / "policies"

Finding = tuple[str, str, str]
"""Rule, resource, and what the rule says."""


def unexplained(tool: str, findings: Iterable[Finding]) -> list[str]:
    """A tool's findings that are not suppressed, and its suppressions that find nothing."""
    found = list(findings)
    lines = [f"{one[0]} {one[1]}: {one[2]}" for one in found if not _is_suppressed(tool, one)]
    for rule, (resources, _) in SUPPRESSED[tool].items():
        hit = {resource for name, resource, _ in found if name == rule}
        unused = [it for it in resources if not (hit if it == "*" else {it} & hit)]
        lines += [f"{rule} is suppressed for {it} and finds nothing" for it in unused]
    return lines


def _is_suppressed(tool: str, finding: Finding) -> bool:
    rule, resource, _ = finding
    resources = SUPPRESSED[tool].get(rule, ((), ""))[0]
    return "*" in resources or resource in resources


def findings_of(report: Any) -> list[Finding]:
    """The failed checks of checkov's JSON report. Raises ValueError if it checked nothing."""
    parts = report if isinstance(report, list) else [report]
    if not any(part.get("results", {}).get("passed_checks") for part in parts):
        raise ValueError("checkov has checked nothing.")
    return [
        (check["check_id"], check["resource"].rpartition(".")[2], check["check_name"])
        for part in parts
        for check in part["results"]["failed_checks"]
    ]


def _run(checkov: Path, templates: Mapping[str, str]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in templates.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        completed = subprocess.run(
            [
                *(checkov, "--directory", folder, "--framework", "cloudformation"),
                *("--output", "json", "--compact", "--skip-download"),
            ],
            # Nothing is sent or fetched; logs would be mixed into the report.
            env={**os.environ, "LOG_LEVEL": "ERROR"},
            capture_output=True,
            text=True,
            check=False,
        )
    # It ends with 1 where it finds anything.
    if completed.returncode not in (0, 1):
        raise ValueError(completed.stderr)
    return json.loads(completed.stdout)


def nag_findings_of(report: Any) -> list[Finding]:
    """The findings of cdk_nag.js. Raises ValueError if a pack checked nothing."""
    empty = [pack for pack, rules in report["rules"].items() if not rules]
    if empty or not report["rules"]:
        raise ValueError(f"cdk-nag has checked nothing: {empty}")
    return [
        (found["rule"].rpartition("-")[2], found["resource"], found["text"].partition(" - ")[0])
        for found in report["findings"]
    ]


def guard_findings_of(report: Any) -> list[Finding]:
    """The findings of cfn-guard's structured report. Raises ValueError if it checked nothing."""
    if not any(part["compliant"] for part in report):
        raise ValueError("cfn-guard has checked nothing.")
    return [
        (broken["Rule"]["name"], resource, "see Control Tower's description of the rule")
        for part in report
        for broken in part["not_compliant"]
        for resource in sorted(_resources(broken)) or ["?"]
    ]


def _resources(value: Any) -> set[str]:
    """The logical IDs in the paths of a part of cfn-guard's report."""
    if isinstance(value, Mapping):
        path = str(value.get("path"))
        own = {path.split("/")[2]} if path.startswith("/Resources/") else set()
        return own.union(*map(_resources, value.values()))
    if isinstance(value, list):
        return set().union(*map(_resources, value))
    return set()


@dataclass(frozen=True)
class ToolResult:
    """What a tool has checked, a line for each of its packs, and what it found."""

    packs: list[str]
    found: list[Finding]


def _checkov(program: Path, template: Path) -> ToolResult:
    key = (ROOT / "key.yaml").read_text(encoding="utf-8")
    templates = {"template.json": template.read_text(encoding="utf-8"), "key.yaml": key}
    report = _run(program, templates)
    parts = report if isinstance(report, list) else [report]
    passed = sum(part["summary"]["passed"] for part in parts)
    resources = sum(part["summary"]["resource_count"] for part in parts)
    found = findings_of(report)
    line = f"{passed + len(found)} checks of {resources} resources, {len(found)} findings"
    return ToolResult([line], found)


def _nag(modules: Path, template: Path) -> ToolResult:
    with tempfile.TemporaryDirectory() as folder:
        completed = subprocess.run(
            ["node", str(PACKS / "cdk_nag.js"), str(template), folder],
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            check=False,
        )
    if completed.returncode != 0:
        # Without the minified line of code that Node.js prints first.
        raise ValueError("\n".join(line[:200] for line in completed.stderr.splitlines()[1:]))
    # cdk-nag prints its own annotations first.
    report = json.loads(completed.stdout.splitlines()[-1])
    of_pack = Counter(found["rule"].rpartition("-")[0] for found in report["findings"])
    packs = [
        f"{pack}: {rules} rules apply, {of_pack[pack]} findings"
        for pack, rules in report["rules"].items()
    ]
    return ToolResult(packs, nag_findings_of(report))


def _guard(modules: Path, template: Path) -> ToolResult:
    folder = modules / "@cdklabs" / "cdk-validator-cfnguard"
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    system = "macos" if sys.platform == "darwin" else "ubuntu"
    rules = folder / "rules" / "control-tower" / "cfn-guard"
    completed = subprocess.run(
        [
            str(folder / "bin" / system / machine / "cfn-guard"),
            *("validate", "--rules", str(rules), "--data", str(template)),
            *("--structured", "--output-format", "json", "--show-summary", "none"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # It ends with 19 where it finds anything.
    if completed.returncode not in (0, 19):
        raise ValueError(completed.stderr)
    report = json.loads(completed.stdout)
    passed = sum(len(part["compliant"]) for part in report)
    broken = sum(len(part["not_compliant"]) for part in report)
    found = guard_findings_of(report)
    line = f"Control Tower: {passed + broken} rules apply, {len(found)} findings"
    return ToolResult([line], found)


def checked_template() -> dict[str, Any]:
    """The template that the tools check: conditions decided, days of retention as numbers."""
    resources = copy.deepcopy(effective.resources(**PROTECTED))
    for resource in resources.values():
        resource.pop("Condition", None)
        properties = resource.get("Properties", {})
        if "RetentionInDays" in properties:
            properties["RetentionInDays"] = int(properties["RetentionInDays"])
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": template().document["Parameters"],
        "Mappings": template().document["Mappings"],
        "Resources": resources,
    }


NO_NODE = "Node.js or npm is not installed on this machine"
# The oldest that aws-cdk-lib supports.
NODE = 20
OLD_NODE = f"Node.js on this machine is older than version {NODE}"
NOT_INSTALLED = "it could not be installed, see above; it needs a package registry"
REQUIRED = "required"


def tools(venv: Path) -> dict[str, Callable[[Path], ToolResult] | str]:
    """What each tool does with a template, or why it is skipped."""
    packs = venv / "packs" / "node_modules"
    npm = _why_no_node()
    if npm is None and not (venv / ".packs").exists():
        npm = NOT_INSTALLED
    has_checkov = (venv / ".checkov").exists()
    program = venv / "checkov" / "bin" / "checkov"
    return {
        "checkov": partial(_checkov, program) if has_checkov else NOT_INSTALLED,
        "cdk-nag": npm or partial(_nag, packs.resolve()),
        "cfn-guard": npm or partial(_guard, packs.resolve()),
    }


def _why_no_node() -> str | None:
    if not shutil.which("node") or not shutil.which("npm"):
        return NO_NODE
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return OLD_NODE if int(version.stdout.strip("v\n").split(".")[0]) < NODE else None


def report_of(tool: str, checked: ToolResult) -> tuple[list[str], bool]:
    """What to print about a tool, and whether all its findings have a reason."""
    lines = [f"{tool}: {pack}" for pack in checked.packs]
    hits = Counter(one[0] for one in checked.found if _is_suppressed(tool, one))
    for rule, (_, reason) in SUPPRESSED[tool].items():
        lines.append(f"  {rule}, {hits[rule]} suppressed: {reason}")
    left = unexplained(tool, checked.found)
    lines += [f"  FOUND {line}" for line in left]
    lines.append(f"  {len(left) or 'no'} findings without a reason")
    return lines, not left


def main() -> int:
    """Print what each tool checked, found and suppressed; returns the exit status."""
    required = os.environ.get("POLICIES") == REQUIRED
    passed = True
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        template = Path(folder) / "template.json"
        template.write_text(json.dumps(checked_template()), encoding="utf-8")
        running = {
            tool: check if isinstance(check, str) else pool.submit(check, template)
            for tool, check in tools(Path(sys.argv[1])).items()
        }
        for tool, check in running.items():
            if isinstance(check, str):
                print(f"{tool}: SKIPPED, because {check}.")
                passed = passed and not required
                continue
            lines, explained = report_of(tool, check.result())
            print(*lines, sep="\n")
            passed = passed and explained
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
