"""Names and messages from strangers, through every command: none of them controls the terminal.

The list of commands is click's own. A command without a case here fails the first test; a case is
the command lines to try, in a world where everything that a stranger can name is hostile.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from pipectl import cli
from pipectl.client.deployment import Deployment
from pipectl.client.file_results import FileResult
from pipectl.client.history import ExecutionFailure
from pipectl.client.state_file import RunningStack
from pipectl.commands import up
from pipectl.embedded.rights.enforcement import Refusal
from pipectl.local import local_run
from shared.job import Source
from tabular.correction_format import head
from tests.unit.pipectl.registry import commands_below

# An end of line that forges another one, terminal escapes (C0 and C1), an overwritten line, bidi
# override and isolate, characters without width, line separators, markup of rich and of chats.
EVIL = (
    "EVIL\nFORGED\r\x1b[31m\x1b]0;title\x07\x9b2J\x08\x85\x7f\u202e\u2066\u200b\u200d\ufeff\u2028"
    "\ufe0f\u3164\U000e0041[bold]bold[/bold][/]\\[link=http://evil.example]<!channel>`&\\"
)
# Without the characters that names of columns can't have.
LABEL = EVIL.replace("\x85", "").replace("\u2028", "")
DATASET = f"orders{EVIL.replace('/', '')}"
KEY = f"raw/{DATASET}/march{EVIL}.csv"
SOURCE = Source("in", KEY, f"v1{EVIL}", "e1", 10, "00AA", "2026-03-01T08:00:00.000Z", DATASET)
LATER = Source("in", KEY, f"v2{EVIL}", "e2", 10, "00AB", "2026-03-02T08:00:00.000Z", DATASET)

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:data-pipeline-dev"
ARN = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{SOURCE.file_id}"
OUTPUTS = {
    "StateMachineArn": MACHINE,
    "MetadataTableName": "metadata",
    "DeadLetterQueueUrl": "https://queue.example/dlq",
    "ProcessingQueueUrl": "https://queue.example/processing",
    "InputBucketName": "in",
    "OutputBucketName": "out",
}


def item(source: Source, status: str) -> dict[str, Any]:
    """The metadata item of a file."""
    run = {
        "status": status,
        "execution_arn": ARN,
        "redrive_count": 0,
        "recorded_at": "2026-11-20T08:00:05.000Z",
        "error": f"Error{EVIL}",
    }
    return {
        "file_id": source.file_id,
        "status": status,
        "attempt": 1,
        "execution_arn": ARN,
        "processed_at": "2026-11-20T08:00:00.000Z",
        "recorded_at": "2026-11-20T08:00:05.000Z",
        "failed_at": "2026-11-20T08:00:05.000Z",
        "source": f"in/{source.key}",
        "sequencer": source.sequencer.ljust(40, "0"),
        "source_bucket": "in",
        "source_key": source.key,
        "source_version_id": source.version_id,
        "source_etag": source.etag,
        "source_bytes": source.size,
        "uploaded_at": source.event_time,
        "dataset": source.dataset,
        "error": {"code": f"Code{EVIL}", "message": f"Message{EVIL}", "state": f"State{EVIL}"},
        "record_count": 3,
        "processed_count": 2,
        "error_count": 1,
        "execution_name": source.file_id,
        "output_bucket": "out",
        "output_key": f"processed/{EVIL}",
        "rejected_key": f"rejected/{EVIL}",
        "summary_key": f"reports/{EVIL}",
        "history": {"1.0": run},
    }


@dataclass
class World:
    """An AWS in which a file with a hostile name has failed with a hostile error."""

    redriven: int = 0
    uploaded: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)

    def call(self, _client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
        """Answer an API call."""
        return getattr(self, f"_{operation}")(request)

    def _DescribeStacks(self, _: Any) -> Any:  # noqa: N802  # as AWS names it
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def _execution(self) -> dict[str, Any]:
        return {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": SOURCE.file_id,
            "status": "FAILED",
            "startDate": NOW,
            "stopDate": NOW,
            "redriveCount": self.redriven,
        }

    def _ListExecutions(self, request: Any) -> Any:  # noqa: N802
        wanted = request.get("statusFilter", "FAILED") == "FAILED"
        by_hand = {**self._execution(), "name": f"by-hand{EVIL}", "executionArn": f"{ARN}{EVIL}"}
        return {"executions": [self._execution(), by_hand] if wanted else []}

    def _DescribeExecution(self, request: Any) -> Any:  # noqa: N802
        if not request["executionArn"].startswith(ARN) or "-r" in request["executionArn"][-5:]:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")
        document = {
            "file_id": SOURCE.file_id,
            "attempt": 1,
            "replay_of": f"replay{EVIL}",
            "source": vars(SOURCE),
        }
        return {
            **self._execution(),
            "input": json.dumps(document),
            "error": f"Error{EVIL}",
            "cause": f"Cause{EVIL}",
            "redriveStatus": "REDRIVABLE",
        }

    def _GetExecutionHistory(self, _: Any) -> Any:  # noqa: N802
        failed = {"error": f"Error{EVIL}", "cause": f"Cause{EVIL}"}
        events: list[dict[str, Any]] = [
            {"type": "ExecutionStarted"},
            {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": f"State{EVIL}"}},
            {"type": "TaskScheduled"},
            {"type": "TaskFailed", "taskFailedEventDetails": failed},
            {"type": "ExecutionFailed", "executionFailedEventDetails": failed},
        ]
        return {"events": [{**event, "timestamp": NOW} for event in events]}

    def _DescribeStateMachine(self, _: Any) -> Any:  # noqa: N802
        return {"definition": "{}"}

    _DescribeStateMachineForExecution = _DescribeStateMachine

    def _RedriveExecution(self, _: Any) -> Any:  # noqa: N802
        self.redriven += 1
        return {"redriveDate": NOW}

    def _BatchGetItem(self, request: Any) -> Any:  # noqa: N802
        keys = [key["file_id"]["S"] for key in request["RequestItems"]["metadata"]["Keys"]]
        found = [item(SOURCE, "failed")] if SOURCE.file_id in keys else []
        if self.uploaded:
            found = [{**item(SOURCE, "failed"), "file_id": key} for key in keys]
        return {"Responses": {"metadata": [serialized(one) for one in found]}}

    def _Scan(self, _: Any) -> Any:  # noqa: N802
        return {"Items": [serialized(item(SOURCE, "failed"))]}

    def _Query(self, _: Any) -> Any:  # noqa: N802
        return {"Items": [serialized(item(one, "failed")) for one in (SOURCE, LATER)]}

    def _ReceiveMessage(self, _: Any) -> Any:  # noqa: N802
        message = {"MessageId": f"m{EVIL}", "ReceiptHandle": "r", "Body": f"no job {EVIL}"}
        return {"Messages": [{**message, "Attributes": {"SentTimestamp": "1763625600000"}}]}

    def _nothing(self, _: Any) -> Any:
        return {}

    _ChangeMessageVisibilityBatch = _SendMessage = _DeleteItem = _DeleteMessageBatch = _nothing

    def _GetQueueAttributes(self, _: Any) -> Any:  # noqa: N802
        return {"Attributes": {"ApproximateNumberOfMessages": "3"}}

    def _PutObject(self, _: Any) -> Any:  # noqa: N802
        self.uploaded = True
        return {"VersionId": f"v9{EVIL}", "ETag": '"e9"'}

    def _DeleteObjects(self, _: Any) -> Any:  # noqa: N802
        return {"Errors": [{"Key": f"key{EVIL}", "Message": f"Message{EVIL}"}]}

    def _GetCallerIdentity(self, _: Any) -> Any:  # noqa: N802
        return {"Arn": f"arn:aws:iam::1:user/{EVIL}", "Account": "1"}

    _HeadBucket = _DescribeTable = _nothing

    def _SendMessageBatch(self, request: Any) -> Any:  # noqa: N802
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}

    def _ListObjectVersions(self, _: Any) -> Any:  # noqa: N802
        version = {
            "Key": KEY,
            "VersionId": f"v3{EVIL}",
            "ETag": '"e3"',
            "Size": 10,
            "IsLatest": True,
            "LastModified": NOW,
        }
        return {"Versions": [version, {**version, "Key": f"raw/_ignored{EVIL}"}]}

    def _ListObjectsV2(self, request: Any) -> Any:  # noqa: N802
        if request["Prefix"] == "raw/orders/":
            key = f"raw/orders/march{EVIL.replace('/', '')}.csv"
            found = {"Key": key, "Size": 10, "ETag": '"e1"', "LastModified": NOW}
            return {"KeyCount": 1, "Contents": [found]}
        if not request["Prefix"].startswith("work/"):
            return {"KeyCount": 0}
        part = {"Key": f"{request['Prefix']}{EVIL}.rejected.jsonl", "Size": 1}
        rows = {"Key": f"{request['Prefix']}00000.corrections.csv", "Size": 1}
        return {"KeyCount": 2, "Contents": [part, rows]}

    def _HeadObject(self, _: Any) -> Any:  # noqa: N802
        return {"ContentLength": 10, "ETag": '"e1"'}

    def _GetObject(self, request: Any) -> Any:  # noqa: N802
        fault = {"field": EVIL, "code": "type-error", "rule": "type", "message": EVIL}
        reject = {"row": 1, "line": 2, "errors": [{**fault, "value": EVIL}], "raw": EVIL}
        if request["Key"].endswith(".corrections.csv"):
            return {"Body": StreamingBody(io.BytesIO(ROWS), len(ROWS))}
        if request["Key"] == KEY:
            return {"Body": StreamingBody(io.BytesIO(CONTENT), len(CONTENT))}
        if request["Key"].startswith("work/"):
            line = json.dumps(reject, ensure_ascii=False).encode() + b"\n"
            return {"Body": StreamingBody(io.BytesIO(line), len(line))}
        text = json.dumps({"title": EVIL}, ensure_ascii=False, indent=2) + "\r\n"
        return {"Body": StreamingBody(io.BytesIO(text.encode()), len(text.encode()))}


CELL = EVIL.replace("\x00", "")
CONTENT = f'id,"x{LABEL}"\n1,2\n'.encode()
ROWS = head(("id", f"x{LABEL}")) + f'1,why,"{CELL}",2,\r\n'.encode()


def serialized(document: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB's API has it."""
    return {name: TypeSerializer().serialize(value) for name, value in document.items()}


