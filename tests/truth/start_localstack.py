"""LocalStack's Step Functions as a server; LocalStack's Python runs this, not the project's.

`POST /<operation>` takes the operation's request as JSON, and answers as Step Functions does.
LocalStack itself is not started: only its Step Functions provider with its interpreter is used, and
every service that a workflow calls is at `ENDPOINT`. Retries wait for nothing, and nothing is
published to EventBridge.

One fault is repaired: the parameters of a Map's ResultWriter are read from the children's results
instead of the state's input, so every Map would fail. `REPAIRED` names a file that appears once the
repair was needed: without it, the repair has become superfluous.
"""

from __future__ import annotations

import datetime
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from localstack.aws.api import RequestContext, ServiceException
from localstack.services.stepfunctions.asl.component.common.retry import retrier_decl
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.result_writer.result_writer_decl import (  # noqa: E501  # a module's name
    ResultWriter,
)
from localstack.services.stepfunctions.asl.utils import boto_client
from localstack.services.stepfunctions.backend.execution import Execution
from localstack.services.stepfunctions.provider import StepFunctionsProvider

ENDPOINT = os.environ["ENDPOINT"]
_provider = StepFunctionsProvider()
_lock = threading.Lock()
_sessions: dict[str, Any] = {}  # by role


class _Connections:
    """Takes the place of LocalStack's own clients."""

    def with_assumed_role(self, *, role_arn: str, region_name: str, config: Any, **_: Any) -> Any:
        def get_client(service: str) -> Any:
            with _lock:
                return _sessions[role_arn].client(
                    service, region_name=region_name, endpoint_url=ENDPOINT, config=config
                )

        return SimpleNamespace(get_client=get_client)


def _write_results(writer: ResultWriter, env: Any) -> None:
    given = env.states.get_input()
    if env.stack[-1] != given:
        Path(os.environ["REPAIRED"]).touch()
    env.stack.append(given)
    writer.parargs.eval(env=env)
    parameters = env.stack.pop()
    env.stack[-1] = parameters
    writer.resource_eval.eval_resource(env=env)


ResultWriter._eval_body = _write_results
boto_client.connect_to = _Connections()
retrier_decl.time = SimpleNamespace(sleep=lambda _seconds: None)
Execution.publish_execution_status_change_event = lambda _execution: None


def _create_state_machine(context: RequestContext, request: dict[str, Any]) -> Any:
    credentials = request.pop("credentials")
    with _lock:
        _sessions.setdefault(request["roleArn"], boto3.Session(**credentials))
    return _provider.create_state_machine(context, request)


def _start_execution(context: RequestContext, request: dict[str, Any]) -> Any:
    return _provider.start_execution(
        context, request["stateMachineArn"], request["name"], request["input"]
    )


def _describe_execution(context: RequestContext, request: dict[str, Any]) -> Any:
    return _provider.describe_execution(context, request["executionArn"])


def _get_execution_history(context: RequestContext, request: dict[str, Any]) -> Any:
    return _provider.get_execution_history(context, request["executionArn"])


_OPERATIONS = {
    "CreateStateMachine": _create_state_machine,
    "StartExecution": _start_execution,
    "DescribeExecution": _describe_execution,
    "GetExecutionHistory": _get_execution_history,
}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        context = RequestContext(None)
        context.account_id, context.region = os.environ["ACCOUNT"], os.environ["REGION"]
        try:
            document, status = _OPERATIONS[self.path.strip("/")](context, request), 200
        except ServiceException as error:
            document, status = {"__type": error.code, "message": error.message}, 400
        body = json.dumps(document, default=_json).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log no requests: there are many, and the engine's log is for its errors."""


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    raise TypeError(type(value).__name__)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), _Handler).serve_forever()
