"""The output of `pipectl estimate` for people and programs."""

from __future__ import annotations

import json
from pathlib import Path
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


PRICES = {
    "currency": "EUR",
    "source": "made up",
    "prices": {"transitions": {"price": 1, "per": 1000}, "gb_seconds": 2},
}


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(PRICES))
    return path


def test_json_has_the_file_what_is_billed_and_the_quotas() -> None:
    report = document("--size-gb", "2", "--files-per-day", "10")

    assert set(report) == {"demand", "assumptions", "file", "billed", "cost", "quotas", "limits"}
    assert report["file"]["splits"] == 8
    assert report["file"]["requests"]["s3:UploadPartCopy"] > 0
    billed = {one["key"]: one for one in report["billed"]}
    assert billed["transitions"]["file"] == report["file"]["state_transitions"]
    assert billed["transitions"]["month"] == 300 * billed["transitions"]["file"]
    assert report["cost"] is None
    assert {"what", "limit", "load", "share", "remedy", "verified"} <= set(report["quotas"][0])


def test_with_prices_there_is_a_cost_and_what_has_no_price_is_named(price_file: Path) -> None:
    report = document("--prices", str(price_file))
    text = run("--prices", str(price_file)).stdout

    billed = {one["key"]: one["file"] for one in report["billed"]}
    expected = billed["transitions"] / 1000 + 2 * billed["gb_seconds"]
    assert report["cost"]["file"] == pytest.approx(expected)
    assert report["cost"]["currency"] == "EUR"
    assert "traces" in report["cost"]["without_price"]
    assert "Prices: made up" in text
    assert "Not in the total, since they have no price:" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a price file"),
        ("[]", "not a price file"),
        ('{"prices": {"moon": 1}}', "moon is not a billed item"),
        ('{"prices": {"transitions": {"price": 1, "per": 0}}}', "not a price file"),
        ('{"prices": {"transitions": -1}}', "not a price file"),
        ('{"prices": {"transitions": true}}', "not a price file"),
    ],
)
def test_a_wrong_price_file_is_a_usage_error(price_file: Path, content: str, words: str) -> None:
    price_file.write_text(content)

    result = run("--prices", str(price_file))

    assert result.exit_code == 2
    assert words in result.output


def test_a_parameter_of_the_template_changes_the_estimate() -> None:
    larger = document("--size-gb", "2", "--parameter", "SplitSizeBytes=1073741824")

    assert larger["file"]["splits"] == 2


def test_slower_processors_take_longer() -> None:
    slower = document("--throughput", "10")
    faster = document("--throughput", "40")

    assert slower["file"]["lambda_gb_seconds"] > 1.5 * faster["file"]["lambda_gb_seconds"]


def test_failing_files_are_in_what_is_billed_for_the_month() -> None:
    none = document("--failed-percent", "0")["billed"]
    half = document("--failed-percent", "50")["billed"]

    assert [one["file"] for one in half] == [one["file"] for one in none]
    months = {one["key"]: one["month"] for one in none}
    assert all(one["month"] < months[one["key"]] for one in half if one["key"] == "gb_seconds")


def test_quotas_that_could_not_be_looked_up_are_marked() -> None:
    assert run().stdout.rstrip().splitlines()[-1].startswith("* ")


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