@dataclass(frozen=True)
class Place:
    """Where a case runs: a folder, and the options that choose the stack of the world."""

    folder: Path
    stack: tuple[str, ...]
    monkeypatch: pytest.MonkeyPatch

    def file(self, name: str, content: str) -> str:
        """Write a file with a hostile name; returns its path."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8", errors="surrogateescape")
        return str(path)


Lines = list[list[str]]
CHECK_FORMATS = ("github", "junit", "csv")
"""Those for programs that are not JSON."""


def on_the_stack(*lines: tuple[str, ...]) -> Callable[[Place], Lines]:
    """Cases of a command that works on a stack."""
    return lambda place: [[*line, *place.stack] for line in lines]


def correct(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    fixed = place.file(f"fixed{name}.csv", ROWS.decode().replace(",2,", f',"3{CELL}",'))
    wrong = place.file(f"wrong{name}.csv", ROWS.decode().replace("1,why", f'"{CELL}",why'))
    return [
        [SOURCE.file_id, file, *options, *place.stack]
        for file in (fixed, wrong, EVIL)
        for options in (["--dry-run"], ["--json", "--dry-run"])
    ]


def check(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    good = place.file(f"good{name}.csv", f'id,"x{LABEL}"\n1,2\n')
    bad = place.file(f"bad{name}.csv", f'id,x\n"{EVIL}",2\n3,4\n')
    title = {"name": "x", "title": EVIL, "type": "integer"}
    fields = [{"name": "id", "type": "integer", "constraints": {"enum": [1, 3]}}, title]
    contract = place.file(f"contract{name}.json", json.dumps({"fields": fields}))
    broken = place.file(
        f"broken{name}.json", json.dumps({"fields": [{"name": EVIL, "type": EVIL}]})
    )
    missing = str(place.folder / f"nowhere{name}")
    return [
        [good, bad, "--contract", contract],
        *([good, bad, "--contract", contract, "--format", name] for name in CHECK_FORMATS),
        [good, "--contract", broken],
        [good, "--max-rejects", EVIL],
        [str(place.folder)],
        [good, "--limit", EVIL],
        [missing],
    ]


def one_file(place: Place) -> Lines:
    """A command about one file, with and without a contract."""
    name = EVIL.replace("/", "")
    good = place.file(f"good{name}.csv", f'id,"x{LABEL}"\n1,"{EVIL}"\n')
    bad = place.file(f"bad{name}.csv", f'id,x\n"{EVIL}",2\n3,4\n')
    fields = [{"name": "id", "type": "integer"}, {"name": "x"}]
    contract = place.file(f"contract{name}.json", json.dumps({"fields": fields}))
    broken = place.file(f"broken{name}.json", json.dumps({"fields": [{"name": EVIL, "type": 1}]}))
    missing = str(place.folder / f"nowhere{name}")
    return [[good], [bad, "--contract", contract], [good, "--contract", broken], [missing]]


def infer(place: Place) -> Lines:
    sample = place.file(f"sample{EVIL.replace('/', '')}.csv", f'id,"x{LABEL}"\n1,"{EVIL}"\n')
    empty = place.file(f"empty{EVIL.replace('/', '')}.csv", "")
    return [
        [sample],
        [sample, sample, "--propose"],
        [sample, "--dataset", EVIL],
        [sample, "--delimiter", EVIL],
        [sample, "--encoding", EVIL],
        [sample, "--update", sample],
        [empty],
    ]


def contract_check(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    fields = [{"name": EVIL, "type": EVIL, EVIL: EVIL}]
    return [[place.file(f"{name}.json", json.dumps({"fields": fields}))]]


def contract_diff(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    fields = [{"name": f"a{EVIL}", "type": "string", "constraints": {"enum": [EVIL]}}]
    old = place.file(f"old{name}.json", json.dumps({"fields": fields}))
    new = place.file(f"new{name}.json", json.dumps({"fields": [{"name": f"b{EVIL}"}]}))
    broken = place.file(f"x{name}.json", json.dumps({"fields": [{"name": EVIL, "type": EVIL}]}))
    return [[old, new], [old, broken]]


def contract_import(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    fields = [{"name": EVIL, "type": "string"}]
    package = {"resources": [{"name": EVIL, "schema": {"fields": fields}}]}
    odcs = {
        "kind": "DataContract",
        "schema": [{"name": EVIL, "properties": [{"name": EVIL, "logicalType": EVIL}]}],
    }
    broken = {"resources": [{"name": EVIL, "schema": {"fields": [{"name": EVIL, "type": EVIL}]}}]}
    files = [
        place.file(f"{number}{name}.json", json.dumps(document))
        for number, document in enumerate((package, odcs, broken, {}))
    ]
    return [[file] for file in files] + [[files[0], "--resource", EVIL.upper()]]


def contract_test(place: Place) -> Lines:
    contract = place.file("orders.json", json.dumps({"fields": [{"name": "a"}]}))
    return [
        [contract, "--dataset", "orders", *place.stack],
        [contract, "--dataset", EVIL, *place.stack],
    ]


def contract_push(place: Place) -> Lines:
    name = EVIL.replace("/", "")
    wrong = place.file(f"wrong{name}.json", json.dumps({"fields": [{"name": EVIL, "type": EVIL}]}))
    right = place.file(f"right{name}.json", json.dumps({"fields": [{"name": "a"}]}))
    return [
        [wrong, *place.stack],
        [right, "--dataset", EVIL, *place.stack],
        [right, "--dataset", "orders", *place.stack],
    ]


def run(place: Place) -> Lines:
    """The pipeline is left out: a hostile outcome is what matters."""
    name = EVIL.replace("/", "")
    path = place.file(f"a{name}.csv", "a\n1\n")

    def run_files(uploads: Any, _: Any, progress: Any) -> Any:
        failure = ExecutionFailure(f"Code{EVIL}", f"Message{EVIL}", f"State{EVIL}")
        outputs = dict.fromkeys(("processed", "rejected", "summary", "report"), place.folder / name)
        results = [
            FileResult(upload, None, None, failure, {EVIL: EVIL}, None, outputs)
            for upload in uploads
        ]
        for result in results:
            progress.finish(result)
        refusals = [Refusal(EVIL, EVIL, EVIL, EVIL)]
        return local_run.LocalRun(results, [EVIL], refusals, place.folder / f"logs{name}")

    place.monkeypatch.setattr(local_run, "run_files", run_files)
    missing = str(place.folder / f"nowhere{name}")
    return [[path], [path, "--dataset", EVIL], [missing], [path, "--parameter", EVIL]]


class FakeStack:
    """Takes the place of the embedded stack in `pipectl up`."""

    token = "token"  # none
    restored = False
    log_folder = Path(f"logs{EVIL}")
    changes = SimpleNamespace(wait=lambda seen: seen)

    def __init__(self, *_: Any, **__: Any) -> None:
        self.deployment = Deployment.embedded("http://127.0.0.1:1", "us-east-1", f"stack{EVIL}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to stop."""

    def executions(self) -> list[SimpleNamespace]:
        """One that the world describes."""
        return [SimpleNamespace(arn=ARN, status="FAILED", redrive_count=0)]


