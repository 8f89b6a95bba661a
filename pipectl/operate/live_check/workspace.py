"""Sends the live check's files, waits for what becomes of them, and removes every trace of them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from pipectl.client.aws_errors import explain
from pipectl.client.dead_letter_queue import DeadLetterQueue
from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.errors import PipectlError
from pipectl.operate.live_check.endings import InterruptedCheckError, NotRunError
from pipectl.operate.smoke_test import SmokeTest, remove
from shared.job import Source
from shared.keys import RAW_PREFIX, contract_key, work_of

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

Found = TypeVar("Found")
Event = Mapping[str, Any]

MIB = 1024 * 1024
# Larger files are made on S3, by copying one piece many times. S3 takes parts from 5 MiB.
PIECE_BYTES = 8 * MIB
# A file of more than this would take too long. The embedded AWS reads the whole object for each
# range that is asked for.
_MOST_BYTES = 1024 * MIB
_MOST_EMBEDDED_BYTES = 64 * MIB


WAIT_SECONDS = 150.0
_LOOK_SECONDS = 2.0
_EMBEDDED_LOOK_SECONDS = 0.05
# How long the event of a stopped execution takes to leave its dead letter, with a margin.
_SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class SentFile:
    """A file that was sent: its dataset, key, version and ID."""

    dataset: str
    key: str
    version_id: str
    file_id: str


class Workspace:
    """The stack under check, and everything that the checks make in it.

    `sleep` waits for a number of seconds, and returns whether the user wants to end. `remove_all`
    belongs after the last check, whatever has happened.
    """

    def __init__(
        self,
        stack: Stack,
        deadline: float,
        sleep: Callable[[float], bool] | None = None,
        note: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Prepare; `deadline` is the time, by `time.monotonic`, at which checks are to end.

        `note` gets what a person needs to know if the process is killed: settings before a change.
        """
        self.stack = stack
        self.executions = Executions(stack)
        self._items = MetadataItems(stack)
        self._deadline = deadline
        self._sleep = sleep or _sleep
        self._note = note
        self._files: list[SentFile] = []
        self._datasets: list[str] = []
        self._restores: dict[str, Callable[[], object]] = {}
        self._known: dict[Callable[[Workspace], Any], tuple[Any, Exception | None]] = {}
        # Intermediate results have no other file's ID as their folder, and expire by themselves.
        self.scratch = f"{work_of(f'live-check-{secrets.token_hex(6)}')}"

    # ---- files ----

    def new_dataset(self, contract: Mapping[str, Any] | None = None) -> str:
        """The name of a new dataset, with this contract."""
        dataset = f"live-check-{secrets.token_hex(6)}"
        self._datasets.append(dataset)
        if contract is not None:
            self.put_contract(dataset, contract)
        return dataset

    def put_contract(self, dataset: str, contract: Mapping[str, Any]) -> None:
        """Set the contract of a dataset."""
        self.stack.client("s3").put_object(
            Bucket=self.input_bucket,
            Key=contract_key(dataset),
            Body=json.dumps(contract).encode(),
        )

    def send(self, dataset: str, content: bytes, name: str = "live-check.csv") -> SentFile:
        """Upload a file."""
        key = f"{RAW_PREFIX}{dataset}/{name}"
        answer = self.stack.client("s3").put_object(Bucket=self.input_bucket, Key=key, Body=content)
        return self._sent(dataset, key, answer)

    def send_large(self, dataset: str, header: bytes, record: bytes, size: int) -> SentFile:
        """Make a file of about `size` bytes, which repeats one record.

        Beyond two pieces it is made on S3: one piece is uploaded, and copied into the others.
        """
        if size < 2 * PIECE_BYTES:
            return self.send(dataset, header + record * (size // len(record)))
        most = _MOST_EMBEDDED_BYTES if self.stack.emulated else _MOST_BYTES
        if size > most:
            raise NotRunError(
                f"with this SplitSizeBytes it needs a file of {size:,} bytes; the limit is {most:,}"
            )
        s3, key = self.stack.client("s3"), f"{RAW_PREFIX}{dataset}/live-check.csv"
        piece = record * (PIECE_BYTES // len(record))
        place = {"Bucket": self.output_bucket, "Key": f"{self.scratch}piece-{secrets.token_hex(4)}"}
        s3.put_object(**place, Body=piece)
        target = {"Bucket": self.input_bucket, "Key": key}
        upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}

        def copy(number: int) -> dict[str, Any]:
            answer = s3.upload_part_copy(**upload, PartNumber=number, CopySource=place)
            return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

        try:
            first = s3.upload_part(**upload, PartNumber=1, Body=header + piece)
            parts = [{"PartNumber": 1, "ETag": first["ETag"]}]
            parts += side_by_side(copy, range(2, size // PIECE_BYTES + 2))
            answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            s3.abort_multipart_upload(**upload)
            raise
        return self._sent(dataset, key, answer)

    def _sent(self, dataset: str, key: str, answer: Mapping[str, Any]) -> SentFile:
        version, bucket = answer.get("VersionId"), self.input_bucket
        if not version:
            raise PipectlError(
                f"The bucket {bucket} is not versioned. Deploy the stack's own template."
            )
        source = Source(bucket, key, version, answer["ETag"], 0, "", "", dataset)
        file = SentFile(dataset, key, version, source.file_id)
        self._files.append(file)
        return file

    @property
    def input_bucket(self) -> str:
        """The name of the stack's input bucket."""
        return self.stack.output("InputBucketName")

    @property
    def output_bucket(self) -> str:
        """The name of the stack's output bucket."""
        return self.stack.output("OutputBucketName")

    def parameter(self, name: str) -> str:
        """The value of a parameter of the stack; empty if it has none."""
        return self.stack.deployment.parameters.get(name, "")

    # ---- what becomes of them ----

    def once(self, make: Callable[[Workspace], Found]) -> Found:
        """What `make` returns, or raises, the first time: a file that several checks look at."""
        if make not in self._known:
            try:
                self._known[make] = make(self), None
            except InterruptedCheckError:
                raise
            except Exception as error:  # noqa: BLE001  # raised below, and for the next check
                self._known[make] = None, error
        found, failure = self._known[make]
        if failure is not None:
            raise failure
        result: Found = found
        return result

    def wait_until(
        self, look: Callable[[], Found | None], what: str, seconds: float = WAIT_SECONDS
    ) -> Found:
        """What `look` returns as soon as it is not None.

        Raises `PipectlError` after `seconds`, `NotRunError` at the deadline of all checks, and
        `InterruptedCheckError` if the user wants to end.
        """
        until = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None:
                return found
            now = time.monotonic()
            if now > self._deadline:
                raise NotRunError(f"the time was up before {what}; give more with --timeout")
            if now > until:
                raise PipectlError(f"{what}: not within {seconds:g} seconds")
            self.pause(_EMBEDDED_LOOK_SECONDS if self.stack.emulated else _LOOK_SECONDS)

    def pause(self, seconds: float) -> None:
        """Wait; raises `InterruptedCheckError` if the user wants to end."""
        if self._sleep(seconds):
            raise InterruptedCheckError

    @property
    def time_is_up(self) -> bool:
        """Whether the deadline of all checks has passed."""
        return time.monotonic() > self._deadline

    def ended(self, file: SentFile, redrives: int = 0) -> DescribedExecution:
        """The file's execution, once it has ended after this number of redrives."""

        def look() -> DescribedExecution | None:
            found = self.executions.describe(file.file_id)
            ended = found and not found.running and found.redrive_count == redrives
            return found if ended else None

        after = f" after redrive {redrives}" if redrives else ""
        return self.wait_until(look, f"the execution's end{after}")

    def entered(self, file: SentFile, state: str) -> bool:
        """Wait until the file's execution enters a state; whether it is still in it then."""

        def look() -> bool | None:
            found = self.executions.describe(file.file_id)
            if found is None:
                return None
            visits = [one for one in self.executions.run(found).visits if one.name == state]
            if visits:
                return visits[-1].exited_at is None
            return None if found.running else False

        return self.wait_until(look, f"the state {state}")

    def events(self, file: SentFile) -> list[Event]:
        """The history of the file's execution."""
        return list(self.executions.history(self.executions.arn(file.file_id)))

    def item(self, file: SentFile) -> MetadataItem | None:
        """The file's metadata item."""
        return self._items.get([file.file_id]).get(file.file_id)

    def dead_letters(self, file: SentFile) -> list[Mapping[str, Any]]:
        """The state documents in the file's dead letters, oldest first."""
        found = [one for one in self._queue().peek() if one.file_ids == (file.file_id,)]
        return [json.loads(one.body) for one in sorted(found, key=lambda one: one.sent_at)]

    def delete_source(self, file: SentFile) -> None:
        """Delete the version that was uploaded."""
        self.stack.client("s3").delete_object(
            Bucket=self.input_bucket, Key=file.key, VersionId=file.version_id
        )

    def log_lines(self, function: str, pattern: str, since: float) -> list[dict[str, Any]]:
        """The JSON lines in a function's log that match a filter pattern, since a time."""
        pages = self.stack.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=f"/aws/lambda/{function}",
            filterPattern=pattern,
            startTime=round(since * 1000),
        )
        lines = []
        for page in found:
            for event in page["events"]:
                try:
                    line = json.loads(event["message"])
                except ValueError:
                    continue
                if isinstance(line, dict):
                    lines.append(line)
        return lines

    # ---- settings of functions ----

    @contextmanager
    def setting(self, function: str, **change: Any) -> Iterator[dict[str, Any]]:
        """Change a function's configuration inside the block; gives what it was before."""
        client = self.stack.client("lambda")
        present = client.get_function_configuration(FunctionName=function)
        before = {name: present[name] for name in change}
        restore = partial(self._configure, function, before)
        with self.restoring(f"the configuration of {function}", before, restore):
            self._configure(function, change)
            yield before

    @contextmanager
    def restoring(
        self, what: str, before: Mapping[str, Any], restore: Callable[[], object]
    ) -> Iterator[None]:
        """Call `restore` at the end of the block; if it fails, `remove_all` tries it again."""
        values = ", ".join(f"{name} {json.dumps(value)}" for name, value in before.items())
        self._note(f"{what} is changed now and restored afterwards; it is {values}")
        self._restores[what] = restore
        try:
            yield
        finally:
            restore()
            del self._restores[what]

    def _configure(self, function: str, settings: Mapping[str, Any]) -> None:
        # Lambda refuses a change while another one is under way, such as one that was interrupted.
        self._wait_until_updated(function)
        self.stack.client("lambda").update_function_configuration(FunctionName=function, **settings)
        self._wait_until_updated(function)

    def _wait_until_updated(self, function: str) -> None:
        if not self.stack.emulated:
            # Not by `wait_until`: it is also used when the user has ended the checks.
            waiter = self.stack.client("lambda").get_waiter("function_updated_v2")
            waiter.wait(FunctionName=function)

    # ---- afterwards ----

    def remove_all(self) -> list[str]:
        """Restore settings, stop executions and remove everything; returns what could not be.

        Step Functions and CloudWatch keep the executions and log lines for as long as always.
        """
        left: list[str] = []
        for what, restore in list(self._restores.items()):
            _attempt(left, what, restore)
        for file in self._files:
            _attempt(left, f"the running execution {file.file_id}", partial(self._stop, file))
        if self._files:
            _attempt(left, "dead letters of the files", self._remove_dead_letters)
        for file in self._files:
            smoke = SmokeTest(file.dataset, file.key, file.file_id)
            _attempt(left, f"objects and item of {file.key}", partial(remove, self.stack, smoke))
        empty = set(self._datasets) - {file.dataset for file in self._files}
        for dataset in sorted(empty):
            place = (self.input_bucket, contract_key(dataset))
            _attempt(left, f"s3://{'/'.join(place)}", partial(self._remove_below, *place))
        place = (self.output_bucket, self.scratch)
        _attempt(left, f"s3://{'/'.join(place)}", partial(self._remove_below, *place))
        return left

    def _stop(self, file: SentFile) -> None:
        """Stop the file's execution if it runs, and wait for the failure that this leaves."""
        found = self.executions.describe(file.file_id)
        if found is None or not found.running:
            return
        self.stack.client("stepfunctions").stop_execution(
            executionArn=found.arn, error="LiveCheck.Stopped", cause="pipectl live-check has ended."
        )
        until = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < until and self.item(file) is None:
            time.sleep(_EMBEDDED_LOOK_SECONDS if self.stack.emulated else _LOOK_SECONDS)

    def _remove_dead_letters(self) -> None:
        own = {file.file_id for file in self._files}
        queue = self._queue()
        with queue.held() as held:
            queue.delete([one for one in held if one.file_ids and set(one.file_ids) <= own])

    def _remove_below(self, bucket: str, prefix: str) -> None:
        from pipectl.client.object_versions import delete_versions, versions_below

        delete_versions(self.stack, versions_below(self.stack, bucket, prefix))

    def _queue(self) -> DeadLetterQueue:
        return DeadLetterQueue(self.stack)

    def function(self, state: str, events: list[Event]) -> str:
        """The name of the function that a state of this history has invoked."""
        from pipectl.client.links import functions_of

        return functions_of(events)[state].split(":")[6]


def _attempt(left: list[str], what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except (BotoCoreError, ClientError) as error:
        left.append(f"{what}: {explain(error)}")
    except PipectlError as error:
        left.append(f"{what}: {error.message}")


def _sleep(seconds: float) -> Literal[False]:
    time.sleep(seconds)
    return False


def scheduled_calls(events: Iterable[Event]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parameters of each call of a function in a history, with its state."""
    state = ""
    for event in events:
        state = event.get("stateEnteredEventDetails", {}).get("name", state)
        given = event.get("taskScheduledEventDetails", {}).get("parameters")
        if given:
            yield state, json.loads(given)
