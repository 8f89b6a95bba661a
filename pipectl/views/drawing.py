"""Draws a state machine's layout as SVG, with the path of an execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipectl.views.graph import Graph, State
from pipectl.views.graph_layout import LINE, Box, GraphLine, lay_out, shortened
from pipectl.views.status import status_of
from shared.markup import Html, el, join

_RADIUS = 7.0
_SLOT = 62.0
"""Space for one edge's labels beside a state, so that those of several are side by side."""


@dataclass(frozen=True)
class Mark:
    """How an execution went in one state.

    `status` is that of its last visit, `tries` the most calls in one visit, `lines` are shown
    inside the box of a Map: how many of its items are done, and which one failed first.
    """

    status: str
    tries: int = 0
    visits: int = 1
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Path:
    """The path of an execution: its states' marks, and the runs (1 is the first) of each edge."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    edges: Mapping[tuple[str, str, str], frozenset[int]] = field(default_factory=dict)
    runs: int = 1

    def __bool__(self) -> bool:
        return bool(self.marks)


def draw(
    graph: Graph,
    path: Path | None = None,
    *,
    links: Mapping[str, str] | None = None,
    title: str = "",
) -> Html:
    """The graph as an SVG element.

    Without a path, all states look alike. With one, the path is emphasised and the rest is pale.
    `links` are the addresses that states are links to. A state that has one has the id
    `node-<number>`, its place in the definition.
    """
    path = path or Path()
    layout = lay_out(graph, roomy=path.runs > 1)
    parts: list[Html] = [_arrows()]
    if layout.band:
        parts.append(_band(layout.band))
    taken = [line for line in layout.lines if _runs(line, path)]
    others = [line for line in layout.lines if not _runs(line, path)]
    parts += [_line(line, path) for line in (*others, *taken)]
    parts += [_rule_number(line) for line in layout.lines if line.edge.rules]
    numbers = {name: number for number, name in enumerate(graph.states)}
    for name, box in layout.boxes.items():
        drawn = _state(box, path)
        parts.append(
            el("a", drawn, href=links[name], id=f"node-{numbers[name]}")
            if links and name in links
            else drawn
        )
    if path.runs > 1:
        parts += _run_badges(taken, path)
    return el(
        "svg",
        el("title", title or description(graph, path)),
        *parts,
        viewBox=f"0 0 {layout.width:.0f} {layout.height:.0f}",
        width=round(layout.width),
        height=round(layout.height),
        class_="graph" + (" traced" if path else ""),
        role="img" if not links else "group",
    )


def description(graph: Graph, path: Path) -> str:
    """A description of the drawing in words."""
    if not path:
        names = ", ".join(name for name in graph.states if name in graph.main)
        return f"The state machine, from {graph.start}: {names}."
    passed = ", ".join(
        f"{name} ({status_of(mark.status).word})" for name, mark in path.marks.items()
    )
    return f"The path of the execution: {passed}."


def _runs(line: GraphLine, path: Path) -> frozenset[int]:
    edge = line.edge
    return path.edges.get((edge.source, edge.target, edge.kind), frozenset())


def _arrows() -> Html:
    tips = [
        el(
            "marker",
            el("path", d="M0 0 7 3.5 0 7z", class_=f"tip {name}"),
            id=f"tip-{name}",
            viewBox="0 0 7 7",
            refX=6.5,
            refY=3.5,
            markerWidth=7,
            markerHeight=7,
            orient="auto",
            markerUnits="userSpaceOnUse",
        )
        for name in ("next", "catch", "taken", "failed")
    ]
    return el("defs", *tips)


def _band(extent: tuple[float, float, float, float]) -> Html:
    x, y, width, height = extent
    return join(
        [
            el("rect", x=x, y=y, width=width, height=height, rx=14, class_="band"),
            el("text", "Failure lane", x=x + 14, y=y + 21, class_="lane"),
        ]
    )


def _line(line: GraphLine, path: Path) -> Html:
    taken = bool(_runs(line, path))
    caught = line.edge.kind == "catch"
    tip = ("failed" if caught else "taken") if taken else ("catch" if caught else "next")
    kind = f"edge {line.edge.kind}" + (" taken" if taken else "")
    return el("path", d=rounded(line.points), class_=kind, marker_end=f"url(#tip-{tip})")


def _rule_number(line: GraphLine) -> Html:
    """The numbers of a Choice's rules: at an edge's start, or its end if it runs in a channel."""
    text = ",".join(map(str, line.edge.rules))
    (x, y), after = line.points[0], line.points[1]
    if after[1] != y:
        return el("text", text, x=x + 4, y=y + 10, class_="rule number small")
    x, y = line.points[-1]
    towards = 1 if line.points[-2][0] > x else -1
    anchor = None if towards > 0 else "end"
    shift = towards * (10 + _SLOT * line.end)
    return el("text", text, x=x + shift, y=y - 4, class_="rule number small", text_anchor=anchor)


def rounded(points: tuple[tuple[float, float], ...]) -> str:
    """A path through the points, with rounded corners."""
    corners = [points[0]]
    for point in points[1:]:
        if point != corners[-1]:
            corners.append(point)
    parts = [f"M{corners[0][0]:g} {corners[0][1]:g}"]
    for before, here, after in zip(corners, corners[1:], corners[2:], strict=False):
        arrive = _towards(here, before)
        leave = _towards(here, after)
        parts.append(
            f"L{arrive[0]:g} {arrive[1]:g}Q{here[0]:g} {here[1]:g} {leave[0]:g} {leave[1]:g}"
        )
    parts.append(f"L{corners[-1][0]:g} {corners[-1][1]:g}")
    return "".join(parts)


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The point at which the line to a corner begins to turn."""
    across, along = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(across), abs(along)) or 1.0
    part = min(_RADIUS, length / 2) / length
    return round(corner[0] + across * part, 2), round(corner[1] + along * part, 2)


