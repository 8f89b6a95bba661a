"""A console in front of an AWS in which all names and texts from strangers are hostile."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.response import StreamingBody
from starlette.testclient import TestClient

from pipectl.client.deployment import Deployment
from pipectl.client.stack_choice import Stack
from pipectl.console.app import create_app
from pipectl.console.commands import Commands
from pipectl.console.state import Console
from tests.unit.pipectl.test_hostile_text import ARN, SOURCE, World, item, serialized
from tests.unit.pipectl_views.histories import DEFINITION, failed

TOKEN = "the-token"  # of the tests
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>"
PATIENCE = 30.0
# What the pipeline keeps in the output bucket, by the last part of its key.
KEPT = {
    "history.json": json.dumps(
        {"files": [{"null_rates": {MARKUP: 2.5, "never": 0.0}}, {"null_rates": {MARKUP: 4.0}}]}
    ).encode(),
    "plan.json": json.dumps({"header": [MARKUP, "other"]}).encode(),
}


class ConsoleWorld(World):
    """The world of the commands' tests, with a history that can be drawn and more to change."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.bodies = {
            "known": json.dumps({"file_id": SOURCE.file_id, "attempt": 1, "source": vars(SOURCE)}),
            "unknown": f"no job {MARKUP}",
        }
        self.objects: dict[str, bytes] = {}

    def call(self, client: Any, operation: str, request: dict[str, Any]) -> Any:
        """Answer an API call, and remember it."""
        self.calls.append((operation, request))
        return super().call(client, operation, request)

    def called(self, operation: str) -> list[Mapping[str, Any]]:
        """The requests of an operation."""
        return [request for name, request in self.calls if name == operation]

    def _GetExecutionHistory(self, _: Any) -> Any:  # noqa: N802  # as AWS names it
        history = failed().enter(MARKUP).tries(MARKUP, (MARKUP, MARKUP), last=False)
        return {"events": history.events}

    def _FilterLogEvents(self, _: Any) -> Any:  # noqa: N802
        return {"events": [{"message": MARKUP}]}

    def _DescribeStateMachine(self, _: Any) -> Any:  # noqa: N802
        return {"definition": json.dumps(DEFINITION)}

    _DescribeStateMachineForExecution = _DescribeStateMachine

    def _ReceiveMessage(self, _: Any) -> Any:  # noqa: N802
        return {
            "Messages": [
                {
                    "MessageId": name,
                    "ReceiptHandle": f"receipt {name}",
                    "Body": body,
                    "Attributes": {"SentTimestamp": "1763625600000"},
                }
                for name, body in self.bodies.items()
            ]
        }

    def _DeleteMessageBatch(self, request: Any) -> Any:  # noqa: N802
        for entry in request["Entries"]:
            self.bodies.pop(entry["ReceiptHandle"].removeprefix("receipt "))
        return {}

    def _PutObject(self, request: Any) -> Any:  # noqa: N802
        body = request["Body"]
        self.objects[request["Key"]] = body if isinstance(body, bytes) else body.read()
        return {"VersionId": "v9", "ETag": '"e9"'}

    def _ListObjectsV2(self, request: Any) -> Any:  # noqa: N802
        found = [key for key in self.objects if key.startswith(request["Prefix"])]
        return {"KeyCount": len(found), "Contents": [{"Key": key, "Size": 1} for key in found]}

    def _GetObject(self, request: Any) -> Any:  # noqa: N802
        name = request["Key"].rpartition("/")[2]
        content = self.objects.get(request["Key"]) or KEPT.get(name, MARKUP.encode())
        return {
            "Body": StreamingBody(io.BytesIO(content), len(content)),
            "ContentLength": len(content),
        }

    def _BatchGetItem(self, request: Any) -> Any:  # noqa: N802
        keys = [key["file_id"]["S"] for key in request["RequestItems"]["metadata"]["Keys"]]
        found = [item(SOURCE, "failed") | {"report_key": "reports/r.html"}]
        found = found if SOURCE.file_id in keys else []
        return {"Responses": {"metadata": [serialized(one) for one in found]}}


@cache
def deployment() -> Deployment:
    """One for all tests: making the clients takes most of a second."""
    return Deployment.embedded("http://127.0.0.1:1", "us-east-1", f"stack{MARKUP}")


def console(*, allow_writes: bool = True) -> Console:
    """A console for the stack of the world."""
    sent = {
        "topic_arn": "arn",
        "message_id": "1",
        "subject": MARKUP,
        "message": MARKUP,
        "attributes": {"file_id": SOURCE.file_id, "status": "failed", "key": MARKUP},
    }
    return Console(
        Stack(deployment()),
        allow_writes=allow_writes,
        commands=Commands(),
        messages=lambda: [sent],
        patience=PATIENCE,
    )


def browser(shown: Console, *, signed_in: bool = True, raises: bool = True) -> TestClient:
    """A browser on this machine, which has opened the printed address.

    An unexpected error of a page is raised, or with `raises` False answered as in a real browser.
    """
    client = TestClient(
        create_app(shown, TOKEN),
        base_url="http://127.0.0.1:4561",
        follow_redirects=False,
        raise_server_exceptions=raises,
    )
    if signed_in:
        client.get(f"/?token={TOKEN}")
    return client


__all__ = ["ARN", "MARKUP", "SOURCE", "TOKEN", "ConsoleWorld", "browser", "console"]
