"""The page of an execution: one HTML file that shows what happened, without a script.

Graph, timeline and events share one selection: each entry is a link to the details of a visit, and
the style sheet highlights everything that belongs to the visit in the page's address. Without one,
the page shows the details of the visit that failed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pipectl.client.history import Visit
from pipectl.times import format_duration, format_time
from pipectl.views.drawing import COLOURS, GRAPH_STYLE, Mark, Path, draw
from pipectl.views.graph import Graph, read_graph
from pipectl.views.status import Status, status_of
from shared.markup import Html, data, el, join, message

if TYPE_CHECKING:
    from pipectl.operate.execution_view import ExecutionView, MapCounts
    from pipectl.operate.next_step import NextStep

MOST_EVENTS = 1_000
"""Events in the page, the last ones; an execution can have 25,000."""
_DOCUMENT_CHARACTERS = 20_000
_LOG_CHARACTERS = 2_000
_BREAK = 0.04
"""Width of the gap in the timeline before a redrive, as a share of all runs."""
_LEAST_BAR = 0.4  # percent


@dataclass(frozen=True)
class Parts:
    """An execution's views, to be part of a page.

    `style` marks the selected visit; `PARTS_STYLE` is the rest, the same for all executions.
    """

    sentence: str
    graph: Html
    timeline: Html
    events: Html
    details: Html
    style: str


def parts_of(view: ExecutionView) -> Parts:
    """The views that share one selection. It begins with the visit that failed."""
    graph = read_graph(view.definition)
    visits = view.found.run.visits
    selected = _selected(visits)
    return Parts(
        sentence=_sentence(view),
        graph=_graph(view, graph),
        timeline=_timeline(view),
        events=_events(view),
        details=join(_details(view, number, number == selected) for number in range(len(visits))),
        style=_selection_style(len(visits), selected, graph, visits),
    )


def render(view: ExecutionView, step: NextStep | None) -> str:
    """The page. `step` is what the operator does next, if the execution failed."""
    graph = read_graph(view.definition)
    visits = view.found.run.visits
    selected = _selected(visits)
    # `:target` and `:has` keep the selection: https://www.w3.org/TR/selectors-4/#target-pseudo
    style = (
        COLOURS
        + GRAPH_STYLE
        + PARTS_STYLE
        + STYLE
        + _selection_style(len(visits), selected, graph, visits)
    )
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
        + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        + "'"
    )
    name = PurePosixPath(view.found.source.key).name
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width,initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{name[:100]} \u2013 execution {status_of(view.found.execution.status).word}"),
        Html(f"<style>{style}</style>"),
    )
    left = el(
        "div",
        _section("Graph", _graph(view, graph)),
        _section("Timeline", _timeline(view)),
        _section("Events", _events(view)),
        class_="left",
    )
    right = el(
        "div",
        *(_details(view, number, number == selected) for number in range(len(visits))),
        class_="right",
        aria_label="Details of the selected step",
        role="region",
    )
    body = el("body", _header(view, name, step), el("main", left, right))
    return "<!doctype html>\n" + el("html", head, body, lang="en")


def _selected(visits: Sequence[Visit]) -> int:
    """The visit that the page opens with: the one that failed last outside of the failure lane."""
    failed = [number for number, visit in enumerate(visits) if visit.failure]
    # The gate raises the step's error again: the step itself is what matters.
    own = [n for n in failed if visits[n].name != "FailureGate"]
    last_run = max((visit.run for visit in visits), default=0)
    now = [n for n in own or failed if visits[n].run == last_run]
    return now[-1] if now else max(0, len(visits) - 1)


def _header(view: ExecutionView, name: str, step: NextStep | None) -> Html:
    found = view.found
    execution = found.execution
    error = found.error
    took = format_duration(execution.duration_ms)
    redrives = execution.redrive_count
    facts = [
        f"dataset {found.source.dataset}",
        f"started {format_time(execution.started_at)} UTC",
        f"took {took}",
        *([f"redriven {redrives}\u00d7"] if redrives else []),
    ]
    console = found.console()
    return el(
        "header",
        el("p", "Execution ", el("code", data(execution.name)), class_="over"),
        el("h1", _pill(execution.status), " ", data(name, 150)),
        el("p", _sentence(view), class_="say"),
        el(
            "div",
            el("p", el("b", data(error.code)), f" in {error.state}" if error.state else None),
            el("p", message(error.message, 2000)),
            _next_step(step) if step else None,
            class_="error",
        )
        if error
        else None,
        el("p", join([data(" \u00b7 ".join(facts), 300)]), class_="soft"),
        el("p", el("a", "Open in the Step Functions console", href=console)) if console else None,
    )


def _next_step(step: NextStep) -> Html:
    """A command as code with a remark, or an instruction as a sentence."""
    command = [el("code", data(step.command, 400)), " "] if step.command else []
    return el("p", f"{step.label}: ", *command, data(step.text, 400))


def _sentence(view: ExecutionView) -> str:
    found = view.found
    item: Mapping[str, Any] = found.item or {}
    status = found.execution.status
    if status == "running":
        visits = found.run.visits
        return f"Running, in {visits[-1].name}." if visits else "Running."
    if found.error:
        where = f" in {found.error.state}" if found.error.state else ""
        return f"The execution {status_of(status).word}{where}."
    if item.get("execution_arn") == found.execution.arn and "record_count" in item:
        rejected = int(item["error_count"])
        records = f"{item['processed_count']:,} of {item['record_count']:,} records were published"
        return f"{records}, {rejected:,} rejected." if rejected else f"{records}."
    return f"The execution {status_of(status).word}."


def _pill(name: str) -> Html:
    status = status_of(name)
    return el("span", f"{status.shape} {status.word}", class_=f"pill {status.tone}")


def _section(title: str, content: Html) -> Html:
    name = title.lower()
    return el(
        "section", el("h2", title, id=f"{name}-title"), content, aria_labelledby=f"{name}-title"
    )


# -- graph


def path_of(view: ExecutionView, graph: Graph) -> Path:
    """The path of the execution through the graph."""
    visits, status = view.found.run.visits, view.found.run.status
    counts = Counter(visit.name for visit in visits)
    marks = {
        visit.name: Mark(
            _status(visit, status, graph),
            tries=max(other.attempts for other in visits if other.name == visit.name),
            visits=counts[visit.name],
            lines=_map_lines(view.maps.get(number)),
        )
        for number, visit in enumerate(visits)
    }
    edges: dict[tuple[str, str, str], set[int]] = {}
    for before, after in pairwise(visits):
        edge = graph.edge(before.name, after.name, failed=before.failure is not None)
        if edge and (before.run == after.run or before.exited_at):
            edges.setdefault((edge.source, edge.target, edge.kind), set()).add(after.run + 1)
    runs = max((visit.run for visit in visits), default=0) + 1
    return Path(marks, {key: frozenset(found) for key, found in edges.items()}, runs)


def _status(visit: Visit, execution_status: str, graph: Graph) -> str:
    """The visit's status; `caught` for an error that a Catch took to the next state."""
    status = visit.status(execution_status)
    caught = status == "failed" and visit.exited_at and visit.name in graph.lane
    return "caught" if caught else status


