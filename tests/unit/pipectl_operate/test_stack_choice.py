"""Which stack is meant, and what is said where it can't be reached."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from pipectl.client.aws_errors import explain, explained
from pipectl.client.deployment import Deployment
from pipectl.client.links import console_url, log_url
from pipectl.client.stack import Place, Stack, StackChoice
from pipectl.errors import PipectlError, UsageError

ARN = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev:abc"


def choice(
    place: Place | None = None, stack_name: str | None = None, region: str | None = None
) -> StackChoice:
    return StackChoice(place, stack_name, None, region, Path("embedded.json"))


@pytest.mark.parametrize(
    ("chosen", "embedded_is_up", "place"),
    [
        (choice(), True, "embedded"),
        (choice(), False, "aws"),
        (choice(region="eu-central-1"), True, "aws"),
        (choice(stack_name="data-pipeline"), True, "aws"),
        (choice("aws"), True, "aws"),
        (choice("embedded"), False, "embedded"),
    ],
)
def test_the_embedded_stack_is_meant_where_it_is_up_and_nothing_else_is_said(
    chosen: StackChoice, embedded_is_up: bool, place: Place
) -> None:
    assert chosen.where(embedded_is_up=embedded_is_up) == place


def test_options_that_contradict_each_other_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--embedded and --region exclude each other"):
        choice("embedded", region="eu-central-1").where(embedded_is_up=True)


def test_a_stack_without_the_pipelines_outputs_is_explained() -> None:
    deployment = Deployment(boto3.Session("a", "b", region_name="eu-central-1"), "other")
    deployment.__dict__["outputs"] = {}
    with pytest.raises(PipectlError, match="other has no output StateMachineArn"):
        Stack(deployment).output("StateMachineArn")


def refusal(code: str, message: str = "") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(response, "RedriveExecution")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (exceptions.NoCredentialsError(), "There are no AWS credentials. Name a profile with"),
        (exceptions.NoRegionError(), "No region is set. Name one with --region"),
        (exceptions.ProfileNotFound(profile="x"), "aws configure list-profiles"),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "http://127.0.0.1:1 can't be reached",
        ),
        (refusal("ExpiredTokenException"), "have expired. Sign in again"),
        (refusal("UnrecognizedClientException"), "aws sts get-caller-identity"),
        (refusal("ThrottlingException"), "Try again in a minute"),
        (
            refusal(
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/x is not authorized to perform:"
                f" states:RedriveExecution on resource: {ARN} because ...",
            ),
            f"these credentials need the permission states:RedriveExecution on {ARN}.",
        ),
        (refusal("AccessDenied"), "need the permission for RedriveExecution."),
        (refusal("Odd", "Words."), "AWS refused RedriveExecution: Words. (Odd)"),
    ],
)
def test_what_aws_refuses_is_a_sentence_that_says_what_to_do(error: Any, sentence: str) -> None:
    assert sentence in explain(error)
    with pytest.raises(PipectlError, match=r"^[^\n]+$"), explained():
        raise error


def test_the_console_shows_an_execution() -> None:
    assert console_url(ARN) == (
        "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1"
        f"#/v2/executions/details/{ARN}"
    )


def test_the_console_shows_a_functions_lines_about_an_execution() -> None:
    start = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    function = "arn:aws:lambda:eu-central-1:123456789012:function:data-pipeline-transform-dev"
    assert log_url(function, "abc", start=start, end=start) == (
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fdata-pipeline-transform-dev"
        "/log-events$3FfilterPattern$3D$2522abc$2522$26start$3D1772351940000$26end$3D1772352060000"
    )
