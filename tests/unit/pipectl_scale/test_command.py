"""`pipectl estimate` as people and programs meet it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipectl.cli import pipectl


def run(*arguments: str) -> Result:
    return CliRunner().invoke(pipectl, ["estimate", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = run("--json", *arguments)
    assert result.exit_code == 0
    return dict(json.loads(result.stdout))


def test_json_has_the_file_its_cost_and_the_quotas() -> None:
    report = document("--size-gb", "2", "--files-per-day", "10")

    assert set(report) == {"demand", "assumptions", "file", "cost", "quotas", "limits"}
    assert report["file"]["splits"] == 8
    assert report["file"]["requests"]["s3:UploadPartCopy"] > 0
    lines = report["cost"]["lines"]
    assert report["cost"]["file"] == pytest.approx(sum(line["file"] for line in lines))
    assert report["cost"]["month"] == pytest.approx(report["cost"]["file"] * 300)
    assert {"read_from", "dated", "region", "verified"} <= set(lines[0]["price"])
    assert {"what", "limit", "load", "share", "remedy", "verified"} <= set(report["quotas"][0])


def test_a_parameter_of_the_template_changes_the_estimate() -> None:
    larger = document("--size-gb", "2", "--parameter", "SplitSizeBytes=1073741824")

    assert larger["file"]["splits"] == 2


def test_slower_processors_cost_more() -> None:
    slower = document("--throughput", "10")
    faster = document("--throughput", "40")

    assert slower["file"]["lambda_gb_seconds"] > 1.5 * faster["file"]["lambda_gb_seconds"]


def test_failing_files_are_in_the_months_cost() -> None:
    none = document("--failed-percent", "0")
    half = document("--failed-percent", "50")

    assert half["cost"]["month"] < none["cost"]["month"]
    assert half["cost"]["file"] == none["cost"]["file"]


def test_what_could_not_be_looked_up_is_marked() -> None:
    text = run().stdout

    assert "X-Ray: traces recorded *" in text
    assert text.rstrip().splitlines()[-1].startswith("* ")


def test_a_quota_that_is_met_says_what_to_do() -> None:
    text = run("--size-gb", "0.001", "--files-per-day", "1000000").stdout

    assert "115.7%" in text
    assert "Subscribe a queue" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--size-gb", "0"),
        ("--size-gb", "9000"),
        ("--files-per-day", "-1"),
        ("--parameter", "SplitSizeBytes"),
        ("--parameter", "SplitSizeBytes=1"),
        ("--parameter", "Unknown=1"),
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, str]) -> None:
    assert run(*arguments).exit_code == 2


def test_help_has_an_example() -> None:
    assert "Example: pipectl estimate --size-gb 100" in run("--help").stdout
