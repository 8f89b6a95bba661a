"""In any order of requests, interruptions and redrives, the latest version's output stays.

On a model of S3 with many orders, and with a few on the embedded AWS's S3, whose conditional writes
are those of moto with patches: what is proven of the model holds there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import compose, keys, storage
from shared.errors import TransientError
from shared.versions import Rank
from tabular.writing.output_formats import FORMATS
from tests.effort import examples, thorough
from tests.property.embedded_s3 import embedded_s3
from tests.property.fake_s3 import Actor, FakeS3, StoredObject, take_turn
from write_output.parts import WholeFile
from write_output.publish import HigherRank, Publication, clean_up, publish

BUCKET = "out"
PATH = "a.csv"
SUFFIXES = tuple(one.suffix for one in FORMATS.values())


class Store(Protocol):
    """A bucket, and the requests of a test that looks at it."""

    @property
    def client(self) -> Any:
        """The object that the pipeline uses as boto3's client."""

    def clear(self) -> None:
        """Delete all objects."""

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""

    def get(self, key: str) -> StoredObject | None:
        """An object, or None if there is none."""

    def stored(self, prefix: str) -> dict[str, StoredObject]:
        """The objects under a prefix, by key."""


@dataclass(frozen=True)
class Attempt:
    """One execution for one version of the key: its version, its start, and what it made.

    `is_new` says that ParseCsv saw no output, which may be wrong by now. The part of an execution
    that `leaves_out` what is empty has only processed records.
    """

    version: int
    start: int
    output_format: str
    error_count: int
    is_new: bool = False
    leaves_out: bool = False

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
        """The file that WriteOutput publishes."""
        work = keys.Work(self.rank.file_id, self.rank.execution)
        return Publication(BUCKET, "orders", PATH, work, 1, self.rank, is_new=self.is_new)

    def content(self, kind: str) -> bytes:
        """Bytes that no other attempt writes."""
        return f"{kind} of {self.rank.execution}\n".encode()

    def store_parts(self, store: Store) -> None:
        """Store the parts as its Transform does."""
        for kind in self.kinds:
            store.put(self.file.work.part(0, kind), self.content(kind))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The objects of its part."""
        suffix = FORMATS[self.output_format].suffix
        is_alone = self.leaves_out and not self.error_count
        return (suffix,) if is_alone else keys.part_contents(suffix)

    def run(self) -> str:
        """As WriteOutput does it, or a redrive that continues at WriteOutput."""
        whole = WholeFile(
            record_count=3,
            processed_count=3 - self.error_count,
            error_count=self.error_count,
            output_format=self.output_format,
            processed_bytes=len(self.content(self.kinds[0])),
            contents=self.kinds,
        )
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
        Attempt(
            version,
            start,
            draw(formats),
            draw(st.integers(0, 1)),
            is_new=draw(st.booleans()),
            leaves_out=draw(st.booleans()),
        )
        for version, start in identities
    ]


@dataclass
class World:
    """The executions under way, and what a reader has seen after each request."""

    store: Store
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

    def run(self, attempt: Attempt, requests: int | None = None) -> bool:
        """Let an execution go on to its end, or for some requests; returns whether it has ended."""
        if attempt not in self.actors:
            self.start(attempt)
        actor = self.actors[attempt]
        while not actor.done and requests != 0:
            actor.step()
            requests = None if requests is None else requests - 1
        if actor.done:
            self._ended(attempt, actor)
        self.look()
        return actor.done

    def look(self) -> None:
        """No reader ever sees half an output, none where there was one, or two of one format."""
        found = self.store.stored("processed/")
        assert found or not self.has_output, "there was an output before"
        self.has_output = bool(found)
        for key, stored in found.items():
            suffix = key.rpartition(".")[2]
            assert stored.body == self.owner(stored).content(suffix)

    def outputs(self) -> dict[str, Attempt]:
        """The published outputs, with the execution that each is of."""
        return {key: self.owner(stored) for key, stored in self.store.stored("processed/").items()}

    def owner(self, stored: StoredObject) -> Attempt:
        """The execution that wrote an object."""
        by_execution = {attempt.rank.execution: attempt for attempt in self.planned}
        rank = Rank.from_metadata(stored.metadata)
        assert rank is not None
        return by_execution[rank.execution]

    def body(self, key: str) -> bytes | None:
        """The bytes of an object, None if there is none."""
        stored = self.store.get(key)
        return stored.body if stored else None

    def _ended(self, attempt: Attempt, actor: Actor) -> None:
        del self.actors[attempt]
        if actor.result is None:
            # Interrupted, or it waits for a later version: Step Functions retries, or someone
            # redrives it. Any other error is one of the code.
            assert actor.interrupted or isinstance(actor.error, TransientError), actor.error
        else:
            self.ended.add(attempt)


@dataclass(frozen=True)
class Kind:
    """A kind of store, and of the requests that write an output; and how many examples it gets.

    `step` is how many requests are between two at which a version is overtaken.
    """

    store: Callable[[], AbstractContextManager[Store]]
    in_parts: bool
    examples: int
    step: int = 1


def _embedded() -> AbstractContextManager[Store]:
    return embedded_s3(BUCKET, before_each=take_turn)


KINDS = {
    "model": Kind(lambda: nullcontext(FakeS3(before_each=take_turn)), False, 40),
    # A request of the embedded S3 takes about a thousand times as long.
    "embedded": Kind(_embedded, False, 3, step=3),
    "embedded-in-parts": Kind(_embedded, True, 3, step=3),
}


@pytest.fixture(params=[pytest.param(kind, id=name) for name, kind in KINDS.items()])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Each kind of store, with outputs that are written by its kind of requests."""
    chosen: Kind = request.param
    if chosen.in_parts:
        # Every output is as large as those that are written by multipart upload.
        monkeypatch.setattr(compose, "MIN_PIECE", 1)
    else:
        # Small objects are written without further threads; this fails if that changes.
        monkeypatch.setattr(compose, "_write_pieces", None)
    return chosen


