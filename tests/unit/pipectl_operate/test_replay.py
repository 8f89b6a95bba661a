"""`pipectl dead-letters replay` moves messages in batches, and reports each that SQS refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipectl.client.message_batches import MOST_BYTES, batches
from pipectl.client.stack_choice import Stack
from pipectl.errors import PipectlError
from pipectl.operate.dead_letters import replay
from tests.unit.functions.documents import job


class FakeSqs:
    """Two queues; messages with these IDs are refused by the one or stay in the other."""

    def __init__(self, bodies: Mapping[str, str]) -> None:
        self.dead_letters = dict(bodies)
        self.sent: list[list[str]] = []
        self.refused: set[str] = set()
        self.kept: set[str] = set()
        self._received = False

    def receive_message(self, **_request: Any) -> dict[str, Any]:
        if self._received:
            return {}
        self._received = True
        return {
            "Messages": [
                {"MessageId": name, "ReceiptHandle": name, "Body": body}
                for name, body in self.dead_letters.items()
            ]
        }

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        names = {body: name for name, body in self.dead_letters.items()}
        entries = {names[entry["MessageBody"]]: entry["Id"] for entry in request["Entries"]}
        self.sent.append([name for name in entries if name not in self.refused])
        return {
            "Failed": [
                {"Id": number, "Code": "InternalError", "Message": "Try again."}
                for name, number in entries.items()
                if name in self.refused
            ]
        }

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = {entry["ReceiptHandle"]: entry["Id"] for entry in request["Entries"]}
        for name in entries.keys() - self.kept:
            del self.dead_letters[name]
        return {
            "Failed": [
                {"Id": number, "Code": "ReceiptHandleIsInvalid"}
                for name, number in entries.items()
                if name in self.kept
            ]
        }

    def change_message_visibility_batch(self, **_request: Any) -> dict[str, Any]:
        return {}


def stack_of(sqs: FakeSqs) -> Stack:
    fake = SimpleNamespace(client=lambda _: sqs, output=lambda name: name, emulated=True)
    return cast("Stack", fake)


def queue_of(count: int) -> FakeSqs:
    return FakeSqs({f"m{n}": json.dumps({**job(1), "number": n}) for n in range(count)})


def replayed(sqs: FakeSqs, names: Sequence[str]) -> list[str]:
    return [letter.message_id for letter in replay(stack_of(sqs), names)]


def test_ten_messages_are_sent_with_one_request() -> None:
    sqs = queue_of(12)
    names = [f"m{number}" for number in range(11)]
    assert replayed(sqs, names) == names
    assert sqs.sent == [names[:10], names[10:]]
    assert list(sqs.dead_letters) == ["m11"]


def test_a_message_that_is_refused_stays_and_the_others_are_moved() -> None:
    sqs = queue_of(12)
    sqs.refused = {"m3"}
    moved = replay(stack_of(sqs), list(sqs.dead_letters))
    assert [next(moved).message_id for _ in range(11)] == [
        f"m{number}" for number in range(12) if number != 3
    ]
    with pytest.raises(PipectlError) as caught:
        next(moved)
    assert caught.value.message.splitlines() == [
        "SQS refused 1 of 12 messages, which stay in the dead-letter queue:",
        "m3: InternalError: Try again.",
    ]
    assert list(sqs.dead_letters) == ["m3"]


def test_a_message_that_is_not_deleted_is_named() -> None:
    sqs = queue_of(2)
    sqs.kept = {"m1"}
    with pytest.raises(PipectlError, match=r"did not delete 1 of 2 [^\n]*\nm1: ReceiptHandleIs"):
        replayed(sqs, ["m0", "m1"])
    assert list(sqs.dead_letters) == ["m1"]


def test_nothing_is_moved_if_a_message_is_not_there() -> None:
    sqs = queue_of(2)
    with pytest.raises(PipectlError, match="There is no message other"):
        replayed(sqs, ["m0", "other"])
    assert not sqs.sent
    assert len(sqs.dead_letters) == 2


def test_a_batch_has_no_more_bytes_than_sqs_accepts() -> None:
    bodies = ["ä" * (MOST_BYTES // 4), "b" * (MOST_BYTES // 2), "c", "d" * (MOST_BYTES + 1)]
    assert list(batches(bodies, str)) == [bodies[:2], bodies[2:3], bodies[3:]]
