"""Checks the template against checkov's rules for AWS, for `make policies`.

The template is checked as it is with every protection that its parameters offer, because checkov
does not decide conditions. Run as `python -m tests.infrastructure.policy_gate CHECKOV`; exit status
1 where anything is found.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.infrastructure import effective
from tests.infrastructure.deployed import ROOT

PROTECTED = {
    "AccessLogBucket": "access-logs",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000",
    "LogRetentionDays": "365",
    "ReservedConcurrency": "10",
    "TableDeletionProtection": "true",
    "WebhookSecret": "chat",
}
# Rule -> resources, `*` for all, and why its findings are right to be ignored. One that finds
# nothing any more is a finding.
SUPPRESSED = {
    "CKV_AWS_21": (
        ("OutputBucket",),
        "Everything in the output bucket is made again from the input bucket, which has versions."
        " Versions would keep what was erased.",
    ),
    "CKV_AWS_115": (
        ("*",),
        "Only the functions of splits run in large numbers, and these have a limit by parameter."
        " A reservation for each function would take the account's concurrency from others.",
    ),
    "CKV_AWS_116": (
        ("*",),
        "Steps are invoked synchronously: the state machine retries and sends to the dead-letter"
        " queue. Those with asynchronous invocations have a failure destination.",
    ),
    "CKV_AWS_117": (
        ("*",),
        "The functions call nothing but AWS's APIs and the webhook. A VPC would add endpoints and"
        " a NAT gateway, and protect nothing: there is no network to reach.",
    ),
    "CKV_AWS_173": (
        ("*",),
        "Environment variables have names of resources and settings. Lambda encrypts them with a"
        " key of its own; secrets are in Secrets Manager.",
    ),
}

Finding = tuple[str, str, str]
"""Rule, resource, and what the rule says."""


def unexplained(findings: Iterable[Finding]) -> list[str]:
    """The findings that are not suppressed, and the suppressions that find nothing."""
    found = list(findings)
    lines = [
        f"{rule} {resource}: {text}" for rule, resource, text in found if not _is(rule, resource)
    ]
    for rule, (resources, _) in SUPPRESSED.items():
        hit = {resource for name, resource, _ in found if name == rule}
        unused = [it for it in resources if not (hit if it == "*" else {it} & hit)]
        lines += [f"{rule} is suppressed for {it} and finds nothing" for it in unused]
    return lines


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


def _is(rule: str, resource: str) -> bool:
    resources = SUPPRESSED.get(rule, ((), ""))[0]
    return "*" in resources or resource in resources


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


def main() -> int:
    """Print every finding; returns the exit status."""
    checkov = Path(shutil.which(sys.argv[1]) or sys.argv[1])
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": effective.resources(**PROTECTED),
    }
    key = (ROOT / "key.yaml").read_text(encoding="utf-8")
    report = _run(checkov, {"template.json": json.dumps(document), "key.yaml": key})
    found = findings_of(report)
    lines = unexplained(found)
    for line in lines:
        print(line)
    print(
        f"checkov: {len(found)} findings, {len(found) - len(lines)} with a written reason.",
        file=sys.stderr,
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
