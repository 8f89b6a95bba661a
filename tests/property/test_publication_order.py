"""Whatever the order of requests, interruptions and redrives, the latest version's output stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import compose, keys, storage
from shared.errors import TransientError
from shared.versions import Rank
from tabular.writing.formats import FORMATS
from tests.property.fake_s3 import Actor, FakeS3, StoredObject, take_turn
from write_output.parts import WholeFile
from write_output.publish import HigherRank, Publication, clean_up, publish

BUCKET = "out"
PATH = "a.csv"
SUFFIXES = tuple(one.suffix for one in FORMATS.values())


@dataclass(frozen=True)
class Attempt:
    """One execution for one version of the key: its version, its start, and what it made."""

    version: int
    start: int
    output_format: str
    error_count: int

    @property
    def rank(self) -> Rank:
        """Attempts of one version differ in their start; versions in their sequencer."""
        return Rank(
            file_id=f"f{self.version}",
            sequencer=f"{self.version:04}",
            uploaded_at="2026-03-01T08:00:00.000Z",
            execution=f"e{self.version}-{self.start}",
            started_at=f"2026-03-01T09:00:{self.start:02}.000Z",
        )

    @property
    def file(self) -> Publication:
        """What WriteOutput publishes."""
        work = keys.Work(self.rank.file_id, self.rank.execution)
        return Publication(BUCKET, "orders", PATH, work, 1, self.rank)

    def content(self, kind: str) -> bytes:
        """Bytes that no other attempt writes."""
        return f"{kind} of {self.rank.execution}\n".encode()

    def store_parts(self, s3: FakeS3) -> None:
        """What its Transform has left."""
        suffix = FORMATS[self.output_format].suffix
        for kind in (suffix, "rejected.jsonl", "corrections.csv", "statistics.json"):
            key = self.file.work.part(0, kind)
            s3.objects[key] = StoredObject(self.content(kind), {})

    def run(self) -> str:
        """As WriteOutput does it, or a redrive that continues at WriteOutput."""
        whole = WholeFile(3, 3 - self.error_count, self.error_count, self.output_format)
        try:
            publish(self.file, whole)
        except HigherRank:
            clean_up(self.file)
            return "superseded"
        return "published"


@st.composite
def attempts(draw: st.DrawFn) -> list[Attempt]:
    """Two to four executions of up to three versions, no two of which rank the same."""
    identities = draw(
        st.lists(
            st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=2, max_size=4, unique=True
        )
    )
    formats = st.sampled_from(sorted(FORMATS)) if draw(st.booleans()) else st.just("jsonl")
    return [
        Attempt(version, start, draw(formats), draw(st.integers(0, 1)))
        for version, start in identities
    ]


@dataclass
class World:
    """The executions under way, and what a reader has seen after each request."""

    s3: FakeS3
    planned: list[Attempt]
    actors: dict[Attempt, Actor] = field(default_factory=dict)
    ended: set[Attempt] = field(default_factory=set)
    has_output: bool = False

    def start(self, attempt: Attempt) -> None:
        """Start an execution, or redrive it after an interruption."""
        self.actors[attempt] = Actor(attempt.run)

    def step(self, attempt: Attempt, *, interrupt: bool) -> None:
        """Carry out one request of an execution, or interrupt it, then look as a reader does."""
        actor = self.actors[attempt]
        if interrupt:
            actor.interrupt()
        else:
            actor.step()
        if actor.done:
            self._ended(attempt, actor)
        self.look()

    def look(self) -> None:
        """No reader ever sees half an output, none where there was one, or two of one format."""
        found = self.outputs()
        assert found or not self.has_output, "there was an output before"
        self.has_output = bool(found)
        for key, owner in found.items():
            suffix = key.rpartition(".")[2]
            assert self.s3.objects[key].body == owner.content(suffix)

    def outputs(self) -> dict[str, Attempt]:
        """The published outputs, with the execution that each is of."""
        by_execution = {attempt.rank.execution: attempt for attempt in self.planned}
        return {
            key: by_execution[str(Rank.from_metadata(stored.metadata).execution)]  # type: ignore[union-attr]
            for key, stored in self.s3.objects.items()
            if key.startswith("processed/")
        }

    def body(self, key: str) -> bytes | None:
        """The bytes of an object, None if there is none."""
        stored = self.s3.objects.get(key)
        return stored.body if stored else None

    def _ended(self, attempt: Attempt, actor: Actor) -> None:
        del self.actors[attempt]
        if actor.result is None:
            # Interrupted, or it waits for a later version: Step Functions retries, or someone
            # redrives it. Any other error is one of the code.
            assert actor.interrupted or isinstance(actor.error, TransientError), actor.error
        else:
            self.ended.add(attempt)


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small objects are written without further threads; this fails if that changes."""
    monkeypatch.setattr(compose, "_write_pieces", None)


@given(attempts(), st.data())
def test_the_latest_versions_output_stays(planned: list[Attempt], data: st.DataObject) -> None:
    s3 = FakeS3(before_each=take_turn)
    for attempt in planned:
        attempt.store_parts(s3)
    world = World(s3, planned)

    with patch.object(storage, "s3", lambda: s3), patch.object(compose, "s3", lambda: s3):
        _run_in_any_order(world, data)
        unfinished = [one for one in planned if one not in world.ended]
        _redrive(world, planned if data.draw(st.booleans()) else unfinished)

    highest = max(planned, key=lambda one: (one.version, one.start))
    [(key, owner)] = world.outputs().items()
    assert owner == highest
    assert key == keys.processed_key("orders", PATH, FORMATS[highest.output_format].suffix)
    expected = highest.content("rejected.jsonl") if highest.error_count else None
    assert world.body(keys.rejected_key("orders", PATH)) == expected
    to_correct = highest.content("corrections.csv") if highest.error_count else None
    assert world.body(highest.file.corrections_key) == to_correct


def _run_in_any_order(world: World, data: st.DataObject) -> None:
    """Requests of all executions in any order; each is interrupted once at most."""
    waiting, crashes = list(world.planned), set[Attempt]()
    while waiting or world.actors:
        choices = [("start", one) for one in waiting] + [("go", one) for one in world.actors]
        what, attempt = data.draw(st.sampled_from(choices))
        if what == "start":
            waiting.remove(attempt)
            world.start(attempt)
            continue
        interrupt = attempt not in crashes and data.draw(st.integers(0, 9)) == 0
        if interrupt:
            crashes.add(attempt)
        world.step(attempt, interrupt=interrupt)


def _redrive(world: World, attempts: list[Attempt]) -> None:
    """Redrive executions, in the order in which they were drawn.

    A second round is for those that waited for a later version.
    """
    for _ in range(2):
        for attempt in attempts:
            try:
                attempt.run()
            except TransientError:
                continue
            world.look()
