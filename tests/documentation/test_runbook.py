"""The runbook has a section for every error, with commands that do what its remedy says."""

from __future__ import annotations

import re

import pytest

import starter.launch
import starter.messages
from shared.remedies import REMEDIES
from starter.app import UnstartedRecords
from tests.infrastructure.deployed import ROOT

_ERRORS = (
    (ROOT / "docs" / "runbook.md")
    .read_text("utf-8")
    .partition("\n## Errors of a file\n")[2]
    .partition("\n## Errors of AWS\n")
)
SECTIONS: dict[str, str] = dict(
    re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", _ERRORS[0], re.MULTILINE | re.DOTALL)
)


def test_the_sections_are_those_of_the_errors_in_the_order_of_the_table() -> None:
    assert list(SECTIONS) == sorted(REMEDIES)


@pytest.mark.parametrize("error", REMEDIES)
def test_a_section_says_what_the_error_means_and_has_commands(error: str) -> None:
    meaning, _, rest = SECTIONS[error].strip().partition("```bash\n")
    assert len(meaning.strip()) > 80
    assert rest.partition("```")[0].strip()


@pytest.mark.parametrize("error", REMEDIES)
def test_a_section_has_the_command_of_the_errors_remedy(error: str) -> None:
    commands = "".join(re.findall(r"```bash\n(.*?)```", SECTIONS[error], re.DOTALL))
    text = SECTIONS[error]
    if REMEDIES[error] == "upload":
        assert re.search(r"^aws s3 (cp|mv) ", commands, re.MULTILINE)
        assert "pipectl rerun" not in commands
    else:
        assert "pipectl rerun" in text or "pipectl correct" in commands


def test_every_error_of_the_starter_is_explained() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", _ERRORS[2], re.MULTILINE))
    declared = {
        name
        for module in (starter.launch, starter.messages)
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Exception)
        and kind.__module__ == module.__name__
    }
    assert named == declared | {UnstartedRecords.__name__}
