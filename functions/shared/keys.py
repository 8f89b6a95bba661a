"""The layout of keys in the two buckets, defined here and nowhere else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

RAW_PREFIX = "raw/"
CONTRACTS_PREFIX = "contracts/"
PROCESSED_PREFIX = "processed/"
REJECTED_PREFIX = "rejected/"
REPORTS_PREFIX = "reports/"
CORRECTIONS_PREFIX = "corrections/"
DEFAULT_DATASET = "default"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
FILE_ID_LENGTH = 32
_CORRECTIONS = re.compile(
    rf"{CORRECTIONS_PREFIX}([^/]+)/([0-9a-f]{{{FILE_ID_LENGTH}}})\.csv", re.DOTALL
)


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


def work_of(file_id: str) -> str:
    """The prefix of the intermediate results of all executions of a file, in the output bucket."""
    return f"work/{file_id}/"


@dataclass(frozen=True)
class Work:
    """The keys of one execution's own objects, which expire after some days.

    Each execution has its own, so two attempts of a file that run at once never mix their parts.
    """

    file_id: str
    execution: str

    @property
    def prefix(self) -> str:
        """The prefix of all of them."""
        return f"{work_of(self.file_id)}{self.execution}/"

    @property
    def plan(self) -> str:
        """The plan, how the file is read and split: written by ParseCsv, read by later steps."""
        return f"{self.prefix}plan.json"

    @property
    def splits(self) -> str:
        """The planned splits, a JSON array with one item for each: the input of MeasureSplits."""
        return f"{self.prefix}splits.json"

    @property
    def numbered_splits(self) -> str:
        """The splits with their first rows and lines: the input of TransformSplits."""
        return f"{self.prefix}numbered_splits.json"

    @property
    def corrections(self) -> str:
        """What the execution's corrections correct, a JSON document: written by ParseCsv."""
        return f"{self.prefix}corrections.json"

    @property
    def patches(self) -> str:
        """All corrected rows that the execution applies, as JSON Lines sorted by row."""
        return f"{self.prefix}patches.jsonl"

    @property
    def parts(self) -> str:
        """The prefix of the parts of all splits."""
        return f"{self.prefix}parts/"

    def part(self, split: int, content: str) -> str:
        """A split's part; `content` is for example `jsonl`, `rejected.jsonl` or `report.json`."""
        # Five digits, so that keys sort like the splits: a file has at most 10,000 of them.
        return f"{self.parts}{split:05d}.{content}"

    def notified(self, notification_id: str) -> str:
        """The prefix of the marks of the channels that have accepted a failure's notification."""
        return f"{self.prefix}notified/{notification_id}/"

    def map_results(self, state: str) -> str:
        """The prefix of the results that a Map state's ResultWriter writes.

        The state machine formats the same prefix in its own language.
        """
        return f"{self.prefix}map/{state}"


def part_contents(suffix: str) -> tuple[str, ...]:
    """A part's objects beside its report; `suffix` is that of its processed records.

    The report of a file's only part lists those that there are.
    """
    return (suffix, "rejected.jsonl", "corrections.csv", "statistics.json")


def key_id(bucket: str, key: str) -> str:
    """32 hex digits that identify a key, and all versions of it."""
    return hashlib.sha256(f"{bucket}\0{key}".encode()).hexdigest()[:32]


def output_path(bucket: str, source_key: str, suffixes: Iterable[str]) -> str:
    """The name of a file's output below its dataset: one for each key and all its versions.

    It is the key below the dataset's folder. In the dataset `default` it is the key below `raw/`,
    because that dataset also has the files that are in no folder. So no two keys share an output.
    A name that S3 or a query engine would not accept is replaced by the key's ID: one that makes a
    key of more than `MAX_KEY_BYTES`, or has a part that is empty, hidden (Athena and Spark skip
    names that begin with `_` or `.`) or contains control characters. `suffixes` are those of all
    output formats.

    Examples: `raw/orders/2026/a.csv` gives `2026/a.csv`; `raw/a.csv` gives `a.csv`;
    `raw/default/a.csv` gives `default/a.csv`.
    """
    dataset = dataset_of(source_key)
    below = source_key.removeprefix(RAW_PREFIX)
    path = below if dataset == DEFAULT_DATASET else below.removeprefix(f"{dataset}/")
    longest = max(map(len, suffixes))
    # Every version's own output has the file's ID between the path and the suffix.
    size = len(f"{PROCESSED_PREFIX}{dataset}/{path}.".encode()) + FILE_ID_LENGTH + 1 + longest
    if size > MAX_KEY_BYTES or not all(map(_is_visible, path.split("/"))):
        return key_id(bucket, source_key)
    return path


def path_of_version(path: str, file_id: str) -> str:
    """The name of one version's output, for a dataset that keeps the outputs of all versions."""
    return f"{path}.{file_id}"


def _is_visible(name: str) -> bool:
    is_hidden = name.startswith(("_", "."))
    return bool(name) and not is_hidden and name.isprintable()


def processed_key(dataset: str, path: str, suffix: str) -> str:
    """The typed records of the source that has this output path."""
    return f"{PROCESSED_PREFIX}{dataset}/{path}.{suffix}"


def rejected_key(dataset: str, path: str) -> str:
    """The rejected records of the source that has this output path, with their reasons."""
    return f"{REJECTED_PREFIX}{dataset}/{path}.jsonl"


def corrections_key(dataset: str, file_id: str) -> str:
    """The file's rejected records to correct; a correction is uploaded to the same key.

    The former is in the output bucket, the latter in the input bucket.
    """
    return f"{CORRECTIONS_PREFIX}{dataset}/{file_id}.csv"


def corrections_prefix(dataset: str, file_id: str) -> str:
    """The prefix of a file's keys below `corrections/`, and of no other's."""
    return f"{CORRECTIONS_PREFIX}{dataset}/{file_id}."


def applied_key(dataset: str, file_id: str) -> str:
    """The corrected rows that the published output has, of all attempts, in the output bucket."""
    return f"{CORRECTIONS_PREFIX}{dataset}/{file_id}.applied.jsonl"


def file_of_corrections(key: str) -> tuple[str, str] | None:
    """The dataset and the file ID in the key of an uploaded correction; None in any other key."""
    found = _CORRECTIONS.fullmatch(key)
    return (found[1], found[2]) if found else None


def summary_key(dataset: str, file_id: str) -> str:
    """The summary report of the file."""
    return f"{REPORTS_PREFIX}{dataset}/{file_id}_summary.json"


def report_key(dataset: str, file_id: str) -> str:
    """The report of the file, for people."""
    return f"{REPORTS_PREFIX}{dataset}/{file_id}.html"


def history_key(dataset: str) -> str:
    """The key figures of the dataset's last files."""
    return f"{REPORTS_PREFIX}{dataset}/history.json"


def derived_keys(dataset: str, file_id: str, source_key: str) -> list[str]:
    """All keys derived from a dataset's name for one file, if its output has the key's ID as name.

    S3 refuses keys longer than `MAX_KEY_BYTES`.
    """
    # As long as the key's ID and the file's, together with the longest suffix that a format has.
    path = f"{file_id}.{file_id}"
    return [
        contract_key(dataset),
        processed_key(dataset, path, "parquet"),
        rejected_key(dataset, path),
        corrections_key(dataset, file_id),
        applied_key(dataset, file_id),
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
