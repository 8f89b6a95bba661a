"""The project's own machinery: Makefile, requirement files, and texts that no file may contain."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from pipectl.embedded.template import translate
from tests.infrastructure.deployed import ROOT

REQUIREMENTS = [
    *sorted(ROOT.glob("requirements/*.txt")),
    ROOT / "functions" / "requirements.txt",
    ROOT / "layers" / "engine" / "requirements.txt",
]
TARGETS = [
    "demo",
    "test",
    "test-long",
    "lint",
    "types",
    "format",
    "build",
    "bench",
    "lock",
    "clean",
]
# Folders of one machine, and addresses of package indexes: each would be wrong elsewhere.
FOREIGN = re.compile(
    r"(?:^|[\s\"'=(])/(?:work|root|home/\w+|Users/\w+)/"
    r"|--(?:extra-)?index-url|--find-links |pypi\.org/simple|pythonhosted\.org",
    re.MULTILINE,
)
_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def _pins(path: object) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / str(path)).read_text(encoding="utf-8")))


def test_make_help_lists_every_target_with_its_own_comment() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", printed, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(listed) == set(phony.group(1).split())
    assert set(TARGETS) <= set(listed)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(path: object) -> None:
    lines = (ROOT / str(path)).read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and line[0] not in " #"]
    assert entries
    assert [line for line in entries if "==" not in line or not line.endswith("\\")] == []


def test_a_package_has_the_same_version_wherever_it_is_installed() -> None:
    development = _pins("requirements/dev.txt")
    # checkov and the engines of `make truth` have environments of their own.
    own = {"checkov.txt", "dev.txt", "localstack.txt", "ministack.txt", "uv.txt"}
    others = [_pins(path) for path in REQUIREMENTS if path.name not in own]
    different = [
        name
        for pins in others
        for name, version in pins.items()
        if development.get(name, version) != version
    ]
    assert different == []


def test_what_is_packaged_is_what_the_project_runs_on() -> None:
    run = _pins("requirements/run.txt")
    packaged = _pins("functions/requirements.txt") | _pins("layers/engine/requirements.txt")
    assert packaged.items() <= run.items()


def test_every_section_of_the_deploy_settings_has_a_stack_and_an_environment_of_its_own() -> None:
    """Two sections with the same Environment would be two stacks with the same resource names."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    sections = {name: section for name, section in config.items() if name != "version"}
    deploy = {name: section["deploy"]["parameters"] for name, section in sections.items()}
    environments = {
        name: dict(pair.split("=") for pair in parameters["parameter_overrides"].split())
        for name, parameters in deploy.items()
    }
    assert {
        name: (section["global"]["parameters"]["stack_name"], environments[name]["Environment"])
        for name, section in sections.items()
    } == {
        "default": ("data-pipeline", "dev"),
        "staging": ("data-pipeline-staging", "staging"),
        "prod": ("data-pipeline-prod", "prod"),
    }
    assert len({parameters["s3_prefix"] for parameters in deploy.values()}) == len(sections)
    for name, parameters in deploy.items():
        assert f"environment={environments[name]['Environment']}" in parameters["tags"]


def test_the_deploy_settings_set_only_parameters_that_the_template_allows() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    for name, section in config.items():
        if name != "version":
            overrides = section["deploy"]["parameters"]["parameter_overrides"].split()
            translate(ROOT / "template.yaml", dict(pair.split("=") for pair in overrides))


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    own = {"tests/infrastructure/test_project.py", "Makefile"}
    found = {}
    for name in filter(None, set(tracked) - own):
        path = ROOT / name
        if path.is_file() and (match := FOREIGN.search(path.read_text("utf-8", "ignore"))):
            found[name] = match.group().strip()
    assert found == {}


def test_only_the_modules_that_make_text_printable_print() -> None:
    printing = re.compile(
        r"\bclick\.(?:echo|secho)\(|\bprint\(|rich\.markup|sys\.std(?:out|err)\.w"
    )
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "pipectl").rglob("*.py")
        if printing.search(path.read_text(encoding="utf-8").replace("console.print(", ""))
    }
    # These write to their parent process and to the functions' logs.
    others = {"embedded/template.py", "embedded/workers.py", "local/helper.py"}
    assert found == {f"pipectl/{name}" for name in {"output.py", "tables.py", *others}}
