"""The stacks that run in this process. CloudFormation's requests install and remove them.

Functions run from the folder of the template that the process was started with, whatever package a
template names.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, EndpointConnectionError

from pipectl.embedded import apply
from pipectl.embedded.apply import CreatedStack
from pipectl.embedded.moto_patches.backends import QueueArrivals
from pipectl.embedded.poller import Clock, Poller
from pipectl.embedded.template import Template, Translation, with_local_paths
from pipectl.embedded.watch import Watch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from pipectl.client.deployment import Deployment
    from pipectl.embedded.lambda_service import LambdaService
    from pipectl.embedded.moto_patches.log_groups import LogGroups
    from pipectl.embedded.rights.enforcement import Rights
    from pipectl.embedded.workers import Function


@dataclass(frozen=True)
class Site:
    """What the stacks of a process share.

    `deployment` is the stack that the process was started for, from `template`. `time_factor`
    scales the waits of pollers.
    """

    deployment: Deployment
    template: Path
    functions: LambdaService
    rights: Rights
    logs: LogGroups
    log_folder: Path
    time_factor: float


class Stacks:
    """The stacks by name."""

    def __init__(self, site: Site) -> None:
        self._site = site
        # Requests change it while other threads look through it, so these go through a copy.
        self._running: dict[str, _Running] = {}

    def create(self, template: Template) -> None:
        """Create the process's own stack. Its pollers wait for `start`.

        Raises `PipectlError` if moto refuses the template, or services what it asks of them.
        """
        deployment = self._site.deployment
        created = apply.create_stack(deployment, template)
        self._running[deployment.stack_name] = _Running(created, deployment, self._site)

    def install(self, name: str, text: str, parameters: Mapping[str, str], adopts: bool) -> None:
        """Create a stack of a SAM template, as CloudFormation does when a change set is executed.

        With `adopts`, buckets and tables that exist become part of it. Raises `PipectlError` as
        `create` does.
        """
        deployment = replace(self._site.deployment, stack_name=name)
        folder = Path(tempfile.mkdtemp(prefix="pipectl-template-"))
        try:
            path = with_local_paths(text, self._site.template, folder)
            template = Translation(path, parameters).result()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        created = apply.fill_stack(deployment, template, adopts=adopts)
        running = _Running(created, deployment, self._site)
        self._running[name] = running
        running.start()

    def remove(self, name: str) -> None:
        """End what runs of a stack, before its resources are deleted."""
        running = self._running.pop(name, None)
        if running is not None:
            running.remove()

    def start(self) -> None:
        """Start the pollers."""
        for running in list(self._running.values()):
            running.start()

    def request_stop(self) -> None:
        """Let the pollers take no further messages; this doesn't wait."""
        for running in list(self._running.values()):
            running.request_stop()

    def stop(self) -> None:
        """Stop the pollers."""
        for running in list(self._running.values()):
            running.stop()

    def evaluate_alarms(self, now: float) -> dict[str, str]:
        """The states of all alarms at a time, by name; a new ALARM is published."""
        states: dict[str, str] = {}
        for running in list(self._running.values()):
            states |= running.watch.evaluate(now)
        return states

    def failed_deliveries(self) -> list[dict[str, str]]:
        """Messages that a function did not accept: body, and code and message of the error."""
        return [
            asdict(failure)
            for running in list(self._running.values())
            for poller in running.pollers
            for failure in list(poller.failures)
        ]


class _Running:
    """What the process runs of one stack: its functions, pollers and alarms."""

    def __init__(self, created: CreatedStack, deployment: Deployment, site: Site) -> None:
        """Complete the stack and add its functions."""
        self._created, self._deployment, self._site = created, deployment, site
        site.rights.labels |= created.roles()
        site.rights.keys |= created.keys()
        created.complete(site.rights)
        self._functions = {
            function.name: apply.with_credentials(function, site.rights)
            for function in created.functions()
        }
        for function in self._functions.values():
            site.functions.add(function)
        for name, queue_url in created.failure_destinations():
            send = self._sender_to(queue_url, self._functions[name])
            site.functions.on_failure(name, send)
        site.functions.prepare()
        site.logs.add(
            {function.name: function.log_group for function in self._functions.values()},
            created.machine_logging(),
        )
        self.watch = Watch(
            [alarm for _, alarm in created.resources("AWS::CloudWatch::Alarm")],
            [one for _, one in created.resources("AWS::Logs::MetricFilter")],
            site.functions,
            site.log_folder,
            deployment=deployment,
            rights=site.rights,
        )
        self.pollers = list(self._pollers())

    def start(self) -> None:
        for poller in self.pollers:
            poller.start()

    def request_stop(self) -> None:
        for poller in self.pollers:
            poller.request_stop()

    def stop(self) -> None:
        for poller in self.pollers:
            poller.stop()

    def remove(self) -> None:
        """End everything, and delete what moto's CloudFormation doesn't know to be the stack's."""
        self.request_stop()
        self.stop()
        self._created.delete()
        self._site.functions.remove(self._functions)
        self._site.logs.remove(self._functions, self._created.machine_logging())

    def _pollers(self) -> Iterator[Poller]:
        for source in self._created.event_sources():
            yield Poller(
                source,
                self._site.functions,
                self._sqs_of(self._functions[source.function]),
                QueueArrivals(source.queue_arn.rpartition(":")[2]),
                Clock(self._deployment.client("sqs"), self._site.time_factor),
            )

    def _sender_to(self, queue_url: str, function: Function) -> Callable[[str], object]:
        sqs = self._sqs_of(function)

        def send(body: str) -> None:
            # The stack has been closed, or the role may not send, which has been recorded.
            with contextlib.suppress(EndpointConnectionError, ClientError):
                sqs.send_message(QueueUrl=queue_url, MessageBody=body)

        return send

    def _sqs_of(self, function: Function) -> SQSClient:
        """SQS as Lambda itself uses it for a function: with the function's role."""
        credentials = self._site.rights.sessions.begin(function.role, function.name)
        return self._deployment.session.client(
            "sqs",
            endpoint_url=self._deployment.endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            config=self._deployment.client("sqs").meta.config,
        )
