"""Files that were dropped on the page and are kept on this machine until they are sent."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipectl.client.uploads import find_contract
from pipectl.errors import PipectlError
from shared.keys import DEFAULT_DATASET

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

_MOST_STAGED = 200
_KEPT_SECONDS = 3600
_CHECK_SECONDS = 900
_MOST_ERRORS = 1000
_EXAMPLES = 8
# https://man7.org/linux/man-pages/man7/path_resolution.7.html
_MOST_NAME_BYTES = 255


@dataclass(frozen=True)
class StagedFile:
    """A file that has not been sent yet; `verdict` is the result of `pipectl check --json`."""

    id: str
    path: Path
    dataset: str | None
    verdict: dict[str, Any]
    at: float

    @property
    def rules(self) -> list[tuple[str, str, int]]:
        """The faults by field and code: how often each one was found."""
        counts = Counter(
            (str(error["field"] or ""), str(error["code"])) for error in self.verdict["errors"]
        )
        return [(field, code, count) for (field, code), count in counts.most_common(20)]

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The first faults."""
        return list(self.verdict["errors"][:_EXAMPLES])


class Staging:
    """A folder for files that have not been sent yet; it is deleted at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pipectl-console-"))
        self._lock = threading.Lock()
        self._files: dict[str, StagedFile] = {}

    def close(self) -> None:
        """Delete all files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is deleted at the end of the block."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield Path(folder)

    def add(self, stack: Stack, name: str, content: IO[bytes], dataset: str | None) -> StagedFile:
        """Keep a file and check it with the contract that the stack has for its dataset."""
        kept = self.keep(name, content, dataset)
        with self.scratch() as scratch:
            contract = contract_of(stack, dataset or DEFAULT_DATASET, scratch)
            checked = replace(kept, verdict=check(kept.path, contract, stack))
        with self._lock:
            self._files[kept.id] = checked
        return checked

    def keep(self, name: str, content: IO[bytes], dataset: str | None = None) -> StagedFile:
        """Keep a file for an hour, until it is sent."""
        file_id = secrets.token_hex(16)
        path = self._folder / file_id / safe_name(name)
        path.parent.mkdir()
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
        staged = StagedFile(file_id, path, dataset, {}, time.monotonic())
        with self._lock:
            self._files[file_id] = staged
        self._expire()
        return staged

    def take(self, ids: Sequence[str]) -> list[StagedFile]:
        """The files of these ids; raises `PipectlError` if one has been deleted."""
        with self._lock:
            missing = [one for one in ids if one not in self._files]
            if missing or not ids:
                raise PipectlError(
                    "The files have been deleted: they are kept for an hour. Choose them again."
                )
            return [self._files[one] for one in ids]

    def remove(self, staged: Sequence[StagedFile]) -> None:
        """Delete files."""
        for one in staged:
            with self._lock:
                self._files.pop(one.id, None)
            shutil.rmtree(one.path.parent, ignore_errors=True)

    def _expire(self) -> None:
        now = time.monotonic()
        with self._lock:
            files = list(self._files.values())
        old = [one for one in files if now - one.at > _KEPT_SECONDS]
        self.remove(old or files[:-_MOST_STAGED])


def safe_name(name: str) -> str:
    """The last part of a name that a browser has sent; raises `PipectlError` if there is none."""
    last = name.replace("\\", "/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in last:
        raise PipectlError("Choose a file: the form has none.")
    if len(last.encode("utf-8", "replace")) > _MOST_NAME_BYTES:
        raise PipectlError(f"The name of the file has more than {_MOST_NAME_BYTES} bytes.")
    return last.encode("utf-8", "replace").decode()


def contract_of(stack: Stack, dataset: str, folder: Path) -> Path | None:
    """The stack's contract for a dataset, copied to a folder; None if there is none."""
    text = contract_text(stack, dataset)
    if text is None:
        return None
    path = folder / "contract.json"
    path.write_bytes(text)
    return path


def contract_text(stack: Stack, dataset: str) -> bytes | None:
    """The stack's contract for a dataset; None if there is none."""
    key = find_contract(stack.deployment, dataset)
    if key is None:
        return None
    answer = stack.client("s3").get_object(Bucket=stack.output("InputBucketName"), Key=key)
    content: bytes = answer["Body"].read()
    return content


def check(path: Path, contract: Path | None, stack: Stack) -> dict[str, Any]:
    """The result of `pipectl check` for a file, from a separate process that frees its memory."""
    ignored = stack.deployment.parameters.get("IgnoredNames", "")
    arguments = ["check", str(path), "--json", "--limit", str(_MOST_ERRORS)]
    arguments += ["--contract", str(contract)] if contract else []
    arguments += ["--ignored-names", ignored] if ignored else []
    verdict: dict[str, Any] = json_of(arguments)["files"][0]
    return verdict


def json_of(arguments: Sequence[str]) -> Any:
    """The JSON document that a command prints; raises `PipectlError` with its error if none."""
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter and our own module
            [sys.executable, "-m", "pipectl", *arguments],
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PipectlError(
            f"`pipectl {arguments[0]}` took more than {_CHECK_SECONDS // 60} minutes. Run it in a"
            " terminal."
        ) from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise PipectlError(*(lines or [f"`pipectl {arguments[0]}` failed."])) from None
