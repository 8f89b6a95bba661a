"""ParseCsv looks at more of a file than its beginning to decide how large a split may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from parse_csv import split_limits
from tabular.errors import FileTooLarge
from tabular.reading import splits
from tests.integration.splits.steps import Steps, upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HEAD = b"id,text\n" + b"1,%b\n" % (b"x" * 997) * 1_100
"""A little more than ParseCsv reads of every file."""
LONG_THEN_SHORT = HEAD + b"1,x\n" * 100_000
KEYS = {
    "name": "a",
    "path": "a.csv",
    "schema": {
        "fields": [{"name": "id", "type": "integer"}, {"name": "text", "type": "string"}],
        "uniqueKeys": [["id", "text"]],
    },
}


@pytest.fixture(autouse=True)
def slow_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that take so long that the limits can be reached by a small file."""
    monkeypatch.setattr(split_limits, "TRANSFORM_SECONDS_PER_LINE", 0.05)
    monkeypatch.setattr(split_limits, "_LEAST_SPLIT_BYTES", 10_000)


def test_splits_are_smaller_where_rows_are_shorter(
    s3: S3Client, in_splits: Callable[[int], Steps]
) -> None:
    steps = in_splits(300_000)
    assert steps.plan(upload(s3, HEAD)).splits == 4
    assert steps.plan(upload(s3, LONG_THEN_SHORT)).splits > 15


def test_a_file_in_one_split_is_refused_by_its_later_rows(
    s3: S3Client, in_splits: Callable[[int], Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, file = in_splits(300_000), upload(s3, LONG_THEN_SHORT, KEYS)
    monkeypatch.setattr(splits, "_SAMPLED_FILE_BYTES", len(HEAD))
    with pytest.raises(FileTooLarge, match=r"for 2 columns in lines of \d\d bytes"):
        steps.plan(file)
