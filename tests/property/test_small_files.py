"""The check of small files without Polars finds the same as the engine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipectl.local.infer.file_reading import faults_of
from pipectl.local.small_files import check_small
from tabular.errors import TabularError
from tests.effort import examples
from tests.unit.tabular.engine import contract_of, layout_of

CONTRACTS = (
    None,
    contract_of({"name": "a", "type": "integer"}, {"name": "b"}),
    contract_of(
        {"name": "a", "type": "number", "missingValues": ["-"], "constraints": {"minimum": 2}},
        {"name": "b", "type": "string", "constraints": {"required": True, "maxLength": 3}},
    ),
    contract_of({"name": "b", "type": "date"}, {"name": "c"}, fieldsMatch="partial"),
    contract_of({"name": "a"}, {"name": "b"}, dialect={"skipBlankRows": True}),
    contract_of(
        {"name": "a"}, {"name": "b", "pipeline": {"trim": True}}, dialect={"header": False}
    ),
)
CELLS = st.sampled_from(
    ["", "1", "2.5", "-", "x", " x ", "2024-01-31", '"q"', '"a,b"', '"a\nb"', '"', "ü", "a", "b"]
)
ROWS = st.lists(st.lists(CELLS, min_size=0, max_size=4).map(",".join), max_size=8)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@examples(24)
@given(
    st.sampled_from(CONTRACTS), st.sampled_from(["a,b", "b,a", "a,b,"]), ROWS, ENDS, st.booleans()
)
def test_both_ways_find_the_same(
    contract: object, header: str, rows: list[str], end: str, ended: bool
) -> None:
    content = (end.join([header, *rows]) + (end if ended else "")).encode()
    try:
        layout = layout_of(content, contract)
    except TabularError:
        return
    small = check_small(content, layout)
    if small is None:
        return
    found, record_count = faults_of(content, layout)
    assert small.record_count == record_count
    assert small.rejects == [
        {name: reject[name] for name in ("row", "line", "byte_offset", "errors")}
        for reject in found
    ]


def test_plain_files_are_checked_without_the_engine() -> None:
    layout = layout_of(b"a,b\n1,x\ny,z\n", CONTRACTS[1])

    small = check_small(b"a,b\n1,x\ny,z\n", layout)

    assert small is not None
    assert (small.record_count, [reject["row"] for reject in small.rejects]) == (2, [2])
