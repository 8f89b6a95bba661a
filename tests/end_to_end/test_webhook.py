"""With WebhookSecret, notifications are posted; those that can't be are seen in the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipectl.client.dead_letter_queue import DeadLetterQueue, FailedInvocation
from pipectl.client.stack_choice import Stack
from pipectl.embedded.process import StackProcess

SECRET = "chat/webhook"
KEY = "k3y-0f-th3-ch4t"

pytestmark = pytest.mark.long  # a separate stack


@pytest.fixture(scope="module")
def stack() -> Iterator[StackProcess]:
    with StackProcess(parameters={"WebhookSecret": SECRET}) as process:
        yield process


def dead_letters(stack: StackProcess, count: int, patience: float = 30) -> list[Any]:
    deadline = time.monotonic() + patience
    found: list[Any] = []
    while len(found) < count and time.monotonic() < deadline:
        found = DeadLetterQueue(Stack(stack.deployment)).peek()
        time.sleep(0.1)
    return sorted(found, key=lambda one: one.sent_at)


def test_a_notification_that_can_not_be_posted_is_seen_and_the_address_is_not(
    stack: StackProcess,
) -> None:
    # Without a secret, then with one whose address does not answer.
    first = stack.wait_for(stack.upload(b"a,amount\nx,1\n", "raw/orders/first.csv"))
    [without] = dead_letters(stack, 1)
    stack.client("secretsmanager").create_secret(
        Name=SECRET, SecretString=f"https://127.0.0.1:1/{KEY}"
    )
    second = stack.wait_for(stack.upload(b"a,amount\ny,1\n", "raw/orders/second.csv"))
    [_, refused] = dead_letters(stack, 2)

    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert isinstance(without.invocation, FailedInvocation)
    assert without.invocation.code == "UnusableSecret"
    assert refused.invocation == FailedInvocation(
        function="data-pipeline-webhook-dev",
        code="WebhookRefused",
        message="The webhook did not answer: URLError.",
        about="Data Pipeline: second.csv processed",
    )
    assert KEY not in json.dumps([dead_letter.body for dead_letter in (without, refused)])
