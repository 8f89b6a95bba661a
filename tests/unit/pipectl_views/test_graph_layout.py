"""The drawing of any state machine has no overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipectl.views.drawing import Mark, Path, draw, rounded
from pipectl.views.graph import Graph, in_words, read_graph
from pipectl.views.graph_layout import Box, GraphLayout, lay_out
from tests.effort import examples
from tests.unit.functions.report_pages import Page
from tests.unit.pipectl_views.histories import DEFINITION

WORKFLOW = read_graph(DEFINITION)


@st.composite
def definitions(drawn: st.DrawFn) -> dict[str, Any]:
    """State machines of any shape: loops, catches, choices of several rules, Maps."""
    names = [
        f"State{number}{'x' * (number * 5 % 17)}" for number in range(drawn(st.integers(1, 9)))
    ]
    name = st.sampled_from(names)
    states: dict[str, Any] = {}
    for own in names:
        kind = drawn(st.sampled_from(["Task", "Task", "Choice", "Map", "Pass", "Succeed"]))
        state: dict[str, Any] = {"Type": kind}
        if kind == "Choice":
            rules = drawn(st.lists(name, min_size=1, max_size=4))
            state["Choices"] = [
                {"Variable": "$.some.value", "NumericEquals": n, "Next": to}
                for n, to in enumerate(rules)
            ]
            state["Default"] = drawn(name)
        elif kind != "Succeed":
            state["Next"] = drawn(name)
        if kind in ("Task", "Map"):
            state["Catch"] = [
                {"ErrorEquals": ["States.ALL"], "Next": to}
                for to in drawn(st.lists(name, max_size=2))
            ]
        if kind == "Map":
            state["ItemProcessor"] = {"States": {"Item": {"Type": "Pass"}}}
        states[own] = state
    return {"StartAt": names[0], "States": states}


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.right
        and other.x < one.right
        and one.y < other.bottom
        and other.y < one.bottom
    )


def crossings(layout: GraphLayout) -> Iterator[tuple[str, str, str]]:
    """The edges that lead through a state: source, target, and the state."""
    for line in layout.lines:
        for (x1, y1), (x2, y2) in pairwise(line.points):
            for name, box in layout.boxes.items():
                inside = (
                    max(x1, x2) > box.x + 1
                    and min(x1, x2) < box.right - 1
                    and max(y1, y2) > box.y + 1
                    and min(y1, y2) < box.bottom - 1
                )
                if inside:
                    yield line.edge.source, line.edge.target, name


@examples(25)
@given(definitions())
def test_any_state_machine_is_drawn_without_overlaps(definition: dict[str, Any]) -> None:
    graph = read_graph(definition)
    layout = lay_out(graph)
    boxes = layout.boxes.values()
    assert not [(a, b) for a, b in combinations(boxes, 2) if overlap(a, b)]
    assert list(crossings(layout)) == []
    drawn = {(line.edge.source, line.edge.target) for line in layout.lines}
    assert drawn == {(w.source, w.target) for w in graph.edges if w.source != w.target}
    corners = [point for line in layout.lines for point in line.points]
    corners += [(box.right, box.bottom) for box in boxes]
    assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in corners)
    assert all(
        abs(x1 - x2) <= 1 or abs(y1 - y2) <= 1
        for line in layout.lines
        for (x1, y1), (x2, y2) in pairwise(line.points)
    )


@pytest.mark.parametrize("runs", [1, 3])
def test_labels_of_the_workflow_never_overlap(runs: int) -> None:
    every = frozenset(range(1, runs + 1))
    edges: dict[tuple[str, str, str], frozenset[int]]
    edges = {(edge.source, edge.target, edge.kind): every for edge in WORKFLOW.edges}
    path = Path({name: Mark("succeeded", tries=2) for name in WORKFLOW.states}, edges, runs)
    labels = list(texts(draw(WORKFLOW, path)))
    upon = [(a[0], b[0]) for a, b in combinations(labels, 2) if covers(a[1], b[1])]
    assert upon == []


def texts(svg: str) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """The texts of a drawing and the rectangles they take."""
    page = Page()
    waiting: list[dict[str, str]] = []

    class Reader(Page):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            super().handle_starttag(tag, attrs)
            if tag == "text":
                waiting.append({name: value or "" for name, value in attrs})

        def handle_data(self, data: str) -> None:
            super().handle_data(data)
            if self._open and self._open[-1] == "text":
                waiting[-1]["text"] = waiting[-1].get("text", "") + data

    reader = Reader()
    reader.feed(svg)
    assert page.tags == {}
    for one in waiting:
        small = "small" in one.get("class", "") or "class" not in one
        width = len(one["text"]) * (6.2 if small else 7.1 if "rule" in one["class"] else 8.2)
        x, y = float(one["x"]), float(one["y"])
        left = x - width / 2 if one.get("text-anchor") == "middle" else x
        yield one["text"], (left, y - 9, left + width, y + 2)


def covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_every_text_of_a_state_is_inside_its_box() -> None:
    layout = lay_out(WORKFLOW)
    for name, box in layout.boxes.items():
        assert len(name) * 8.4 + 18 < box.width


def test_the_failure_lane_is_a_band_beside_the_main_path() -> None:
    layout = lay_out(WORKFLOW)
    assert layout.band is not None
    left, top, width, height = layout.band
    for name, box in layout.boxes.items():
        assert (name in WORKFLOW.lane) == (left < box.x and box.right < left + width)
        assert name not in WORKFLOW.lane or (top < box.y and box.bottom < top + height)
    assert WORKFLOW.lane == {
        "SplitFailure",
        "DescribeFailure",
        "SendToDeadLetterQueue",
        "NotifyFailure",
        "RecordFailure",
        "FailureGate",
        "ResumeAt",
        "StartOver",
    }


def test_the_workflow_fits_a_page() -> None:
    assert lay_out(WORKFLOW).width < 1100


def test_a_layout_is_always_the_same() -> None:
    assert draw(WORKFLOW) == draw(read_graph(DEFINITION))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.parse.splits", "NumericEquals": 1}, "parse.splits = 1"),
        ({"Variable": "$.a", "NumericGreaterThanEquals": 2}, "a \u2265 2"),
        ({"Variable": "$.a", "StringEqualsPath": "$.b"}, "a = b"),
        ({"Variable": "$.a", "BooleanEquals": True}, "a = true"),
        ({"Variable": "$.a", "IsPresent": True}, "a is there"),
        ({"Not": {"Variable": "$.a", "IsPresent": True}}, "no a"),
        ({"Not": {"Variable": "$.a", "StringEquals": "x"}}, "not (a = x)"),
        ({"Variable": "$.a", "StringEquals": ""}, "a is empty"),
        ({"Not": {"Variable": "$.a", "StringEquals": ""}}, "a is not empty"),
        (
            {
                "Or": [
                    {"Variable": "$.e", "StringEquals": "A"},
                    {"Variable": "$.e", "StringEquals": "B"},
                ]
            },
            "e is A, B",
        ),
        (
            {"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.a", "IsNull": False}]},
            "a is set",
        ),
        (
            {
                "And": [
                    {"Variable": "$.a", "IsPresent": True},
                    {"Variable": "$.b", "NumericEquals": 1},
                ]
            },
            "a is there and b = 1",
        ),
        ({"Condition": "{% $states.input.x > 1 %}"}, "$states.input.x > 1"),
    ],
)
def test_rules_are_described_in_words(rule: dict[str, Any], words: str) -> None:
    assert in_words(rule) == words


def test_corners_are_rounded_without_leaving_the_line() -> None:
    assert rounded(((0, 0), (0, 20), (30, 20))) == "M0 0L0 13Q0 20 7 20L30 20"


def test_a_graph_without_errors_has_no_failure_lane() -> None:
    graph = read_graph({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    assert isinstance(graph, Graph)
    assert lay_out(graph).band is None
