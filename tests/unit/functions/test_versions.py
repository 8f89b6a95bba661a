"""The order of versions and attempts, as published objects record it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.job import Execution, Source
from shared.versions import SEQUENCER_LENGTH, Rank, is_later, version_attributes
from tests.effort import examples
from tests.unit.functions.documents import SOURCE


def version(sequencer: str, *, day: int = 1) -> Source:
    """A version of one key, uploaded on a day of March."""
    uploaded = {"sequencer": sequencer, "event_time": f"2026-03-{day:02}T08:00:00.000Z"}
    return Source.from_document({**SOURCE, **uploaded, "version_id": f"{sequencer}-{day}"})


OWN = version("0055AED6DCD90281E5", day=10)


@pytest.mark.parametrize(
    ("other", "later"),
    [
        # Compared as text, the shorter one padded with zeros: neither its number nor its length.
        (version("0055AED6DCD90281E6"), True),
        (version("0055AED6DCD90281E4", day=20), False),
        (version("0056"), True),
        (version("0055AED6DCD90281E51"), True),
        # Found in the bucket, without an event: the time of the upload decides.
        (version("", day=11), True),
        (version("", day=9), False),
    ],
)
def test_the_later_version_ranks_higher_whenever_it_was_processed(
    other: Source, later: bool
) -> None:
    assert is_later(version_attributes(other), version_attributes(OWN)) is later
    early, late = rank(OWN, "2026-03-20T08:00:00.000Z"), rank(other, "2026-03-21T08:00:00.000Z")
    assert late.is_above(early) is later
    assert early.is_above(late) is not later


def test_sequencers_sort_in_the_index() -> None:
    assert len(str(version_attributes(OWN)["sequencer"])) == SEQUENCER_LENGTH


def rank(source: Source, started_at: str, name: str = "name") -> Rank:
    return Rank.of(source, Execution("arn", name, started_at, 0))


def test_of_two_attempts_the_one_that_started_later_ranks_higher() -> None:
    first, second = rank(OWN, "2026-03-01T08:00:00.000Z"), rank(OWN, "2026-03-02T08:00:00.000Z")
    assert second.is_above(first)
    assert not first.is_above(second)
    # A redrive keeps its start, so it replaces only its own output.
    assert not first.is_above(first)


texts = st.text(max_size=20)
moments = st.integers(0, 3).map(lambda day: f"2026-03-0{day + 1}T08:00:00.000Z")
ranks = st.builds(
    Rank,
    file_id=st.sampled_from("abc"),
    sequencer=st.sampled_from(["", "0055", "0056", "00551"]),
    uploaded_at=moments,
    execution=texts,
    started_at=moments,
)


@given(ranks, ranks)
@examples(20)
def test_of_two_different_ranks_exactly_one_is_higher(one: Rank, other: Rank) -> None:
    assert one.is_above(other) or other.is_above(one) or _same_run(one, other)
    assert not (one.is_above(other) and other.is_above(one))


def _same_run(one: Rank, other: Rank) -> bool:
    return (one.started_at, one.execution) == (other.started_at, other.execution)


@given(ranks)
@examples(20)
def test_a_rank_is_read_back_from_an_objects_metadata(one: Rank) -> None:
    metadata = one.to_metadata()
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    assert Rank.from_metadata(metadata) == one


def test_an_object_of_another_writer_has_no_rank() -> None:
    metadata = replace(rank(OWN, "2026-03-01T08:00:00.000Z")).to_metadata()
    del metadata["sequencer"]
    assert Rank.from_metadata(metadata) is None
    assert Rank.from_metadata({}) is None
