"""infer lists exactly the exceptions that check rejects with the inferred contract."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipectl.commands.check import command
from pipectl.local.infer.file_reading import FileSample, ReadingOptions
from pipectl.local.infer.inference import Options, infer_contract
from tabular.errors import TabularError
from tests.effort import examples

VALUES = st.one_of(
    st.integers(-2000, 2000).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.dates().map(lambda day: day.strftime("%d.%m.%Y")),
    st.dates().map(lambda day: day.isoformat()),
    st.datetimes().map(lambda moment: moment.isoformat(sep=" ", timespec="seconds")),
    st.sampled_from(["yes", "no", "true", "18,90 €", "1.234,50", "(5.00)", "12E4", "95%", "007"]),
    st.sampled_from(["", "", "NA", "-", " 7 ", "x;y", "two\nlines", 'q"q', "Zoë", "é"]),
    st.text(alphabet="ab1;,. \"'", max_size=4),
)
COLUMNS = st.lists(VALUES, min_size=1, max_size=4)


def written(cells: list[str]) -> str:
    return ";".join(
        '"' + cell.replace('"', '""') + '"' if set(cell) & set(';"\n\r') else cell for cell in cells
    )


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Columns that are mostly of one kind each, some dirt, rows of another width, a footer."""
    width = draw(st.integers(1, 4))
    kinds = [
        draw(st.sampled_from((st.integers(0, 99).map(str), st.dates().map(str), VALUES)))
        for _ in range(width)
    ]
    rows = [written([f"c{number}" for number in range(width)])]
    for _ in range(draw(st.integers(0, 30))):
        cells = [draw(VALUES) if draw(st.integers(0, 19)) == 0 else draw(kind) for kind in kinds]
        rows.append(written(cells))
    for extra in draw(
        st.lists(st.sampled_from(["", "x", "1;2;3;4;5;6", '"open', rows[0]]), max_size=2)
    ):
        rows.insert(draw(st.integers(0, len(rows))), extra)
    return "\n".join(rows).encode(draw(st.sampled_from(("utf-8", "cp1252"))), "replace")


@examples(10)
@given(files(), st.booleans(), st.booleans())
def test_the_exceptions_are_the_faults(content: bytes, strict: bool, proposals: bool) -> None:
    options = Options(ReadingOptions(delimiter=";"), strict=strict, proposals=proposals)
    try:
        inference = infer_contract([FileSample("a.csv", content, len(content))], options)
    except TabularError:
        return
    if inference.unread:
        return
    listed = sorted(
        (e.row, e.line, str(e.field), e.code, str(e.value)) for e in inference.exceptions
    )

    assert listed == sorted(faults(content, inference.document))
    if strict:
        # Cells of records that are rejected as a whole say nothing about a column's type.
        whole = {failure.row for failure in inference.failures}
        assert {e.row for e in inference.exceptions if e.code == "type-error"} <= whole


def faults(content: bytes, contract: dict[str, Any]) -> list[tuple[int, int, str, str, str]]:
    """What `pipectl check` lists."""
    with TemporaryDirectory() as folder:
        file, path = Path(folder) / "a.csv", Path(folder) / "a.json"
        file.write_bytes(content)
        path.write_text(json.dumps(contract))
        result = CliRunner().invoke(
            command, [str(file), "--contract", str(path), "--json", "--limit", "100000"]
        )
    (verdict,) = json.loads(result.stdout)["files"]
    assert verdict["file_error"] is None or verdict["file_error"]["code"] == "TooManyRejects"
    return [
        (e["row"], e["line"], str(e["field"]), e["code"], str(e["value"]))
        for e in verdict["errors"]
    ]
