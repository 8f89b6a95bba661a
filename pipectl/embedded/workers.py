"""Worker processes that run handlers as Lambda's execution environments do.

A worker handles one invocation at a time and is kept for the function's next. Workers are forked
from a server that has already imported the large libraries, so a new one takes milliseconds.
Environment, context object, error payloads, the reuse of environments, and the limits of time,
memory, storage and disk are emulated.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TextIO

from pipectl.embedded import sandbox
from pipectl.embedded.log_files import LogFile

# Imports that take most of a worker's start. Only libraries: a function's own modules are imported
# after its environment is set, as on Lambda.
PRELOADED = [
    "pipectl.embedded.preload",
    # multiprocessing runs the main module in every child, which imports only this.
    "pipectl.cli",
    "pipectl.embedded.workers",
]

# Lambda gives an environment this long to import the handler's module.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_SECONDS = 10

# The parent's variables that a worker keeps. The others are Lambda's or the template's.
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "HOME", "VIRTUAL_ENV", "SSL_CERT_FILE")

# Idle workers that are kept, of all functions together. Each takes 15 MB, and more after a large
# file. There are fewer functions than this, so each can keep one.
MOST_IDLE = 20

# A function's second idle worker, which only a burst of files needs, is ended after this long.
SPARE_SECONDS = 30.0

_CONTEXT = multiprocessing.get_context("forkserver")

_MB = 1024 * 1024


@dataclass(frozen=True)
class Function:
    """A function as the template declares it; `timeout` in seconds, `memory` and `storage` in MB.

    `reserved` is how many of the account's concurrent executions are its own, None without any.
    `credentials` are the variables with the credentials of `role`, an ARN. Without `writes_logs`
    its output is lost, as on AWS if the role may not write to the log group.
    """

    name: str
    arn: str
    handler: str
    code: Path
    timeout: float
    memory: int
    environment: Mapping[str, str]
    log_group: str
    reserved: int | None = None
    storage: int = 512
    role: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict)
    writes_logs: bool = True


@dataclass(frozen=True)
class InvocationResult:
    """The handler's result as JSON, or Lambda's error payload if it failed."""

    payload: bytes
    failed: bool


@dataclass(frozen=True)
class _Invocation:
    request_id: str
    payload: bytes
    deadline: float


class _Answer(NamedTuple):
    """What a worker sends: a result, None after a successful import, and the memory it has used."""

    result: InvocationResult | None
    memory: int


def start_fork_server() -> None:
    """Start the process that workers are forked from; it imports in parallel with this one."""
    from multiprocessing import forkserver

    _CONTEXT.set_forkserver_preload(PRELOADED)
    with _interrupts_ignored():
        forkserver.ensure_running()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes started inside the block ignore Ctrl-C: this process ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class WorkersClosedError(Exception):
    """The stack is being closed, so there are no more invocations."""


class Workers:
    """The worker processes of all functions. Safe to use from many threads."""

    def __init__(self, environment: Mapping[str, str], log_folder: Path) -> None:
        """`environment` is added to that of every function: endpoint, region, keys."""
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Worker]] = defaultdict(list)
        self._all: set[_Worker] = set()
        self._ending_spares: threading.Timer | None = None
        self._closed = False
        self._scratch = Path(tempfile.mkdtemp(prefix="pipectl-")).resolve()

    def invoke(self, function: Function, payload: bytes, request_id: str) -> InvocationResult:
        """Run one invocation and wait for it; errors are returned as Lambda's payloads.

        Raises `WorkersClosedError` after `close`.
        """
        worker, outdated = self._take(function)
        for one in outdated:
            one.kill()
        outcome = worker.invoke(payload, request_id)
        if worker.alive and not self._closed:
            self._keep(worker)
        else:
            self._discard(worker)
        return outcome

    def prepare(self, function: Function) -> None:
        """Start a worker of the function, if it has none, and wait until its handler is imported.

        An invocation in the meantime takes the worker and waits for it.
        """
        with self._lock:
            if self._closed or any(worker.function == function.name for worker in self._all):
                return
            worker = self._start(function)
            self._idle[function.name].append(worker)
        while not worker.initialized:
            time.sleep(0.01)

    def close(self) -> None:
        """Kill all workers, including those that run an invocation."""
        self._closed = True
        with self._lock:
            if self._ending_spares is not None:
                self._ending_spares.cancel()
            workers = list(self._all)
            self._idle.clear()
        for worker in workers:
            worker.interrupt()
        for worker in workers:
            worker.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _keep(self, worker: _Worker) -> None:
        """Keep a worker for the next invocation, and end the one idle longest if there are many."""
        with self._lock:
            worker.idle_since = time.monotonic()
            self._idle[worker.function].append(worker)
            idle = self._idle_workers()
            surplus = idle[: max(0, len(idle) - MOST_IDLE)]
            self._forget(surplus)
            if self._ending_spares is None and len(self._idle[worker.function]) > 1:
                self._end_spares_later(SPARE_SECONDS)
        for one in surplus:
            one.kill()

    def _end_spares_later(self, seconds: float) -> None:
        self._ending_spares = threading.Timer(seconds, self._end_spares)
        self._ending_spares.daemon = True
        self._ending_spares.start()

    def _end_spares(self) -> None:
        """End the workers that have been idle for long, but for one of each function."""
        with self._lock:
            self._ending_spares = None
            if self._closed:
                return
            spares = [one for workers in self._idle.values() for one in workers[:-1]]
            limit = time.monotonic() - SPARE_SECONDS
            ended = [one for one in spares if one.idle_since <= limit]
            self._forget(ended)
            if len(ended) < len(spares):
                oldest = min(one.idle_since for one in spares if one not in ended)
                self._end_spares_later(oldest - limit)
        for one in ended:
            one.kill()

    def _idle_workers(self) -> list[_Worker]:
        """All idle workers, the one idle longest first."""
        idle = [worker for workers in self._idle.values() for worker in workers]
        return sorted(idle, key=lambda worker: worker.idle_since)

    def _forget(self, ended: Iterable[_Worker]) -> None:
        for worker in ended:
            self._idle[worker.function].remove(worker)
            self._all.discard(worker)

    def _take(self, function: Function) -> tuple[_Worker, list[_Worker]]:
        """A worker for the function, and those to end: their function's settings have changed."""
        outdated: list[_Worker] = []
        with self._lock:
            # The one used last has the warmest caches.
            while self._idle[function.name]:
                worker = self._idle[function.name].pop()
                if worker.alive and worker.runs(function):
                    return worker, outdated
                self._all.discard(worker)
                outdated.append(worker)
            return self._start(function), outdated

    def _start(self, function: Function) -> _Worker:
        if self._closed:
            raise WorkersClosedError
        worker = _Worker(function, self._environment, self._log_folder, self._scratch)
        self._all.add(worker)
        return worker

    def _discard(self, worker: _Worker) -> None:
        worker.kill()
        with self._lock:
            self._all.discard(worker)


