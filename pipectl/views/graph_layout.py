"""Lays out a state machine's graph: layers from top to bottom, edges with right angles.

The states that are reached without an error are on the left. The failure lane is a separate band on
the right. Edges that go down within a band run between the layers; all others (catches, the edge
back from the failure lane, loops) run in the channels beside the bands.

How it works, for each band (Sugiyama, Tagawa and Toda, "Methods for visual understanding of
hierarchical system structures", 1981):

1. Edges that close a cycle are left out here: they run in a channel.
2. A state's layer is the length of the longest path to it.
3. An edge over several layers gets a place in each of them, so that nothing is drawn over it.
4. The places of a layer are sorted by the middle of those that they are connected with.
5. Places are moved towards what they are connected with, as far as their neighbours allow.
6. In the gap between two layers, each edge that turns has a separate track if it would
   otherwise overlap another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipectl.views.graph import Edge, Graph, State

CHARACTER = 8.6
"""Width of a character of a state's name: more than that of bold text of 13 pixels on average."""
SMALL_CHARACTER = 7.1
RULE_CHARACTERS = 34
LINE = 16.0
_PAD = 14.0
_SIGN = 18.0  # the shape of a status before a name
_HEIGHT = 38.0
_LEAST_WIDTH = 120.0
_BETWEEN = 22.0  # between two places of a layer
_THROUGH = 14.0  # the width of a place that an edge passes
_GAP = 30.0
_ROOMY_GAP = 42.0  # with room for a badge on each edge
_TRACK = 9.0
_PORT = 20.0
_LANE = 10.0  # between two edges in a channel
_MARGIN = 18.0
_HEADING = 34.0  # a band's title
_SWEEPS = 12

Point = tuple[float, float]


@dataclass
class Box:
    """A state's place: its upper left corner and its size."""

    state: State
    lane: bool
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        """The middle between its sides."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height


@dataclass(frozen=True)
class GraphLine:
    """An edge as it is drawn: its corners, from its source to the tip of its arrow.

    In a channel, `start` and `end` are its numbers among the edges at that side of a state.
    """

    edge: Edge
    points: tuple[Point, ...]
    start: int = 0
    end: int = 0


@dataclass
class GraphLayout:
    """The places of states and edges; `band` is the failure lane's rectangle, if there is one."""

    boxes: dict[str, Box]
    lines: list[GraphLine]
    width: float
    height: float
    band: tuple[float, float, float, float] | None


@dataclass(eq=False)
class _Place:
    """Something in a layer: a state's box, or a point that an edge passes."""

    layer: int
    width: float
    box: Box | None = None
    x: float = 0.0  # its middle
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)


@dataclass
class _Band:
    """One band: its layers of places, and the chain of places that each edge runs through."""

    layers: list[list[_Place]]
    chains: dict[Edge, list[_Place]]
    gaps: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)


def lay_out(graph: Graph, *, roomy: bool = False) -> GraphLayout:
    """Place a graph, always with the same result; `roomy` if the edges have badges."""
    boxes = {name: _box(state, lane=name in graph.lane) for name, state in graph.states.items()}
    bands = [
        _band(graph, [name for name in graph.states if name in names], boxes)
        for names in (graph.main, graph.lane)
        if names
    ]
    inside = {edge for band in bands for edge in band.chains}
    outside = [edge for edge in graph.edges if edge not in inside and edge.source != edge.target]
    channels = _channels(outside, boxes)
    left = _MARGIN
    lines: list[GraphLine] = []
    extent = None
    sides: list[tuple[float, float]] = []
    for number, band in enumerate(bands):
        if number:
            left += _LANE * (len(channels["between"]) + 2)
        top = _MARGIN + (_HEADING if len(bands) > 1 else 0)
        width = _place(band, left, top, _ROOMY_GAP if roomy else _GAP)
        lines += _inner_lines(band)
        sides.append((left, left + width))
        if number:
            bottom = max(box.bottom for box in boxes.values() if box.lane)
            extent = (left - 16, _MARGIN, width + 32, bottom - _MARGIN + 18)
        left += width
    between = sides[0][1] + 14
    right = sides[-1][1] + (26 if len(bands) > 1 else 14 + _LANE * len(channels["between"]))
    attached = _attached(channels, boxes)
    lines += _side_lines(channels["between"], between, boxes, bands, attached)
    lines += _side_lines(channels["right"], right, boxes, bands, attached)
    full = right + _LANE * len(channels["right"]) + _MARGIN
    lowest = [box.bottom for box in boxes.values()]
    low = max([*lowest, extent[1] + extent[3]] if extent else lowest)
    return GraphLayout(boxes, lines, full, low + _MARGIN, extent)