def _map_lines(progress: MapCounts | None) -> tuple[str, ...]:
    if progress is None:
        return ()
    parts = [f"{progress.done:,} done"]
    parts += [f"{progress.running:,} running"] if progress.running else []
    parts += [f"{progress.failed:,} failed"] if progress.failed else []
    return (", ".join(parts),)


def _graph(view: ExecutionView, graph: Graph) -> Html:
    visits = view.found.run.visits
    last = {visit.name: number for number, visit in enumerate(visits)}
    targets = {name: f"#visit-{number}" for name, number in last.items()}
    path = path_of(view, graph)
    note = (
        el("p", "The numbers on the arrows are the runs of the execution.", class_="soft small")
        if path.runs > 1
        else None
    )
    return join([note, el("div", draw(graph, path, links=targets), class_="scroll")])


# -- timeline


def _timeline(view: ExecutionView) -> Html:
    visits = view.found.run.visits
    if not visits:
        return el("p", "No state has been entered yet.")
    now = view.found.run.ended_at or datetime.now(UTC)
    scale = _Scale(visits, now)
    rows: list[Html] = []
    run = 0
    for number, visit in enumerate(visits):
        if visit.run != run:
            rows.append(_pause(scale, run, visit.run))
            run = visit.run
        rows.append(_row(view, number, visit, scale))
    if scale.runs > 1:
        rows.insert(0, el("li", "Run 1", class_="run"))
    return el("ol", *rows, class_="time")