class OneLook(threading.Event):
    """Ends `pipectl up` after it has read the executions once."""

    looked = False

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:  # the command itself, until the thread that looks has done so
            return super().wait(30)
        if self.looked:
            self.set()
        self.looked = True
        return self.is_set()


def up_once(place: Place) -> Lines:
    place.monkeypatch.setattr("pipectl.embedded.stack.EmbeddedStack", FakeStack)
    place.monkeypatch.setattr(up, "ending_signals", OneLook)
    state_file = str(place.folder / "other.json")
    return [["--state-file", state_file, "--no-console"], ["--port", EVIL]]


def nothing_hostile(*_: Any) -> Lines:
    """Only the command line contains text from strangers."""
    return [["--parameter", EVIL], ["--template", f"nowhere{EVIL}"], [EVIL]]


CASES: dict[str, Callable[[Place], Lines]] = {
    "run": run,
    "up": up_once,
    "check": check,
    "head": one_file,
    "stats": one_file,
    "contract infer": infer,
    "contract check": contract_check,
    "contract diff": contract_diff,
    "contract import": contract_import,
    "contract test": contract_test,
    "contract push": contract_push,
    "contract pull": on_the_stack(("orders",), (EVIL,)),
    "executions": on_the_stack((), ("--status", EVIL)),
    "show": on_the_stack((SOURCE.file_id,), (EVIL,), (ARN,)),
    # Its pages have tests of their own.
    "console": on_the_stack(("--port", EVIL), (EVIL,)),
    "failures": on_the_stack((), ("--since", EVIL)),
    "correct": correct,
    "dead-letters replay": on_the_stack((f"m{EVIL}",), (EVIL,)),
    "dead-letters discard": on_the_stack((f"m{EVIL}", "--reason", EVIL), (EVIL, "--reason", EVIL)),
    "rejects": on_the_stack((SOURCE.file_id,), (EVIL,)),
    "rerun": on_the_stack(
        (SOURCE.file_id,),
        ("--all", "--dry-run"),
        ("--all", "--superseded"),
        ("--rejected", SOURCE.file_id),
        (EVIL,),
        ("--with", f"nowhere{EVIL}"),
    ),
    "backfill": on_the_stack(("--dry-run",), (), ("--since", EVIL)),
    "erase": on_the_stack((SOURCE.file_id, "--dry-run"), (SOURCE.file_id, "--yes"), (EVIL,)),
    "smoke": on_the_stack(("--keep", "--yes"), ("--yes",), ("--timeout", EVIL)),
    "live-check": on_the_stack(
        ("--list",), ("--only", EVIL), ("--only", "missing-object", "--timeout", "1", "--yes")
    ),
    "doctor": on_the_stack((), ("--offline",)),
    "estimate": nothing_hostile,
}

