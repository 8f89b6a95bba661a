"""What a scenario shows, and how what an engine showed compares with what must hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Observation:
    """What is left of a file after its execution.

    `error` and `states` are the execution's; `item` is the metadata item's status, and the state
    that it names as the failed one, if any. `output` is `complete` if the published records are
    byte for byte those of the engine alone, `none` if there are none, and otherwise `different`.
    `not_done` are the parts of the failure lane that failed, as the execution's cause says.
    """

    status: str
    error: str
    states: tuple[str, ...]
    item: tuple[str, ...]
    dead_letters: int
    notified: tuple[str, ...]
    output: str
    not_done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """A known difference: aspects of some scenarios for which an engine shows something else.

    `seen` is what it shows, by scenario and aspect: only exactly this is known. `judgement` says
    whose fault it is, and why that is certain.
    """

    name: str
    seen: Mapping[str, Mapping[str, Any]]
    judgement: str


@dataclass(frozen=True)
class ComparedAspect:
    """One aspect of a scenario on an engine; `known` is the name of a known difference."""

    scenario: str
    aspect: str
    expected: Any
    seen: Any
    known: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the engine shows what must hold."""
        return bool(self.expected == self.seen)

    @property
    def text(self) -> str:
        """The verdict in a word or two."""
        if self.agrees:
            return "agrees"
        return f"known: {self.known}" if self.known else "NEW DIFFERENCE"


def compare(
    scenario: str, expected: Observation, seen: Observation, known: Iterable[Known]
) -> list[ComparedAspect]:
    """One verdict for each aspect, in the order of the fields."""
    known = list(known)
    return [
        ComparedAspect(
            scenario,
            field.name,
            wanted := getattr(expected, field.name),
            found := getattr(seen, field.name),
            "" if wanted == found else _name(scenario, field.name, found, known),
        )
        for field in fields(Observation)
    ]


def _name(scenario: str, shown: str, seen: Any, known: Sequence[Known]) -> str:
    return next(
        (
            one.name
            for one in known
            if shown in one.seen.get(scenario, {}) and one.seen[scenario][shown] == seen
        ),
        "",
    )


def summary(verdicts: Sequence[ComparedAspect]) -> str:
    """How many scenarios agree; a redrive after one counts as a scenario of its own."""
    scenarios = {one.scenario for one in verdicts}
    new = {one.scenario for one in verdicts if not one.agrees and not one.known}
    known = {one.scenario for one in verdicts if one.known} - new
    agree = len(scenarios) - len(new) - len(known)
    return f"{agree} of {len(scenarios)} agree, {len(known)} differ as known, {len(new)} newly"


def problems(verdicts: Sequence[ComparedAspect], known: Iterable[Known]) -> Iterator[str]:
    """Why the target fails: new differences, and known ones that do not occur any more."""
    for verdict in verdicts:
        if not verdict.agrees and not verdict.known:
            yield (
                f"{verdict.scenario}: {verdict.aspect} must be {verdict.expected!r},"
                f" but is {verdict.seen!r}"
            )
    occurred = {(one.known, one.scenario, one.aspect) for one in verdicts if one.known}
    for one in known:
        for scenario, aspects in one.seen.items():
            for aspect in aspects:
                if (one.name, scenario, aspect) not in occurred:
                    yield (
                        f"{scenario}: the known difference {one.name!r} of {aspect} does not occur"
                        " any more"
                    )
