"""Many lines with odd quotes are searched at once, and give the records that reading each gives."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tabular.model import Dialect
from tabular.reading import grammar
from tabular.reading.grammar import Grammar
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
    for many in (0, len(texts)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grammar, "_MANY_ODD_LINES", many)
            spans = Grammar(dialect).spans(text, complete=complete)
        found.append((spans.multi, spans.lines, spans.size))
    assert found[0] == found[1]


def test_a_file_of_misplaced_quotes_is_not_read_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Grammar, "record_end", None)
    text = b'x,y"\n' * (grammar._MANY_ODD_LINES + 1)
    assert Grammar(Dialect()).spans(text, complete=True).multi == []