class _Scale:
    """Times as positions in percent; the pause before a redrive is cut out."""

    def __init__(self, visits: Sequence[Visit], now: datetime) -> None:
        self.starts: dict[int, datetime] = {}
        self.ends: dict[int, datetime] = {}
        for visit in visits:
            self.starts.setdefault(visit.run, visit.entered_at)
            # A state that failed its execution was never left: its run ended with its last try.
            tried = [one.ended_at for one in visit.tries if one.ended_at]
            left = visit.exited_at or max(tried, default=None)
            self.ends[visit.run] = max(
                self.ends.get(visit.run, visit.entered_at), left or visit.entered_at
            )
        self.runs = len(self.starts)
        last = max(self.starts)
        self.ends[last] = max(self.ends[last], now)
        spans = {n: (self.ends[n] - self.starts[n]).total_seconds() for n in self.starts}
        whole = sum(spans.values()) or 1.0
        self._full = whole * (1 + _BREAK * (self.runs - 1))
        self._offsets: dict[int, float] = {}
        offset = 0.0
        for number, span in spans.items():
            self._offsets[number] = offset
            offset += span + whole * _BREAK

    def at(self, run: int, time: datetime) -> float:
        """A time in a run, in percent of the whole width."""
        seconds = (min(time, self.ends[run]) - self.starts[run]).total_seconds()
        return max(0.0, min(100.0, (self._offsets[run] + seconds) / self._full * 100))

    def end_of(self, visit: Visit) -> datetime:
        """The end of the visit; if its state was never left, the end of its run."""
        return visit.exited_at or self.ends[visit.run]


def _row(view: ExecutionView, number: int, visit: Visit, scale: _Scale) -> Html:
    status = status_of(visit.status(view.found.run.status))
    end = scale.end_of(visit)
    start, stop = scale.at(visit.run, visit.entered_at), scale.at(visit.run, end)
    spans = [(visit.entered_at, end, status.tone)]
    if len(visit.tries) > 1:
        spans = [
            (one.started_at, one.ended_at or end, "bad" if one.failure else status.tone)
            for one in visit.tries
        ]
    bars = [el("rect", x="0%", y=8, width="100%", height=2, class_="rail")]
    if len(spans) > 1:
        bars.append(
            el(
                "rect",
                x=f"{start:.2f}%",
                y=8,
                width=f"{stop - start:.2f}%",
                height=2,
                class_="wait",
            )
        )
    for begin, finish, tone in spans:
        at = scale.at(visit.run, begin)
        wide = max(_LEAST_BAR, scale.at(visit.run, finish) - at)
        bars.append(
            el(
                "rect",
                x=f"{min(at, 100 - wide):.2f}%",
                y=3,
                width=f"{wide:.2f}%",
                height=12,
                rx=3,
                class_=tone,
            )
        )
    tries = f", {visit.attempts} tries" if visit.attempts > 1 else ""
    took = format_duration((end - visit.entered_at).total_seconds() * 1000)
    return el(
        "li",
        el(
            "a",
            el("span", _sign(status), " ", visit.name, class_="who"),
            el("svg", *bars, class_="bars", aria_hidden="true"),
            el("span", took + tries, class_="took"),
            href=f"#visit-{number}",
            class_=f"v{number}",
        ),
    )


def _sign(status: Status) -> Html:
    return el("span", status.shape, class_=f"sign {status.tone}", title=status.word)


def _pause(scale: _Scale, before: int, after: int) -> Html:
    paused = scale.starts[after] - scale.ends[before]
    text = format_duration(max(0.0, paused.total_seconds() * 1000))
    return el("li", f"\u2702 paused for {text} \u00b7 run {after + 1}, a redrive", class_="run")


# -- events


def _events(view: ExecutionView) -> Html:
    shown = view.events[-MOST_EVENTS:]
    numbered = dict(_visits_of(view.events))
    start = view.events[0]["timestamp"] if view.events else None
    names = view.found.run.visits
    rows = []
    for event in shown:
        number = numbered.get(event["id"])
        link = (
            el("a", names[number].name, href=f"#visit-{number}", class_=f"v{number}")
            if number is not None
            else ""
        )
        after = (event["timestamp"] - start).total_seconds() * 1000 if start else 0
        rows.append(
            el(
                "tr",
                el("td", str(event["id"]), class_="n"),
                el("td", f"+{format_duration(after)}", class_="n"),
                el("td", event["type"]),
                el("td", link),
                el("td", _event_error(event)),
            )
        )
    head = el(
        "tr",
        *(
            el("th", title, scope="col", class_=kind)
            for title, kind in (
                ("Id", "n"),
                ("After", "n"),
                ("Type", None),
                ("Step", None),
                ("Error", None),
            )
        ),
    )
    more = len(view.events) - len(shown)
    note = (
        el("p", f"The first {more:,} events are not in this page.", class_="soft") if more else None
    )
    table = el("table", el("thead", head), el("tbody", *rows))
    return join([note, el("div", table, class_="scroll", tabindex=0, role="region")])


