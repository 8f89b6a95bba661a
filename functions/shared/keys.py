"""Where things lie in the two buckets: the only place that knows the layout of keys."""

from __future__ import annotations

RAW_PREFIX = "raw/"
DEFAULT_DATASET = "default"


def dataset_of(source_key: str) -> str:
    """The dataset of an uploaded key: `raw/orders/2026.csv` is of `orders`.

    A file directly under `raw/` is of the dataset `default`.
    """
    folder, separator, _ = source_key.removeprefix(RAW_PREFIX).partition("/")
    return folder if separator and folder else DEFAULT_DATASET


def contract_key(dataset: str) -> str:
    """The dataset's contract, in the input bucket."""
    return f"contracts/{dataset}.json"


def plan_key(file_id: str) -> str:
    """How the file is read and split: written by ParseCsv, read by the steps after it."""
    return f"work/{file_id}/plan.json"


def part_key(file_id: str, split: int, content: str) -> str:
    """A split's part; `content` is such as `jsonl`, `rejected.jsonl` or `report.json`."""
    # Five digits: a file has at most 10,000 splits, and keys then sort like the splits.
    return f"work/{file_id}/parts/{split:05d}.{content}"


def processed_key(dataset: str, file_id: str, suffix: str) -> str:
    """The file's typed records; `suffix` is `jsonl` or `parquet`."""
    return f"processed/{dataset}/{file_id}.{suffix}"


def rejected_key(dataset: str, file_id: str, suffix: str) -> str:
    """The file's rejected records; `suffix` is `jsonl` (with reasons) or `csv` (to mend)."""
    return f"rejected/{dataset}/{file_id}.{suffix}"


def summary_key(dataset: str, file_id: str) -> str:
    """The summary report of the file."""
    return f"reports/{dataset}/{file_id}_summary.json"