# They show only the beginnings of long values.
CUT_SHORT = ("contract check",)

# Their JSON documents have no text from strangers.
WITHOUT_NAMES = ("estimate", "live-check")

# They print a JSON document a line.
JSON_LINES = ("rejects",)

COMMANDS = dict(commands_below(cli.pipectl))


def test_every_command_has_a_case_here() -> None:
    assert CASES.keys() == COMMANDS.keys()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    state_file = tmp_path / "embedded.json"
    RunningStack(os.getpid(), "http://127.0.0.1:1", "us-east-1", f"stack{EVIL}", EVIL).write(
        state_file
    )
    monkeypatch.setattr(BaseClient, "_make_api_call", make_call(World()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIPECTL_DEBUG", raising=False)
    # A text that is wrapped can continue anywhere on the next line, depending on the folder's name.
    monkeypatch.setenv("COLUMNS", "10000")
    return Place(tmp_path, ("--state-file", str(state_file)), monkeypatch)


def make_call(world: World) -> Callable[..., Any]:
    """The replacement of botocore's method."""

    def call(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
        return world.call(client, operation, request)

    return call


def outcome(
    place: Place, capsys: pytest.CaptureFixture[str], words: list[str]
) -> tuple[int, str, str]:
    """Run `pipectl`; gives the exit status and what it wrote."""
    place.monkeypatch.setattr(sys, "argv", ["pipectl", *words])
    capsys.readouterr()
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capsys.readouterr()


def acting(text: str) -> list[str]:
    """The characters in an output that can't be seen or that act on a terminal."""
    unseen = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return [
        f"U+{ord(character):04X}"
        for character in text.replace("\n", "")
        if unicodedata.category(character) in unseen or character in "\ufe0f\u3164"
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_names_from_strangers_cannot_control_a_terminal(
    command: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ""
    for line in CASES[command](place):
        code, output, problems = outcome(place, capsys, [*command.split(), *line])
        assert code in (0, 1, 2), (line, problems)
        for text in (output, problems):
            assert acting(text) == [], line
            assert not any(row.lstrip().startswith("FORGED") for row in text.split("\n")), line
            # Nothing unforeseen went wrong before it could be shown.
            assert "PIPECTL_DEBUG" not in text, text
            assert "can't be shown: AttributeError" not in text, text
        shown += output + problems
    # It was shown, and whole: markup is text.
    flat = "".join(shown.split())
    assert "FORGED" in flat
    assert "[bold]bold[/bold][/]" in flat or command in CUT_SHORT


@pytest.mark.parametrize(
    "command",
    [
        name
        for name, command in COMMANDS.items()
        if any("--json" in parameter.opts for parameter in command.params)
    ],
)
def test_json_is_exact_and_cannot_control_a_terminal(
    command: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    documents: list[Any] = []
    for line in CASES[command](place):
        code, output, problems = outcome(place, capsys, [*command.split(), *line, "--json"])
        assert acting(output) == acting(problems) == [], line
        if code != 2 and output:
            lines = output.splitlines() if command in JSON_LINES else [output]
            documents += map(json.loads, lines)
    named = [text for document in documents for text in texts(document)]
    has_evil = any(evil in text for text in named for evil in (EVIL, EVIL.replace("/", ""), LABEL))
    assert has_evil or command in WITHOUT_NAMES


def texts(document: Any) -> Iterator[str]:
    """Every text in a JSON document, names of properties too."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from texts(value)


def test_raw_rows_are_not_printed_on_a_terminal(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rejects", SOURCE.file_id, "--csv", *place.stack]
    place.monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, output, problems = outcome(place, capsys, words)
    assert (code, output) == (2, "")
    assert f"rejects {SOURCE.file_id} --csv rows.csv" in problems


def test_a_command_line_with_text_from_strangers_is_quoted_safely(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([EVIL], [f"--{EVIL}"], ["contract", EVIL], ["show", f"--{EVIL}"]):
        code, output, problems = outcome(place, capsys, words)
        assert code == 2
        assert acting(output + problems) == []


def test_up_shows_the_executions_that_ended(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    line, _ = up_once(place)
    code, output, problems = outcome(place, capsys, ["up", *line])
    assert code == 0
    assert " failed: " in output, problems
