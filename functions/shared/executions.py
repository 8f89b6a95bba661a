"""Names, ARNs and console pages of the workflow's executions."""

from __future__ import annotations

import re

# The starter names an execution after its file and attempt. Executions started by hand have any
# name.
_ATTEMPT_NAME = re.compile(r"([0-9a-f]{32})(?:-r(\d+))?")


def attempt_name(file_id: str, attempt: int) -> str:
    """The name of an attempt's execution: `<file_id>`, and `<file_id>-r2` for the second."""
    return file_id if attempt == 1 else f"{file_id}-r{attempt}"


def attempt_of(name: str) -> tuple[str, int] | None:
    """The file ID and attempt in an execution's name, or None if the starter didn't name it."""
    found = _ATTEMPT_NAME.fullmatch(name)
    return (found[1], int(found[2] or 1)) if found else None


def execution_arn(state_machine_arn: str, name: str) -> str:
    """The ARN of the state machine's execution of this name."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def console_url(execution_arn: str) -> str:
    """The execution's page in the Step Functions console."""
    partition, region = execution_arn.split(":")[1], execution_arn.split(":")[3]
    page = f"#/v2/executions/details/{execution_arn}"
    return f"https://{console_host(partition, region)}/states/home?region={region}{page}"


def console_host(partition: str, region: str) -> str:
    """The host name of the AWS console."""
    domains = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
    return f"{region}.{domains.get(partition, 'console.aws.amazon.com')}"
