"""Run every function from the package that `sam build` made, on Lambda's Python.

Files go through the embedded AWS, and each invocation is a clean process that has nothing but the
function's package, boto3 as in Lambda's runtime and, where the function has the layer, the layer's
libraries for this machine. The package itself is the one for arm64: it has no compiled code.

Run as `python -m tests.infrastructure.packages_run`; exit status 1 where a function did not run or
failed. Without Python 3.13 it is skipped, with a line that says so. `PYTHON313` names it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from samtranslator.yaml_helper import yaml_parse

from pipectl.embedded import workers
from pipectl.embedded.stack import EmbeddedStack
from pipectl.embedded.workers import Function, InvocationResult
from tests.end_to_end.samples import orders
from tests.infrastructure.deployed import ROOT
from tests.infrastructure.packages import BUILD

INVOKE = Path(__file__).with_name("invoke_package.py")
# boto3 and what it needs come with Lambda's runtime.
RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# A file of one split, and one of two.
SMALL, LARGE, SPLIT_SIZE_BYTES = orders(100), orders(4_000), 64 * 1024
PARAMETERS = {
    "ArchiveSource": "true",
    "GlueDatabase": "analytics",
    "SplitSizeBytes": str(SPLIT_SIZE_BYTES),
    "WebhookSecret": "no/such/secret",
}
# What functions raise here, as they should.
EXPECTED = {"FailureGateFunction": "SourceChanged", "WebhookFunction": "UnusableSecret"}
FILE_SECONDS = 300
RUN_SECONDS = 120


@dataclass
class PackagedFunctions:
    """Takes the place of `pipectl.embedded.workers.Workers`: a new process for each invocation."""

    python: Path
    build: Path
    layer: Path
    runtime: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, set[str]] = field(default_factory=dict)
    """The names of the errors of each function that was invoked, by logical ID."""

    def __post_init__(self) -> None:
        document = yaml_parse((self.build / "template.yaml").read_text(encoding="utf-8"))
        self.functions: dict[str, tuple[str, bool]] = {
            resource["Properties"]["Handler"]: (logical_id, "Layers" in resource["Properties"])
            for logical_id, resource in document["Resources"].items()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        self._lock = threading.Lock()

    def __call__(self, environment: Mapping[str, str], _logs: Path) -> PackagedFunctions:
        """Itself, made with the environment of all functions."""
        self.environment = environment
        return self

    def prepare(self, function: Function) -> None:
        """Nothing is started before it is needed."""

    def close(self) -> None:
        """Every process has ended with its invocation."""

    def invoke(self, function: Function, payload: bytes, request_id: str) -> InvocationResult:
        """Run one invocation in a clean process."""
        logical_id, has_layer = self.functions[function.handler]
        package = self.build / logical_id
        folders = [package, *([self.layer] if has_layer else []), self.runtime]
        context = {
            "aws_request_id": request_id,
            "function_name": function.name,
            "function_version": "$LATEST",
            "invoked_function_arn": function.arn,
            "log_group_name": function.log_group,
            "log_stream_name": "packages",
            "memory_limit_in_mb": str(function.memory),
        }
        with tempfile.TemporaryDirectory(prefix="package-run-") as temporary:
            result = Path(temporary) / "result.json"
            done = subprocess.run(
                [
                    *(str(self.python), "-I", "-S", str(INVOKE)),
                    *(function.handler, str(result), json.dumps(context)),
                    *map(str, folders),
                ],
                input=payload,
                env=self._variables(function, package, temporary),
                cwd=package,
                capture_output=True,
                timeout=RUN_SECONDS,
                check=False,
            )
            if not result.exists():
                print(done.stderr.decode(errors="replace")[-2000:], file=sys.stderr)
                document, failed = {"errorType": "Runtime.ExitError", "errorMessage": ""}, True
            else:
                found = json.loads(result.read_text(encoding="utf-8"))
                document, failed = found["document"], found["failed"]
        with self._lock:
            errors = self.errors.setdefault(logical_id, set())
            if failed:
                errors.add(f"{document['errorType']}: {document['errorMessage']}")
        return InvocationResult(json.dumps(document).encode(), failed)

    def _variables(self, function: Function, package: Path, temporary: str) -> dict[str, str]:
        return {
            **self.environment,
            **function.credentials,
            **function.environment,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "LAMBDA_TASK_ROOT": str(package),
            "TMPDIR": temporary,
            "TZ": ":UTC",
        }

    def problems(self) -> Iterator[str]:
        """The functions that did not run, and those that failed and should not have."""
        for logical_id, _ in sorted(self.functions.values()):
            errors = self.errors.get(logical_id)
            if errors is None:
                yield f"{logical_id} was not invoked"
                continue
            expected = EXPECTED.get(logical_id, "")
            for error in sorted(errors):
                if not expected or not error.startswith(f"{expected}:"):
                    yield f"{logical_id} failed: {error}"
            if expected and not errors:
                yield f"{logical_id} did not raise {expected}"


def main() -> int:
    """Run all functions, and print what is wrong; returns the exit status."""
    python = lambdas_python()
    if python is None:
        print("The packages were not run: there is no Python 3.13 here; PYTHON313 names one.")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        layer, runtime = Path(folder) / "layer", Path(folder) / "runtime"
        install_layer(python, layer)
        _link_runtime(runtime)
        packaged = PackagedFunctions(python, BUILD, layer, runtime)
        with _stack_of(packaged) as stack:
            _use(stack)
        found = list(packaged.problems())
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        seconds = time.monotonic() - started
        print(f"{len(packaged.functions)} functions ran from their packages in {seconds:.0f} s")
    return 1 if found else 0


def lambdas_python() -> Path | None:
    """A Python 3.13 of this machine, or None."""
    if sys.version_info[:2] == (3, 13):
        return Path(sys.executable)
    named = os.environ.get("PYTHON313") or "python3.13"
    # A pyenv shim needs to know which version it runs.
    variables = dict(os.environ)
    if shutil.which("pyenv"):
        latest = subprocess.run(
            ["pyenv", "latest", "3.13"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if latest:
            variables["PYENV_VERSION"] = latest
    try:
        found = subprocess.run(
            [named, "-c", "import sys; print(sys.version_info[:2] == (3, 13), sys.executable)"],
            capture_output=True,
            text=True,
            env=variables,
            check=True,
        ).stdout.split(maxsplit=1)
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(found[1].strip()) if found[0] == "True" else None


def install_layer(python: Path, target: Path) -> None:
    """Install the layer's libraries for this machine instead of for arm64."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if uv is None:
        raise FileNotFoundError("uv is not installed, so the layer can't be built.")
    requirements = ROOT / "layers" / "engine" / "requirements.txt"
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements)]
    options = ["--only-binary", ":all:", "--python", str(python)]
    subprocess.run([*command, *options, "--target", str(target)], check=True)


