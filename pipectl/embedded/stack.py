"""The pipeline's stack on the embedded AWS, from the template to the first upload.

moto's CloudFormation creates what it can; what it leaves out is applied from the same translated
template through the services' ordinary APIs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.client.deployment import Deployment
from pipectl.embedded import workers
from pipectl.embedded.faults import Faults
from pipectl.embedded.guard import Guard, new_token
from pipectl.embedded.template import ACCOUNT, REGION, Template, Translation
from pipectl.errors import PipectlError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pipectl.embedded.gateway import Gateway
    from pipectl.embedded.lambda_service import LambdaService
    from pipectl.embedded.poller import Poller

STACK_NAME = "data-pipeline"
HOST = "127.0.0.1"

# The template of the project that this command belongs to.
TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class EmbeddedStack:
    """Brings the stack up in this process; a context manager. One at a time in a process.

    `deployment` is then what any other stack is to the operator's commands.
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
    ) -> None:
        """Prepare; nothing is started yet.

        `port` 0 takes a free one. `time_factor` shortens the waits between retries and before a
        refused message comes again: 0 doesn't wait at all. `concurrency` is the account's limit of
        concurrent Lambda executions, beyond which invocations are throttled; None means no limit.
        The functions' output goes to `log_folder`, one file a function, which is temporary when
        none is given.
        """
        self._template_path = template
        self._parameters = dict(parameters or {})
        self._port = port
        self._time_factor = time_factor
        self._concurrency = concurrency
        self._keep_logs = log_folder is not None
        self.log_folder = log_folder or Path(tempfile.mkdtemp(prefix="pipectl-logs-"))
        self.faults = Faults()
        self.token = new_token()
        """What `/_embedded/` wants to see: those questions and orders are not AWS's API."""
        self._open = ExitStack()
        self._pollers: list[Poller] = []
        self.deployment: Deployment
        self._lambda: LambdaService

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server, the pollers and all workers, and forget everything."""
        self._open.close()
        if not self._keep_logs:
            shutil.rmtree(self.log_folder, ignore_errors=True)

    def notifications(self) -> list[dict[str, Any]]:
        """All messages published so far: topic_arn, message_id, subject, message, attributes.

        `message` is as it was published, so a JSON document by protocol where that was asked for.
        """
        from moto.sns.models import sns_backends

        topics = sns_backends[ACCOUNT][REGION].topics
        return [
            {
                "topic_arn": arn,
                "message_id": message_id,
                "subject": subject,
                "message": message,
                "attributes": {
                    name: attribute["Value"] for name, attribute in (attributes or {}).items()
                },
            }
            for arn, topic in list(topics.items())
            for message_id, message, subject, attributes, _ in list(topic.sent_notifications)
        ]

    def dead_letters(self) -> list[str]:
        """The bodies of all messages in the dead-letter queue, looked at without receiving them."""
        from moto.sqs.models import sqs_backends

        name = self.deployment.outputs["DeadLetterQueueUrl"].rpartition("/")[2]
        queue = sqs_backends[ACCOUNT][REGION].queues[name]
        return [str(message.body) for message in list(queue._messages)]

    def current_states(self) -> dict[str, str]:
        """The state that each execution is in or ended in, by the execution's ARN."""
        from pipectl.embedded.moto_patches import engine

        return engine.current_states(ACCOUNT, REGION)

    def failed_deliveries(self) -> list[dict[str, str]]:
        """Messages that a function refused: body, and code and message of the error."""
        return [asdict(failure) for poller in self._pollers for failure in list(poller.failures)]

    def _start(self) -> None:
        # Three things at once: the fork server's imports, the translation and moto's imports.
        workers.start_fork_server()
        translation = Translation(self._template_path, self._parameters)
        self._open.callback(translation.cancel)
        _import_moto()
        self._open.enter_context(_clean_moto())
        self._serve(translation)

    def _serve(self, translation: Translation) -> None:
        from pipectl.embedded.concurrency import Concurrency
        from pipectl.embedded.gateway import Gateway
        from pipectl.embedded.lambda_service import LambdaService
        from pipectl.embedded.moto_patches import (
            engine,
            events,
            map_runs,
            message_move,
            redrive,
            start,
        )
        from pipectl.embedded.server import Server

        server = Server(HOST, self._port)
        wait = engine.scaled_wait(self._time_factor)
        self._open.callback(server.stop)
        pool = workers.Workers(_worker_environment(server.endpoint), self._log_folder_ready())
        self._open.callback(pool.close)
        self._lambda = LambdaService(pool, wait, self.faults, Concurrency(self._concurrency))
        gateway = Gateway(server.moto, self._lambda, self.faults)
        start.extend(gateway)
        redrive.extend(gateway)
        message_move.extend(gateway)
        self._add_controls(gateway)
        server.start(Guard(gateway, self.token))
        for change in (
            engine.shared_clients(lambda service: _endpoint_of(service, server.endpoint)),
            engine.parsed_once(),
            engine.retry_clock(wait),
            engine.uncaught_errors(),
            engine.untyped_errors(),
            engine.aborted_stays_aborted(),
            map_runs.complete_map_runs(),
            events.complete_events(self._lambda.invoke_later),
        ):
            self._open.enter_context(change)
        self.deployment = Deployment.embedded(server.endpoint, REGION, STACK_NAME)
        self._create(translation.result())

    def _create(self, template: Template) -> None:
        from pipectl.embedded import apply
        from pipectl.embedded.poller import Poller

        stack = apply.create_stack(self.deployment, template)
        for function in stack.functions():
            self._lambda.add(function)
        for name, queue_url in stack.failure_destinations():
            self._lambda.on_failure(name, self._sender_to(queue_url))
        self._lambda.prepare()
        stack.complete()
        self._pollers = [
            Poller(source, self._lambda, self.deployment.client("sqs"), self._time_factor)
            for source in stack.event_sources()
        ]
        for poller in self._pollers:
            poller.start()
            self._open.callback(poller.stop)

    def _sender_to(self, queue_url: str) -> Callable[[str], object]:
        from botocore.exceptions import EndpointConnectionError

        sqs = self.deployment.client("sqs")

        def send(body: str) -> None:
            with contextlib.suppress(EndpointConnectionError):  # the stack has been closed
                sqs.send_message(QueueUrl=queue_url, MessageBody=body)

        return send

    def _add_controls(self, gateway: Gateway) -> None:
        gateway.controls |= {
            "notifications": lambda _: self.notifications(),
            "calls": lambda _: sorted(gateway.calls),
            "dead-letters": lambda _: self.dead_letters(),
            "failed-deliveries": lambda _: self.failed_deliveries(),
            "faults": lambda fault: self.faults.add(**fault),
            "clear-faults": lambda _: self.faults.clear(),
        }

    def _log_folder_ready(self) -> Path:
        try:
            self.log_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PipectlError(f"{self.log_folder} can't be made: {error.strerror}.") from None
        return self.log_folder


def _import_moto() -> None:
    """Import what of moto the stack needs, which takes most of its start."""
    with warnings.catch_warnings():
        # requests warns about versions of its own dependencies that work well.
        warnings.simplefilter("ignore")
        import moto.cloudformation.models
        import moto.moto_server.werkzeug_app
        import moto.stepfunctions.parser.models  # noqa: F401
    # Each failure of a state is logged; the executions' histories tell the same.
    logging.getLogger("moto").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _clean_moto() -> Iterator[None]:
    """Let moto run state machines, and forget what it holds at the end."""
    from unittest.mock import patch

    from moto.core.base_backend import BackendDict
    from moto.core.config import default_user_config

    with patch.dict(default_user_config, {"stepfunctions": {"execute_state_machine": True}}):
        BackendDict.reset()
        yield
        BackendDict.reset()


def _endpoint_of(service: str, default: str) -> str:
    """Where the engine finds a service: here, unless the environment names another place."""
    return os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", default)


def _worker_environment(endpoint: str) -> dict[str, str]:
    """What every function's environment holds, beside the template's variables."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": "embedded",
    }
    if "AWS_ENDPOINT_URL_LAMBDA" in os.environ:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    return environment
