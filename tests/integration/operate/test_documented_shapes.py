"""The documents of --json have the keys that docs/operating.md shows, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.integration.operate.conftest import Command, DatasetFolder

PAGE = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")


def documented(command: str) -> Any:
    [block] = re.findall(rf"<!-- json: {command} -->\n```json\n(.+?)\n```", PAGE, re.DOTALL)
    return json.loads(block)


def differences(shown: Any, printed: Any, place: str = "") -> list[str]:
    """The places where keys or kinds differ; null matches all, and items of a list are alike."""
    if shown is None or printed is None or place.endswith(".metadata"):
        return []
    if isinstance(shown, dict) and isinstance(printed, dict):
        odd = [f"{place}.{key}" for key in sorted(shown.keys() ^ printed.keys())]
        both = shown.keys() & printed.keys()
        inner = [differences(shown[key], printed[key], f"{place}.{key}") for key in both]
        return odd + [difference for found in inner for difference in found]
    if isinstance(shown, list) and isinstance(printed, list):
        return [
            difference
            for one in printed
            for difference in differences(next(iter(shown), None), one, f"{place}[]")
        ]
    return [] if type(shown) is type(printed) else [place]


def test_every_document_has_the_keys_that_the_page_shows(
    dataset: DatasetFolder, command: Command, tmp_path: Path
) -> None:
    dataset.set_contract(type_of_id="integer")
    good = dataset.run(b"id\n1\nx\n")
    dataset.drop(name="_SUCCESS")
    dataset.set_contract(type_of_id="integr")
    failed = dataset.run(name="failed.csv")
    narrow = ("--json", "--source", dataset.glob)
    printed = {
        "executions": command("executions", *narrow),
        "failures": command("failures", *narrow),
        "show": command("show", good, "--json"),
        "rerun": command("rerun", failed, "--json"),
        "backfill": command("backfill", "--json", "--dry-run", "--prefix", f"{dataset.name}/"),
    }
    odd = {name: differences(documented(name), done.document) for name, done in printed.items()}
    assert odd == {name: [] for name in printed}
    assert printed["failures"].document["failures"][0]["error"]["code"] == "InvalidContract"
    assert printed["rerun"].document["reruns"][0]["error"]["code"] == "InvalidContract"
    assert printed["backfill"].document["ignored"][0]["state"] == "never_run"
