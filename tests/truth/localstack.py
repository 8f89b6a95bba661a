"""The stack of `pipectl up` with LocalStack's Step Functions in the place of moto's.

LocalStack runs in an environment and a process of its own. The gateway of the embedded AWS hands
executions to it, and serves what they call: functions in workers, S3 and SQS, with each role's
rights enforced.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from pipectl.embedded.gateway import Gateway
from pipectl.embedded.lambda_service import Answer
from pipectl.embedded.stack import EmbeddedStack
from pipectl.embedded.template import ACCOUNT, REGION
from tests.infrastructure.deployed import properties
from tests.truth.engine import free_port, started
from tests.truth.faults import THROTTLE, StepFault, faulty_module

ANSWER_SECONDS = 60

# More than a state has retries.
_THROTTLES = 1_000


class LocalStack:
    """The embedded AWS with LocalStack's Step Functions, as a context manager.

    `folder` is for LocalStack's log, and for the functions that fail.
    """

    def __init__(self, python: Path, folder: Path, parameters: Mapping[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._repaired = folder / "repaired"
        self._stack = _Stack(_Interpreter(python, folder, self._repaired), parameters)
        self._open = ExitStack()
        self.outputs: Mapping[str, str] = {}

    def __enter__(self) -> LocalStack:
        self._open.enter_context(self._stack)
        self.outputs = self._stack.deployment.outputs
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def client(self, service: str) -> Any:
        """A client of the account's root user."""
        return self._stack.deployment.client(service)  # type: ignore[call-overload]

    def break_function(self, fault: StepFault) -> None:
        """Let a function fail at every call from now on."""
        name = self._name(fault)
        if fault.error == THROTTLE:
            self._stack.faults.add(name, THROTTLE, _THROTTLES)
        else:
            self._stack.break_function(name, fault, self._folder)

    def repair_function(self, fault: StepFault) -> None:
        """Let it work again."""
        self._stack.faults.clear()
        self._stack.repair_function(self._name(fault))

    def problems(self) -> list[str]:
        """What is wrong with the repair of LocalStack, at the end."""
        if self._repaired.exists():
            return []
        return [
            "LocalStack reads a ResultWriter's parameters from the input now: remove the repair"
        ]

    def _name(self, fault: StepFault) -> str:
        """The name of a fault's function, which is the one with its handler."""
        handler = properties(fault.function)["Handler"]
        return next(
            str(one["FunctionName"])
            for page in self.client("lambda").get_paginator("list_functions").paginate()
            for one in page["Functions"]
            if one["Handler"] == handler
        )


class _Interpreter:
    """LocalStack's Step Functions, in a process of its own."""

    def __init__(self, python: Path, folder: Path, repaired: Path) -> None:
        """`repaired` will exist if the repair of `start_localstack.py` was needed."""
        self._python = python
        self._folder = folder
        self._repaired = repaired
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, endpoint: str) -> None:
        """Start it; the services that workflows call are at the endpoint."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment |= {
            "ACCOUNT": ACCOUNT,
            "DISABLE_EVENTS": "1",
            "ENDPOINT": endpoint,
            "FILESYSTEM_ROOT": str(self._folder / "localstack"),
            "PORT": str(self._port),
            "REGION": REGION,
            "REPAIRED": str(self._repaired),
        }
        self._process = started(
            "start_localstack.py",
            self._python,
            environment,
            self._folder / "localstack.log",
            self._listens,
        )

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """The answer to an operation's request."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", f"/{operation}", json.dumps(request))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()

    def _listens(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.connect()
        except OSError:
            return False
        connection.close()
        return True


class _Stack(EmbeddedStack):
    """The embedded AWS, whose executions are LocalStack's."""

    def __init__(self, interpreter: _Interpreter, parameters: Mapping[str, str]) -> None:
        # Nothing waits: neither retries nor redeliveries.
        super().__init__(parameters=parameters, time_factor=0)
        self._interpreter = interpreter
        self._created: set[str] = set()
        self._creating = threading.Lock()
        self._broken: dict[str, Any] = {}

    def break_function(self, name: str, fault: StepFault, folder: Path) -> None:
        """Let a function run code that fails as the fault says."""

        def change(function: Any) -> Any:
            self._broken[name] = function
            # A folder of its own, so that no worker of an earlier fault is used again.
            code = Path(tempfile.mkdtemp(prefix=f"faulty-{name}-", dir=folder))
            text = faulty_module(fault, function.handler)
            paths = f"import sys\nsys.path.insert(0, {str(function.code)!r})\n"
            (code / "faulty.py").write_text(paths + text)
            return dataclasses.replace(function, handler="faulty.handler", code=code)

        self._lambda.change(name, change)

    def repair_function(self, name: str) -> None:
        """Let it run its own code again."""
        if name in self._broken:
            self._lambda.change(name, lambda _: self._broken.pop(name))

    def _start(self) -> None:
        self._open.callback(self._interpreter.stop)
        super()._start()
        self._interpreter.start(str(self.deployment.endpoint))

    def _add_controls(self, gateway: Gateway) -> None:
        super()._add_controls(gateway)
        for name in ("DescribeExecution", "GetExecutionHistory"):
            gateway.operations[f"AWSStepFunctions.{name}"] = self._asked(name)
        gateway.operations["AWSStepFunctions.StartExecution"] = self._start_execution

    def _asked(self, operation: str) -> Any:
        return lambda request: self._interpreter.call(operation, request)

    def _start_execution(self, request: dict[str, Any]) -> Answer:
        refusal = self._create_state_machine(request["stateMachineArn"])
        return refusal or self._interpreter.call("StartExecution", request)

    def _create_state_machine(self, arn: str) -> Answer | None:
        """Let LocalStack have a state machine that has been created here; None, or its refusal."""
        with self._creating:
            if arn in self._created:
                return None
            machine = self.deployment.client("stepfunctions").describe_state_machine(
                stateMachineArn=arn
            )
            role = machine["roleArn"]
            credentials = self._rights.sessions.begin(role, "states")
            request = {
                "name": machine["name"],
                "definition": machine["definition"],
                "roleArn": role,
                "credentials": {
                    "aws_access_key_id": credentials.access_key,
                    "aws_secret_access_key": credentials.secret_key,
                    "aws_session_token": credentials.token,
                },
            }
            answer = self._interpreter.call("CreateStateMachine", request)
            if answer.status != http.HTTPStatus.OK:
                return answer
            self._created.add(arn)
            return None
