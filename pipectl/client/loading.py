"""Loads a local folder with the layout of the input bucket, for `pipectl up --load`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipectl.client.uploads import PlannedUpload, put_file
from pipectl.errors import UsageError
from shared.keys import CONTRACTS_PREFIX, RAW_PREFIX
from tabular.file_names import why_ignored

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# Contracts first: a file is processed as soon as it is there.
_PREFIXES = (CONTRACTS_PREFIX, RAW_PREFIX)


@dataclass
class Loaded:
    """What was done with the files of a folder; `ignored` are paths with the reason."""

    contracts: int = 0
    files: int = 0
    unchanged: int = 0
    ignored: list[tuple[Path, str]] = field(default_factory=list)


def check_folder(folder: Path) -> None:
    """Raise `UsageError` if the folder has nothing that can be loaded."""
    if not any((folder / prefix).is_dir() for prefix in _PREFIXES):
        raise UsageError(
            f"{folder} can't be loaded: it has neither a folder {RAW_PREFIX} nor a folder"
            f" {CONTRACTS_PREFIX}. Put files into raw/<dataset>/ and contracts into"
            " contracts/<dataset>.json below it."
        )


def load_folder(deployment: Deployment, folder: Path, ending: Callable[[], bool]) -> Loaded:
    """Upload the contracts and files of a folder, each to the key that is its path.

    Files that are in the bucket with the same content stay as they are, so they are not processed
    again. It stops as soon as `ending` is true.
    """
    loaded = Loaded()
    for upload in _uploads(folder, loaded):
        if ending():
            break
        if _is_there(deployment, upload):
            loaded.unchanged += 1
            continue
        put_file(deployment, upload)
        if upload.key.startswith(CONTRACTS_PREFIX):
            loaded.contracts += 1
        else:
            loaded.files += 1
    return loaded


def _uploads(folder: Path, loaded: Loaded) -> Iterator[PlannedUpload]:
    for prefix in _PREFIXES:
        for path in sorted((folder / prefix).rglob("*")):
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                reason = why_ignored(key, path.stat().st_size)
                if reason is None:
                    yield PlannedUpload(path, key)
                else:
                    loaded.ignored.append((path, reason))


def _is_there(deployment: Deployment, upload: PlannedUpload) -> bool:
    """Whether the key's current version has the file's content."""
    try:
        found = deployment.client("s3").head_object(
            Bucket=deployment.outputs["InputBucketName"], Key=upload.key
        )
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:  # Not Found
            return False
        raise
    if found["ContentLength"] != upload.path.stat().st_size:
        return False
    with upload.path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    # The ETag of an object that was uploaded in one piece, as all of these are.
    return found["ETag"].strip('"') == digest.hexdigest()
