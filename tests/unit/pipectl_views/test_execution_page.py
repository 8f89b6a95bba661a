"""The page of an execution: what is shown first, its texts, and its safety."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from pipectl.operate.execution_view import ExecutionView, MapCounts
from pipectl.operate.next_step import NextStep
from pipectl.views.execution_page import MOST_EVENTS, path_of, render
from pipectl.views.graph import read_graph
from tests.unit.functions.report_pages import Page, read
from tests.unit.pipectl_views.histories import (
    DEFINITION,
    History,
    failed,
    lane,
    redriven,
    succeeded,
    view_of,
)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u202e\x1b[2J\u200b"


def page_of(view: ExecutionView, step: NextStep | None = None) -> Page:
    return read(render(view, step).encode())


def attributes(page: Page, name: str) -> list[str]:
    return [value for _, known, value in page.attributes if known == name]


def opened(page: Page) -> str:
    """The id of the details that are shown before anything is selected."""
    [first] = [
        number
        for number, (tag, name, value) in enumerate(page.attributes)
        if (tag, name) == ("section", "class") and value == "panel first"
    ]
    return next(v for _, n, v in reversed(page.attributes[:first]) if n == "id")


def names_of(view: ExecutionView) -> list[str]:
    return [visit.name for visit in view.found.run.visits]


def test_a_failed_execution_opens_at_the_step_that_failed() -> None:
    view = view_of(failed(), "failed")
    text = render(view, NextStep("Rerun with", "(a redrive)", "pipectl rerun f"))
    page = read(text.encode())
    number = int(opened(page).removeprefix("visit-"))
    assert names_of(view)[number] == "WriteOutput"
    assert "The execution failed in WriteOutput." in page.text
    assert page.text.count("16 of 360 records (4.44%) were rejected; the limit is 1%.") >= 2
    assert "Rerun with: pipectl rerun f (a redrive)" in page.text
    assert "<code><bdi>pipectl rerun f</bdi></code>" in text


def test_an_instruction_is_a_sentence_and_not_code() -> None:
    step = NextStep("Next step", "Upload a corrected file.")
    text = render(view_of(failed(), "failed"), step)
    assert "<p>Next step: <bdi>Upload a corrected file.</bdi></p>" in text


def test_an_execution_that_was_redriven_with_success_opens_at_its_end() -> None:
    view = view_of(redriven(), "succeeded")
    number = int(opened(page_of(view)).removeprefix("visit-"))
    assert (names_of(view)[number], number) == ("Done", len(names_of(view)) - 1)


@pytest.mark.parametrize(
    "view",
    [view_of(succeeded(), "succeeded"), view_of(failed(), "failed"), view_of(redriven(), "failed")],
    ids=["succeeded", "failed", "redriven"],
)
def test_graph_timeline_and_events_share_one_selection(view: ExecutionView) -> None:
    page = page_of(view)
    panels = [value for value in attributes(page, "id") if re.fullmatch(r"visit-\d+", value)]
    assert panels == [f"visit-{number}" for number in range(len(names_of(view)))]
    links = [value for value in attributes(page, "href") if value.startswith("#visit-")]
    assert {link[1:] for link in links} == set(panels)
    [style] = [text for tag, text in page.texts if tag == "style"]
    for panel in panels:
        number = panel.removeprefix("visit-")
        assert f"body:has(#{panel}:target) .v{number}{{" in style
    nodes = [value for value in attributes(page, "id") if value.startswith("node-")]
    assert len(nodes) == len(set(names_of(view)))


def test_the_page_runs_and_loads_nothing() -> None:
    text = render(view_of(redriven(), "succeeded"), None)
    page = read(text.encode())
    assert not {"script", "link", "img", "iframe", "form", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name in ("style", "src", "onclick")]
    assert not re.search(r"@import|url\((?!#)", text)
    [style] = [text for tag, text in page.texts if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [value for value in attributes(page, "content") if value.startswith("default-src")]
    assert policy == (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
    )


def test_the_pause_before_a_redrive_is_cut_out_and_labelled() -> None:
    page = page_of(view_of(redriven(), "succeeded"))
    assert "paused for 3 h 20 min \u00b7 run 2, a redrive" in page.text
    widths = [
        float(value.removesuffix("%"))
        for tag, name, value in page.attributes
        if tag == "rect" and name == "width" and value.endswith("%") and value != "100%"
    ]
    # Twenty seconds of work are seen beside three hours of waiting.
    assert sum(width > 10 for width in widths) >= 2
    assert max(widths) < 60


def test_retries_are_a_badge_and_a_list() -> None:
    page = page_of(view_of(failed(), "failed"))
    assert "2\u00d7" in [text for tag, text in page.texts if tag == "text"]
    assert "10.1 s, 2 tries" in page.text
    assert "Lambda.Unknown" in page.text


def test_the_path_is_strong_and_the_rest_is_pale() -> None:
    view = view_of(failed(), "failed")
    path = path_of(view, read_graph(DEFINITION))
    assert set(path.marks) == set(names_of(view))
    assert path.edges["WriteOutput", "DescribeFailure", "catch"] == {1}
    assert ("WriteOutput", "IsOutputSuperseded", "next") not in path.edges
    assert path.marks["WriteOutput"].status == "failed"
    assert path.marks["Transform"].tries == 2
    classes = attributes(page_of(view), "class")
    assert classes.count("state pale") == len(DEFINITION["States"]) - len(path.marks)


def test_the_transitions_of_a_redrive_have_the_numbers_of_their_runs() -> None:
    path = path_of(view_of(redriven(), "succeeded"), read_graph(DEFINITION))
    assert path.runs == 2
    assert path.edges["ParseCsv", "IsSuperseded", "next"] == {1, 2}
    assert path.edges["FailureGate", "ResumeAt", "next"] == {2}
    assert path.edges["ResumeAt", "StartOver", "choice"] == {2}
    assert path.edges["WriteOutput", "DescribeFailure", "catch"] == {1}


def test_a_map_says_how_far_it_is_and_which_split_failed_first() -> None:
    history = History().call("ParseCsv").choose("IsSuperseded").choose("HowManySplits")
    history.enter("MeasureSplits", "MapState".removesuffix("State"))
    cause = "Split 2 of 5 failed."
    history.leave("MeasureSplits", "Map").enter("SplitFailure")
    history.tries("SplitFailure", ("UnreadableFile", cause), last=False).leave("SplitFailure")
    view = view_of(
        lane(history, "UnreadableFile", cause), "failed", maps={3: MapCounts(3, 1, 1, "split 2")}
    )
    page = page_of(view)
    assert "3 done, 1 running, 1 failed" in [text for tag, text in page.texts if tag == "text"]
    assert "First failedsplit 2" in page.text


def test_text_from_strangers_is_text() -> None:
    history = History().call("ParseCsv").enter("Transform")
    history.tries("Transform", (EVIL, EVIL), last=False).leave("Transform")
    view = view_of(
        lane(history, EVIL, EVIL),
        "failed",
        key=f"raw/x/{EVIL}.csv",
        logs={1: [f'{{"x": "{EVIL}'] * 2},
    )
    text = render(view, NextStep(EVIL, EVIL, EVIL))
    page = read(text.encode())
    clean = page_of(view_of(redriven(), "failed"), NextStep("x", "x", "x"))
    assert set(page.tags) <= set(clean.tags) | {"span"}
    assert not [value for _, _, value in page.attributes if "alert" in value or "\u202e" in value]
    assert {c for c in text if not c.isprintable()} <= {"\n"}
    assert page.text.count("<script>alert(1)</script>") > 5


def test_a_long_history_is_cut_and_says_so() -> None:
    history = succeeded()
    history.events[1:1] = [
        {"id": 10_000 + n, "type": "TaskStarted", "timestamp": history.events[0]["timestamp"]}
        for n in range(MOST_EVENTS)
    ]
    page = page_of(view_of(history, "succeeded"))
    cut = len(history.events) - MOST_EVENTS
    assert f"The first {cut:,} events are not in this page." in page.text
    assert page.tags["tr"] == MOST_EVENTS + 1


def test_a_running_execution_says_where_it_is() -> None:
    history = History().call("ParseCsv").choose("IsSuperseded").choose("HowManySplits")
    page = page_of(view_of(history.enter("Transform"), "running"))
    assert "Running, in Transform." in page.text


def test_an_execution_that_has_just_started_has_a_page() -> None:
    page = page_of(view_of(History(), "running"))
    assert "No state has been entered yet." in page.text


@pytest.mark.parametrize("text", ["not JSON", "[" + '"not",' * 5_000 + "1]"])
def test_any_document_is_shown(text: str) -> None:
    history = History()
    details: dict[str, Any] = {"name": "ParseCsv", "input": text}
    history.enter("ParseCsv")
    history.events[-1]["stateEnteredEventDetails"] = details
    shown = page_of(view_of(history, "running")).text
    assert "not" in shown
    assert ("The first 20,000 characters." in shown) == (len(text) > 20_000)
