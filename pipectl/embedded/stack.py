"""The pipeline's stack on the embedded AWS.

moto's CloudFormation creates the resources that it can. The rest of the same translated template is
applied through the services' APIs.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.client.deployment import Deployment
from pipectl.embedded import workers
from pipectl.embedded.changes import Changes
from pipectl.embedded.clock import StackClock
from pipectl.embedded.data_folder import DataFolder
from pipectl.embedded.guard import Guard, new_token
from pipectl.embedded.injected_faults import InjectedFaults
from pipectl.embedded.log_files import delete_old
from pipectl.embedded.saving import Gate
from pipectl.embedded.started import Started
from pipectl.embedded.template import REGION, Translation
from pipectl.errors import PipectlError
from pipectl.options import PROJECT

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway
    from pipectl.embedded.installed import Stacks
    from pipectl.embedded.lambda_service import LambdaService
    from pipectl.embedded.moto_patches.backends import RunningOrEnded
    from pipectl.embedded.moto_patches.kept import Restored
    from pipectl.embedded.rights.enforcement import Refusal, Rights

STACK_NAME = "data-pipeline"

# The file in the folder of the logs with what was refused, and which statements would allow it.
REFUSALS_FILE = "refused.txt"

HOST = "127.0.0.1"

# The template of the project that this command belongs to.
TEMPLATE = PROJECT / "template.yaml"


class EmbeddedStack(Started):
    """Runs the stack in this process, as a context manager. Only one at a time per process.

    Inside the block, `deployment` gives access to it, as to any deployed stack.
    """

    def __init__(
        self,
        template: Path = TEMPLATE,
        parameters: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        time_factor: float = 1.0,
        concurrency: int | None = None,
        log_folder: Path | None = None,
        data: Path | None = None,
    ) -> None:
        """Prepare; nothing is started yet.

        `port` 0 chooses a free one. `time_factor` scales the waits between retries and before a
        failed message is redelivered; 0 removes them. `concurrency` is the account's limit of
        concurrent Lambda executions, beyond which invocations are throttled; None means no limit.
        `log_folder` gets one file per function with its output; by default it is a temporary
        folder. `data` is the folder in which the stack's contents are kept, None for nowhere.
        """
        self._data = data
        self.restored: Restored | None = None
        """What the stack has started with, if its contents are kept."""
        self._template_path = template
        self._parameters = dict(parameters or {})
        self._port = port
        self._time_factor = time_factor
        self._clock = StackClock(time_factor)
        self._concurrency = concurrency
        self._keep_logs = log_folder is not None
        self.log_folder = log_folder or Path(tempfile.mkdtemp(prefix="pipectl-logs-"))
        self.faults = InjectedFaults()
        self.changes = Changes()
        """Waits for executions to start and end."""
        self.token = new_token()
        """The token that requests to `/_embedded/` need."""
        self._open = ExitStack()
        self._stacks: Stacks | None = None
        self.deployment: Deployment
        self._lambda: LambdaService
        self._rights: Rights

    def close(self) -> None:
        """End the executions, the pollers, all workers and the server, and delete everything."""
        # First, so that no execution continues while the services that it needs are closed: the
        # threads of a thousand executions that retry at once would leave no time to close the rest.
        self._clock.close()
        self.changes.close()
        if self._stacks is not None:
            self._stacks.request_stop()
        self._open.close()
        if not self._keep_logs:
            shutil.rmtree(self.log_folder, ignore_errors=True)

    def notifications(self) -> list[dict[str, Any]]:
        """All messages published so far: topic_arn, message_id, subject, message, attributes."""
        from pipectl.embedded.moto_patches import backends

        return backends.notifications()

    def dead_letters(self) -> list[str]:
        """The bodies of all messages in the dead-letter queue, none of which is received."""
        from pipectl.embedded.moto_patches import backends

        return backends.message_bodies(
            self.deployment.outputs["DeadLetterQueueUrl"].rpartition("/")[2]
        )

    def refusals(self) -> list[Refusal]:
        """What callers were refused because of their rights, oldest first."""
        return self._rights.refusals

    def executions(self) -> list[RunningOrEnded]:
        """All executions as they are now, oldest first."""
        from pipectl.embedded.moto_patches import backends

        return backends.executions()

    def evaluate_alarms(self, *, ahead: float = 0) -> dict[str, str]:
        """Evaluate all alarms as of `ahead` seconds from now; their states by name.

        An alarm whose state becomes `ALARM` publishes its message, as on AWS. On AWS it would be
        evaluated every minute; here, only when this is called.
        """
        return self._installed.evaluate_alarms(time.time() + ahead)

    def failed_deliveries(self) -> list[dict[str, str]]:
        """Messages that a function did not accept: body, and code and message of the error."""
        return self._installed.failed_deliveries()

    def install(self, name: str, text: str, parameters: Mapping[str, str], adopts: bool) -> None:
        """Install a stack, as CloudFormation does when a change set is executed."""
        self._installed.install(name, text, parameters, adopts)

    def remove(self, name: str) -> None:
        """End what runs of a stack, before its resources are deleted."""
        self._installed.remove(name)

    @property
    def _installed(self) -> Stacks:
        assert self._stacks is not None  # noqa: S101  # the stack is up
        return self._stacks

    def _start(self) -> None:
        folder = None if self._data is None else DataFolder(self._data)
        if folder is not None:
            self._open.callback(folder.close)
        # In parallel: the fork server's imports, the translation, and moto's imports.
        workers.start_fork_server()
        translation = Translation(self._template_path, self._parameters)
        self._open.callback(translation.cancel)
        _import_moto()
        self._serve(translation, folder)

    def _serve(self, translation: Translation, folder: DataFolder | None) -> None:
        from pipectl.embedded.concurrency import Concurrency
        from pipectl.embedded.direct import DirectCalls
        from pipectl.embedded.function_settings import FunctionSettings
        from pipectl.embedded.gateway import Gateway
        from pipectl.embedded.installed import Site, Stacks
        from pipectl.embedded.lambda_service import LambdaService
        from pipectl.embedded.moto_patches import (
            account,
            backends,
            message_move,
            redrive,
            start_execution,
            update_table,
        )
        from pipectl.embedded.moto_patches.all_patches import applied
        from pipectl.embedded.moto_patches.log_groups import LogGroups
        from pipectl.embedded.moto_patches.table import PatchSettings
        from pipectl.embedded.rights.enforcement import Rights
        from pipectl.embedded.server import Server

        self._open.enter_context(backends.empty_backends())
        server = Server(HOST, self._port)
        self._open.callback(server.stop)
        pool = workers.Workers(_worker_environment(server.endpoint), self._log_folder_ready())
        # After the workers: what was held then finds them closed.
        self._open.callback(self.faults.clear)
        self._open.callback(pool.close)
        concurrency = Concurrency(self._concurrency)
        self._lambda = LambdaService(pool, self._clock.sleep, self.faults, concurrency)
        gate = Gate()
        self._rights = Rights(account.MotoAccount(), self.log_folder / REFUSALS_FILE)
        functions = FunctionSettings(server.moto, self._lambda)
        gateway = Gateway(functions, self._lambda, self.faults, gate=gate, rights=self._rights)
        for extension in (start_execution, redrive, message_move, update_table):
            extension.extend(gateway)
        self._add_controls(gateway)
        guarded = Guard(gateway, self.token)
        server.start(guarded)
        direct = DirectCalls(server.endpoint, guarded)
        self._open.callback(direct.close)
        settings = PatchSettings(
            endpoint=lambda service: _endpoint_of(service, server.endpoint),
            clock=self._clock,
            invoke=self._lambda.invoke_later,
            changed=lambda: self._changed(gate),
            serve=direct.serve,
            rights=self._rights,
            stacks=self,
            throttled=self._throttled,
        )
        self._open.enter_context(applied(settings))
        self.deployment = Deployment.embedded(server.endpoint, REGION, STACK_NAME)
        direct.serve(self.deployment.session)
        logs = LogGroups(self.log_folder)
        logs.extend(gateway)
        self._stacks = Stacks(
            Site(
                self.deployment,
                self._template_path,
                self._lambda,
                self._rights,
                logs,
                self.log_folder,
                self._time_factor,
            )
        )
        self._open.callback(self._stacks.stop)
        self._stacks.create(translation.result())
        if folder is not None:
            self._restore(folder)
        self._stacks.start()
        if folder is not None:
            self._keep(folder, gate)

    def _throttled(self, machine: str) -> bool:
        """Whether a test has asked for the next transition of a state machine to be throttled."""
        if self.faults.for_transition() is None:
            return False
        self._lambda.metrics.count("AWS/States", "ExecutionThrottled", StateMachineArn=machine)
        return True

    def _changed(self, gate: Gate) -> None:
        """Note that an execution has started or ended."""
        self.changes.note()
        gate.dirty.set()

    def _restore(self, folder: DataFolder) -> None:
        from pipectl.embedded.moto_patches import kept

        self.restored = kept.restore(folder)

    def _keep(self, folder: DataFolder, gate: Gate) -> None:
        """Save the contents from now on, and continue executions that had not ended."""
        from pipectl.embedded.moto_patches import kept
        from pipectl.embedded.saving import Saver

        assert self.restored is not None  # noqa: S101  # the caller restored it
        self._lambda.pending.changed = gate.dirty.set
        for function, payload in self.restored.pending:
            self._lambda.invoke_later(function, payload)
        saver = Saver(folder, gate, lambda: kept.listed(self._lambda.pending))
        saver.start()
        self._open.callback(saver.stop)
        self.restored.report_interrupted()

    def _add_controls(self, gateway: Gateway) -> None:
        controls: dict[str, Callable[[Any], Any]] = {
            "notifications": lambda _: self.notifications(),
            "changes": lambda known: self.changes.wait(known["seen"], known["seconds"]),
            "calls": lambda _: sorted(self._rights.calls),
            "refusals": lambda _: self._rights.refusals,
            "dead-letters": lambda _: self.dead_letters(),
            "failed-deliveries": lambda _: self.failed_deliveries(),
            "alarms": lambda options: self.evaluate_alarms(**(options or {})),
            "faults": lambda fault: self.faults.add(**fault),
            "clear-faults": lambda _: self.faults.clear(),
            "unused-faults": self.faults.unused,
            "held": self.faults.held,
            "release": self.faults.release,
        }
        gateway.controls |= controls

    def _log_folder_ready(self) -> Path:
        try:
            self.log_folder.mkdir(parents=True, exist_ok=True)
            delete_old(self.log_folder)
        except OSError as error:
            raise PipectlError(f"{self.log_folder} can't be created: {error.strerror}.") from None
        return self.log_folder


def _import_moto() -> None:
    """Import the parts of moto that the stack needs, which takes most of its start."""
    with warnings.catch_warnings():
        # requests warns about versions of its own dependencies that work well.
        warnings.simplefilter("ignore")
        from pipectl.embedded.moto_patches.light_imports import without_what_is_not_used

        with without_what_is_not_used():
            import pipectl.embedded.moto_patches.all_patches
            import pipectl.embedded.moto_patches.application
            import pipectl.embedded.moto_patches.created  # noqa: F401
    # It logs each failure of a state, which the execution's history contains too.
    logging.getLogger("moto").setLevel(logging.CRITICAL)


def _endpoint_of(service: str, default: str) -> str:
    """Where the engine finds a service: here, unless the environment names another address."""
    return os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", default)


def _worker_environment(endpoint: str) -> dict[str, str]:
    """The variables of every function's environment, besides the template's."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    if "AWS_ENDPOINT_URL_LAMBDA" in os.environ:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    return environment