class _Worker:
    """A worker process, as this process controls it."""

    def __init__(
        self, function: Function, environment: Mapping[str, str], log_folder: Path, scratch: Path
    ) -> None:
        self._function = function
        self._ready = False
        self.idle_since = time.monotonic()
        self._connection, theirs = _CONTEXT.Pipe()
        variables = _variables(function, environment)
        self._scratch = tempfile.mkdtemp(prefix=f"{function.name}-", dir=scratch)
        variables["TMPDIR"] = self._scratch
        log = LogFile.new(log_folder, function.name)
        variables["AWS_LAMBDA_LOG_STREAM_NAME"] = log.stream
        self._log = log.path if function.writes_logs else Path(os.devnull)
        self._process: ForkServerProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, function, variables, self._log), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def function(self) -> str:
        """The name of its function."""
        return self._function.name

    def runs(self, function: Function) -> bool:
        """Whether it is a worker of the function as it is now, and not of an earlier setting."""
        return self._function == function

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def initialized(self) -> bool:
        """Whether the import of the handler has ended, successfully or not."""
        try:
            return self._ready or self._connection.poll() or not self.alive
        except OSError:  # it was closed or used in the meantime
            return True

    def invoke(self, payload: bytes, request_id: str) -> InvocationResult:
        """Run one invocation. A worker that breaks during it is dead afterwards."""
        try:
            if not self._ready:
                error = self._next(INIT_SECONDS)
                if error is not None:
                    self.kill()
                    return error
                self._ready = True
            deadline = time.time() + self._function.timeout
            self._connection.send(_Invocation(request_id, payload, deadline))
            result = self._next(self._function.timeout)
        except _TimeIsUpError:
            return self._timed_out(request_id)
        except _OutOfMemoryError:
            self.kill()
            return self._exited(request_id)
        except _OutOfStorageError:
            return self._out_of_storage(request_id)
        except (EOFError, OSError):
            return self._exited(request_id)
        assert result is not None  # noqa: S101  # None is the answer to an import only
        return result

    def _next(self, seconds: float) -> InvocationResult | None:
        """Wait for the worker's next answer: None after a successful import, else a result.

        Meanwhile, it watches what the worker uses. Raises one of this module's errors for that, or
        after `seconds`, and EOFError if the process ends.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if self._connection.poll(max(0.0, min(left, sandbox.WATCH_SECONDS))):
                break
            self._check(sandbox.resident_bytes(self._process.pid or 0))
            if left <= 0:
                raise _TimeIsUpError
        answer: _Answer = self._connection.recv()
        self._check(answer.memory)
        return answer.result

    def _check(self, memory: int) -> None:
        """Raise an error if the worker uses more than the function may; `memory` is in bytes."""
        if memory > self._function.memory * _MB:
            raise _OutOfMemoryError
        stored = sandbox.stored_bytes(self._scratch, self._process.pid or 0)
        if stored > self._function.storage * _MB:
            raise _OutOfStorageError

    def interrupt(self) -> None:
        """Kill the process without waiting for its end."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the process, wait for its end, and delete its temporary files."""
        self._process.kill()
        self._process.join()
        self._connection.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _report(self, kind: str, record: Mapping[str, str]) -> None:
        """Log how the process ended, as Lambda itself does.

        https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
        """
        self._write({"time": _now(), "type": kind, "record": record})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _timed_out(self, request_id: str) -> InvocationResult:
        self.kill()
        if not self._ready:
            self._report("platform.initReport", {"phase": "init", "status": "timeout"})
            return _error(f"Init timed out after {INIT_SECONDS:.2f} seconds", "Sandbox.Timedout")
        self._report("platform.report", {"requestId": request_id, "status": "timeout"})
        message = f"Task timed out after {self._function.timeout:.2f} seconds"
        return _error(f"RequestId: {request_id} Error: {message}", "Sandbox.Timedout")

    def _out_of_storage(self, request_id: str) -> InvocationResult:
        """End a worker that has stored too much, with what its write would have raised on Lambda.

        No process can let another one's write fail. So a function that would handle the error can't
        do so here.
        """
        self.kill()
        message = str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        outcome = _error(message, "OSError", requestId=request_id, stackTrace=[])
        self._write(_error_line(outcome))
        return outcome

    def _exited(self, request_id: str) -> InvocationResult:
        self._process.join(timeout=1)
        code = self._process.exitcode
        how = f"signal: {signal.strsignal(-code) or -code}" if code and code < 0 else "exit status"
        detail = f"{how.lower()} {code}" if code is not None and code >= 0 else how.lower()
        error = {"status": "error", "errorType": "Runtime.ExitError", "errorMessage": detail}
        self._report("platform.report", {"requestId": request_id, **error})
        message = f"RequestId: {request_id} Error: Runtime exited with error: {detail}"
        return _error(message, "Runtime.ExitError")


