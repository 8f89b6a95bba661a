"""The log of a function at LogLevel DEBUG: its own lines, and no lines of libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.infrastructure.deployed import ROOT

TOKEN = "session-token-7b3c"
RECORD = "cell-of-a-record"
# Sets the root logger up as Lambda's runtime does for the function's log level, and makes calls
# that leave with the session token and a body, but reach nobody.
ON_LAMBDA = f"""
import logging, os, sys
from botocore.awsrequest import AWSResponse

logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger().setLevel(os.environ["AWS_LAMBDA_LOG_LEVEL"])

class Answer:
    def stream(self):
        yield b"{{}}"

def answer(request, **_):
    return AWSResponse(request.url, 200, {{"x-amz-request-id": "an-answer"}}, Answer())

def call(client, operation, **parameters):
    client.meta.events.register_first("before-send", answer)
    getattr(client, operation)(**parameters)

RECORD = "{RECORD}"
"""
OUR_CALLS = """
from shared import clients
call(clients.stepfunctions(), "describe_execution", executionArn=RECORD)
call(clients.table("t").meta.client, "get_item", TableName="t", Key={"id": RECORD})

from shared.observability import logger
logger().debug("our own line")
logging.getLogger("some.other.library").debug("a stranger's line")
logging.getLogger("some.other.library").warning("a stranger's warning")
"""
UNGUARDED_CALL = """
import boto3
call(boto3.client("stepfunctions"), "describe_execution", executionArn=RECORD)
"""


def printed_at(level: str, calls: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", ON_LAMBDA + calls],
        cwd=ROOT / "functions",
        env={
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "key-id",
            "AWS_SECRET_ACCESS_KEY": "secret-key",
            "AWS_SESSION_TOKEN": TOKEN,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_LAMBDA_LOG_LEVEL": level,
            "POWERTOOLS_LOG_LEVEL": level,
            "POWERTOOLS_SERVICE_NAME": "unit_tests",
        },
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_at_debug_level_a_function_logs_its_own_lines_but_no_request() -> None:
    own, stranger = printed_at("DEBUG", OUR_CALLS).splitlines()
    assert json.loads(own)["message"] == "our own line"
    assert stranger == "a stranger's warning"


def test_an_unguarded_call_would_log_the_token_and_the_body() -> None:
    """The test above would see them."""
    printed = printed_at("DEBUG", UNGUARDED_CALL)
    assert TOKEN in printed
    assert RECORD in printed


def test_a_level_above_warning_applies_to_libraries_too() -> None:
    assert printed_at("ERROR", OUR_CALLS) == ""


def test_only_the_module_that_keeps_boto3_quiet_uses_it() -> None:
    importing = {
        str(path.relative_to(ROOT / "functions"))
        for path in (ROOT / "functions").rglob("*.py")
        if "import boto3" in path.read_text(encoding="utf-8")
    }
    assert importing == {"shared/clients.py"}
