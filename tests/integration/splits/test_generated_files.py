"""Splits change nothing: the steps give the same bytes for any file and any split size."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle, islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tabular.errors import TabularError
from tests.effort import examples
from tests.integration.splits import files as cut
from tests.integration.splits.files import GeneratedFile, files
from tests.integration.splits.steps import Steps, StepsRun, upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KIB = 1024
ORDINARY = cut.PLAIN + cut.MULTI_LINE + cut.QUOTED
ANY = ORDINARY + cut.BAD + cut.LIKE_RECORDS + cut.GIANT

InSplits = Callable[[int], Steps]


def assert_the_same(s3: S3Client, whole: Steps, split: Steps, file: GeneratedFile) -> StepsRun:
    """The file's objects are the same, byte for byte, alone and in splits; or the error is."""
    uploaded = upload(s3, file.body, file.contract)
    try:
        whole.run(uploaded)
    except TabularError as error:
        with pytest.raises(type(error), match=re.escape(str(error).partition(".")[0])):
            split.run(uploaded)
        return StepsRun(dict(uploaded.document))
    run = split.run(uploaded)
    assert split.outputs(uploaded) == whole.outputs(uploaded)
    whole.clear()
    split.clear()
    return run


def table(cells: tuple[bytes, ...], rows: int, end: bytes = b"\n") -> bytes:
    """A file whose last cells are these in turn."""
    lines = [
        b"%d,%d,%b%b" % (row, row % 1100, cell, end)
        for row, cell in enumerate(islice(cycle(cells), rows))
    ]
    return cut.HEADER + end + b"".join(lines)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(table(cut.MULTI_LINE, 260), id="multi-line cells"),
        pytest.param(table(cut.MULTI_LINE, 260, b"\r\n"), id="multi-line cells, CRLF"),
        pytest.param(table(cut.QUOTED, 300, b"\r"), id="quotes, CR"),
        pytest.param(table((b"a", *cut.BAD[:3], *cut.BAD[4:], b'"b\nc"'), 260), id="bad rows"),
        pytest.param(table((*cut.GIANT, b"small", b'"two\nlines"'), 24), id="giant records"),
        pytest.param(table((b"a", b"", b"\r\n\r\n", b'"\n"'), 420), id="blank lines"),
    ],
)
def test_boundaries_fall_everywhere_in_a_record(
    s3: S3Client, whole: Steps, in_splits: InSplits, body: bytes
) -> None:
    # A kibibyte is no multiple of the records' lengths: the marks move through them.
    run = assert_the_same(s3, whole, in_splits(KIB), GeneratedFile(body, cut.CONTRACT))

    assert run.splits >= 4
    assert "TransformSplits" in run.visited


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(cut.BOM + table(ORDINARY, 150), id="byte order mark"),
        pytest.param(table(ORDINARY, 150) + b"\n", id="empty last line"),
        pytest.param(table(ORDINARY, 150).rstrip(), id="no last line end"),
        pytest.param(table(ORDINARY, 150) + b'201,1,"never\nclosed\n', id="open at the end"),
        pytest.param(table((b'"' + b"x\n" * 4000 + b'"',), 1), id="one giant record"),
    ],
)
def test_ends_of_files(s3: S3Client, whole: Steps, in_splits: InSplits, body: bytes) -> None:
    assert_the_same(s3, whole, in_splits(KIB), GeneratedFile(body, None))


def test_cells_that_look_like_records_are_cut_correctly_or_not_at_all(
    s3: S3Client, whole: Steps, in_splits: InSplits
) -> None:
    # More than the windows that boundaries are proposed from: they see only lines of three cells.
    looks_like_records = b'2,3,"' + b"1,2,3\n" * 100_000 + b'"\n'
    body = cut.HEADER + b"\n1,2,x\n" + looks_like_records + b"3,4,y\n"

    run = assert_the_same(s3, whole, in_splits(128 * KIB), GeneratedFile(body, None))

    assert run.visited[2:5] == ["NumberSplits", "PlanOneSplit", "Transform"]


@pytest.mark.parametrize("size", [1500, 2 * KIB])
def test_ordinary_files_run_in_splits(
    s3: S3Client, whole: Steps, in_splits: InSplits, size: int
) -> None:
    run = assert_the_same(s3, whole, in_splits(size), GeneratedFile(table(ORDINARY, 300), None))

    assert "PlanOneSplit" not in run.visited
    assert run.splits >= 2


# Examples that fail are shown as they are: making them smaller takes minutes here.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
_CHECKS = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)


@examples(3, phases=_PHASES, suppress_health_check=_CHECKS)
@given(file=files(cells=ANY, most=60), size=st.sampled_from([KIB, 1700, 3 * KIB]))
def test_any_file(
    s3: S3Client, whole: Steps, in_splits: InSplits, file: GeneratedFile, size: int
) -> None:
    assert_the_same(s3, whole, in_splits(size), file)


@pytest.mark.long
@settings(max_examples=400, phases=_PHASES, suppress_health_check=_CHECKS)
@given(file=files(cells=ANY, most=200), size=st.integers(KIB, 8 * KIB))
def test_many_files(
    s3: S3Client, whole: Steps, in_splits: InSplits, file: GeneratedFile, size: int
) -> None:
    assert_the_same(s3, whole, in_splits(size), file)


@pytest.mark.long
@settings(max_examples=200, phases=_PHASES, suppress_health_check=_CHECKS)
@given(file=files(cells=ORDINARY, most=300), size=st.integers(KIB, 3 * KIB))
def test_many_ordinary_files(
    s3: S3Client, whole: Steps, in_splits: InSplits, file: GeneratedFile, size: int
) -> None:
    assert_the_same(s3, whole, in_splits(size), file)
