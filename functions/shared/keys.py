"""Where things lie in the two buckets: the only place that knows the layout of keys."""

from __future__ import annotations

RAW_PREFIX = "raw/"
CONTRACTS_PREFIX = "contracts/"
DEFAULT_DATASET = "default"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024


def dataset_of(source_key: str) -> str:
    """The dataset of an uploaded key: `raw/orders/2026.csv` is of `orders`.

    A file directly under `raw/` is of the dataset `default`.
    """
    folder, separator, _ = source_key.removeprefix(RAW_PREFIX).partition("/")
    return folder if separator and folder else DEFAULT_DATASET


def contract_key(dataset: str) -> str:
    """The dataset's contract, in the input bucket."""
    return f"{CONTRACTS_PREFIX}{dataset}.json"


def dataset_of_contract(key: str) -> str:
    """The dataset that a contract's key names, in the contract's own case."""
    return key.removeprefix(CONTRACTS_PREFIX).rpartition(".")[0]


def plan_key(file_id: str) -> str:
    """How the file is read and split: written by ParseCsv, read by the steps after it."""
    return f"work/{file_id}/plan.json"


def splits_key(file_id: str) -> str:
    """The planned splits, one array item each: what MeasureSplits maps over."""
    return f"work/{file_id}/splits.json"


def numbered_splits_key(file_id: str) -> str:
    """The splits with their first rows and lines: what TransformSplits maps over."""
    return f"work/{file_id}/numbered_splits.json"


def parts_prefix(file_id: str) -> str:
    """The folder of all parts of a file."""
    return f"work/{file_id}/parts/"


def part_key(file_id: str, split: int, content: str) -> str:
    """A split's part; `content` is such as `jsonl`, `rejected.jsonl` or `report.json`."""
    # Five digits: a file has at most 10,000 splits, and keys then sort like the splits.
    return f"{parts_prefix(file_id)}{split:05d}.{content}"


def map_results_prefix(file_id: str, execution_name: str, state: str) -> str:
    """Where a Map state's ResultWriter reports on its splits; the workflow formats the same."""
    return f"work/{file_id}/map/{execution_name}/{state}"


def processed_key(dataset: str, name: str, suffix: str) -> str:
    """The typed records; `name` is the file's id, or a mend's output name."""
    return f"processed/{dataset}/{name}.{suffix}"


def processed_part_key(dataset: str, name: str, split: int, suffix: str) -> str:
    """One split's typed records, where an output is several objects under a manifest."""
    return f"processed/{dataset}/{name}/part-{split:05d}.{suffix}"


def corrected_name(name: str) -> str:
    """The output name of a mend of the output `name`; a mend may itself be mended."""
    return f"{name}-mended"


def rejected_key(dataset: str, file_id: str, suffix: str) -> str:
    """The file's rejected records; `suffix` is `jsonl` (with reasons) or `csv` (to mend)."""
    return f"rejected/{dataset}/{file_id}.{suffix}"


def summary_key(dataset: str, file_id: str) -> str:
    """The summary report of the file."""
    return f"reports/{dataset}/{file_id}_summary.json"


def derived_keys(dataset: str, file_id: str, name: str, source_key: str) -> list[str]:
    """Every key that is made of a dataset's name for one file, the longest of each kind.

    `name` is that of its output. S3 refuses keys of more than `MAX_KEY_BYTES`.
    """
    return [
        contract_key(dataset),
        processed_key(dataset, name, "parquet.manifest.json"),
        processed_part_key(dataset, name, 0, "parquet"),
        rejected_key(dataset, file_id, "jsonl"),
        summary_key(dataset, file_id),
        archive_key(dataset, file_id, source_key),
    ]


def archive_key(dataset: str, file_id: str, source_key: str) -> str:
    """Where a processed file is moved to, in the input bucket: always the same for a file."""
    prefix = f"processed/{dataset}/{file_id}/"
    name = source_key.rpartition("/")[2]
    # A key has at most 1,024 bytes; the name's end, with its suffix, matters more.
    while name and len((prefix + name).encode()) > MAX_KEY_BYTES:
        name = name[1:]
    return prefix + name