def _visits_of(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    """The events that belong to a visit of a state: the event's id, the visit's number."""
    number = -1
    inside = False
    for event in events:
        if event["type"].endswith("StateEntered"):
            number += 1
            inside = True
        if inside:
            yield event["id"], number
        if event["type"].endswith("StateExited"):
            inside = False


def _event_error(event: Mapping[str, Any]) -> Html:
    details: Mapping[str, Any] = next(
        (value for key, value in event.items() if key.endswith("EventDetails")), {}
    )
    return data(details["error"], 100) if details.get("error") else Html()


# -- details


def _details(view: ExecutionView, number: int, selected: bool) -> Html:
    found = view.found
    visit = found.run.visits[number]
    states = found.states()[number]
    status = visit.status(found.run.status)
    failure = visit.failure
    facts = [
        ("Entered", f"{format_time(visit.entered_at)} UTC"),
        ("Took", format_duration(states["duration_ms"])),
        ("Tries", str(visit.attempts) if visit.attempts else None),
        ("Run", f"{visit.run + 1}" if found.execution.redrive_count else None),
        ("Items", "".join(_map_lines(view.maps.get(number))) or None),
        ("First failed", _first_failed(view.maps.get(number))),
        ("Function", found.functions.get(visit.name)),
    ]
    log = states["log"]
    if log and log.startswith("https://"):
        link: Html | None = el("a", "Open the log", href=log)
    else:
        link = el("code", data(log, 500)) if log else None
    return el(
        "section",
        el("h2", visit.name, " ", _pill(status), id=f"visit-{number}-title"),
        el(
            "div",
            el("p", el("b", data(failure.code))),
            el("p", message(failure.message)),
            class_="error",
        )
        if failure
        else None,
        el(
            "dl",
            *(join([el("dt", name), el("dd", data(text, 300))]) for name, text in facts if text),
            class_="facts",
        ),
        _tries(visit),
        _log_lines(view.logs.get(number)),
        el("p", "Log: ", link) if link else None,
        _document("Input", visit.given, is_open=False),
        _document("Output", visit.returned, is_open=False),
        id=f"visit-{number}",
        class_="panel" + (" first" if selected else ""),
        aria_labelledby=f"visit-{number}-title",
        tabindex=-1,
    )


def _first_failed(progress: MapCounts | None) -> str | None:
    return progress.first_failed if progress else None


def _tries(visit: Visit) -> Html | None:
    if len(visit.tries) <= 1:
        return None
    rows = []
    for number, one in enumerate(visit.tries, 1):
        end = one.ended_at
        took = format_duration((end - one.started_at).total_seconds() * 1000) if end else "\u2013"
        error = data(one.failure.code, 100) if one.failure else "\u2713"
        rows.append(el("tr", el("td", str(number), class_="n"), el("td", took), el("td", error)))
    head = el("tr", el("th", "Try", class_="n"), el("th", "Took"), el("th", "Error"))
    return el("table", el("thead", head), el("tbody", *rows))


def _log_lines(lines: Sequence[str] | None) -> Html | None:
    if not lines:
        return None
    title = "Log, 1 line" if len(lines) == 1 else f"Log, {len(lines)} lines"
    shown = (el("span", data(line, _LOG_CHARACTERS), class_="row") for line in lines)
    return el("details", el("summary", title), el("pre", *shown, tabindex=0), open="")


def _document(title: str, text: str | None, *, is_open: bool) -> Html | None:
    """A JSON document, indented, cut if it is very long."""
    if text is None:
        return None
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    cut = len(text) > _DOCUMENT_CHARACTERS
    lines = text[:_DOCUMENT_CHARACTERS].split("\n")
    rest = (
        el("p", f"The first {_DOCUMENT_CHARACTERS:,} characters.", class_="soft") if cut else None
    )
    content = el("pre", *(el("span", data(line, 4000), class_="row") for line in lines), tabindex=0)
    return el("details", el("summary", title), content, rest, open="" if is_open else None)


# -- style


def _selection_style(count: int, selected: int, graph: Graph, visits: Sequence[Visit]) -> str:
    """Highlights all links to the selected visit, in the graph, the timeline and the events."""
    numbers = {name: number for number, name in enumerate(graph.states)}
    rules = []
    for number in range(count):
        node = f"#node-{numbers[visits[number].name]}" if visits[number].name in numbers else None
        on = f"body:has(#visit-{number}:target)"
        off = "body:not(:has(.panel:target))"
        for when in (on, off) if number == selected else (on,):
            rules.append(f"{when} .v{number}{{background:var(--sel);font-weight:650}}")
            if node:
                rules.append(f"{when} {node} .shape{{stroke:var(--accent);stroke-width:4}}")
    return "\n".join(rules)


PARTS_STYLE = """
:root{--sel:#dbe6fb}@media(prefers-color-scheme:dark){:root{--sel:#223555}}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
font-size:.8125rem}
code{background:var(--fill);border-radius:4px;padding:.1em .3em;overflow-wrap:anywhere}
pre{background:var(--fill);border-radius:8px;padding:.6rem .7rem;margin:.4rem 0;max-height:28rem;
overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.row{display:block;min-height:1.2em}
.x{color:var(--bad);background:var(--badbg);border-radius:3px;padding:0 .15em}
.pill{display:inline-block;border-radius:99px;padding:.05rem .6rem;font-size:.875rem;
font-weight:600;white-space:nowrap;vertical-align:middle}
.pill.good,.sign.good{color:var(--good)}.pill.good{background:var(--goodbg)}
.pill.bad,.sign.bad{color:var(--bad)}.pill.bad{background:var(--badbg)}
.pill.busy,.sign.busy{color:var(--busy)}.pill.busy{background:var(--busybg)}
.pill.warn,.sign.warn{color:var(--warn)}.pill.warn{background:var(--warnbg)}
.pill.plain{background:var(--fill);color:var(--soft)}
.error{border-left:4px solid var(--bad);background:var(--badbg);border-radius:0 8px 8px 0;
padding:.5rem .8rem;margin:.5rem 0 .7rem;max-width:70rem;overflow-wrap:anywhere}
.scroll{overflow:auto}
.panel{display:none;outline:0}
.panel:target,body:not(:has(.panel:target)) .panel.first{display:block}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere;min-width:0}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:600}.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
td a{border-radius:4px;padding:0 .25rem}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--accent);font-weight:600}
.time{list-style:none;margin:0;padding:0}
.time a{display:grid;grid-template-columns:14.5rem 1fr 9rem;gap:.75rem;align-items:center;
padding:.15rem .4rem;border-radius:6px;color:inherit;text-decoration:none}
.time a:hover{background:var(--fill)}
.who{overflow-wrap:anywhere}.took{color:var(--soft);font-size:.875rem;
font-variant-numeric:tabular-nums}
.sign{display:inline-block;width:1.1em;text-align:center}
.bars{display:block;width:100%;height:18px}
.bars .rail{fill:var(--line)}.bars .wait{fill:var(--edge)}
.bars .good{fill:var(--good)}.bars .bad{fill:var(--bad)}.bars .busy{fill:var(--busy)}
.bars .warn{fill:var(--warn)}.bars .plain{fill:var(--edge)}
.run{color:var(--soft);font-size:.875rem;padding:.35rem .4rem;margin:.2rem 0;
border-top:1px dashed var(--edge)}
.time li.run:first-child{border:0}
.graph{display:block;margin:0 auto}

@media(max-width:40rem){.time a{grid-template-columns:1fr auto}.bars{grid-column:1/-1;grid-row:2}}
@media print{.panel{display:block}pre{max-height:none}}
"""
"""The style of the views in every page that has them."""

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header{padding:1.1rem 1.5rem .6rem}
h1{font-size:1.45rem;line-height:1.3;margin:.1rem 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:0 0 .6rem;overflow-wrap:anywhere}
p{margin:.2rem 0}.over,.soft{color:var(--soft)}.small{font-size:.875rem}
.say{font-size:1.05rem}
a{color:var(--accent)}
main{padding:0 1.5rem 1.5rem;display:grid;gap:1rem;grid-template-columns:minmax(0,1fr)}
.right{order:-1}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem;
margin:0 0 1rem;min-width:0}
:focus-visible{outline:3px solid var(--accent);outline-offset:1px}
@media(min-width:70rem){body{display:flex;flex-direction:column;height:100vh}
main{flex:1;min-height:0;grid-template-columns:minmax(0,1fr) 30rem;padding-bottom:0}
.left,.right{overflow:auto;min-height:0;padding-bottom:1rem;order:0}}
@media(max-width:40rem){main,header{padding-left:.8rem;padding-right:.8rem}}
@media print{body{height:auto}.left,.right{overflow:visible}}
"""
