"""docs/truth.md names checks of `pipectl live-check` that exist."""

from __future__ import annotations

import re

from pipectl.operate.live_check.registry import CHECKS
from tests.infrastructure.deployed import ROOT

PAGE = (ROOT / "docs" / "truth.md").read_text(encoding="utf-8")
NAMES = {check.name for check in CHECKS}


def test_every_reliance_is_checked_by_a_test_or_by_a_live_check_that_exists() -> None:
    written = PAGE.partition("## Documented, and checked")[2].partition("## Second opinion")[0]
    rows = [
        row for row in re.findall(r"^\| .* \|$", written, re.MULTILINE) if "checked by" not in row
    ]
    cells = [row.strip("| ").rpartition(" | ")[2] for row in rows]
    assert len(cells) > 20
    for cell in cells:
        named = set(re.findall(r"`([a-z0-9-]+)`", cell))
        assert named <= NAMES, cell
        assert named or "](../tests/" in cell, cell


def test_what_is_not_documented_is_no_less_checked() -> None:
    undocumented = {check.name for check in CHECKS if check.source is None}
    said = PAGE.partition("## Not documented")[2]
    memory = {name for name in undocumented if name.startswith("memory-")}
    assert {name for name in undocumented - memory if f"`{name}`" not in said} == set()


def test_what_stays_open_on_aws_has_a_reason() -> None:
    written = PAGE.partition("## Documented, and checked")[2].partition("## Second opinion")[0]
    still_open = re.findall(r"on AWS open(.*) \|$", written, re.MULTILINE)
    assert len(still_open) >= 3
    assert [reason for reason in still_open if not reason.startswith(": ")] == []
