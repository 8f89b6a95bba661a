"""Patches of moto's Step Functions engine: speed, the stack's clock, and AWS's error names."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
from antlr4 import RuleContext
from botocore.client import BaseClient
from botocore.config import Config
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
)
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3 import (  # noqa: E501  # a module's name
    ResourceEvalS3,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils import (
    LambdaFunctionErrorException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (  # noqa: E501  # a module's name
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client, json_path
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.utils import TMP_THREADS

from pipectl.embedded.moto_patches.table import PatchSettings, replaces

# These end an execution whatever its Retry and Catch say.
_TERMINAL_ERRORS = ("States.Runtime", "States.DataLimitExceeded")

# The engine's own retries are the workflow's. A native integration waits as long as the state may.
_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=3600,
    # The endpoint is this process: no proxy leads to it.
    proxies={},
    # One connection per execution that waits for its function.
    max_pool_connections=500,
)


@replaces(boto_client, "boto3", "boto3")
def _shared_clients(_original: Any, settings: PatchSettings) -> Any:
    """Give the engine one client per service instead of a new one per call.

    Making a client takes ten times as long as using it, and boto3's default session, with which
    moto would make them, must not be used from several threads at once.
    """
    return _Clients(settings)


@replaces(retrier_decl, "time", "time")
def _retry_clock(_original: Any, settings: PatchSettings) -> Any:
    """Let the engine wait between a state's attempts on the stack's clock."""
    return settings.clock


# How long an execution waits before it tries a throttled transition again. AWS doesn't say.
_THROTTLED_SECONDS = 1.0


@replaces(CommonStateField, "_eval_body", "1cbf722078ff")
def _transitions_can_be_throttled(original: Any, settings: PatchSettings) -> Any:
    """Let an execution wait before a state for as long as its transition is throttled."""

    def evaluate(state: Any, env: Any) -> None:
        context = env.states.context_object.context_object_data
        while settings.throttled(str(context["StateMachine"]["Id"])):
            settings.clock.sleep(_THROTTLED_SECONDS)
        original(state, env)

    return evaluate


@replaces(Environment, "set_timed_out", "1012ddfe7b57")
def _time_out_at_once(original: Any, _settings: PatchSettings) -> Any:
    """End the history when the execution times out, not when its last state returns."""

    def set_timed_out(environment: Any) -> None:
        original(environment)
        if not environment.is_frame():
            environment.event_manager.add_event(
                context=environment.event_history_context,
                event_type=HistoryEventType.ExecutionTimedOut,
                event_details={"executionTimedOutEventDetails": {}},
            )

    return set_timed_out


@replaces(ExecutionWorker, "start", "58995c2c72ea")
def _executions_that_end_with_the_stack(_original: Any, settings: PatchSettings) -> Any:
    """Run executions in threads that report nothing once the stack is closed.

    moto would fail each execution whose states' thread has ended, with a traceback per execution.
    """

    def start(worker: Any) -> None:
        threading.Thread(target=run, args=(worker,), daemon=True).start()

    def run(worker: Any) -> None:
        try:
            worker._execution_logic()
        except Exception:
            settings.clock.check()
            raise
        finally:
            # moto keeps every thread that it has ever started, for tests that wait for them.
            TMP_THREADS.clear()

    return start


# Definitions and paths are read once, not once per execution.


@replaces(AmazonStateLanguageParser, "parse", "c0c9edf9b3fd")
def _definitions_parsed_once(original: Any, _settings: PatchSettings) -> Any:
    read = lru_cache(maxsize=32)(original)
    reading = threading.Lock()

    def parse(definition: str) -> tuple[Any, Any]:
        with reading:
            program, tree = read(definition)
        return _own_program(program), tree

    return staticmethod(parse)


def _own_program(program: Any) -> Any:
    """A program for one execution, which shares all states with others but the Maps."""
    own = copy.copy(program)
    own.states = copy.copy(program.states)
    own.states.states = _OwnMaps(program.states.states)
    return own


class _OwnMaps(dict[str, Any]):
    """The states of a definition by name, with a copy of each Map that one execution enters.

    A Map keeps what belongs to the execution. The other states keep that in its environment.
    """

    def __init__(self, states: Mapping[str, Any]) -> None:
        super().__init__(states)
        self._entered: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        state = super().get(name, default)
        if not isinstance(state, StateMap):
            return state
        if name not in self._entered:
            self._entered[name] = copy.deepcopy(state)
        return self._entered[name]


@replaces(RuleContext, "getText", "antlr4.RuleContext.RuleContext.getText")
def _node_texts_kept(original: Callable[[Any], str], _settings: PatchSettings) -> Any:
    """Keep the text of a syntax tree's node, which is joined from all nodes below it."""

    def text(node: Any) -> str:
        if "kept_text" not in node.__dict__:
            node.kept_text = original(node)
        return str(node.kept_text)

    return text


@replaces(EventManager, "get_event_history", "8f8ee85ff0db")
def _histories_not_copied(_original: Any, _settings: PatchSettings) -> Any:
    """Give out the events themselves: nothing changes an event once it is in the history."""

    def events(manager: Any) -> list[Any]:
        with manager._mutex:
            return list(manager._history_event_list)

    return events


@replaces(Environment, "program_state", "df17a884ef14")
def _program_states_copied_once(_original: Any, _settings: PatchSettings) -> Any:
    """Copy an execution's state, but not the objects that it refers to, which never change."""
    return lambda environment: copy.copy(environment._program_state)


# These only log, and moto's loggers are silent here. Each would write out the state, with the whole
# workflow of a Map, for every attempt that fails.


