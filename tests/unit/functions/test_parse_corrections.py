"""ParseCsv: what an attempt corrects, and which corrections of earlier attempts it keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from parse_csv.collect_corrections import CollectedCorrections, collect
from shared import keys, storage
from shared.job import Execution, Job, Location
from shared.step import Task
from shared.versions import Rank
from tabular.errors import InvalidCorrections
from tabular.reading.patches import Patch
from tests.property.fake_s3 import FakeS3, StoredObject
from tests.unit.functions.documents import FILE_ID, INPUT_BUCKET, execution, job
from tests.unit.tabular.engine import TransformResult, contract_of, run

BUCKET = "out"
CONTENT = b"id,n\n1,x\n2,y\n3,3\n"
CONTRACT = contract_of({"name": "id", "type": "integer"}, {"name": "n", "type": "integer"})
UPLOAD = keys.corrections_key("orders", FILE_ID)
APPLIED = keys.applied_key("orders", FILE_ID)


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    fake = FakeS3()
    with patch.object(storage, "s3", lambda: fake):
        yield fake


@pytest.fixture(scope="module")
def first() -> TransformResult:
    """The result of the first attempt, with its rejected rows."""
    return run(CONTENT, CONTRACT)


def task(s3: FakeS3, attempt: int, rows: bytes | None = None, **document: Any) -> Task:
    """An attempt after another one; `rows` are uploaded corrections."""
    upload = None
    if rows is not None:
        # One model of both buckets: the uploaded key differs from the published one by its version.
        key = f"{UPLOAD}.v{attempt}"
        s3.objects[key] = StoredObject(rows, {})
        upload = vars(Location(INPUT_BUCKET, key, f"v{attempt}", f"e{attempt}", len(rows)))
    previous = keys.Work(FILE_ID, FILE_ID if attempt == 2 else f"{FILE_ID}-r{attempt - 1}")
    fields = {"corrections": upload, "replay_of": previous.execution, **document}
    return Task(
        Job.from_document(job(attempt) | fields), Execution.from_context(execution(attempt)), {}
    )


def leave_parts(s3: FakeS3, attempt: Task, corrections: bytes) -> None:
    """Write the parts of a failed attempt to `work/`."""
    s3.objects[attempt.work.part(0, "corrections.csv")] = StoredObject(corrections, {})


def patches(s3: FakeS3, found: CollectedCorrections | None) -> list[Patch]:
    assert found is not None
    return [Patch.from_line(line) for line in s3.objects[found.key].body.splitlines()]


def test_a_first_attempt_reads_no_corrections(s3: FakeS3, first: TransformResult) -> None:
    s3.before_each = lambda: pytest.fail("a request")
    assert collect(task(s3, 1, replay_of=None), first.layout, BUCKET) is None


def test_an_attempt_after_a_failure_without_corrections_has_none(
    s3: FakeS3, first: TransformResult
) -> None:
    assert collect(task(s3, 2), first.layout, BUCKET) is None


def test_corrections_of_a_published_file(s3: FakeS3, first: TransformResult) -> None:
    s3.objects[UPLOAD] = StoredObject(first.corrections, {})
    attempt = task(s3, 2, b"_row,id,n\n1,1,7\n")
    found = collect(attempt, first.layout, BUCKET)
    assert found == CollectedCorrections(attempt.work.patches, 1, 2, None)
    assert patches(s3, found) == [Patch(1, ("1", "x"), "", (None, "7"), (f"{FILE_ID}-r2",))]


def test_published_corrections_are_kept_by_every_later_attempt(
    s3: FakeS3, first: TransformResult
) -> None:
    s3.objects[UPLOAD] = StoredObject(first.corrections, {})
    earlier = Patch(2, ("2", "y"), "", (None, "8"), (f"{FILE_ID}-r2",))
    s3.objects[APPLIED] = StoredObject(earlier.to_line(), {})
    etag = s3.objects[APPLIED].etag.strip('"')
    found = collect(task(s3, 3, b"_row,id,n\n1,1,7\n"), first.layout, BUCKET)
    assert [patch.row for patch in patches(s3, found)] == [1, 2]
    again = collect(task(s3, 4), first.layout, BUCKET)
    assert again == CollectedCorrections(again.key if again else "", 1, 2, etag)
    assert patches(s3, again) == [earlier]


def test_unchanged_rows_are_not_corrections(s3: FakeS3, first: TransformResult) -> None:
    s3.objects[UPLOAD] = StoredObject(first.corrections, {})
    assert collect(task(s3, 2, first.corrections), first.layout, BUCKET) is None


class TestAfterFailures:
    """A file that has never been published."""

    def test_corrections_build_on_those_of_the_failed_attempt(
        self, s3: FakeS3, first: TransformResult
    ) -> None:
        leave_parts(s3, task(s3, 1), first.corrections)
        second = task(s3, 2, b"_row,id,n\n1,1,7\n")
        half = patches(s3, collect(second, first.layout, BUCKET))
        rest = run(CONTENT, layout=first.layout, patches=half)
        leave_parts(s3, second, rest.corrections)
        found = collect(task(s3, 3, b"_row,id,n\n2,2,8\n"), first.layout, BUCKET)
        assert [patch.after for patch in patches(s3, found)] == [(None, "7"), (None, "8")]
        # A rerun without corrections keeps them.
        rerun = collect(task(s3, 3), first.layout, BUCKET)
        assert [patch.row for patch in patches(s3, rerun)] == [1]

    def test_the_same_corrections_again_replace_those_that_failed(
        self, s3: FakeS3, first: TransformResult
    ) -> None:
        leave_parts(s3, task(s3, 1), first.corrections)
        second = task(s3, 2, b"_row,id,n\n1,1,7\n")
        collect(second, first.layout, BUCKET)
        leave_parts(s3, second, b"")
        upload = vars(second.job.corrections)
        found = collect(task(s3, 3, corrections=upload), first.layout, BUCKET)
        assert [patch.after for patch in patches(s3, found)] == [(None, "7")]

    def test_after_corrections_that_could_not_be_used_the_same_rows_can_be_corrected(
        self, s3: FakeS3, first: TransformResult
    ) -> None:
        leave_parts(s3, task(s3, 1), first.corrections)
        for attempt in (2, 3):
            with pytest.raises(InvalidCorrections, match="Line 2"):
                collect(task(s3, attempt, b"_row,id,n\n3,1,7\n"), first.layout, BUCKET)
        found = collect(task(s3, 4, b"_row,id,n\n1,1,7\n"), first.layout, BUCKET)
        assert [patch.row for patch in patches(s3, found)] == [1]

    def test_an_attempt_that_failed_before_its_rows_were_written_loses_no_correction(
        self, s3: FakeS3, first: TransformResult
    ) -> None:
        leave_parts(s3, task(s3, 1), first.corrections)
        collect(task(s3, 2, b"_row,id,n\n1,1,7\n"), first.layout, BUCKET)
        found = collect(task(s3, 3, b"_row,id,n\n2,2,8\n"), first.layout, BUCKET)
        assert [patch.row for patch in patches(s3, found)] == [1, 2]

    def test_rows_that_are_gone_say_so(self, s3: FakeS3, first: TransformResult) -> None:
        with pytest.raises(InvalidCorrections, match="15 days after the file failed"):
            collect(task(s3, 2, b"_row,id,n\n1,1,7\n"), first.layout, BUCKET)

    def test_a_missing_first_part_does_not_matter(self, s3: FakeS3, first: TransformResult) -> None:
        header, line, _ = first.corrections.split(b"\r\n", 2)
        assert header.startswith(b"\xef\xbb\xbf")
        key = task(s3, 1).work.part(1, "corrections.csv")
        s3.objects[key] = StoredObject(line + b"\r\n", {})
        found = collect(task(s3, 2, b"_row,id,n\n1,1,7\n"), first.layout, BUCKET)
        assert [patch.row for patch in patches(s3, found)] == [1]


def test_an_execution_that_starts_over_during_publication_reads_its_own_corrections(
    s3: FakeS3, first: TransformResult
) -> None:
    attempt = task(s3, 2, b"_row,id,n\n1,1,7\n")
    own = Patch(1, ("1", "x"), "", (None, "7"), (attempt.execution.name,))
    rank = Rank.of(attempt.job.source, attempt.execution)
    s3.objects[APPLIED] = StoredObject(own.to_line(), rank.to_metadata())
    assert patches(s3, collect(attempt, first.layout, BUCKET)) == [own]


def test_a_file_beyond_the_limit_is_not_read(s3: FakeS3, first: TransformResult) -> None:
    s3.objects[UPLOAD] = StoredObject(first.corrections, {})
    upload = vars(Location(INPUT_BUCKET, UPLOAD, "v2", "e2", 33 * 1024 * 1024))
    with pytest.raises(InvalidCorrections, match="the limit is 33,554,432"):
        collect(task(s3, 2, corrections=upload), first.layout, BUCKET)


def test_only_keys_and_the_upload_are_remembered(s3: FakeS3, first: TransformResult) -> None:
    s3.objects[UPLOAD] = StoredObject(first.corrections, {})
    attempt = task(s3, 2, b"_row,id,n\n1,1,7\n")
    collect(attempt, first.layout, BUCKET)
    assert json.loads(s3.objects[attempt.work.corrections].body) == {
        "generated": [UPLOAD],
        "applied": None,
        "upload": vars(attempt.job.corrections),
    }
