"""Uploads local files and contracts to the input bucket."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.errors import PipectlError, UsageError
from shared.contracts import contracts_among
from shared.keys import RAW_PREFIX, contract_key, dataset_of
from tabular.file_names import NO_IGNORED_NAMES, PROCESSED_SUFFIXES, IgnoredNames, why_ignored

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# A dataset is the name of a folder under raw/ and of a file under contracts/.
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIXES = sorted(PROCESSED_SUFFIXES, key=len, reverse=True)


@dataclass(frozen=True)
class PlannedUpload:
    """A local file and the key it goes to."""

    path: Path
    key: str

    @property
    def dataset(self) -> str:
        """The folder under `raw/`, or `default` for a file directly under it."""
        return dataset_of(self.key)


def plan_uploads(
    files: Iterable[Path], dataset: str | None, ignored: IgnoredNames = NO_IGNORED_NAMES
) -> list[PlannedUpload]:
    """Give each file its own key under `raw/`; files with the same name are numbered.

    Without a dataset they go directly under `raw/`. Raises `UsageError` if a file does not exist or
    if the pipeline ignores its name; a name that it refuses fails in the pipeline. `ignored`
    extends the list of ignored names.
    """
    prefix = f"{RAW_PREFIX}{dataset}/" if dataset else RAW_PREFIX
    keys: set[str] = set()
    uploads = []
    for path in files:
        _check(path, ignored)
        key = _free_key(prefix, path.name, keys)
        keys.add(key)
        uploads.append(PlannedUpload(path, key))
    return uploads


def dataset_for(dataset: str | None, contract: Path | None) -> str | None:
    """The dataset that files go to: the named one, otherwise the contract's, otherwise none.

    A contract's dataset is its own `name`, or its file's name up to the first dot.
    """
    if dataset is None and contract is not None:
        dataset = _contract_name(contract)
    if dataset is not None and not _DATASET.fullmatch(dataset):
        raise UsageError(
            f"'{dataset}' is not a valid dataset name. Use letters, digits, '.', '_' and '-',"
            " starting with a letter or digit. Set the name with --dataset."
        )
    return dataset


def put_contract(deployment: Deployment, contract: Path, dataset: str) -> str:
    """Upload a dataset's contract to where the pipeline looks for it; returns the key.

    A contract whose name differs only in case belongs to the same dataset and is replaced. Raises
    `PipectlError` if there are several, which the pipeline refuses.
    """
    key = find_contract(deployment, dataset) or contract_key(dataset)
    deployment.client("s3").put_object(
        Bucket=deployment.outputs["InputBucketName"],
        Key=key,
        Body=contract.read_bytes(),
        ContentType="application/json",
    )
    return key


def find_contract(deployment: Deployment, dataset: str) -> str | None:
    """The key of the dataset's contract, in any case; None if there is none.

    Raises `PipectlError` if there are several that differ only in case.
    """
    bucket = deployment.outputs["InputBucketName"]
    paginator = deployment.client("s3").get_paginator("list_objects_v2")

    def keys_under(prefix: str) -> Iterator[str]:
        for page in paginator.paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))

    found = contracts_among(dataset, keys_under)
    if len(found) > 1:
        raise PipectlError(
            f"The dataset {dataset} has several contracts in s3://{bucket}, whose names differ"
            f" only in case: {', '.join(found)}. Delete all but one."
        )
    return found[0] if found else None


def put_file(
    deployment: Deployment, upload: PlannedUpload, sent: Callable[[int], None] | None = None
) -> str | None:
    """Upload a file; returns the id of its version in S3.

    `sent` is called with the number of bytes sent so far. It begins again at 0 if boto3 tries the
    upload again.
    """
    client = deployment.client("s3")
    client.meta.events.register("before-send.s3.PutObject", _count, unique_id="count-sent-bytes")
    with _CountedFile(upload.path, sent or (lambda _: None)) as content:
        answer = client.put_object(
            Bucket=deployment.outputs["InputBucketName"], Key=upload.key, Body=content
        )
    return answer.get("VersionId")


class _CountedFile(io.FileIO):
    """A file that reports how much of it has been read since it is being sent.

    Before that, boto3 reads it for checksums.
    """

    def __init__(self, path: Path, sent: Callable[[int], None]) -> None:
        super().__init__(path)
        self._sent = sent
        self.counting = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        if self.counting:
            self._sent(self.tell())
        return data


def _count(request: Any, **_: Any) -> None:
    """Let the body of a request that is about to be sent report what is read of it."""
    if isinstance(request.body, _CountedFile):
        request.body.counting = True


def _check(path: Path, ignored: IgnoredNames) -> None:
    """Raise `UsageError` for a file that can't be uploaded or would start no execution."""
    if not path.exists():
        raise UsageError(f"There is no file {path}.")
    if not path.is_file():
        raise UsageError(f"{path} is not a file.")
    reason = why_ignored(path.name, path.stat().st_size, ignored)
    if reason is not None:
        raise UsageError(f"The pipeline would ignore {path}: {reason}. Rename it.")


def _free_key(prefix: str, name: str, taken: set[str]) -> str:
    # The number goes before all suffixes that have a meaning: `a-2.csv.gz`.
    suffix = next((one for one in _SUFFIXES if name.lower().endswith(one)), Path(name).suffix)
    stem = name[: len(name) - len(suffix)]
    suffix = name[len(stem) :]
    key = f"{prefix}{name}"
    number = 1
    while key in taken:
        number += 1
        key = f"{prefix}{stem}-{number}{suffix}"
    return key


def _contract_name(contract: Path) -> str:
    try:
        document = json.loads(contract.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        # The pipeline reports what is wrong with it.
        document = None
    name = document.get("name") if isinstance(document, dict) else None
    if isinstance(name, str) and _DATASET.fullmatch(name):
        return name
    return contract.name.partition(".")[0]
