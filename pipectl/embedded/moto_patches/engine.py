"""moto's Step Functions engine, made fit for many executions at once and for tests.

Names in moto's modules are replaced while the stack is up: its boto3 clients by shared ones, and
the clock of its retries by one that can run faster.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import boto3
from antlr4 import RuleContext
from botocore.client import BaseClient
from botocore.config import Config
from jsonpath_ng.ext.parser import parse as read_path
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils import (
    LambdaFunctionErrorException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (  # noqa: E501  # a module's name
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import boto_client, json_path
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

# End an execution whatever its states say.
_TERMINAL_ERRORS = ("States.Runtime", "States.DataLimitExceeded")

# The engine's own retries are the workflow's. A native integration waits as long as the state may.
_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=3600,
    # This process is not reached through a proxy.
    proxies={},
    # One connection an execution that waits for its function.
    max_pool_connections=500,
)


def shared_clients(endpoint: Callable[[str], str]) -> AbstractContextManager[Any]:
    """Give the engine one client a service instead of a new one each call.

    Making a client takes ten times as long as using it, and boto3's default session, which moto
    would make them with, must not be used from several threads at once.
    """
    return patch.object(boto_client, "boto3", _Clients(endpoint))


def parsed_once() -> AbstractContextManager[Any]:
    """Let the engine read definitions and paths once, not for each execution.

    Reading a definition's text takes ten times as long as making a new program of its syntax
    tree. Programs themselves are not shared: their Map states keep what belongs to one execution.
    """
    read = lru_cache(maxsize=32)(AmazonStateLanguageParser.parse)
    reading = threading.Lock()

    def parse(definition: str) -> tuple[Any, Any]:
        with reading:
            _, tree = read(definition)
        return Preprocessor().visit(tree), tree

    changes = ExitStack()
    changes.enter_context(patch.object(AmazonStateLanguageParser, "parse", staticmethod(parse)))
    changes.enter_context(patch.object(RuleContext, "getText", _text_once(RuleContext.getText)))
    changes.enter_context(patch.object(json_path, "parse", lru_cache(1000)(read_path)))
    return changes


def _text_once(text_of: Callable[[Any], str]) -> Callable[[Any], str]:
    """The text of a tree's node, which is put together of all below it, kept in the node."""

    def text(node: Any) -> str:
        if "kept_text" not in node.__dict__:
            node.kept_text = text_of(node)
        return str(node.kept_text)

    return text


def retry_clock(wait: Callable[[float], object]) -> AbstractContextManager[Any]:
    """Let the engine wait between a state's attempts with `wait` instead of `time.sleep`."""
    return patch.object(retrier_decl, "time", _Clock(wait))


def scaled_wait(factor: float) -> Callable[[float], None]:
    """A sleep that takes `factor` times as long as it is asked to: 0 doesn't wait at all."""
    return lambda seconds: time.sleep(seconds * factor)


def uncaught_errors() -> AbstractContextManager[Any]:
    """Let `States.ALL` pass over the errors that no Retry or Catch gets to see.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    original = ErrorEqualsDecl._eval_body  # moto has no public name for it

    def evaluate(declaration: ErrorEqualsDecl, environment: Any) -> None:
        if environment.stack[-1].error_name in _TERMINAL_ERRORS:
            environment.stack[-1] = False
        else:
            original(declaration, environment)

    return patch.object(ErrorEqualsDecl, "_eval_body", evaluate)


def untyped_errors() -> AbstractContextManager[Any]:
    """Let a function that fails without an error type fail as `Lambda.Unknown`, as on AWS.

    moto calls the error "Exception", and its cause is the payload alone.
    """
    original = StateTaskServiceLambda._from_error

    def from_error(task: StateTaskServiceLambda, env: Any, ex: Exception) -> FailureEvent:
        event = original(task, env, ex)
        if not isinstance(ex, LambdaFunctionErrorException) or _has_error_type(ex.payload):
            return event
        given: Any = event.event_details
        details: Any = {
            name: {**details, "error": _UNKNOWN, "cause": _UNTYPED_CAUSE + ex.payload}
            for name, details in given.items()
        }
        return FailureEvent(env, CustomErrorName(_UNKNOWN), event.event_type, details)

    return patch.object(StateTaskServiceLambda, "_from_error", from_error)


_UNKNOWN = "Lambda.Unknown"
_UNTYPED_CAUSE = (
    "The cause could not be determined because Lambda did not return an error type. "
    "Returned payload: "
)


def _has_error_type(payload: str) -> bool:
    document = json.loads(payload)
    return isinstance(document, dict) and "errorType" in document


def aborted_stays_aborted() -> AbstractContextManager[Any]:
    """Let an execution that was stopped end as ABORTED, whatever its last state comes to.

    moto lets that state end, finds that none may follow, and fails the execution for it.
    """
    original = Environment.set_error

    def set_error(environment: Environment, error: Any) -> None:
        if not isinstance(environment.program_state(), ProgramStopped):
            original(environment, error)

    return patch.object(Environment, "set_error", set_error)


def current_states(account: str, region: str) -> dict[str, str]:
    """The state that each execution is in or ended in, by the execution's ARN.

    A history would tell the same, at a hundred times the cost.
    """
    states: dict[str, str] = {}
    backend: Any = stepfunctions_parser_backends[account][region]
    for state_machine in list(backend.state_machines):
        for execution in list(state_machine.executions):
            environment = execution.exec_worker.env if execution.exec_worker else None
            if environment is not None:
                context = environment.states.context_object.context_object_data
                if "State" in context:
                    states[execution.exec_arn] = context["State"]["Name"]
    return states


class _Clients:
    """Stands where the engine looks for boto3."""

    def __init__(self, endpoint: Callable[[str], str]) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session(
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",  # noqa: S106  # moto checks no keys
        )
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], BaseClient] = {}

    def client(self, *, service_name: str, region_name: str, **_others: Any) -> BaseClient:
        with self._lock:
            key = (service_name, region_name)
            if key not in self._clients:
                self._clients[key] = self._session.client(  # type: ignore[call-overload]
                    service_name,
                    region_name=region_name,
                    endpoint_url=self._endpoint(service_name),
                    config=_CONFIG,
                )
            return self._clients[key]


class _Clock:
    """Stands where the engine's retries look for the module `time`."""

    def __init__(self, wait: Callable[[float], object]) -> None:
        self.sleep = wait
