"""`pipectl live-check`: verdicts, exit status, and what is left of the files."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import pytest
from botocore.exceptions import ClientError

from pipectl import signals
from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.live_check import command
from pipectl.errors import PipectlError
from pipectl.operate.live_check import registry, workspace
from pipectl.operate.live_check.endings import NotRunError
from pipectl.operate.live_check.model import CENTS, CheckResult, LiveCheck, Seen
from pipectl.operate.live_check.report import report_of
from pipectl.operate.live_check.run import Checked
from pipectl.operate.live_check.workspace import Workspace
from tests.unit.mocked_stack import mocked_deployment

BUCKETS = ("input", "output")
ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:pipeline"

Look = Callable[[Workspace], Seen]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with mocked_deployment(*BUCKETS) as deployment:
        s3 = deployment.client("s3")
        for bucket in BUCKETS:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        queue = deployment.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
        deployment.client("dynamodb").create_table(
            TableName="metadata",
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        deployment.__dict__["outputs"] = {
            "InputBucketName": "input",
            "OutputBucketName": "output",
            "MetadataTableName": "metadata",
            "StateMachineArn": MACHINE,
            "DeadLetterQueueUrl": queue,
        }
        deployment.__dict__["parameters"] = {"NotificationEmail": "a@b.c", "LogLevel": "INFO"}
        stack = Stack(deployment)
        monkeypatch.setattr(StackChoice, "open_to_change", lambda *_: stack)
        monkeypatch.setattr("pipectl.signals.ending_signals", threading.Event)
        # Its empty queues are not polled for a second each.
        monkeypatch.setattr(Stack, "emulated", True)
        # There is no workflow.
        monkeypatch.setattr("pipectl.client.step_functions.Executions.describe", lambda *_: None)
        yield stack


def check(look: Look, name: str = "one", *, invasive: bool = False) -> LiveCheck:
    return LiveCheck(name, "something", "expected", look, invasive=invasive)


@dataclass(frozen=True)
class Printed:
    """The exit status of the command, and what it wrote to standard output."""

    status: int
    stdout: str

    @property
    def document(self) -> Any:
        """What was printed with --json."""
        return json.loads(self.stdout)

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """Verdict and text of each check."""
        return [(one["verdict"], one["seen"]) for one in self.document["checks"]]


Run = Callable[..., Printed]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with these checks in place of the registry's."""

    def run(*checks: LiveCheck, options: str = "--json") -> Printed:
        if checks:
            monkeypatch.setattr(registry, "CHECKS", checks)
        status = 0
        try:
            command.main([*options.split(), "--yes"], standalone_mode=False)
        except SystemExit as end:
            status = int(end.code or 0)
        except click.ClickException as error:
            status = error.exit_code
        except click.Abort:
            status = 130
        return Printed(status, capsys.readouterr().out)

    return run


def as_expected(_: Workspace) -> Seen:
    return Seen("fine", True)


def raising(error: BaseException) -> Look:
    def look(_: Workspace) -> Seen:
        raise error

    return look


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("look", "verdict", "text"),
    [
        (as_expected, "ok", "fine"),
        (lambda _: Seen("wrong", False), "differs", "wrong"),
        (raising(NotRunError("no X-Ray here")), "not run", "no X-Ray here"),
        (raising(refused("AccessDenied")), "not run", "Access denied"),
        (raising(refused("InvalidPart")), "differs", "AWS refused GetObject: no (InvalidPart)"),
        (raising(PipectlError("no outcome")), "differs", "no outcome"),
        (raising(KeyError("MapRunArn")), "differs", "an answer of another form"),
    ],
)
def test_a_check_has_a_verdict(stack: Stack, run: Run, look: Look, verdict: str, text: str) -> None:
    result = run(check(as_expected), check(look, "two"))

    seen = result.verdicts
    assert seen[0] == ("ok", "fine")
    assert seen[1][0] == verdict
    assert seen[1][1].startswith(text)
    assert result.status == (1 if verdict == "differs" else 0)


def test_nothing_that_ran_is_no_success(stack: Stack, run: Run) -> None:
    result = run(check(raising(NotRunError("no"))))
    assert result.status == 1


def test_without_invasive_no_setting_is_changed(stack: Stack, run: Run) -> None:
    one = check(as_expected, invasive=True)
    assert run(one).verdicts[0][0] == "not run"
    assert run(one, options="--json --invasive").verdicts[0][0] == "ok"