def _state(box: Box, path: Path) -> Html:
    state = box.state
    mark = path.marks.get(state.name)
    shown = status_of(mark.status) if mark else None
    tone = shown.tone if shown else ("pale" if path else "none")
    parts: list[Html] = [_shape(box, state)]
    text = state.name
    left = box.x + 14
    if shown:
        parts.append(el("text", shown.shape, x=left, y=box.y + 24, class_="sign"))
        left += 18
    if shown or state.rules:
        parts.append(el("text", text, x=left, y=box.y + 24, class_="name"))
    else:
        parts.append(
            el("text", text, x=box.middle, y=box.y + 24, class_="name", text_anchor="middle")
        )
    for number, rule in enumerate(state.rules, 1):
        y = box.y + 24 + LINE * number + 2
        parts += [
            el("text", str(number), x=box.x + 14, y=y, class_="rule number"),
            el("text", shortened(rule), x=box.x + 30, y=y, class_="rule"),
        ]
    if state.items:
        lines = mark.lines if mark and mark.lines else ("for each item",)
        x, anchor = (left, None) if shown else (box.middle, "middle")
        parts.append(
            el("text", lines[0], x=x, y=box.y + 24 + LINE, class_="rule", text_anchor=anchor)
        )
    if mark and mark.tries > 1:
        parts.append(_badge(box.right - 6, box.y, f"{mark.tries}\u00d7", "tries"))
    hint = state.comment or state.type
    word = f"{state.name}: {shown.word}. " if shown else f"{state.name}. "
    return el("g", el("title", word + hint), *parts, class_=f"state {tone}")


def _shape(box: Box, state: State) -> Html:
    if state.type == "Choice":
        cut = 10
        x, y, right, bottom = box.x, box.y, box.right, box.bottom
        outline = (
            f"M{x + cut:g} {y:g}H{right - cut:g}L{right:g} {y + cut:g}V{bottom - cut:g}"
            f"L{right - cut:g} {bottom:g}H{x + cut:g}L{x:g} {bottom - cut:g}V{y + cut:g}z"
        )
        return el("path", d=outline, class_="shape")
    radius = box.height / 2 if state.type in ("Succeed", "Fail") else 8
    size = {"width": box.width, "height": box.height, "rx": radius}
    front = el("rect", x=box.x, y=box.y, class_="shape", **size)
    if state.items:
        return join([el("rect", x=box.x + 5, y=box.y + 5, class_="shape", **size), front])
    return front


def _badge(x: float, y: float, text: str, kind: str) -> Html:
    width = 9 + 6.5 * len(text)
    return el(
        "g",
        el("rect", x=x - width / 2, y=y - 9, width=width, height=18, rx=9),
        el("text", text, x=x, y=y + 4, text_anchor="middle"),
        class_=f"badge {kind}",
    )