def _link_runtime(target: Path) -> None:
    """A folder with boto3 as in Lambda's runtime, and with nothing else."""
    target.mkdir()
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (target / source.name).symlink_to(source)


@contextmanager
def _stack_of(packaged: PackagedFunctions) -> Iterator[EmbeddedStack]:
    with (
        patch.object(workers, "Workers", packaged),
        EmbeddedStack(parameters=PARAMETERS, time_factor=0) as stack,
    ):
        stack.deployment.client("glue").create_database(DatabaseInput={"Name": "analytics"})
        yield stack


def _use(stack: EmbeddedStack) -> None:
    """Let every function be invoked: two files succeed, and one fails in a Map."""
    _send(stack, "small", SMALL)
    _send(stack, "large", LARGE)
    _wait(stack, 2)
    stack.faults.add("data-pipeline-measure-split-dev", EXPECTED["FailureGateFunction"], 2)
    _send(stack, "failing", LARGE)
    _wait(stack, 3)
    # Schedules don't run here, and the others of these are invoked asynchronously.
    client = stack.deployment.client("lambda")
    client.invoke(FunctionName="data-pipeline-freshness-dev", Payload=b"{}")
    deadline = time.monotonic() + FILE_SECONDS
    while list(stack._lambda.pending.all()) and time.monotonic() < deadline:
        time.sleep(0.2)


def _send(stack: EmbeddedStack, dataset: str, body: bytes) -> None:
    stack.deployment.client("s3").put_object(
        Bucket=stack.deployment.outputs["InputBucketName"], Key=f"raw/{dataset}/file.csv", Body=body
    )


def _wait(stack: EmbeddedStack, count: int) -> None:
    """Wait until this number of executions has ended."""
    deadline = time.monotonic() + FILE_SECONDS
    while time.monotonic() < deadline:
        if sum(one.status != "RUNNING" for one in stack.executions()) == count:
            return
        time.sleep(0.2)
    raise TimeoutError(f"not {count} executions have ended within {FILE_SECONDS} seconds")


if __name__ == "__main__":
    sys.exit(main())