def test_after_the_timeout_no_check_begins(
    stack: Stack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: Workspace) -> Seen:
        monkeypatch.setattr(Workspace, "time_is_up", True)
        return Seen("late", True)

    result = run(check(slow), check(as_expected, "two"))
    assert [verdict for verdict, _ in result.verdicts] == ["ok", "not run"]


def test_the_table_names_check_expectation_and_verdict(stack: Stack, run: Run) -> None:
    other = check(lambda _: Seen("409", False), "two")
    result = run(check(as_expected), other, options="--timeout 60")

    lines = result.stdout.splitlines()
    assert lines[0].split() == ["VERDICT", "CHECK", "TIME", "EXPECTED", "SEEN"]
    assert lines[1].split() == ["ok", "one", "0", "s", "expected", "fine"]
    assert lines[2].split() == ["differs", "two", "0", "s", "expected", "409"]
    assert lines[3] == "2 checks: 1 ok, 1 differs, 0 not run"


def test_checks_are_listed_and_chosen_by_name(run: Run) -> None:
    listed = run(options="--list").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [
        one.name for one in registry.CHECKS
    ]
    assert run(options="--only nothing").status == 2


def test_only_the_named_checks_run(stack: Stack, run: Run) -> None:
    checks = check(as_expected), check(as_expected, "two")
    result = run(*checks, options="--json --only two")
    assert [one["name"] for one in result.document["checks"]] == ["two"]


def left(stack: Stack) -> list[str]:
    pages = [stack.client("s3").list_object_versions(Bucket=bucket) for bucket in BUCKETS]
    return [
        str(one["Key"])
        for page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]


def sending(error: BaseException | None = None) -> Look:
    """A check that leaves all kinds of things, and then fails."""

    def look(bench: Workspace) -> Seen:
        s3 = bench.stack.client("s3")
        bench.new_dataset({"schema": {}})
        file = bench.send(bench.new_dataset({"schema": {}}), b"id\n1\n")
        s3.put_object(Bucket="output", Key=f"{bench.scratch}x", Body=b"")
        s3.put_object(Bucket="output", Key=f"processed/{file.dataset}/x.jsonl", Body=b"")
        s3.put_object(Bucket="output", Key=f"work/{file.file_id}/plan.json", Body=b"")
        if error:
            raise error
        return Seen("sent", True)

    return look


@pytest.mark.parametrize(
    "error", [None, ValueError(), NotRunError("no"), KeyboardInterrupt(), PipectlError("late")]
)
def test_everything_is_removed_however_a_check_ends(
    stack: Stack, run: Run, error: BaseException | None
) -> None:
    stack.client("s3").put_object(Bucket="input", Key="raw/orders/a.csv", Body=b"mine")
    result = run(check(sending(error)))

    assert left(stack) == ["raw/orders/a.csv"]
    assert result.document["not_removed"] == []


def test_ctrl_c_ends_the_checks_and_removes_everything(
    stack: Stack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = threading.Event()
    monkeypatch.setattr("pipectl.signals.ending_signals", lambda: ending)

    def look(bench: Workspace) -> Seen:
        sending()(bench)
        ending.set()
        bench.wait_until(lambda: None, "never")
        raise AssertionError

    result = run(check(as_expected, "zero"), check(look), check(as_expected, "two"))

    document = result.document
    assert [one["name"] for one in document["checks"]] == ["zero"]
    assert document["interrupted"] is True
    assert result.status == 130
    assert left(stack) == []


def test_what_could_not_be_removed_is_listed(
    stack: Stack, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise refused("AccessDenied")

    monkeypatch.setattr(workspace, "remove", refuse)
    result = run(check(sending()), options="--timeout 60")

    assert result.status == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("Not removed: ")]
    assert "raw/live-check-" in line
    assert "Access denied" in line


class FakeLambda:
    """One function that records each change; while it is `updating`, it refuses one."""

    def __init__(self, *, fails: int = 0) -> None:
        self.timeout = 900
        self.updating = False
        self.changes: list[int] = []
        self.fails = fails

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": self.timeout}

    def update_function_configuration(self, *, FunctionName: str, Timeout: int) -> None:  # noqa: N803
        if self.changes and self.fails:
            self.fails -= 1
            raise refused("TooManyRequestsException")
        if self.updating:
            raise refused("ResourceConflictException")
        self.changes.append(Timeout)
        self.timeout = Timeout

    def get_waiter(self, _: str) -> Any:
        return self

    def wait(self, **_: Any) -> None:
        self.updating = False


@pytest.mark.parametrize("fails", [0, 1])
def test_settings_are_restored_even_if_the_first_attempt_fails(stack: Stack, fails: int) -> None:
    function = FakeLambda(fails=fails)
    stack.deployment._clients["lambda"] = function
    notes: list[str] = []
    bench = Workspace(stack, time.monotonic() + 60, note=notes.append)

    def interrupted() -> None:
        with bench.setting("transform", Timeout=1):
            assert function.timeout == 1
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, ClientError)):
        interrupted()

    assert bench.remove_all() == []
    assert (function.timeout, function.changes) == (900, [1, 900])
    assert notes == [
        "the configuration of transform is changed now and restored afterwards; it is Timeout 900"
    ]


