"""The layout of keys in the two buckets, defined here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable

RAW_PREFIX = "raw/"
CONTRACTS_PREFIX = "contracts/"
PROCESSED_PREFIX = "processed/"
REJECTED_PREFIX = "rejected/"
REPORTS_PREFIX = "reports/"
DEFAULT_DATASET = "default"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024


def dataset_of(source_key: str) -> str:
    """The dataset of an uploaded key: `raw/orders/2026.csv` belongs to `orders`.

    A file directly under `raw/` belongs to the dataset `default`.
    """
    folder, separator, _ = source_key.removeprefix(RAW_PREFIX).partition("/")
    return folder if separator and folder else DEFAULT_DATASET


def contract_key(dataset: str) -> str:
    """The key of the dataset's contract, in the input bucket."""
    return f"{CONTRACTS_PREFIX}{dataset}.json"


def dataset_of_contract(key: str) -> str:
    """The dataset that a contract's key names, in the case of that key."""
    return key.removeprefix(CONTRACTS_PREFIX).rpartition(".")[0]


def plan_key(file_id: str) -> str:
    """The plan, how the file is read and split: written by ParseCsv, read by later steps."""
    return f"work/{file_id}/plan.json"


def splits_key(file_id: str) -> str:
    """The planned splits, a JSON array with one item for each: the input of MeasureSplits."""
    return f"work/{file_id}/splits.json"


def numbered_splits_key(file_id: str) -> str:
    """The splits with their first rows and lines: the input of TransformSplits."""
    return f"work/{file_id}/numbered_splits.json"


def parts_prefix(file_id: str) -> str:
    """The prefix of all parts of a file."""
    return f"work/{file_id}/parts/"


def part_key(file_id: str, split: int, content: str) -> str:
    """A split's part; `content` is for example `jsonl`, `rejected.jsonl` or `report.json`."""
    # Five digits, so that keys sort like the splits: a file has at most 10,000 of them.
    return f"{parts_prefix(file_id)}{split:05d}.{content}"


def map_results_prefix(file_id: str, execution_name: str, state: str) -> str:
    """The prefix of the results that a Map state's ResultWriter writes.

    The state machine formats the same prefix in its own language.
    """
    return f"work/{file_id}/map/{execution_name}/{state}"


def processed_key(dataset: str, name: str, suffix: str) -> str:
    """The typed records; `name` is the file's id, or a correction's output name."""
    return f"{PROCESSED_PREFIX}{dataset}/{name}.{suffix}"


def manifest_suffix(suffix: str) -> str:
    """The suffix of the manifest that lists the objects of an output; `suffix` is theirs."""
    return f"{suffix}.manifest.json"


def processed_part_key(dataset: str, name: str, split: int, suffix: str) -> str:
    """One split's typed records, if the output is several objects with a manifest."""
    return f"{PROCESSED_PREFIX}{dataset}/{name}/part-{split:05d}.{suffix}"


def corrected_name(name: str) -> str:
    """The output name of a correction of the output `name`.

    A correction can have rejected records too, and be corrected in turn: each time the name grows
    by one suffix.
    """
    return f"{name}-mended"


def rejected_key(dataset: str, file_id: str, suffix: str) -> str:
    """The file's rejected records; `suffix` is `jsonl` (with reasons) or `csv` (to correct)."""
    return f"{REJECTED_PREFIX}{dataset}/{file_id}.{suffix}"


def correction_key(dataset: str, file_id: str) -> str:
    """The key, in the input bucket, to which the corrected records of a file are uploaded."""
    return f"{RAW_PREFIX}{dataset}/{file_id}.csv"


def summary_key(dataset: str, file_id: str) -> str:
    """The summary report of the file."""
    return f"{REPORTS_PREFIX}{dataset}/{file_id}_summary.json"


def report_key(dataset: str, file_id: str) -> str:
    """The report of the file, for people."""
    return f"{REPORTS_PREFIX}{dataset}/{file_id}.html"


def history_key(dataset: str) -> str:
    """The key figures of the dataset's last files."""
    return f"{REPORTS_PREFIX}{dataset}/history.json"


def derived_keys(
    dataset: str, file_id: str, name: str, source_key: str, suffixes: Iterable[str]
) -> list[str]:
    """All keys derived from a dataset's name for one file, the longest of each kind.

    `name` is the output's name, and `suffixes` are those of all output formats. S3 refuses keys
    longer than `MAX_KEY_BYTES`.
    """
    longest = max(suffixes, key=len)
    return [
        contract_key(dataset),
        processed_key(dataset, name, manifest_suffix(longest)),
        processed_part_key(dataset, name, 0, longest),
        rejected_key(dataset, file_id, "jsonl"),
        summary_key(dataset, file_id),
        archive_key(dataset, file_id, source_key),
    ]


def archive_key(dataset: str, file_id: str, source_key: str) -> str:
    """The key to which a processed file is moved in the input bucket, the same in all attempts."""
    prefix = f"{PROCESSED_PREFIX}{dataset}/{file_id}/"
    name = source_key.rpartition("/")[2]
    # A key has at most 1,024 bytes. The beginning is cut, because the end has the suffix.
    while name and len((prefix + name).encode()) > MAX_KEY_BYTES:
        name = name[1:]
    return prefix + name