def _box(state: State, *, lane: bool) -> Box:
    """A box that holds the state's name, and a Choice's rules."""
    rules = [shortened(rule) for rule in state.rules]
    widest = max(
        [len(state.name) * CHARACTER + _SIGN + 12, *(len(r) * SMALL_CHARACTER + 28 for r in rules)]
    )
    height = _HEIGHT + (LINE * len(rules) + 4 if rules else 0) + (LINE if state.items else 0)
    return Box(state, lane, width=max(_LEAST_WIDTH, widest + _PAD), height=height)


def shortened(rule: str) -> str:
    """A rule as it fits into a box."""
    return rule if len(rule) <= RULE_CHARACTERS else rule[: RULE_CHARACTERS - 1] + "\u2026"


def _band(graph: Graph, names: Sequence[str], boxes: Mapping[str, Box]) -> _Band:
    """The layers of one band's states, sorted."""
    members = set(names)
    own = [
        edge
        for edge in graph.edges
        if {edge.source, edge.target} <= members
        and (edge.kind != "catch" or boxes[edge.source].lane)
        and edge.source != edge.target
    ]
    forward = _without_cycles(names, own)
    # Two edges between the same states, such as Next and Catch, are drawn as one line each.
    layer_of = _layers(names, forward)
    places = {name: _Place(layer_of[name], boxes[name].width, boxes[name]) for name in names}
    layers: list[list[_Place]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name in names:
        layers[layer_of[name]].append(places[name])
    chains: dict[Edge, list[_Place]] = {}
    joined: dict[tuple[str, str], list[_Place]] = {}
    for edge in forward:
        ends = (edge.source, edge.target)
        if ends in joined:
            chains[edge] = joined[ends]
            continue
        chain = [places[edge.source]]
        for layer in range(layer_of[edge.source] + 1, layer_of[edge.target]):
            through = _Place(layer, _THROUGH)
            layers[layer].append(through)
            chain.append(through)
        chain.append(places[edge.target])
        for upper, lower in pairwise(chain):
            upper.below.append(lower)
            lower.above.append(upper)
        chains[edge] = joined[ends] = chain
    band = _Band(layers, chains)
    _sort(band)
    return band


def _without_cycles(names: Sequence[str], edges: Sequence[Edge]) -> list[Edge]:
    """The edges without those that close a cycle."""
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        out[edge.source].append(edge)
    done: set[str] = set()
    back: set[Edge] = set()

    def visit(start: str) -> None:
        path: list[tuple[str, list[Edge]]] = [(start, list(out[start]))]
        open_names = {start}
        while path:
            name, left = path[-1]
            if not left:
                path.pop()
                open_names.discard(name)
                done.add(name)
                continue
            edge = left.pop(0)
            if edge.target in open_names:
                back.add(edge)
            elif edge.target not in done:
                open_names.add(edge.target)
                path.append((edge.target, list(out[edge.target])))

    for name in names:
        if name not in done:
            visit(name)
    return [edge for edge in edges if edge not in back]


def _layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The length of the longest path to each state."""
    layer = dict.fromkeys(names, 0)
    for _ in names:
        changed = False
        for edge in edges:
            if layer[edge.target] <= layer[edge.source]:
                layer[edge.target] = layer[edge.source] + 1
                changed = True
        if not changed:
            break
    return layer


def _sort(band: _Band) -> None:
    """Sort the places of each layer by the middle of their neighbours' positions."""
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in band.layers if down else reversed(band.layers):
            _sort_layer(layer, band, down=down)


def _sort_layer(layer: list[_Place], band: _Band, *, down: bool) -> None:
    position = {id(place): n for one in band.layers for n, place in enumerate(one)}

    def middle(place: _Place) -> float:
        positions = [position[id(other)] for other in (place.above if down else place.below)]
        return sum(positions) / len(positions) if positions else position[id(place)]

    layer.sort(key=middle)


def _place(band: _Band, left: float, top: float, gap: float) -> float:
    """Give every place its coordinates, from `left` and `top` on; returns the band's width."""
    for layer in band.layers:
        x = 0.0
        for place in layer:
            place.x = x + place.width / 2
            x += place.width + _BETWEEN
    for sweep in range(_SWEEPS * 2):
        down = sweep % 2 == 0
        for layer in band.layers if down else reversed(band.layers):
            _pull(layer, down=down)
    lowest = min(place.x - place.width / 2 for layer in band.layers for place in layer)
    widest = 0.0
    for layer in band.layers:
        for place in layer:
            place.x = round(place.x - lowest + left, 1)
            widest = max(widest, place.x + place.width / 2 - left)
    y = top
    for number, layer in enumerate(band.layers):
        band.tops.append(y)
        high = max((place.box.height for place in layer if place.box), default=_HEIGHT)
        for place in layer:
            if place.box:
                place.box.x = round(place.x - place.box.width / 2, 1)
                place.box.y = y
        y += high
        band.gaps.append(y)
        tracks = _tracks(band, number)
        y += gap + _TRACK * max(0, tracks - 1)
    return widest


def _pull(layer: list[_Place], *, down: bool) -> None:
    """Move places to the middle of their neighbours, in their order and without overlaps."""
    wanted = []
    for place in layer:
        near = (place.above if down else place.below) or (place.below if down else place.above)
        wanted.append(sum(other.x for other in near) / len(near) if near else place.x)
    right: list[float] = []
    for place, want in zip(layer, wanted, strict=True):
        least = want
        if right:
            before = layer[len(right) - 1]
            least = right[-1] + before.width / 2 + _BETWEEN + place.width / 2
        right.append(max(want, least))
    left = list(right)
    for number in range(len(layer) - 1, -1, -1):
        most = wanted[number]
        if number + 1 < len(layer):
            after = layer[number + 1]
            most = left[number + 1] - after.width / 2 - _BETWEEN - layer[number].width / 2
            most = min(most, max(wanted[number], left[number] - (left[number] - wanted[number])))
        left[number] = min(left[number], most) if number + 1 < len(layer) else left[number]
    for place, low, high in zip(layer, left, right, strict=True):
        place.x = (low + high) / 2
    for before, place in pairwise(layer):
        least = before.x + before.width / 2 + _BETWEEN + place.width / 2
        place.x = max(place.x, least)


def _ports(band: _Band) -> dict[tuple[int, int, str], float]:
    """Where edges leave and enter each place: spread, in the order of their other ends."""
    ports: dict[tuple[int, int, str], float] = {}
    for layer in band.layers:
        for place in layer:
            for near, side in ((place.above, "in"), (place.below, "out")):
                ordered = sorted(near, key=lambda other: other.x)
                room = (place.width - 24) / max(1, len(ordered) - 1)
                step = min(_PORT * 1.6, room)
                for number, other in enumerate(ordered):
                    shift = (number - (len(ordered) - 1) / 2) * step
                    ports[id(place), id(other), side] = round(place.x + shift, 1)
    return ports


def _turns(band: _Band, number: int) -> list[tuple[float, float, _Place, _Place]]:
    """The edges between a layer and the next one that turn, from left to right."""
    ports = _ports(band)
    turns = []
    for place in band.layers[number]:
        for other in place.below:
            start = ports[id(place), id(other), "out"]
            end = ports[id(other), id(place), "in"]
            if abs(start - end) > 1:
                turns.append((start, end, place, other))
    turns.sort(key=lambda turn: (min(turn[0], turn[1]), max(turn[0], turn[1])))
    return turns


def _track_of(band: _Band, number: int) -> dict[tuple[int, int], int]:
    """The track of each edge that turns in the gap below a layer."""
    taken: list[list[tuple[float, float]]] = []
    found: dict[tuple[int, int], int] = {}
    for start, end, place, other in _turns(band, number):
        low, high = min(start, end) - 4, max(start, end) + 4
        track = next(
            (
                number
                for number, intervals in enumerate(taken)
                if all(high < left or right < low for left, right in intervals)
            ),
            len(taken),
        )
        if track == len(taken):
            taken.append([])
        taken[track].append((low, high))
        found[id(place), id(other)] = track
    return found


def _tracks(band: _Band, number: int) -> int:
    return len(set(_track_of(band, number).values()))


def _inner_lines(band: _Band) -> list[GraphLine]:
    """The edges that go down within the band."""
    ports = _ports(band)
    tracks = [_track_of(band, number) for number in range(len(band.layers))]
    lines = []
    for edge, chain in band.chains.items():
        points: list[Point] = []
        for upper, lower in pairwise(chain):
            start = ports[id(upper), id(lower), "out"]
            end = ports[id(lower), id(upper), "in"]
            top = upper.box.bottom if upper.box else band.tops[upper.layer]
            points.append((start, top))
            if abs(start - end) > 1:
                track = tracks[upper.layer][id(upper), id(lower)]
                y = band.gaps[upper.layer] + 12 + track * _TRACK
                points += [(start, y), (end, y)]
            bottom = band.tops[lower.layer]
            points.append((end, bottom))
        lines.append(GraphLine(edge, tuple(points)))
    return lines


def _channels(edges: Iterable[Edge], boxes: Mapping[str, Box]) -> dict[str, list[list[Edge]]]:
    """The edges beside the bands. Those to the same target share a line until they separate."""
    lanes: dict[str, dict[tuple[str, str, bool], list[Edge]]] = {
        "between": defaultdict(list),
        "right": defaultdict(list),
    }
    for edge in edges:
        source, target = boxes[edge.source], boxes[edge.target]
        channel = "right" if source.lane and target.lane else "between"
        catches = edge.kind == "catch"
        key = ("to", edge.target, catches) if catches else ("from", edge.source, catches)
        lanes[channel][key].append(edge)
    return {name: list(found.values()) for name, found in lanes.items()}


def _side_lines(
    lanes: Sequence[Sequence[Edge]],
    left: float,
    boxes: Mapping[str, Box],
    bands: Sequence[_Band],
    attached: Mapping[_End, tuple[float, int]],
) -> list[GraphLine]:
    """The edges of a channel whose first lane is at `left`."""
    lines = []
    for number, edges in enumerate(lanes):
        lane = left + number * _LANE
        for edge in edges:
            leave, start_slot = attached[_out(edge)]
            enter, end_slot = attached[_in(edge)]
            start = _leaving(boxes[edge.source], lane, leave, bands)
            end = _entering(boxes[edge.target], lane, enter, bands)
            points = (*start, (lane, start[-1][1]), (lane, end[0][1]), *end)
            lines.append(GraphLine(edge, points, start_slot, end_slot))
    return lines


_End = tuple[str, str, str]


def _out(edge: Edge) -> _End:
    """The edges that leave a box: each catch separately, all other edges to a channel together."""
    return "out", edge.source, edge.target if edge.kind == "catch" else ""


def _in(edge: Edge) -> _End:
    """The edges that enter a box: all catches together, all other edges separately."""
    return "in", edge.target, "" if edge.kind == "catch" else edge.source


def _attached(
    channels: Mapping[str, Sequence[Sequence[Edge]]], boxes: Mapping[str, Box]
) -> dict[_End, tuple[float, int]]:
    """Where edges of the channels leave and enter a box: their height, and their number there."""
    sides: dict[tuple[str, bool], list[_End]] = defaultdict(list)
    for channel, lanes in channels.items():
        for edge in (edge for edges in lanes for edge in edges):
            for end in (_in(edge), _out(edge)):
                to_left = channel == "between" and boxes[end[1]].lane
                ends = sides[end[1], to_left]
                if end not in ends:
                    ends.append(end)
    found = {}
    for (name, _), ends in sides.items():
        box = boxes[name]
        for number, end in enumerate(sorted(ends, key=lambda end: end[0])):
            found[end] = (round(box.y + box.height * (number + 1) / (len(ends) + 1), 1), number)
    return found


def _leaving(box: Box, lane: float, y: float, bands: Sequence[_Band]) -> list[Point]:
    """From a box to its channel; below the layer if something is in between."""
    side, out = _side(box, lane)
    if not _is_blocked(box, lane, bands):
        return [(side, y)]
    gap = _gap_below(box, bands)
    return [(side, y), (out, y), (out, gap)]


def _entering(box: Box, lane: float, y: float, bands: Sequence[_Band]) -> list[Point]:
    """From a channel to a box; above the layer if something is in between."""
    side, out = _side(box, lane)
    if not _is_blocked(box, lane, bands):
        return [(side, y)]
    return [(out, box.y - 7), (out, y), (side, y)]


def _side(box: Box, lane: float) -> tuple[float, float]:
    """The side of a box that is towards a channel, and a little further out."""
    return (box.x, box.x - 9) if lane < box.x else (box.right, box.right + 9)


def _is_blocked(box: Box, lane: float, bands: Sequence[_Band]) -> bool:
    """Whether another state is between the box and the channel, in its layer."""
    low, high = (lane, box.x) if lane < box.x else (box.right, lane)
    return any(
        place.box is not None and place.box is not box and low < place.box.middle < high
        for band in bands
        for layer in band.layers
        if any(own.box is box for own in layer)
        for place in layer
    )


def _gap_below(box: Box, bands: Sequence[_Band]) -> float:
    return next(
        band.gaps[number] + 6
        for band in bands
        for number, layer in enumerate(band.layers)
        if any(place.box is box for place in layer)
    )
