"""A statement that is taken out of the template fails a run, which says what to add."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipectl.options import PROJECT

pytestmark = pytest.mark.long  # a stack for each statement


def project_without(resource: str, sid: str, folder: Path) -> Path:
    """The template of a project in which a statement of a resource is missing."""
    text = (PROJECT / "template.yaml").read_text(encoding="utf-8")
    before, name, rest = text.partition(f"\n  {resource}:\n")
    own, end, after = re.split(r"(\n\n  [A-Z#])", rest, maxsplit=1)
    # Up to the next statement, or to the end of the resource.
    statement = rf"\n +(?:#[^\n]*\n +)*- Sid: {sid}\b.*?(?=\n +(?:# [^\n]*\n +)*- (?:Sid|!If)|\Z)"
    left, removed = re.subn(statement, "", own, count=1, flags=re.DOTALL)
    assert removed == 1
    for part in PROJECT.iterdir():
        if part.name != "template.yaml":
            (folder / part.name).symlink_to(part)
    template = folder / "template.yaml"
    template.write_text(before + name + left + end + after, encoding="utf-8")
    return template


@pytest.mark.parametrize(
    ("resource", "sid", "said"),
    [
        ("SummarizeRole", "ReadAndWriteReports", 'Add to SummarizeRole: {"Effect": "Allow"'),
        ("ParseCsvRole", "DistinguishMissingObjects", '"s3:ListBucket"'),
        ("PipelineStateMachineRole", "InvokeSteps", 'Add to PipelineStateMachineRole: {"Effect"'),
        ("SummarizeRole", "WriteLogs", 'Add to SummarizeRole: {"Effect": "Allow", "Action": "log'),
        ("ProcessingQueuePolicy", "AllowInputBucketEvents", "The embedded AWS can't create"),
    ],
)
def test_a_run_without_a_statement_fails_and_names_it(
    resource: str, sid: str, said: str, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    template = project_without(resource, sid, project)
    file = tmp_path / "a.csv"
    file.write_text("name,amount\na,1\n")
    process = subprocess.run(
        [sys.executable, "-m", "pipectl", "run", str(file), "--template", str(template)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert process.returncode == 1, process.stderr
    assert said in process.stderr
    assert "is not authorized to perform: " in process.stderr