def _run_badges(taken: list[GraphLine], path: Path) -> Iterator[Html]:
    """The runs that took each edge. Two edges between the same states have one badge."""
    at: dict[tuple[float, float], set[int]] = {}
    for line in taken:
        at.setdefault(_badge_place(line), set()).update(_runs(line, path))
    for (x, y), runs in at.items():
        yield _badge(x, y, _in_short(sorted(runs)), "run")


def _badge_place(line: GraphLine) -> tuple[float, float]:
    """The middle of an edge's badge: at its end, or beside the end that it does not share."""
    (x, y), before = line.points[-1], line.points[-2]
    if before[1] != y:
        return x, y - 16
    other, slot = before, line.end
    if line.edge.kind == "catch":
        (x, y), other, slot = line.points[0], line.points[1], line.start
    return x + (1 if other[0] > x else -1) * (40 + _SLOT * slot), y


def _in_short(runs: list[int]) -> str:
    """The numbers of runs, `1`, `1,2` or `1-4`, or their count."""
    if len(runs) <= 2:
        return ",".join(map(str, runs))
    whole = runs[-1] - runs[0] + 1 == len(runs)
    return f"{runs[0]}\u2013{runs[-1]}" if whole else f"{len(runs)}\u00d7"


GRAPH_STYLE = """
.graph{font:600 13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
height:auto;max-width:100%}
.graph .shape{fill:var(--card);stroke:var(--edge);stroke-width:1.5}
.graph text{fill:var(--ink);font:inherit}
.graph .rule{font-weight:400;font-size:12px;fill:var(--soft)}
.graph .number{font-weight:700}.graph .small{font-size:10px}
.graph .lane{fill:var(--soft);font-weight:600}
.graph .band{fill:var(--lane);stroke:none}
.graph .edge{fill:none;stroke:var(--edge);stroke-width:1.5}
.graph .catch{stroke-dasharray:4 3}
.graph .tip{fill:var(--edge)}
.graph .tip.taken{fill:var(--ink)}.graph .tip.failed{fill:var(--bad)}
.graph .edge.taken{stroke:var(--ink);stroke-width:2.5}
.graph .edge.catch.taken{stroke:var(--bad);stroke-dasharray:none}
.graph .good .shape{fill:var(--goodbg);stroke:var(--good)}.graph .good .sign{fill:var(--good)}
.graph .bad .shape{fill:var(--badbg);stroke:var(--bad);stroke-width:2.5}
.graph .bad .sign{fill:var(--bad)}
.graph .busy .shape{fill:var(--busybg);stroke:var(--busy)}.graph .busy .sign{fill:var(--busy)}
.graph .warn .shape{fill:var(--warnbg);stroke:var(--warn)}.graph .warn .sign{fill:var(--warn)}
.graph .pale .shape,.graph.traced .edge:not(.taken){opacity:.55}
.graph .pale text{fill:var(--soft)}
.graph .badge rect{fill:var(--ink)}.graph .badge text{fill:var(--card);font-size:11px}
.graph .badge.run rect{fill:var(--card);stroke:var(--ink)}.graph .badge.run text{fill:var(--ink)}
.graph a{cursor:pointer;text-decoration:none}
.graph a:focus-visible{outline:none}
.graph a:focus-visible .shape{stroke:var(--accent);stroke-width:4}
"""

COLOURS = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#57606a;--line:#dfe3e8;
--fill:#eef1f5;--accent:#2457c5;--edge:#8b95a1;--lane:#f3eeea;--good:#166b3f;--goodbg:#e2f4e9;
--warn:#8a4b00;--warnbg:#fdf0d9;--bad:#b3261e;--badbg:#fce8e6;--busy:#1f5fae;--busybg:#e3eefb}
@media(prefers-color-scheme:dark){:root{--bg:#111418;--card:#1a1e24;--ink:#e7eaee;--soft:#a3adb9;
--line:#303741;--fill:#242a32;--accent:#8db4ff;--edge:#6b7683;--lane:#1f1c1b;--good:#6bd69a;
--goodbg:#15301f;--warn:#f2b75c;--warnbg:#38290f;--bad:#ff9389;--badbg:#3d1b19;--busy:#7db8ff;
--busybg:#14283f}}
"""


def standalone(graph: Graph, title: str) -> str:
    """The drawing as a separate SVG file, for light and dark pages."""
    svg = draw(graph, title=title)
    style = f"<style>{COLOURS}{GRAPH_STYLE}</style>"
    opening, rest = svg.split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


__all__ = ["COLOURS", "GRAPH_STYLE", "Mark", "Path", "draw", "standalone"]
