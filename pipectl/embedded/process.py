"""Runs an embedded stack in a separate process, for tests and scripts.

Unit tests use moto themselves. In the same process, they and the stack would share and reset each
other's backends. Functions also need a stack that keeps running while the test's process waits.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipectl.client.controls import Controls
from pipectl.client.file_results import Collector, FileResult, parsed
from pipectl.client.stack_choice import Stack
from pipectl.client.state_file import RunningStack
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.client.uploads import PlannedUpload
from pipectl.embedded.log_files import log_files
from pipectl.embedded.rights.enforcement import Call, Refusal
from pipectl.embedded.started import Started
from pipectl.errors import PipectlError
from pipectl.options import PROJECT

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# Much more than it takes, even on a busy machine.
START_SECONDS = 120
WAIT_SECONDS = 60

_TICK = 0.05


@dataclass(frozen=True)
class Uploaded:
    """An object in the input bucket, with the version that it got."""

    key: str
    version_id: str


class StackProcess(Started):
    """`pipectl up` as a context manager. By default, waits between retries take no time."""

    def __init__(
        self,
        template: Path = PROJECT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        *,
        time_factor: float = 0,
        concurrency: int | None = None,
        data: Path | None = None,
    ) -> None:
        """Prepare; `parameters` override the template's, the rest are options of `pipectl up`."""
        self._template = template
        self._parameters = dict(parameters or {})
        self._time_factor = time_factor
        self._concurrency = [] if concurrency is None else ["--concurrency", str(concurrency)]
        self._data = [] if data is None else ["--data", str(data)]
        self._folder = tempfile.TemporaryDirectory(prefix="pipectl-stack-")
        self._problems = Path(self._folder.name) / "problems"
        self._process: subprocess.Popen[bytes] | None = None
        self._running: RunningStack
        self.deployment: Deployment

    def _start(self) -> None:
        state_file = self.state_file
        # Not a pipe: once full, one that nobody reads would stop the stack.
        with self._problems.open("w") as problems:
            self._start_process(state_file, problems)
        self._running = self._wait_until_up(state_file)
        self.deployment = self._running.deployment

    def _start_process(self, state_file: Path, problems: IO[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and our own module
            [
                *(sys.executable, "-m", "pipectl", "up", "--port", "0", "--no-console"),
                *("--template", str(self._template), "--state-file", str(state_file)),
                *("--time-factor", str(self._time_factor)),
                *self._concurrency,
                *self._data,
                *(f"--parameter={name}={value}" for name, value in self._parameters.items()),
            ],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=problems,
            start_new_session=True,
        )

    def close(self) -> None:
        """Stop the stack, which deletes everything in it."""
        self.terminate()
        self._folder.cleanup()

    def terminate(self) -> list[str]:
        """Send SIGTERM and wait for the end; returns what the stack has printed to stderr."""
        return self._end(signal.SIGTERM)

    def crash(self) -> None:
        """End the process at once, as if the machine had stopped."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> list[str]:
        if self._process is None:
            return []
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        return self._problems.read_text().splitlines()

    @property
    def state_file(self) -> Path:
        """The file that names this stack to the commands of `pipectl`."""
        return Path(self._folder.name) / "embedded.json"

    @property
    def token(self) -> str:
        """The token that requests to `/_embedded/` need in `controls.TOKEN_HEADER`."""
        return self._running.token

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs by name."""
        return self.deployment.outputs

    def client(self, service: Any) -> Any:
        """A boto3 client of a service of this stack."""
        return self.deployment.client(service)

    def upload(self, content: bytes | Path, key: str) -> Uploaded:
        """Put an object into the input bucket, such as `raw/orders/a.csv`."""
        body = content if isinstance(content, bytes) else content.read_bytes()
        answer = self.deployment.client("s3").put_object(
            Bucket=self.outputs["InputBucketName"], Key=key, Body=body
        )
        return Uploaded(key, answer["VersionId"])

    def wait_for(
        self, uploaded: Uploaded, *, redrive_count: int = 0, timeout: float = WAIT_SECONDS
    ) -> DescribedExecution:
        """Wait until the newest execution of an object has ended after `redrive_count` redrives.

        Raises TimeoutError after `timeout` seconds.
        """
        executions = Executions(Stack(self.deployment))
        deadline = time.monotonic() + timeout
        seen = 0
        while time.monotonic() < deadline:
            for execution in executions.all():
                source = execution.source
                if (source.get("key"), source.get("version_id")) != (
                    uploaded.key,
                    uploaded.version_id,
                ):
                    continue
                if execution.status == "running" or execution.redrive_count < redrive_count:
                    break
                return execution
            seen = self.wait_for_change(seen, 1)
        raise TimeoutError(f"{uploaded.key} has no ended execution after {timeout} seconds.")

    def result(self, uploaded: Uploaded, execution: DescribedExecution, folder: Path) -> FileResult:
        """The file's result as of `pipectl run`; outputs are copied to `folder`."""
        run = Executions(Stack(self.deployment)).run(execution)
        upload = PlannedUpload(Path(uploaded.key), uploaded.key)
        collector = Collector(self.deployment, folder)
        return collector.finished(upload, execution, run, self.notifications())

    def output(self, key: str) -> bytes:
        """An object of the output bucket."""
        bucket = self.outputs["OutputBucketName"]
        return self.deployment.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()

    def output_keys(self, prefix: str = "") -> list[str]:
        """The keys in the output bucket that start with `prefix`."""
        pages = (
            self.deployment.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.outputs["OutputBucketName"], Prefix=prefix)
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def dead_letters(self) -> list[Any]:
        """The bodies of the messages in the dead-letter queue, parsed if they are JSON."""
        return [parsed(body) for body in self._ask("dead-letters")]

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """Wait until executions have started or ended more than `seen` times; returns how often.

        Returns after `seconds` at the latest.
        """
        return int(self._ask("changes", {"seen": seen, "seconds": seconds}))

    def calls(self) -> set[Call]:
        """The distinct calls so far of everybody but the administrator."""
        return {
            Call(caller, role, action, resource, tuple((key, tuple(it)) for key, it in context))
            for caller, role, action, resource, context in self._ask("calls")
        }

    def refusals(self) -> list[Refusal]:
        """What callers were refused because of their rights, oldest first."""
        return [Refusal(*refusal) for refusal in self._ask("refusals")]

    def notifications(self) -> list[dict[str, Any]]:
        """All messages published: topic_arn, message_id, subject, message, attributes."""
        notifications: list[dict[str, Any]] = self._ask("notifications")
        return notifications

    def evaluate_alarms(self, *, ahead: float = 0) -> dict[str, str]:
        """Evaluate all alarms as of `ahead` seconds from now; their states by name."""
        states: dict[str, str] = self._ask("alarms", {"ahead": ahead})
        return states

    def failed_deliveries(self) -> list[dict[str, str]]:
        """Messages that a function did not accept: body, code, message."""
        deliveries: list[dict[str, str]] = self._ask("failed-deliveries")
        return deliveries

    def logs(self) -> dict[str, str]:
        """The functions' logs so far, by the function's name."""
        logs: dict[str, str] = {}
        for file in log_files(Path(self._running.log_folder)):
            text = file.path.read_text(encoding="utf-8", errors="backslashreplace")
            logs[file.function] = logs.get(file.function, "") + text
        return logs

    def add_fault(self, target: str, kind: str, times: int = 1) -> None:
        """Let the next calls fail; `pipectl.embedded.injected_faults` lists targets and kinds."""
        self._ask("faults", {"target": target, "kind": kind, "times": times})

    def clear_faults(self) -> None:
        """Remove all faults that have not been used, and release what is held."""
        self._ask("clear-faults")

    def unused_faults(self, target: str) -> int:
        """How many faults of a target have not been used."""
        count: int = self._ask("unused-faults", target)
        return count

    def held(self, function: str) -> int:
        """How many invocations of a function the fault `hold` is holding."""
        count: int = self._ask("held", function)
        return count

    def release(self, function: str) -> None:
        """Let the held invocations of a function continue, and hold no others."""
        self._ask("release", function)

    def _ask(self, what: str, document: Any = None) -> Any:
        return Controls(str(self.deployment.endpoint), self.token).ask(what, document)

    def _wait_until_up(self, state_file: Path) -> RunningStack:
        assert self._process is not None  # noqa: S101  # the caller started it
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            running = RunningStack.find(state_file)
            if running is not None:
                return running
            if self._process.poll() is not None:
                raise PipectlError("The stack ended:", *self._problems.read_text().splitlines())
            time.sleep(_TICK)
        raise PipectlError(f"The stack was not up after {START_SECONDS} seconds.")
