"""Many lines with odd quotes are searched at once, and give the records that reading each gives."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tabular.model import Dialect
from tabular.reading import grammar
from tabular.reading.grammar import Grammar
from tabular.reading.line_ranges import LineRanges
from tests.effort import examples

lines = st.lists(st.text('a,"#é', max_size=6), min_size=1, max_size=30)
dialects = st.sampled_from(
    [Dialect(), Dialect(comment_char="#"), Dialect(double_quote=False), Dialect(delimiter="é")]
)


@examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, dialects, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_the_search_in_all_lines_finds_the_records_that_reading_each_line_finds(
    texts: list[str], dialect: Dialect, line_end: str, complete: bool
) -> None:
    text = "".join(line + line_end for line in texts).encode()
    found = []
    for paired, many, malformed in (
        (0, len(texts), False),
        (0, 0, True),
        (len(texts), 0, True),
        (len(texts), 0, False),
        (len(texts), len(texts), False),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grammar, "_PAIRED_ODD_LINES", paired)
            patch.setattr(grammar, "_FIRST_PAIRS", 2)
            patch.setattr(grammar, "_MANY_ODD_LINES", many)
            patch.setattr(Grammar, "_are_mostly_malformed", lambda *_, found=malformed, **__: found)
            spans = Grammar(dialect).spans(text, complete=complete)
        found.append((list(spans.multi), spans.lines, spans.size))
    assert all(other == found[0] for other in found)


def test_a_file_of_misplaced_quotes_is_not_read_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Grammar, "record_end", None)
    text = b'x,y"\n' * (grammar._MANY_ODD_LINES + 1)
    assert Grammar(Dialect()).spans(text, complete=True).multi == LineRanges()


@pytest.mark.parametrize("line", [b'x,"y\n', b'x,"y\nz""z\n', b'x,"y\nz","z\nz"z\n'])
def test_a_file_of_open_quotes_is_not_read_line_by_line(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    record_end = Grammar.record_end

    def counted(self: Grammar, text: bytes, start: int, *, complete: bool) -> int:
        read.append(start)
        return record_end(self, text, start, complete=complete)

    monkeypatch.setattr(Grammar, "record_end", counted)
    text = line * (10 * grammar._MANY_ODD_LINES)
    assert Grammar(Dialect()).spans(text, complete=True).multi == LineRanges()
    assert len(read) <= 2 * grammar._TRIED_LINES
