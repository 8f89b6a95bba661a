"""`sam deploy --guided` gets through by Enter alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infrastructure.deployed import ROOT, template

# More than there are questions: a question that is asked again and again uses them up.
ENTERS = "\n" * 60
# Nobody listens on the discard port, so the command ends where its questions do.
NOWHERE = "http://127.0.0.1:9"


def walk(folder: Path, *options: str) -> str:
    """Answer every question by Enter; returns what was asked, as it was shown."""
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "statemachine", folder / "statemachine")
    sam = Path(sys.executable).with_name("sam")
    completed = subprocess.run(
        [sam, "deploy", "--guided", "--template", "template.yaml", *options],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nobody",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": NOWHERE,
            "AWS_MAX_ATTEMPTS": "1",
        },
        input=ENTERS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shown, error = completed.stdout, completed.stderr
    assert f'Could not connect to the endpoint URL: "{NOWHERE}' in error, (shown, error)
    return shown


def asked(shown: str) -> list[tuple[str, str]]:
    """Each parameter that was asked for, with the default that Enter takes."""
    return re.findall(r"Parameter (\w+)(?: \[([^\]]*)\])?:", shown)


@pytest.mark.parametrize(
    ("options", "given"),
    [
        pytest.param(
            ["--parameter-overrides", "NotificationEmail=me@example.com"],
            "me@example.com",
            marks=pytest.mark.slow,
        ),
        # What the section of samconfig.toml sets is the default of its question.
        pytest.param(["--config-env", "prod"], "", marks=pytest.mark.long),
    ],
    ids=["default", "prod"],
)
def test_every_parameter_is_asked_for_once_and_the_last_question_is_reached(
    tmp_path: Path, options: list[str], given: str
) -> None:
    shown = walk(tmp_path, *options)
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in template().document["Parameters"].items()
    }
    prod = {"Environment": "prod", "LogRetentionDays": "365", "TableDeletionProtection": "true"}
    expected = defaults | {"NotificationEmail": given} | (prod if "prod" in options else {})
    assert asked(shown) == list(expected.items())
    assert "Allow SAM CLI IAM role creation [Y/n]:" in shown
    assert "SAM configuration environment [" in shown