@replaces(EvalComponent, "_log_failure_event_exception", "a50123ab90ab")
def _failures_not_written_out(_original: Any, _settings: PatchSettings) -> Any:
    return lambda _component, failure_event_exception: None  # noqa: ARG005  # moto's own name


@replaces(EvalComponent, "_log_exception", "fb026847955d")
def _errors_not_written_out(_original: Any, _settings: PatchSettings) -> Any:
    return lambda _component, exception: None  # noqa: ARG005  # moto's own name


@replaces(result_path, "parse", "jsonpath_ng.parser.parse")
@replaces(json_path, "parse", "jsonpath_ng.ext.parser.parse")
def _paths_parsed_once(original: Any, _settings: PatchSettings) -> Any:
    return lru_cache(1000)(original)


@replaces(EvalComponent, "heap_key", "a317f0f787ac")
def _one_key_per_component(_original: Any, _settings: PatchSettings) -> Any:
    """Give each part of a definition one key under which executions keep its state.

    moto makes a random key when the first execution asks for it. Two children of a Map that fail at
    the same moment can each make one: the count of attempts is kept under the first key and then
    looked for under the second, so a child gets one more retry than its state allows.
    """
    return property(lambda component: str(id(component)))


@replaces(ErrorEqualsDecl, "_eval_body", "6f12821c847d")
def _uncatchable_errors(original: Any, _settings: PatchSettings) -> Any:
    """Keep `States.ALL` from matching the errors that no Retry or Catch gets on AWS.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """

    def evaluate(declaration: ErrorEqualsDecl, environment: Any) -> None:
        if environment.stack[-1].error_name in _TERMINAL_ERRORS:
            environment.stack[-1] = False
        else:
            original(declaration, environment)

    return evaluate


@replaces(StateTaskServiceLambda, "_from_error", "5493391272b9")
def _untyped_errors(original: Any, _settings: PatchSettings) -> Any:
    """Name the error of a function that fails without an error type `Lambda.Unknown`, as AWS does.

    moto names it "Exception", and its cause is the payload alone.
    """

    def from_error(task: StateTaskServiceLambda, env: Any, ex: Exception) -> FailureEvent:
        event: FailureEvent = original(task, env, ex)
        if not isinstance(ex, LambdaFunctionErrorException) or _has_error_type(ex.payload):
            return event
        given: Any = event.event_details
        details: Any = {
            name: {**details, "error": _UNKNOWN, "cause": _UNTYPED_CAUSE + ex.payload}
            for name, details in given.items()
        }
        return FailureEvent(env, CustomErrorName(_UNKNOWN), event.event_type, details)

    return from_error


_UNKNOWN = "Lambda.Unknown"
_UNTYPED_CAUSE = (
    "The cause could not be determined because Lambda did not return an error type. "
    "Returned payload: "
)


def _has_error_type(payload: str) -> bool:
    document = json.loads(payload)
    return isinstance(document, dict) and "errorType" in document


@replaces(Environment, "set_error", "e2129f9ea83c")
def _aborted_stays_aborted(original: Any, _settings: PatchSettings) -> Any:
    """Let a stopped execution end as ABORTED, whatever its last state returns.

    moto lets that state end, finds that no state may follow, and fails the execution for it.
    """

    def set_error(environment: Environment, error: Any) -> None:
        if not isinstance(environment.program_state(), ProgramStopped):
            original(environment, error)

    return set_error


# The role of the machine whose state this thread works for. moto knows it, but makes its clients
# without it.
_acting = threading.local()


@contextmanager
def acting_as(role_arn: str) -> Iterator[None]:
    """Let this thread's calls to AWS be those of a role inside the block."""
    before = getattr(_acting, "role", None)
    _acting.role = role_arn
    try:
        yield
    finally:
        _acting.role = before


@replaces(StateTask, "_eval_state_credentials", "1d715d4e8b81")
def _tasks_act_as_the_machines_role(original: Any, _settings: PatchSettings) -> Any:
    """Call AWS with the credentials that a task's state has: those of the machine's role."""

    def evaluate(task: Any, env: Environment) -> Any:
        credentials = original(task, env)
        _acting.role = credentials.role_arn
        return credentials

    return evaluate


@replaces(ResourceEvalS3, "eval_resource", "b58170257fbf")
def _readers_act_as_the_machines_role(original: Any, _settings: PatchSettings) -> Any:
    """Read a Map's items with the credentials of the machine's role."""

    def evaluate(reader: Any, env: Environment) -> None:
        with acting_as(env.aws_execution_details.role_arn):
            original(reader, env)

    return evaluate


class _Clients:
    """Takes the place of the module `boto3` in the engine."""

    def __init__(self, settings: PatchSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._sessions: dict[str, boto3.Session] = {}
        self._clients: dict[tuple[str, str, str], BaseClient] = {}

    def client(self, *, service_name: str, region_name: str, **_others: Any) -> BaseClient:
        self._settings.clock.check()
        role: str = _acting.role
        with self._lock:
            key = (service_name, region_name, role)
            if key not in self._clients:
                self._clients[key] = self._session(role).client(  # type: ignore[call-overload]
                    service_name,
                    region_name=region_name,
                    endpoint_url=self._settings.endpoint(service_name),
                    config=_CONFIG,
                )
            return self._clients[key]

    def _session(self, role: str) -> boto3.Session:
        if role not in self._sessions:
            credentials = self._settings.rights.sessions.begin(role, STEP_FUNCTIONS_SESSION)
            session = boto3.Session(
                credentials.access_key, credentials.secret_key, credentials.token
            )
            self._settings.serve(session)
            self._sessions[role] = session
        return self._sessions[role]


STEP_FUNCTIONS_SESSION = "states"
"""The name of Step Functions' sessions of roles; on AWS it is a random text."""
