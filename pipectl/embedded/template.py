"""Translates the SAM template to CloudFormation, as a deployment does.

Local paths of code and definitions, which `sam build` and `sam package` turn into S3 objects, are
handled separately: definitions are inlined, and each function's code stays in its folder.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipectl.errors import PipectlError, UsageError

REGION = "us-east-1"

# moto's only account.
ACCOUNT = "123456789012"

# The template of the key, beside that of the pipeline, and the parameter that names a key.
KEY_TEMPLATE = "key.yaml"
KEY_PARAMETER = "KmsKeyArn"

# Properties that name a local path, by resource type.
_LOCAL_PATHS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


@dataclass(frozen=True)
class Template:
    """A translated template.

    `document` is plain CloudFormation with the state machines' definitions inlined as text;
    `code` gives each function's code directory by logical ID; `parameters` are the values that
    override the template's defaults. `key_policy` is the policy of the key that `KmsKeyArn` names:
    that of `key.yaml`, whose parameters have the same names.
    """

    document: Mapping[str, Any]
    code: Mapping[str, Path]
    parameters: Mapping[str, str]
    key_policy: Mapping[str, Any] | None = None

    def resources(self, resource_type: str) -> dict[str, Mapping[str, Any]]:
        """The resources of a type, such as `AWS::SQS::Queue`, by logical ID."""
        return {
            logical_id: resource
            for logical_id, resource in self.document["Resources"].items()
            if resource["Type"] == resource_type
        }


def translate(path: Path, parameters: Mapping[str, str] | None = None) -> Template:
    """Translate the SAM template at `path`; relative paths in it are relative to its folder.

    Raises `PipectlError` if the template can't be read or translated, and `UsageError` if a
    parameter is unknown or its value is not allowed.
    """
    # Imported here, since the translator takes a second to import.
    import yaml
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    try:
        document = _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PipectlError(f"The template {path} can't be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise PipectlError(f"The template {path} is not valid YAML: {error}") from None
    given = dict(parameters or {})
    _check_parameters(document, given)
    local_paths = _take_out_local_paths(document)
    # The translator takes the region from boto3, which reads it here if there is no AWS profile.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    try:
        translated = transform(document, given, _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise PipectlError(f"The template {path} can't be translated: {causes}") from None
    _inline_definitions(translated, local_paths, path.parent)
    code = {
        logical_id: (path.parent / local_paths[logical_id]).resolve()
        for logical_id, resource in translated["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    key_policy = _key_policy(path.with_name(KEY_TEMPLATE)) if given.get(KEY_PARAMETER) else None
    return Template(document=translated, code=code, parameters=given, key_policy=key_policy)


def with_local_paths(text: str, template: Path, folder: Path) -> Path:
    """Write a packaged template into `folder`, with the local paths of the one it was made of.

    `sam package` replaces paths by S3 URIs. Functions that `template` doesn't have are refused.
    Raises `PipectlError` if one of the two can't be read.
    """
    packaged, local = _read(text, "of the change set"), _read(template.read_text("utf-8"), template)
    for logical_id, resource in packaged.get("Resources", {}).items():
        key = _LOCAL_PATHS.get(resource["Type"])
        if key is None:
            continue
        ours = local["Resources"].get(logical_id)
        if ours is None:
            raise PipectlError(
                f"{logical_id} can't run: functions run from the folder of {template}, which has"
                " none of this name. Start `pipectl up` with the new template."
            )
        path = str(ours.get("Properties", {}).get(key) or _inherited_code(local))
        resource["Properties"][key] = str((template.parent / path).resolve())
    packaged.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    written = folder / template.name
    written.write_text(json.dumps(packaged, default=str), encoding="utf-8")
    key_template = template.with_name(KEY_TEMPLATE)
    if key_template.exists():
        written.with_name(KEY_TEMPLATE).write_text(key_template.read_text("utf-8"), "utf-8")
    return written


def _read(text: str, name: object) -> Any:
    import yaml

    try:
        return _parse(text)
    except yaml.YAMLError as error:
        raise PipectlError(f"The template {name} is not valid YAML: {error}") from None


def _inherited_code(document: Mapping[str, Any]) -> str | None:
    code: str | None = document.get("Globals", {}).get("Function", {}).get("CodeUri")
    return code


def _key_policy(path: Path) -> Mapping[str, Any]:
    """The policy of the key in the template of keys; without one it is KMS's default policy."""
    from samtranslator.yaml_helper import yaml_parse

    try:
        document = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError:
        root = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
        statement = {"Effect": "Allow", "Principal": {"AWS": root}}
        return {"Statement": [{**statement, "Action": "kms:*", "Resource": "*"}]}
    policy: Mapping[str, Any] = document["Resources"]["Key"]["Properties"]["KeyPolicy"]
    return policy


