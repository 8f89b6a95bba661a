"""Copies outputs to a folder on this machine, under the output bucket's own keys."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from shared import keys
from tabular.writing.output_formats import FORMATS

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# The longest name that common file systems take, in bytes.
_LONGEST_NAME = 255
_HASH_LENGTH = 16
_LONGEST_SUFFIX = 16
_PIECE_BYTES = 1024 * 1024


class Mirror:
    """A folder that has the outputs of a bucket under their keys.

    Keys come from strangers. Every file is inside the folder, and no two keys share a file: a name
    that a file system would refuse, or confuse with another name, gets a digest. Examples are `..`,
    more than 255 bytes, and two names that differ in case only.
    """

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self._deployment = deployment
        self._folder = folder
        self._bucket = deployment.outputs["OutputBucketName"]
        self._taken: dict[str, str] = {}

    def fetch(self, key: str | None) -> Path | None:
        """Copy an object to its path in the folder; returns the path, or None without a key."""
        if key is None:
            return None
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            # One request, where `download_file` would first ask for the size.
            answer = self._deployment.client("s3").get_object(Bucket=self._bucket, Key=key)
            shutil.copyfileobj(answer["Body"], file, _PIECE_BYTES)
        return path

    def remove(self, key: str) -> None:
        """Remove the copy of an object that is no longer in the bucket, such as old rejects."""
        self.path(key).unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """The path of a key's file, the same one each time."""
        parts: list[str] = []
        segments = key.split("/")
        for number, segment in enumerate(segments, 1):
            # A folder's name ends in a slash, because a file can have the same name.
            owner = "/".join(segments[:number]) + ("" if number == len(segments) else "/")
            names = (_marked(segment, f"{owner}{'/' * again}") for again in itertools.count(1))
            candidates = itertools.chain([safe_name(segment)], map(safe_name, names))
            parts.append(next(one for one in candidates if self._take([*parts, one], owner)))
        return self._folder.joinpath(*parts)

    def _take(self, parts: list[str], owner: str) -> bool:
        """Reserve the path for this beginning of a key, unless another beginning has it."""
        place = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        return self._taken.setdefault(place, owner) == owner


def safe_name(name: str) -> str:
    """A name that is one file or folder on any common file system; most names stay as they are."""
    visible = "".join(c if c.isprintable() and c not in "\\/" else "_" for c in name)
    if visible == name and name not in ("", ".", "..") and len(name.encode()) <= _LONGEST_NAME:
        return name
    return _marked(visible, name)


def _marked(name: str, distinct: str) -> str:
    """The name with a digest of `distinct` before its suffix, not longer than a name may be."""
    # A name that begins with its only dot has a suffix, too.
    suffix = PurePosixPath(f"_{name}").suffix
    if len(suffix) > len(".parquet"):
        suffix = ""
    digest = hashlib.sha256(distinct.encode()).hexdigest()[:_HASH_LENGTH]
    longest = _LONGEST_NAME - len(digest) - len(suffix.encode()) - 1
    stem = name.removesuffix(suffix).strip(".").encode()[:longest].decode(errors="ignore")
    return f"{stem}~{digest}{suffix}"


def fetch_outputs(mirror: Mirror, item: dict[str, object]) -> dict[str, Path | None]:
    """Copy the outputs that a metadata item names, and remove older copies that it replaced.

    Returns the paths of the processed and rejected records, the summary and the report.
    """

    def key_of(name: str) -> str | None:
        return str(item[name]) if item.get(name) else None

    processed, rejected = key_of("output_key"), key_of("rejected_key")
    if processed:
        for key in _other_outputs(processed):
            if key != rejected:
                mirror.remove(key)
    return {
        "processed": mirror.fetch(processed),
        "rejected": mirror.fetch(rejected),
        "summary": mirror.fetch(key_of("summary_key")),
        "report": mirror.fetch(key_of("report_key")),
    }


def _other_outputs(processed_key: str) -> list[str]:
    """The keys at which an earlier run of the file may have left rejects or another format."""
    path, _, suffix = processed_key.rpartition(".")
    below = path.removeprefix(keys.PROCESSED_PREFIX)
    formats = [one.suffix for one in FORMATS.values() if one.suffix != suffix]
    return [f"{path}.{other}" for other in formats] + [f"{keys.REJECTED_PREFIX}{below}.jsonl"]
