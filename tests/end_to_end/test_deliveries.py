"""Messages that arrive twice, out of order, or can't be read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from shared.job import Source
from tests.end_to_end.pipeline import Pipeline

FILE = b"a,amount\nx,1\n"
QUEUE_CALL = "sqs:DeleteMessageBatch"


def test_a_message_that_is_delivered_again_after_its_start_starts_nothing(
    pipeline: Pipeline,
) -> None:
    # As after a starter that was killed between StartExecution and the message's deletion.
    pipeline.stack.add_fault(QUEUE_CALL, "error500")

    outcome = pipeline.run(FILE)

    assert pipeline.attempts(outcome.file_id) == [outcome.file_id]
    assert outcome.item["status"] == "succeeded"
    assert len(pipeline.notifications(outcome.file_id)) == 1


# The queue hands it out a hundred times first.
@pytest.mark.slow
def test_an_unreadable_message_moves_to_the_dead_letter_queue_alone(
    pipeline: Pipeline,
) -> None:
    good = [pipeline.drop(FILE) for _ in range(5)]
    pipeline.send({"what": "a poison message"})
    good += [pipeline.drop(FILE) for _ in range(4)]

    for source in good:
        assert pipeline.outcome(source.file_id).item["status"] == "succeeded"
    assert pipeline.wait_for_dead_letter("what") == [{"what": "a poison message"}]


def test_a_bad_record_of_a_message_does_not_delay_the_others(pipeline: Pipeline) -> None:
    # No notification matches this name, so only the message below asks for it.
    source = pipeline.drop(FILE, name="file.Csv")
    good = _event(asdict(source) | {"event_time": "2026-03-01T08:00:00.000Z"})
    bad = _event(asdict(source) | {"event_time": "", "bucket": "another-bucket"})

    pipeline.send({"Records": [bad, good]})

    assert pipeline.outcome(source.file_id).item["status"] == "succeeded"
    letters = pipeline.wait_for_dead_letter("Records", about=source.dataset + "/")
    assert letters == [{"Records": [bad, good]}]
    assert pipeline.attempts(source.file_id) == [source.file_id]


def test_events_out_of_order_and_twice_run_each_version_once(pipeline: Pipeline) -> None:
    _deliver_all(pipeline, versions=14, events=20)


@pytest.mark.long
def test_a_thousand_events_with_a_third_of_duplicates_run_each_version_once(
    pipeline: Pipeline,
) -> None:
    _deliver_all(pipeline, versions=700, events=1_000)


def _deliver_all(pipeline: Pipeline, *, versions: int, events: int) -> None:
    """Deliver the events of versions of a few keys, some twice, in a random order."""
    chance = random.Random(versions)
    sources = [
        pipeline.drop(FILE, name=f"{number % 7}.csv", dataset=f"deliveries-{versions}")
        for number in range(versions)
    ]
    again = sources + chance.choices(sources, k=events - versions)
    chance.shuffle(again)
    for source in again:
        pipeline.send({"Records": [_record(pipeline, source)]})

    for source in sources:
        pipeline.wait(source.file_id, patience=600)
    pipeline.wait_until_all_is_delivered(patience=600)
    started = Counter(name[:32] for name in pipeline.names())
    assert all(started[source.file_id] == 1 for source in sources)
    latest = {source.key: source.file_id for source in sources}
    for source in sources:
        # An earlier version may have come before the later one, or after it.
        expected = (
            {"succeeded"} if source.file_id in latest.values() else {"succeeded", "superseded"}
        )
        assert pipeline.item(source.file_id)["status"] in expected
        assert len(pipeline.notifications(source.file_id)) == 1


def _record(pipeline: Pipeline, source: Source) -> dict[str, Any]:
    """The event that the upload itself sent, rebuilt from its execution's input."""
    return _event(pipeline.source_of(source.file_id))


def _event(sent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eventName": "ObjectCreated:Put",
        "eventTime": sent["event_time"],
        "s3": {
            "bucket": {"name": sent["bucket"]},
            "object": {
                "key": sent["key"],
                "size": sent["size"],
                "eTag": sent["etag"],
                "versionId": sent["version_id"],
                "sequencer": sent["sequencer"],
            },
        },
    }