@pytest.fixture
def store(kind: Kind) -> Iterator[Store]:
    """An empty bucket, which the pipeline uses."""
    with (
        kind.store() as store,
        patch.object(storage, "s3", lambda: store.client),
        patch.object(compose, "s3", lambda: store.client),
    ):
        yield store


def test_the_latest_versions_output_stays(kind: Kind, store: Store) -> None:
    @examples(kind.examples)
    @given(attempts(), st.data())
    def check(planned: list[Attempt], data: st.DataObject) -> None:
        world = _new_world(store, planned)
        _run_in_any_order(world, data)
        unfinished = [one for one in planned if one not in world.ended]
        _redrive(world, planned if data.draw(st.booleans()) else unfinished)
        _check_outputs(world)

    check()


@pytest.mark.parametrize("is_new", [False, True], ids=["looks", "expects nothing"])
@pytest.mark.parametrize("errors", [1, 0], ids=["rejects", "no rejects"])
def test_a_version_that_is_overtaken_at_any_request_publishes_nothing_after_it(
    kind: Kind, store: Store, errors: int, *, is_new: bool
) -> None:
    """As the test above, for the orders in which conditional writes matter most."""
    first, second, third = (
        Attempt(version, 0, "jsonl", errors, is_new=is_new, leaves_out=True)
        for version in (1, 2, 3)
    )
    requests, ended_before = 0, False
    while not ended_before:
        world = _new_world(store, [first, second, third])
        world.run(first)
        ended_before = world.run(second, requests)
        world.run(third)
        if not ended_before:
            world.run(second)
        _redrive(world, [one for one in world.planned if one not in world.ended])
        _check_outputs(world)
        requests += 1 if thorough() else kind.step
    assert requests > (10 if errors else 7)


@pytest.mark.parametrize("output_format", ["jsonl", "parquet"])
def test_all_of_a_lower_versions_objects_go_whenever_it_was_published(
    kind: Kind, store: Store, output_format: str
) -> None:
    """It is published between two requests of the highest one, which has nothing rejected."""
    lower = Attempt(1, 0, "jsonl", 1)
    highest = Attempt(1, 1, output_format, 0, is_new=True, leaves_out=True)
    requests, ended = 0, False
    while not ended:
        world = _new_world(store, [lower, highest])
        ended = world.run(highest, requests)
        world.run(lower)
        if not ended:
            world.run(highest)
        _check_outputs(world)
        requests += 1
    assert requests > 5


def _new_world(store: Store, planned: list[Attempt]) -> World:
    store.clear()
    for attempt in planned:
        attempt.store_parts(store)
    return World(store, planned)


def _check_outputs(world: World) -> None:
    """The published objects are exactly those of the highest rank."""
    highest = max(world.planned, key=lambda one: (one.version, one.start))
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
