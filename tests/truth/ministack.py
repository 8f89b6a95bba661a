"""The built stack on MiniStack, an AWS emulator that shares no code with moto.

MiniStack runs in an environment of its own, on Lambda's Python, with each role's rights enforced.
What it gets is what a deployment uploads: the packages of `sam build`, and the translated template.
Only the layer is built again, because this machine can't import libraries for arm64.
"""

from __future__ import annotations

import io
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from pipectl.embedded.template import ACCOUNT, REGION, translate
from tests.infrastructure.deployed import ROOT
from tests.infrastructure.packages import BUILD
from tests.infrastructure.packages_run import install_layer
from tests.truth.engine import EngineError, free_port, started
from tests.truth.faults import THROTTLE, StepFault, faulty_module

STACK = "data-pipeline-dev"
UNCAUGHT_RULE = "data-pipeline-uncaught-dev"
# Where the packages are uploaded. The translator writes this name into the template.
CODE_BUCKET = "embedded"

# What MiniStack needs to deploy the stack, on a machine that does other things too.
DEPLOY_SECONDS = 300


# No file passes these, and MiniStack has no saved queries and no alarms on metric math.
_LEFT_OUT = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::QueryDefinition",
}


_UNSET_KEYS = {"events:source", "events:detail-type"}


class MiniStack:
    """A running MiniStack with the stack on it, as a context manager.

    `outputs` are the stack's outputs. `folder` is for the layer, MiniStack's log and its data.
    """

    def __init__(self, python: Path, folder: Path, parameters: Mapping[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._parameters = parameters
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._functions: dict[str, tuple[str, str]] = {}
        self.outputs: Mapping[str, str] = {}

    def __enter__(self) -> MiniStack:
        try:
            self._start()
            self._deploy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def _endpoint(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def _certificate(self) -> Path:
        return self._folder / "ministack-tls" / "server.crt"

    @property
    def _repaired(self) -> Path:
        """A file that exists if the repair of `start_ministack.py` was needed."""
        return self._folder / "repaired"

    @property
    def log(self) -> Path:
        """MiniStack's own log."""
        return self._folder / "ministack.log"

    def client(self, service: str) -> Any:
        """A client of the account's root user."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self._endpoint,
            verify=str(self._certificate),
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"max_attempts": 1},
                s3={"addressing_style": "path"},
                read_timeout=DEPLOY_SECONDS,
            ),
        )

    def break_function(self, fault: StepFault) -> None:
        """Let a function fail at every call from now on."""
        name, handler = self._function(fault)
        client = self.client("lambda")
        if fault.error == THROTTLE:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            return
        package = self._package(fault.function, {"faulty.py": faulty_module(fault, handler)})
        client.update_function_code(FunctionName=name, ZipFile=package)
        client.update_function_configuration(FunctionName=name, Handler="faulty.handler")

    def repair_function(self, fault: StepFault) -> None:
        """Let it work again."""
        name, handler = self._function(fault)
        client = self.client("lambda")
        if fault.error == THROTTLE:
            client.delete_function_concurrency(FunctionName=name)
            return
        client.update_function_code(FunctionName=name, ZipFile=self._package(fault.function))
        client.update_function_configuration(FunctionName=name, Handler=handler)

    def problems(self) -> list[str]:
        """What is wrong with the repairs of MiniStack, at the end."""
        if self._repaired.exists():
            return []
        return ["MiniStack answers ranges of versions now: remove start_ministack.py"]

    def _function(self, fault: StepFault) -> tuple[str, str]:
        """The name and the handler of a fault's function."""
        if fault.function not in self._functions:
            resource = self.client("cloudformation").describe_stack_resource(
                StackName=STACK, LogicalResourceId=fault.function
            )
            name = resource["StackResourceDetail"]["PhysicalResourceId"]
            found = self.client("lambda").get_function_configuration(FunctionName=name)
            self._functions[fault.function] = (name, found["Handler"])
        return self._functions[fault.function]

    def _package(self, logical_id: str, more: Mapping[str, str] | None = None) -> bytes:
        """A function's package as `sam build` made it, with more files (name -> text)."""
        return _zipped(BUILD / logical_id, {"bootstrap": self._bootstrap(), **(more or {})})

    def _bootstrap(self) -> str:
        """Lambda's own client of its runtime API, on Lambda's Python and with the layer.

        MiniStack's worker for Python functions gives every error the same name, which no `Catch`
        and no `Retry` of the workflow could match. In a custom runtime the functions name it.
        """
        paths = f"$LAMBDA_TASK_ROOT:{self._folder / 'layer' / 'python'}"
        client = f'exec "{self._python}" -m awslambdaric "$_HANDLER"'
        return f'#!/bin/sh\nexport PYTHONPATH="{paths}"\n{client}\n'

    def _start(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment |= {
            "AUTH": "true",
            "AWS_CA_BUNDLE": str(self._certificate),
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "REPAIRED": str(self._repaired),
            "S3_DATA_DIR": str(self._folder / "s3"),
            # Retries wait for nothing.
            "SFN_WAIT_SCALE": "0",
            "IOT_MTLS_ENABLED": "false",
            "SFTP_ENABLED": "false",
            # It makes a certificate for itself there. The policies refuse what comes without TLS.
            "TMPDIR": str(self._folder),
            "USE_SSL": "1",
        }
        self._process = started(
            "start_ministack.py", self._python, environment, self.log, self._is_healthy
        )

    def _is_healthy(self) -> bool:
        if not self._certificate.exists():
            return False
        context = ssl.create_default_context(cafile=str(self._certificate))
        url = f"{self._endpoint}/_ministack/health"
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _deploy(self) -> None:
        install_layer(self._python, self._folder / "layer" / "python")
        s3 = self.client("s3")
        s3.create_bucket(Bucket=CODE_BUCKET)
        template = translate(ROOT / "template.yaml", self._parameters)
        for logical_id in template.code:
            s3.put_object(Bucket=CODE_BUCKET, Key=logical_id, Body=self._package(logical_id))
        for resource in template.resources("AWS::Lambda::LayerVersion").values():
            key = resource["Properties"]["Content"]["S3Key"]
            # What is in it comes from the search path of the functions; see `_bootstrap`.
            s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=_zipped(None, {"README": "empty"}))
        document = json.dumps(adapted(template.document, self._parameters)).encode()
        s3.put_object(Bucket=CODE_BUCKET, Key="template.json", Body=document)
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self._endpoint}/{CODE_BUCKET}/template.json",
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in self._parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        deadline = time.monotonic() + DEPLOY_SECONDS
        while True:
            [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                break
            if not stack["StackStatus"].endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                raise EngineError(f"{stack['StackStatus']}: {self._why_not_deployed()}")
            time.sleep(0.5)
        self.outputs = {out["OutputKey"]: out["OutputValue"] for out in stack["Outputs"]}
        # Otherwise `uncaught` makes up for a part of the lane that failed, at some time after the
        # scenario has repaired it.
        self.client("events").disable_rule(Name=UNCAUGHT_RULE)

    def _why_not_deployed(self) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        reasons = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in events
            if event["ResourceStatus"].endswith("FAILED")
        ]
        return "; ".join(reasons) or f"see {self.log}"


def adapted(document: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The translated template without what MiniStack's CloudFormation can't read.

    - It turns a parameter of type Number into a float, so that an environment variable has `0.0`
      for `0`. They become parameters of type String, and the numbers of mappings become text.
    - In a condition it knows `Fn::Select` of a parameter's list, but not of `Fn::Split`. The
      expression is replaced by its value.
    - Alarms, the dashboard and saved queries are left out.
    """
    parameters = {name: _as_text(one) for name, one in document["Parameters"].items()}
    values = {name: str(one.get("Default", "")) for name, one in parameters.items()} | dict(given)
    conditions = _without_splits(document.get("Conditions", {}), values)
    resources = {
        name: _adapted_resource(one)
        for name, one in document["Resources"].items()
        if one["Type"] not in _LEFT_OUT
    }
    return {
        **document,
        "Mappings": _numbers_as_text(document.get("Mappings", {})),
        "Parameters": parameters,
        "Conditions": conditions,
        "Resources": resources,
    }


def _numbers_as_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _numbers_as_text(one) for name, one in value.items()}
    return str(value)


def _adapted_resource(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    if resource["Type"] == "AWS::Lambda::Function":
        return {**resource, "Properties": {**resource["Properties"], "Runtime": "provided.al2023"}}
    if resource["Type"] == "AWS::IAM::Role":
        return {**resource, "Properties": _without_keys(resource["Properties"])}
    return resource


def _without_keys(value: Any) -> Any:
    """A role without the conditions on keys that MiniStack doesn't set, which never hold there."""
    if isinstance(value, list):
        return [_without_keys(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    kept = {name: _without_keys(one) for name, one in value.items() if name not in _UNSET_KEYS}
    return {name: one for name, one in kept.items() if name != "Condition" or any(one.values())}


def _as_text(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    if parameter["Type"] != "Number":
        return parameter
    kept = {key: one for key, one in parameter.items() if key not in {"MinValue", "MaxValue"}}
    return {**kept, "Type": "String", "Default": str(parameter["Default"])}


def _without_splits(value: Any, parameters: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_without_splits(one, parameters) for one in value]
    if not isinstance(value, Mapping):
        return value
    match value:
        case {"Fn::Select": [index, {"Fn::Split": [separator, {"Ref": name}]}]}:
            return parameters[name].split(separator)[int(index)]
    return {key: _without_splits(one, parameters) for key, one in value.items()}


def _zipped(folder: Path | None, more: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    # Stored: nothing is gained by compressing for this machine itself.
    with zipfile.ZipFile(buffer, "w") as package:
        for path in sorted(folder.rglob("*")) if folder else []:
            if path.is_file() and folder:
                package.write(path, path.relative_to(folder))
        for name, text in more.items():
            package.writestr(name, text)
    return buffer.getvalue()
