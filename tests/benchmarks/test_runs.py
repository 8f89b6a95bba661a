"""The benchmark compares like with like: the same file each time, and engines that agree."""

import hashlib
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.benchmarks.measure import CommandFailed, measure
from tests.benchmarks.orders import Orders, generate
from tests.benchmarks.runs import frictionless_csv, stdlib_csv, whole_engine


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Orders:
    return generate(tmp_path_factory.mktemp("orders"), 0.5)


@pytest.fixture(scope="module")
def outputs(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> dict[ModuleType, Path]:
    folders = {engine: tmp_path_factory.mktemp("out") for engine in (stdlib_csv, whole_engine)}
    for engine, folder in folders.items():
        engine.run(orders.path, orders.contract_path, folder)
    return folders


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def places(reject: dict[str, Any]) -> list[Any]:
    return [reject[key] for key in ("row", "line", "byte_offset", "raw")]


def test_a_generated_file_is_the_same_each_time(orders: Orders, tmp_path: Path) -> None:
    again = generate(tmp_path, 0.5)
    assert hashlib.sha256(again.path.read_bytes()).digest() == (
        hashlib.sha256(orders.path.read_bytes()).digest()
    )


def test_one_record_in_a_hundred_is_bad(orders: Orders) -> None:
    assert orders.rejected == pytest.approx(orders.records * 0.01, rel=0.3)


@pytest.mark.parametrize("engine", [stdlib_csv, whole_engine, frictionless_csv])
def test_engines_that_validate_find_what_the_generator_wrote(
    engine: ModuleType, orders: Orders, tmp_path: Path
) -> None:
    found = engine.run(orders.path, orders.contract_path, tmp_path)
    assert (found.processed, found.rejected) == (orders.processed, orders.rejected)


def test_duckdb_finds_what_the_generator_wrote(orders: Orders, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="make bench installs it")
    duckdb_csv = importlib.import_module("tests.benchmarks.runs.duckdb_csv")
    found = duckdb_csv.run(orders.path, orders.contract_path, tmp_path)
    assert (found.processed, found.rejected) == (orders.processed, orders.rejected)
    assert found.amount == pytest.approx(float(orders.amount))
    assert len(lines(tmp_path / "records.jsonl")) == orders.processed
    rejects = [*lines(tmp_path / "rejected.jsonl"), *lines(tmp_path / "unread.jsonl")]
    assert len(rejects) == orders.rejected
    assert all(reject["errors"] for reject in rejects)


def test_the_engine_writes_the_records_that_the_standard_library_writes(
    outputs: dict[ModuleType, Path],
) -> None:
    expected = lines(outputs[stdlib_csv] / "records.jsonl")
    found = lines(outputs[whole_engine] / "records.jsonl")
    assert [(r["original_row"], r["data"]) for r in found] == [
        (r["original_row"], r["data"]) for r in expected
    ]


def test_the_engine_rejects_the_records_that_the_standard_library_rejects(
    outputs: dict[ModuleType, Path],
) -> None:
    expected = lines(outputs[stdlib_csv] / "rejected.jsonl")
    found = lines(outputs[whole_engine] / "rejected.jsonl")
    assert [places(reject) for reject in found] == [places(reject) for reject in expected]


def test_memory_and_output_of_a_command_are_measured() -> None:
    run = measure(
        ["python3", "-c", "data = bytearray(60_000_000); print(len(data))"], environment={}
    )
    assert run.output == "60000000\n"
    assert run.peak_bytes > 60_000_000


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandFailed, match="no such thing"):
        measure(["python3", "-c", "raise SystemExit('no such thing')"], environment={})
