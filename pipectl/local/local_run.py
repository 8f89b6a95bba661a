"""Processes files with an embedded stack that runs only for them."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from pipectl.client.file_results import Collector, FileResult, dead_letters
from pipectl.client.history import ExecutionFailure, read_history
from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import Executions
from pipectl.client.uploads import PlannedUpload, put_contract, put_file
from pipectl.embedded.stack import EmbeddedStack
from pipectl.local.map_progress import MEASURE, TRANSFORM, MapProgress
from pipectl.local.sending import Sending
from shared.keys import RAW_PREFIX, Work
from tabular.file_names import why_ignored

if TYPE_CHECKING:
    from pipectl.embedded.moto_patches.backends import RunningOrEnded
    from pipectl.embedded.rights.enforcement import Refusal
    from pipectl.local.display import RunProgress
    from tabular.file_names import IgnoredNames

# Seconds between two looks at the executions, for what the terminal shows of them.
TICK = 0.2

# If nothing happens for this long, an upload that has started no execution never will.
PATIENCE_SECONDS = 60

_UPLOADS_AT_ONCE = 4

_MAPS = (MEASURE, TRANSFORM)

# Seconds between two looks at a watched folder.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class LocalRun:
    """The results of a run in the order of the uploads, and the dead-letter queue's messages.

    `refusals` are what somebody lacked the rights for. `logs` is the folder with the functions'
    logs, which is kept if a file failed or a call was refused.
    """

    results: list[FileResult]
    dead_letters: list[Any]
    refusals: list[Refusal]
    logs: Path | None


@dataclass(frozen=True)
class WatchedRun:
    """What became of a watched folder's files.

    `all_rejected`: of at least one file that succeeded, every record was rejected. `refusals` and
    `logs` are those of `LocalRun`.
    """

    all_rejected: bool
    refusals: list[Refusal]
    logs: Path | None


@dataclass(frozen=True)
class RunSettings:
    """How the stack of a run is started, and the folder that the outputs are copied to.

    `contract` is the contract's file and its dataset. `concurrency` is the limit of concurrent
    Lambda executions, None for none.
    """

    contract: tuple[Path, str] | None
    folder: Path
    parameters: Mapping[str, str]
    template: Path
    concurrency: int | None


def run_files(
    uploads: Sequence[PlannedUpload], settings: RunSettings, progress: RunProgress
) -> LocalRun:
    """Start the stack, process the files and copy their outputs."""
    with _started(settings) as (stack, logs):
        progress.phase = "Running"
        results = _process(stack, uploads, settings.folder, progress)
        letters = dead_letters(stack.deployment)
        refusals = stack.refusals()
        logs.needed = bool(refusals) or not all(result.succeeded for result in results)
    return LocalRun(results, letters, refusals, logs.folder if logs.needed else None)


def watch_folder(
    watched: WatchedFiles, settings: RunSettings, progress: RunProgress, *, ended: threading.Event
) -> WatchedRun:
    """Start the stack, and process files whenever they appear in a folder, until `ended` is set."""
    all_rejected = False
    with _started(settings) as (stack, logs):
        while not ended.is_set():
            uploads = watched.new()
            results = _process(stack, uploads, settings.folder, progress) if uploads else []
            logs.needed = logs.needed or not all(result.succeeded for result in results)
            all_rejected = all_rejected or any(result.all_rejected for result in results)
            ended.wait(LOOK_SECONDS)
        refusals = stack.refusals()
        logs.needed = logs.needed or bool(refusals)
    return WatchedRun(all_rejected, refusals, logs.folder if logs.needed else None)


@contextmanager
def _started(settings: RunSettings) -> Iterator[tuple[EmbeddedStack, _Logs]]:
    """A running stack with the contract, and the folder of its functions' logs."""
    with (
        _kept_where_needed() as logs,
        EmbeddedStack(
            settings.template,
            settings.parameters,
            concurrency=settings.concurrency,
            log_folder=logs.folder,
        ) as stack,
    ):
        if settings.contract is not None:
            put_contract(stack.deployment, *settings.contract)
        yield stack, logs


