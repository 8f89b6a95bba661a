"""WriteOutput: corrections of two attempts are never lost, in any order of publication."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from shared import compose, keys, storage
from shared.job import Location
from shared.versions import Rank
from tabular.errors import InvalidCorrections
from tests.property.fake_s3 import FakeS3, StoredObject
from write_output.parts import WholeFile
from write_output.publish import AppliedCorrections, HigherRank, Publication, publish

BUCKET = "out"
FILE_ID = "f" * 32
APPLIED = keys.applied_key("orders", FILE_ID)
TO_CORRECT = keys.corrections_key("orders", FILE_ID)


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    fake = FakeS3()
    with patch.object(storage, "s3", lambda: fake), patch.object(compose, "s3", lambda: fake):
        yield fake


def attempt(
    s3: FakeS3, number: int, patches: bytes | None, *, published: str | None = None
) -> Publication:
    """An attempt whose parts are there, with corrections on top of the published ones."""
    work = keys.Work(FILE_ID, f"{FILE_ID}-r{number}")
    for kind in ("jsonl", "rejected.jsonl", "corrections.csv", "statistics.json"):
        s3.objects[work.part(0, kind)] = StoredObject(f"{kind} {number}\n".encode(), {})
    rank = Rank(FILE_ID, "1", "2026-03-01T08:00:00.000Z", work.execution, f"2026-03-0{number}")
    corrections = None
    if patches is not None:
        s3.objects[work.patches] = StoredObject(patches, {})
        etag = s3.objects[work.patches].etag.strip('"')
        location = Location(BUCKET, work.patches, None, etag, len(patches))
        corrections = AppliedCorrections(location, 1, number, published)
    return Publication(BUCKET, "orders", "a.csv", work, 1, rank, corrections)


def etag(s3: FakeS3) -> str:
    return s3.objects[APPLIED].etag.strip('"')


WHOLE = WholeFile(3, 2, 1, "jsonl")


def test_corrections_are_published_with_the_rows_that_are_left(s3: FakeS3) -> None:
    published = publish(attempt(s3, 2, b"sum 2\n"), WHOLE)
    assert s3.objects[APPLIED].body == b"sum 2\n"
    assert s3.objects[TO_CORRECT].body == b"corrections.csv 2\n"
    assert published["corrections"] == {"rows": 1, "attempt": 2}
    assert published["corrections_key"] == TO_CORRECT


def test_a_later_attempt_replaces_the_corrections_that_it_includes(s3: FakeS3) -> None:
    publish(attempt(s3, 2, b"sum 2\n"), WHOLE)
    publish(attempt(s3, 3, b"sum 3\n", published=etag(s3)), WHOLE)
    assert s3.objects[APPLIED].body == b"sum 3\n"


@pytest.mark.parametrize("own", [b"sum 3\n", None], ids=["corrections", "none"])
def test_an_attempt_without_corrections_published_meanwhile_publishes_nothing(
    s3: FakeS3, own: bytes | None
) -> None:
    later = attempt(s3, 3, own)
    publish(attempt(s3, 2, b"sum 2\n"), WHOLE)
    before = dict(s3.objects)
    with pytest.raises(InvalidCorrections, match="starts over and applies both"):
        publish(later, WHOLE)
    assert s3.objects == before


def test_an_earlier_attempt_that_is_redriven_later_is_superseded(s3: FakeS3) -> None:
    earlier = attempt(s3, 2, b"sum 2\n")
    publish(attempt(s3, 3, b"sum 3\n"), WHOLE)
    with pytest.raises(HigherRank):
        publish(earlier, WHOLE)
    assert s3.objects[APPLIED].body == b"sum 3\n"
    assert s3.objects[TO_CORRECT].body == b"corrections.csv 3\n"


def test_publishing_again_after_an_interruption_changes_nothing(s3: FakeS3) -> None:
    file = attempt(s3, 2, b"sum 2\n")
    publish(file, WHOLE)
    before = dict(s3.objects)
    publish(file, WHOLE)
    assert s3.objects == before


def test_a_file_without_rejects_leaves_no_rows_to_correct(s3: FakeS3) -> None:
    publish(attempt(s3, 2, None), WHOLE)
    published = publish(attempt(s3, 3, b"sum 3\n"), WholeFile(3, 3, 0, "jsonl"))
    assert TO_CORRECT not in s3.objects
    assert published["corrections_key"] is None
    assert s3.objects[APPLIED].body == b"sum 3\n"


def test_corrections_that_appear_between_read_and_write_are_noticed(s3: FakeS3) -> None:
    later = attempt(s3, 3, b"sum 3\n")
    rival = attempt(s3, 2, b"sum 2\n")
    seen = s3.put_object

    def put_object(**request: object) -> object:
        if request["Key"] == APPLIED:
            s3.put_object = seen  # type: ignore[method-assign]
            publish(rival, WHOLE)
        return seen(**request)

    s3.put_object = put_object  # type: ignore[assignment,method-assign]
    with pytest.raises(InvalidCorrections):
        publish(later, WHOLE)
    assert s3.objects[APPLIED].body == b"sum 2\n"


def test_corrections_that_are_published_right_before_the_output_are_noticed(s3: FakeS3) -> None:
    later, rival = attempt(s3, 3, None), attempt(s3, 2, b"sum 2\n")
    seen = s3.put_object

    def put_object(**request: object) -> object:
        if str(request["Key"]).startswith("processed/"):
            s3.put_object = seen  # type: ignore[method-assign]
            publish(rival, WHOLE)
        return seen(**request)

    s3.put_object = put_object  # type: ignore[assignment,method-assign]
    with pytest.raises(InvalidCorrections, match="is published, but lacks them"):
        publish(later, WholeFile(3, 3, 0, "jsonl"))
    assert s3.objects[APPLIED].body == b"sum 2\n"
    assert TO_CORRECT not in s3.objects


def test_an_overtaken_attempt_shows_no_rejects_beside_the_later_ones_records(s3: FakeS3) -> None:
    publish(attempt(s3, 3, None), WholeFile(3, 3, 0, "jsonl"))
    before = dict(s3.objects)
    overtaken = attempt(s3, 2, None)
    own = {key: stored for key, stored in s3.objects.items() if key not in before}
    with pytest.raises(HigherRank), patch.object(s3, "put_object", None):
        publish(overtaken, WHOLE)
    assert s3.objects == {**before, **own}
