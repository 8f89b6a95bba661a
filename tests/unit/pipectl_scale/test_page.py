"""docs/scale.md is correct: its commands are run, and its tables are complete."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from parse_csv.split_limits import one_split_limit
from pipectl.cli import pipectl
from pipectl.scale.assumptions import Assumptions
from pipectl.scale.billing import ITEMS, read_prices
from pipectl.scale.deployed import Deployed
from pipectl.scale.quotas import QUOTAS, Quota
from tabular.contract.descriptor import parse_contract
from tabular.reading.layout import read_layout

PAGE = (Path(__file__).parents[3] / "docs" / "scale.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n\$ (.*)\n((?s:.*?))```", PAGE)
FIELDS = [{"name": "id", "type": "integer"}, {"name": "mail", "type": "string"}]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_a_command_prints_what_the_page_shows(command: str, output: str) -> None:
    program, *arguments = shlex.split(command)

    result = CliRunner().invoke(pipectl, arguments, prog_name=program)

    assert result.stdout.rstrip() == output.rstrip()


def test_the_price_file_in_the_page_has_every_item(tmp_path: Path) -> None:
    [example] = re.findall(r"<!-- example: prices -->\n```json\n(.+?)```", PAGE, re.DOTALL)
    path = tmp_path / "prices.json"
    path.write_text(example)

    assert set(read_prices(path).unit_prices) == set(ITEMS)


@pytest.mark.parametrize("quota", QUOTAS, ids=[quota.what for quota in QUOTAS])
def test_every_quota_is_listed_with_its_source_and_remedy(quota: Quota) -> None:
    limit = f"{quota.limit:,.0f} {quota.unit}"
    source = quota.read_from or "**unverified**"

    assert f"| {quota.what} | {limit} | {source} | {quota.remedy} |" in PAGE


@pytest.mark.parametrize("name", [field.name for field in fields(Assumptions)])
def test_every_input_of_the_model_is_explained_with_its_value(name: str) -> None:
    value = float(getattr(Assumptions(), name))
    (shown,) = re.findall(rf"^\| `{name}` \| ([0-9.,]+)", PAGE, re.MULTILINE)

    unit = 1e6 if value >= 1e6 else 1
    assert float(shown.replace(",", "")) == value / unit


def test_the_page_gives_a_transform_what_the_template_gives(deployed: Deployed) -> None:
    transform = deployed.functions["TransformFunction"]

    assert f"| memory | {transform.memory_mb} MB |" in PAGE
    assert f"| ephemeral storage | {transform.storage_mb} MB |" in PAGE
    assert f"| timeout | {transform.timeout_seconds} s |" in PAGE
    assert f"| split size | {deployed.split_bytes:,} bytes |" in PAGE


@pytest.mark.parametrize(
    ("row", "keys", "compression"),
    [
        ("without unique fields or keys", {}, None),
        ("with one", {"primaryKey": ["id"]}, None),
        ("with two", {"primaryKey": ["id"], "uniqueKeys": [["mail"]]}, None),
        ("compressed", {}, "gzip"),
    ],
)
def test_the_page_shows_the_limits_that_apply(
    deployed: Deployed, row: str, keys: dict[str, object], compression: str | None
) -> None:
    contract = {"name": "a", "path": "a.csv", "schema": {"fields": FIELDS, **keys}}
    layout = read_layout(
        b"id,mail\n1,a\n", size=12, name="a.csv", contract=parse_contract(contract)
    )
    timeout = deployed.functions["TransformFunction"].timeout_seconds

    limit = one_split_limit(replace(layout, compression=compression), timeout)

    (shown,) = re.findall(rf"^\| {row} \|.*\| ([0-9.]+) GB", PAGE, re.MULTILINE)
    assert float(shown) == pytest.approx(limit / 1e9, rel=0.02)