def test_a_setting_is_restored_after_a_change_that_is_still_under_way(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "emulated", False)
    function = FakeLambda()
    stack.deployment._clients["lambda"] = function
    bench = Workspace(stack, time.monotonic() + 60)

    with bench.setting("transform", Timeout=1):
        function.updating = True  # as if the wait for it had been interrupted

    assert function.changes == [1, 900]


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ending_signals = signals.ending_signals


@pytest.mark.usefixtures("_signals_as_before")
@pytest.mark.parametrize("number", ENDING)
def test_a_setting_is_restored_when_a_signal_ends_an_invasive_check(
    stack: Stack, run: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(signals, "ending_signals", _ending_signals)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    function = FakeLambda()
    stack.deployment._clients["lambda"] = function

    def look(bench: Workspace) -> Seen:
        with bench.setting("transform", Timeout=1):
            sending()(bench)
            # Twice, as somebody does who sees that it has not ended yet.
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            bench.wait_until(lambda: None, "never")
        raise AssertionError

    result = run(check(look, invasive=True), check(as_expected, "two"), options="--json --invasive")

    assert (function.timeout, function.changes) == (900, [1, 900])
    assert result.document["interrupted"] is True
    assert (result.document["checks"], result.document["not_removed"]) == ([], [])
    assert result.status == 130
    assert left(stack) == []


@pytest.mark.usefixtures("_signals_as_before")
def test_under_nohup_the_end_of_the_terminal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    ending = _ending_signals()
    os.kill(os.getpid(), signal.SIGHUP)

    assert not ending.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_setting_that_could_not_be_restored_is_listed(stack: Stack) -> None:
    stack.deployment._clients["lambda"] = FakeLambda(fails=9)
    bench = Workspace(stack, time.monotonic() + 60)
    with pytest.raises(ClientError), bench.setting("transform", Timeout=1):
        pass

    [line] = bench.remove_all()
    assert line.startswith("the configuration of transform: ")


def test_a_file_of_several_checks_is_sent_once_even_if_it_fails(stack: Stack) -> None:
    bench = Workspace(stack, time.monotonic() + 60)
    calls = []

    def make(_: Workspace) -> None:
        calls.append(1)
        raise PipectlError("late")

    for _ in range(2):
        with pytest.raises(PipectlError, match="late"):
            bench.once(make)
    assert calls == [1]


def test_a_large_file_is_copied_together_on_s3(stack: Stack) -> None:
    bench = Workspace(stack, time.monotonic() + 60)
    record = b"1234567,12.50\n"
    file = bench.send_large(bench.new_dataset(), b"id,amount\n", record, 20 * workspace.MIB)

    body = stack.client("s3").get_object(Bucket="input", Key=file.key)["Body"].read()
    assert len(body) > 20 * workspace.MIB
    assert body.startswith(b"id,amount\n1234567,12.50\n")
    assert set(body[10:].split(b"\n")) == {record[:-1], b""}
    assert stack.client("s3").list_multipart_uploads(Bucket="input").get("Uploads", []) == []
    bench.remove_all()
    assert left(stack) == []


def test_the_report_has_no_account_and_no_private_parameter(stack: Stack) -> None:
    result = CheckResult(
        check(as_expected), "ok", f"arn:aws:s3:::b-{ACCOUNT}", evidence={MACHINE: [MACHINE]}
    )
    document = report_of(stack, Checked([result], [], False), datetime.now(UTC), "1")

    assert ACCOUNT not in json.dumps(document)
    assert document["parameters"] == {"NotificationEmail": "(set)", "LogLevel": "INFO"}
    assert document["checks"][0]["seen"] == "arn:aws:s3:::b-ACCOUNT"


def test_all_checks_together_cost_less_than_half_a_dollar() -> None:
    assert sum(CENTS[one.cost] for one in registry.CHECKS) < 50


def test_every_check_has_a_name_of_its_own_and_says_what_it_relies_on() -> None:
    names = [one.name for one in registry.CHECKS]
    assert len(set(names)) == len(names)
    assert all(one.relies_on and one.expected for one in registry.CHECKS)
