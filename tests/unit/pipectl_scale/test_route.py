"""The path of a file is read from the workflow's own states."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipectl.scale.deployed import Deployed, read_deployed
from pipectl.scale.route import route

TEMPLATE = Path(__file__).parents[3] / "template.yaml"


def test_a_file_of_one_split_passes_no_map(deployed: Deployed) -> None:
    way = route(deployed.definition, splits=1)

    assert way.states[:5] == (
        "ParseCsv",
        "IsSuperseded",
        "HowManySplits",
        "Transform",
        "WriteOutput",
    )
    assert way.children == {}
    assert way.transitions(1) == len(way.states)


def test_each_split_adds_its_children_in_both_maps(deployed: Deployed) -> None:
    way = route(deployed.definition, splits=10)

    assert way.children == {
        "MeasureSplits": ("MeasureSplit",),
        "TransformSplits": ("TransformSplit",),
    }
    # Each child is started, and enters one state.
    assert way.transitions(11) - way.transitions(10) == 4


def test_the_history_does_not_grow_with_the_splits(deployed: Deployed) -> None:
    few = route(deployed.definition, splits=2)
    many = route(deployed.definition, splits=10_000)

    assert few.events(deployed.definition) == many.events(deployed.definition) < 100


def test_a_failure_takes_the_failure_lane_to_the_gate(deployed: Deployed) -> None:
    way = route(deployed.definition, splits=1, fails_at="Transform")

    assert way.states == (
        "ParseCsv",
        "IsSuperseded",
        "HowManySplits",
        "Transform",
        "DescribeFailure",
        "SendToDeadLetterQueue",
        "NotifyFailure",
        "RecordFailure",
        "FailureGate",
    )


def test_a_parameter_decides_a_path() -> None:
    deployed = read_deployed(TEMPLATE, {"ArchiveSource": "true"})

    assert "ArchiveSource" in route(deployed.definition, splits=1).states


def test_a_state_that_is_not_on_the_path_cannot_fail(deployed: Deployed) -> None:
    with pytest.raises(ValueError, match="does not reach the state Transform"):
        route(deployed.definition, splits=5, fails_at="Transform")