class WatchedFiles:
    """The files of a folder that are new or have changed since the last look, and are complete.

    A file is complete if its size and time have not changed between two looks. Without a dataset,
    the first folder below `folder` is the dataset, as under `raw/`.
    """

    def __init__(self, folder: Path, dataset: str | None, ignored: IgnoredNames) -> None:
        self._folder = folder
        self._prefix = f"{RAW_PREFIX}{dataset}/" if dataset else RAW_PREFIX
        self._ignored = ignored
        self._seen: dict[Path, tuple[int, int]] = {}
        self._done: dict[Path, tuple[int, int]] = {}

    def new(self) -> list[PlannedUpload]:
        """The files to process now. Those that the pipeline ignores never are."""
        before, self._seen = self._seen, self._look()
        uploads = []
        for path, state in self._seen.items():
            if before.get(path) == state and self._done.get(path) != state:
                self._done[path] = state
                below = path.relative_to(self._folder).as_posix()
                uploads.append(PlannedUpload(path, f"{self._prefix}{below}"))
        return uploads

    def _look(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for path in sorted(self._folder.rglob("*")):
            try:
                state = path.stat()
            except OSError:
                continue  # it has just been moved away
            below = path.relative_to(self._folder).as_posix()
            if path.is_file() and not why_ignored(below, state.st_size, self._ignored):
                found[path] = (state.st_mtime_ns, state.st_size)
        return found


def _process(
    stack: EmbeddedStack, uploads: Sequence[PlannedUpload], folder: Path, progress: RunProgress
) -> list[FileResult]:
    """Upload files and wait until all have been processed."""
    follower = _Follower(stack, uploads, folder, progress)
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        for upload in uploads:
            pool.submit(follower.upload, upload)
        return follower.wait()


@dataclass
class _Logs:
    folder: Path
    needed: bool = False


@contextmanager
def _kept_where_needed() -> Iterator[_Logs]:
    """A folder for logs, which is deleted at the end unless `needed` is set."""
    logs = _Logs(Path(tempfile.mkdtemp(prefix="pipectl-logs-")))
    try:
        yield logs
    finally:
        if not logs.needed:
            shutil.rmtree(logs.folder, ignore_errors=True)


class _Follower:
    """Follows uploads until all have been processed."""

    def __init__(
        self,
        stack: EmbeddedStack,
        uploads: Sequence[PlannedUpload],
        folder: Path,
        progress: RunProgress,
    ) -> None:
        self._stack = stack
        self._uploads = uploads
        self._progress = progress
        self._executions = Executions(Stack(stack.deployment))
        self._collector = Collector(stack.deployment, folder)
        self._versions: dict[PlannedUpload, str | None] = {}
        self._problems: dict[PlannedUpload, ExecutionFailure] = {}
        self._results: dict[PlannedUpload, FileResult] = {}
        self._sending: dict[PlannedUpload, Sending] = {}
        self._maps: dict[tuple[PlannedUpload, str], MapProgress] = {}
        self._last_news = time.monotonic()

    def upload(self, upload: PlannedUpload) -> None:
        """Upload a file; an error becomes the file's result."""
        try:
            sending = self._sending[upload] = Sending(upload.path.stat().st_size)
            self._versions[upload] = put_file(self._stack.deployment, upload, sending.sent)
        except Exception as error:  # noqa: BLE001  # any error fails only this file
            self._problems[upload] = ExecutionFailure("UploadFailed", str(error), None)
        finally:
            self._sending.pop(upload, None)

    def wait(self) -> list[FileResult]:
        """Wait until all uploads have been processed; returns the results in their order."""
        seen = 0
        while True:
            self._look()
            if len(self._results) == len(self._uploads):
                break
            seen = self._stack.changes.wait(seen, TICK)
        return [self._results[upload] for upload in self._uploads]

    def _look(self) -> None:
        by_object = {
            _object_of(execution.document): execution for execution in self._stack.executions()
        }
        running: dict[PlannedUpload, RunningOrEnded] = {}
        for upload, version in list(self._versions.items()):
            execution = by_object.get((upload.key, version))
            if execution is None or upload in self._results:
                continue
            described = None
            if execution.status != "RUNNING":
                described = self._executions.describe(execution.arn)
            if described is None:
                running[upload] = execution
            else:
                run = read_history(execution.events, described.status)
                notifications = self._stack.notifications()
                self._finish(self._collector.finished(upload, described, run, notifications))
        waiting = [
            upload
            for upload in list(self._versions)
            if upload not in running and upload not in self._results
        ]
        self._show(running, waiting)
        self._give_up_on(waiting)
        for upload in self._problems.keys() - self._results.keys():
            self._finish(self._collector.not_started(upload, self._problems[upload]))

    def _finish(self, result: FileResult) -> None:
        self._results[result.upload] = result
        self._progress.finish(result)
        self._last_news = time.monotonic()

    def _show(
        self, running: Mapping[PlannedUpload, RunningOrEnded], waiting: Iterable[PlannedUpload]
    ) -> None:
        if running:
            self._last_news = time.monotonic()
        self._progress.running = {
            **{upload: self._state(upload, execution) for upload, execution in running.items()},
            **{upload: str(sending) for upload, sending in list(self._sending.items())},
            **dict.fromkeys(waiting, "uploaded, waiting to start"),
        }

    def _state(self, upload: PlannedUpload, execution: RunningOrEnded) -> str:
        """The state that an execution is in; in a Map also how far it is, and how fast."""
        state = execution.state or "starting"
        if state not in _MAPS:
            return state
        if (upload, state) not in self._maps:
            name = execution.arn.rpartition(":")[2]
            work = Work(str(execution.document["file_id"]), name)
            size = upload.path.stat().st_size
            progress = MapProgress(self._stack.deployment, work, state, size)
            self._maps[upload, state] = progress
        return f"{state}, {self._maps[upload, state].read()}"

    def _give_up_on(self, waiting: Iterable[PlannedUpload]) -> None:
        """Fail those that will never start: refused by the starter, or waiting for too long."""
        refusals = {
            source: ExecutionFailure(delivery["code"], delivery["message"], None)
            for delivery in self._stack.failed_deliveries()
            for source in _sources(delivery["body"])
        }
        too_long = time.monotonic() - self._last_news > PATIENCE_SECONDS
        for upload in waiting:
            refusal = refusals.get((upload.key, self._versions[upload]))
            if refusal is not None:
                self._problems[upload] = refusal
            elif too_long:
                self._problems[upload] = ExecutionFailure(
                    "NotStarted",
                    f"No execution was started within {PATIENCE_SECONDS} seconds. See the"
                    f" starter's log in {self._stack.log_folder}.",
                    None,
                )


def _object_of(document: Any) -> tuple[Any, Any]:
    """Key and version of the object that an execution processes, given its input."""
    source = document.get("source") if isinstance(document, dict) else None
    known = source if isinstance(source, dict) else {}
    return known.get("key"), known.get("version_id")


def _sources(body: str) -> list[tuple[str, str | None]]:
    """Key and version of the objects in an S3 event, given as a message's body."""
    try:
        records = json.loads(body)["Records"]
        objects = [record["s3"]["object"] for record in records]
        return [(unquote_plus(item["key"]), item.get("versionId")) for item in objects]
    except (ValueError, KeyError, TypeError):
        return []