def _parse(text: str) -> Any:
    """Parse YAML with CloudFormation's short forms (`!Ref`), in C if PyYAML was built with it."""
    import yaml
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    # The translator's own function parses in Python, which takes ten times as long.
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("Loader", (base,), {})
    loader.add_multi_constructor("!", intrinsics_multi_constructor)
    return yaml.load(text, loader)  # noqa: S506  # a safe loader


class Translation:
    """A translation in a separate process, in parallel with this one's imports."""

    def __init__(self, path: Path, parameters: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and our own module
            [sys.executable, "-m", "pipectl.embedded.template", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is handled by the process that waits for this one.
            start_new_session=True,
        )
        # Not as arguments, which other users of the machine can read: a parameter may be secret.
        # They fit into the pipe's buffer, so this doesn't wait for a reader.
        assert self._process.stdin is not None  # noqa: S101  # it was asked for above
        self._process.stdin.write(json.dumps(parameters))
        self._process.stdin.close()
        self._process.stdin = None

    def result(self) -> Template:
        """Wait for the template; raises `PipectlError` as `translate` does."""
        output, problems = self._process.communicate()
        if self._process.returncode == UsageError.exit_code:
            raise UsageError(problems.strip())
        if self._process.returncode:
            raise PipectlError(problems.strip() or "The template can't be translated.")
        answer = json.loads(output)
        return Template(
            document=answer["document"],
            code={logical_id: Path(code) for logical_id, code in answer["code"].items()},
            parameters=answer["parameters"],
            key_policy=answer["key_policy"],
        )

    def cancel(self) -> None:
        """Kill the process if it is still running."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class _NoManagedPolicies:
    """No names of managed policies: the template uses their ARNs."""

    def load(self) -> dict[str, str]:
        return {}


def _check_parameters(document: Mapping[str, Any], given: Mapping[str, str]) -> None:
    known = document.get("Parameters", {})
    for name, value in given.items():
        if name not in known:
            raise UsageError(
                f"The template has no parameter {name}. Its parameters: {', '.join(sorted(known))}."
            )
        problem = _problem_of(known[name], value)
        if problem:
            raise UsageError(f"The parameter {name} can't have this value: {problem}")


def _problem_of(declared: Mapping[str, Any], value: str) -> str | None:
    """Why CloudFormation refuses a parameter's value, or None if it is allowed."""
    allowed = declared.get("AllowedValues")
    if allowed is not None and value not in map(str, allowed):
        return f"allowed are {', '.join(map(str, allowed))}."
    if not re.fullmatch(declared.get("AllowedPattern", "(?s).*"), value):
        reason = declared.get("ConstraintDescription")
        return str(reason or f"it must match {declared['AllowedPattern']}.")
    if declared["Type"] != "Number":
        return None
    try:
        number = float(value)
    except ValueError:
        return "it must be a number."
    low, high = declared.get("MinValue", -math.inf), declared.get("MaxValue", math.inf)
    return None if low <= number <= high else f"it must be from {low} to {high}."


def _take_out_local_paths(document: dict[str, Any]) -> dict[str, str]:
    """Replace local paths by the S3 URIs that the translator requires; returns the paths."""
    inherited = document.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    paths: dict[str, str] = {}
    for logical_id, resource in document["Resources"].items():
        key = _LOCAL_PATHS.get(resource["Type"])
        if key is None:
            continue
        properties = resource.setdefault("Properties", {})
        local = properties.get(key, inherited if key == "CodeUri" else None)
        if isinstance(local, str) and not local.startswith("s3://"):
            paths[logical_id] = local
            properties[key] = f"s3://embedded/{logical_id}"
    return paths


def _inline_definitions(
    document: dict[str, Any], local_paths: Mapping[str, str], folder: Path
) -> None:
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] != "AWS::StepFunctions::StateMachine":
            continue
        if resource["Properties"].pop("DefinitionS3Location", None) is None:
            continue
        path = folder / local_paths[logical_id]
        try:
            resource["Properties"]["DefinitionString"] = path.read_text(encoding="utf-8")
        except OSError as error:
            raise PipectlError(f"The definition {path} can't be read: {error.strerror}.") from None


def _main() -> None:
    try:
        template = translate(Path(sys.argv[1]), json.load(sys.stdin))
    except (PipectlError, UsageError) as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
    json.dump(
        {
            "document": template.document,
            "code": {logical_id: str(code) for logical_id, code in template.code.items()},
            "parameters": template.parameters,
            "key_policy": template.key_policy,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    _main()
