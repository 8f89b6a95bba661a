"""Releases and workflows: what is in them, and what they may do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infrastructure import release
from tests.infrastructure.deployed import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = [
    pytest.param(job, id=f"{path.stem}-{name}")
    for path in WORKFLOWS
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
]


def test_the_notes_are_the_versions_section_alone() -> None:
    changelog = "# Changelog\n\n## 1.1.0 - 2026-02-01\n\n- New\n\n## 1.0.0 - 2026-01-01\n\n- Old\n"
    assert release.notes(changelog, "1.1.0") == "- New\n"
    assert release.notes(changelog, "1.0.0") == "- Old\n"
    with pytest.raises(LookupError):
        release.notes(changelog, "1.0")


def test_the_present_version_has_notes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert release.notes(changelog, release.version())


def test_the_sbom_has_every_pinned_package_once() -> None:
    components = release.sbom("1.0.0")["components"]
    pinned = {
        line.split("==")[0].partition("[")[0]
        for name in release.REQUIREMENTS
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if re.match(r"\w.*==", line)
    }
    assert {one["name"] for one in components} == pinned
    assert len({one["bom-ref"] for one in components}) == len(components)
    assert {"boto3", "polars", "aws-lambda-powertools"} <= pinned


def test_the_same_stack_gives_the_same_file(tmp_path: Path) -> None:
    built = tmp_path / "built"
    (built / "F").mkdir(parents=True)
    (built / "template.yaml").write_text("a")
    (built / "F" / "app.py").write_text("b")
    release.zip_stack(built, tmp_path / "1.zip")
    (built / "F" / "app.py").touch()
    release.zip_stack(built, tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "1.zip").namelist() == [
        "F/app.py",
        "key.yaml",
        "samconfig.toml",
        "template.yaml",
    ]


def test_a_tag_that_is_not_the_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "v0.0.0")
    assert release.main() == 1


@pytest.mark.parametrize("job", JOBS)
def test_every_action_is_pinned_to_a_commit(job: dict[str, Any]) -> None:
    used = [it["uses"] for it in (job, *job.get("steps", ())) if "uses" in it]
    foreign = [it for it in used if not it.startswith("./")]
    assert [it for it in foreign if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", it)] == []


@pytest.mark.parametrize("job", JOBS)
def test_what_may_write_the_repository_runs_nothing_of_it(job: dict[str, Any]) -> None:
    if job.get("permissions", {}).get("contents") != "write":
        return
    commands = "\n".join(step.get("run", "") for step in job["steps"])
    assert re.findall(r"^ *(make|python3?|pip|uv|\.venv)\b", commands, re.MULTILINE) == []


def test_only_deployments_may_assume_a_role_and_only_through_an_environment() -> None:
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            if "id-token" in job.get("permissions", {}):
                assert "environment" in job or "environment" in job["with"], path.name


def test_prod_comes_after_dev_and_dev_after_all_checks() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text("utf-8"))["jobs"]
    assert (jobs["dev"]["needs"], jobs["prod"]["needs"]) == ("ci", "dev")
