"""Which objects in the bucket have no successful run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipectl.errors import PipectlError
from pipectl.operate.backfill_objects import (
    checked_prefix,
    ignored_names,
    sources_of,
    with_states,
)
from shared.job import Source
from tabular.file_names import IgnoredNames

DAY = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def version(key: str = "raw/orders/a.csv", **more: Any) -> dict[str, Any]:
    return {
        "Key": key,
        "VersionId": "v1",
        "ETag": '"e1"',
        "Size": 10,
        "IsLatest": True,
        "LastModified": DAY,
        **more,
    }


def chosen(*versions: dict[str, Any], **more: Any) -> list[Source]:
    options: dict[str, Any] = {"since": None, "all_versions": False, **more}
    return list(sources_of("in", versions, **options))


def test_a_version_becomes_the_source_that_its_event_would_have_described() -> None:
    [source] = chosen(version())
    assert source == Source(
        "in", "raw/orders/a.csv", "v1", "e1", 10, "", "2026-03-01T08:00:00.000Z", "orders"
    )
    announced = Source("in", "raw/orders/a.csv", "v1", "e1", 10, "0055", "2026-03-01", "orders")
    assert source.file_id == announced.file_id


def test_replaced_versions_and_old_objects_are_left_out() -> None:
    replaced = version(IsLatest=False)
    assert chosen(replaced) == []
    assert len(chosen(replaced, all_versions=True)) == 1
    assert chosen(version(), since=datetime(2026, 3, 2, tzinfo=UTC)) == []
    assert len(chosen(version(), since=DAY)) == 1


def test_an_empty_file_is_a_file() -> None:
    assert len(chosen(version(Size=0))) == 1


def test_each_object_has_its_state_and_the_number_of_its_last_attempt() -> None:
    sources = [
        Source("in", f"raw/{name}", "v1", "e", 1, "", f"2026-03-0{day}T00:00:00Z", "default")
        for day, name in enumerate(("a.csv", "b.csv", "c.tsv", "_d.csv"), 1)
    ]
    failed, running, succeeded, _ = (source.file_id for source in sources)
    runs = {"1.0": {"execution_arn": "arn:x"}}
    items = {
        failed: {"status": "failed", "attempt": 1, "history": runs},
        running: {"status": "failed", "attempt": 1, "history": runs},
        succeeded: {"status": "succeeded", "attempt": 1, "history": runs},
    }
    found = with_states(reversed(sources), items, {running: "x"}, IgnoredNames())
    assert [(one.source.key, one.state, one.ignored) for one in found] == [
        ("raw/a.csv", "failed", None),
        ("raw/b.csv", "running", None),
        ("raw/c.tsv", "succeeded", None),
        ("raw/_d.csv", "never_run", "its name begins with _"),
    ]
    assert [one.attempts for one in found] == [1, 1, 1, 0]


def test_the_stacks_parameter_extends_the_ignored_names() -> None:
    assert ignored_names({"IgnoredNames": "*.pdf"}) == IgnoredNames(("*.pdf",))
    assert ignored_names({}) == IgnoredNames()
    with pytest.raises(PipectlError, match="IgnoredNames is not valid"):
        ignored_names({"IgnoredNames": "*"})


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("raw/", "raw/"), ("raw/orders/", "raw/orders/"), ("orders/", "raw/orders/"), ("", "raw/")],
)
def test_a_prefix_is_always_below_raw(given: str, prefix: str) -> None:
    assert checked_prefix(given) == prefix