class _TimeIsUpError(Exception):
    """The worker has not answered in time."""


class _OutOfMemoryError(Exception):
    """The worker has used more memory than its function has."""


class _OutOfStorageError(Exception):
    """The worker has stored more than its function can."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(message: str, error_type: str, **more: Any) -> InvocationResult:
    document = {"errorMessage": message, "errorType": error_type, **more}
    return InvocationResult(json.dumps(document).encode(), failed=True)


def _error_line(outcome: InvocationResult) -> dict[str, Any]:
    """The line of the log for an uncaught error."""
    return {"timestamp": _now(), "level": "ERROR", **json.loads(outcome.payload)}


def _variables(function: Function, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that Lambda sets, and the template's."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        **environment,
        **function.credentials,
        "AWS_EXECUTION_ENV": sandbox.EXECUTION_ENVIRONMENT,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "TZ": ":UTC",
        **function.environment,
    }


# The rest of this module runs inside the worker process.


def _serve(
    connection: Connection, function: Function, variables: Mapping[str, str], log: Path
) -> None:
    # Ctrl-C reaches the whole process group. The parent ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    _redirect_output(log)
    os.chdir(function.code)
    sys.path.insert(0, str(function.code))
    sandbox.restrict(variables["TMPDIR"], function.storage * _MB)
    try:
        handler = _load(function.handler)
    except BaseException as error:  # noqa: BLE001  # a module may raise anything, SystemExit too
        outcome = _init_error(function.handler, error)
        _log_error(outcome)
        sys.stdout.flush()
        connection.send(_Answer(outcome, sandbox.most_resident_bytes()))
        return
    connection.send(_Answer(None, sandbox.most_resident_bytes()))
    with contextlib.suppress(EOFError):  # the parent is gone
        for invocation in iter(connection.recv, None):
            outcome = _run(handler, function, invocation)
            sys.stdout.flush()
            connection.send(_Answer(outcome, sandbox.most_resident_bytes()))


def _redirect_output(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = _text_stream(1)
    sys.stderr = _text_stream(2)


def _text_stream(descriptor: int) -> TextIO:
    # A lone surrogate in an error's message must not fail the logging of it.
    return os.fdopen(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _load(handler: str) -> Callable[[Any, Any], Any]:
    module_name, _, name = handler.rpartition(".")
    loaded: Callable[[Any, Any], Any] = getattr(importlib.import_module(module_name), name)
    return loaded


def _init_error(handler: str, error: BaseException) -> InvocationResult:
    module_name, _, name = handler.rpartition(".")
    if isinstance(error, AttributeError) and module_name in sys.modules:
        text = f"Handler '{name}' missing on module '{module_name}'"
        return _error(text, "Runtime.HandlerNotFound", requestId="", stackTrace=[])
    if isinstance(error, ImportError):
        text = f"Unable to import module '{module_name}': {error}"
        return _error(text, "Runtime.ImportModuleError", requestId="", stackTrace=[])
    stack = _stack(error.__traceback__)
    return _error(str(error), type(error).__name__, requestId="", stackTrace=stack)


def _log_error(outcome: InvocationResult) -> None:
    """Log an uncaught error as Lambda's runtime does with `LogFormat: JSON`.

    So the log contains the error's message, as on AWS.
    """
    print(json.dumps(_error_line(outcome), ensure_ascii=False))


def _run(
    handler: Callable[[Any, Any], Any], function: Function, invocation: _Invocation
) -> InvocationResult:
    with _log_lines(invocation.request_id, function):
        outcome = _handle(handler, function, invocation)
        if outcome.failed:
            _log_error(outcome)
    return outcome


def _handle(
    handler: Callable[[Any, Any], Any], function: Function, invocation: _Invocation
) -> InvocationResult:
    request_id = invocation.request_id
    context = LambdaContext(function, request_id, invocation.deadline)
    try:
        event = json.loads(invocation.payload or b"{}")
        result = handler(event, context)
    except Exception as error:  # noqa: BLE001  # Lambda reports whatever a handler raises
        trace = _stack(error.__traceback__)
        return _error(str(error), type(error).__name__, requestId=request_id, stackTrace=trace)
    try:
        return InvocationResult(json.dumps(result, ensure_ascii=False).encode(), failed=False)
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        return _error(text, "Runtime.MarshalError", requestId=request_id, stackTrace=[])


@contextlib.contextmanager
def _log_lines(request_id: str, function: Function) -> Iterator[None]:
    """Frame an invocation's output as Lambda's platform log does."""
    print(f"START RequestId: {request_id} Version: $LATEST")
    start = time.perf_counter()
    try:
        yield
    finally:
        duration = (time.perf_counter() - start) * 1000
        print(f"END RequestId: {request_id}")
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration:.2f} ms",
            f"Memory Size: {function.memory} MB",
            f"Max Memory Used: {sandbox.most_resident_bytes() // _MB} MB",
        ]
        print(*report, sep="\t")


def _stack(trace: TracebackType | None) -> list[str]:
    # The first frame is this module's own.
    return traceback.format_tb(trace)[1:]


class LambdaContext:
    """The handler's second argument.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    identity = None
    client_context = None
    function_version = "$LATEST"

    def __init__(self, function: Function, request_id: str, deadline: float) -> None:
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.memory_limit_in_mb = str(function.memory)
        self.aws_request_id = request_id
        self.log_group_name = function.log_group
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is killed."""
        return max(0, int((self._deadline - time.time()) * 1000))
