"""The measurement of Parquet parts."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks import parquet_parts


def test_a_row_for_each_number_of_splits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["parquet_parts", "--splits", "2", "20", "--columns", "3"])
    assert parquet_parts.main() == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if "|" in line][2:]
    assert [row[1:3] for row in rows] == [[" 2 ", " 3 "], [" 20 ", " 3 "]]
    assert all(len(row) == 10 for row in rows)
