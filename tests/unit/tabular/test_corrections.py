"""The CSV in which rejected rows are corrected, how it is read back, and what corrections do."""

from __future__ import annotations

from typing import Any

import pytest

from tabular.errors import InvalidCorrections
from tabular.reading import corrected_rows
from tabular.reading.patches import Patch, merge_patches
from tabular.reading.split import Split
from tests.unit.tabular.correcting import patches_of, saved, table_of
from tests.unit.tabular.engine import TransformResult, contract_of, layout_of, run

FIELDS = (
    {"name": "id", "type": "integer"},
    {"name": "text", "type": "string"},
    {"name": "n", "type": "integer"},
)
CONTRACT = contract_of(*FIELDS, dialect={"delimiter": ","})
HEADER = "id,text,n\n"
BOM = "\ufeff"


def rejected(*rows: str, contract: Any = CONTRACT) -> TransformResult:
    return run((HEADER + "\n".join(rows) + "\n").encode(), contract)


def edited(result: TransformResult, *edits: tuple[str, str]) -> bytes:
    """The CSV of the rejected rows with texts replaced, each of which must be there once."""
    text = result.corrections.decode()
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text.encode()


def corrected(content: bytes, result: TransformResult, uploaded: bytes) -> TransformResult:
    return run(content, layout=result.layout, patches=patches_of(result, uploaded))


def problem(result: TransformResult, uploaded: bytes) -> str:
    with pytest.raises(InvalidCorrections) as caught:
        patches_of(result, uploaded)
    return str(caught.value)


class TestWriting:
    def test_a_line_has_only_row_reasons_and_cells_if_the_cells_show_everything(self) -> None:
        result = rejected("1,a,x", "2,ok,3", '3,"b, ""c""",y')
        assert result.corrections.decode() == (
            BOM + "_row,_errors,id,text,n,_raw\r\n"
            "1,n: expected an integer,1,a,x,\r\n"
            '3,n: expected an integer,3,"b, ""c""",y,\r\n'
        )

    def test_rows_that_cells_cannot_show_have_their_text(self) -> None:
        content = HEADER.encode() + b'1,a"b,1\n2,b\n3,c,4,5\n4,\xff,1\n5,d\0,1\n'
        rows = table_of(run(content, CONTRACT).corrections)[1:]
        assert [row[2:] for row in rows] == [
            ["", "", "", '1,a"b,1'],
            ["2", "b", "", "2,b"],
            ["3", "c", "4", "3,c,4,5"],
            ["4", "\ufffd", "1", "4,\ufffd,1"],
            ["5", "d\ufffd", "1", "5,d\ufffd,1"],
        ]

    def test_all_reasons_of_a_row_are_listed_and_cut_where_they_are_too_many(self) -> None:
        wide = contract_of(*({"name": f"f{n}", "type": "integer"} for n in range(60)))
        header = ",".join(f"f{n}" for n in range(60))
        result = run(f"{header}\n{',x' * 60}"[:-2].encode() + b"\n", wide)
        reasons = table_of(result.corrections)[1][1]
        assert reasons.startswith("f1: expected an integer; f2: expected an integer; ")
        assert len(reasons) == 1001
        assert reasons.endswith("…")

    def test_a_reason_names_the_other_row_of_a_key(self) -> None:
        contract = contract_of(*FIELDS, primaryKey=["id"])
        reasons = [
            row[1]
            for row in table_of(rejected("1,a,1", "2,b,1", "2,c,1", contract=contract).corrections)
        ]
        assert reasons == ["_errors", "id: primaryKey is id, and row 2 has the same"]

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("@a", "'@a"),
            ("-1+cmd", "'-1+cmd"),
            ("-12.50", "-12.50"),
            ("\uff1d1", "'\uff1d1"),
            ("\uff0ba", "'\uff0ba"),
            ("\uff0da", "'\uff0da"),
            ("\uff20a", "'\uff20a"),
            ("'=1", "''=1"),
            ("''@", "'''@"),
            ("\ta", "'\ta"),
            ("'a", "'a"),
            ("a=1", "a=1"),
        ],
    )
    def test_formulas_are_harmless_and_read_back_as_they_were(self, text: str, shown: str) -> None:
        result = rejected(f"1,{text},x")
        assert table_of(result.corrections)[1][3] == shown
        (patch,) = patches_of(result, edited(result, (",x,", ",2,")))
        assert patch.before == ("1", text, "x")
        again = run((HEADER + f"1,{text},x\n").encode(), CONTRACT, patches=[patch])
        assert again.data == [{"id": 1, "text": text, "n": 2}]

    def test_formulas_in_the_header_in_raw_text_and_in_reasons_are_harmless_too(self) -> None:
        contract = contract_of(
            {"name": "=a", "type": "integer"}, {"name": "b", "type": "string"}, dialect={}
        )
        result = run(b'=a,b\nx,y\n=c"d,e\n', contract)
        assert table_of(result.corrections) == [
            ["_row", "_errors", "'=a", "b", "_raw"],
            ["1", "'=a: expected an integer", "x", "y", ""],
            ["2", "unterminated or misplaced quote", "", "", "'=c\"d,e"],
        ]
        (patch,) = patches_of(result, edited(result, ("x,y", "5,y")))
        assert patch.after == ("5", None)

    def test_columns_with_names_of_the_pipelines_columns_keep_them(self) -> None:
        contract = contract_of(
            {"name": "_row", "type": "integer", "pipeline": {"outputName": "row"}},
            {"name": "_raw", "pipeline": {"outputName": "raw"}},
            dialect={},
        )
        result = run(b"_row,_raw\nx,y\n", contract)
        assert table_of(result.corrections)[0] == ["__row", "__errors", "_row", "_raw", "__raw"]
        (patch,) = patches_of(result, edited(result, ("x,y", "5,y")))
        assert patch.after == ("5", None)

    def test_a_file_without_header_has_the_names_of_the_contract(self) -> None:
        contract = contract_of(*FIELDS, dialect={"header": False})
        result = run(b"1,a,x\n", contract)
        assert table_of(result.corrections)[0] == ["_row", "_errors", "id", "text", "n", "_raw"]
        assert corrected(b"1,a,x\n", result, edited(result, (",x,", ",2,"))).data == [
            {"id": 1, "text": "a", "n": 2}
        ]

    def test_only_the_first_split_has_the_header(self) -> None:
        content = (HEADER + "1,a,x\n2,b,y\n").encode()
        layout = layout_of(content, CONTRACT)
        second = layout.data_start + len("1,a,x\n")
        part = run(
            content,
            layout=layout,
            split=Split(1, second, None, 2, 3),
        )
        assert part.corrections == b"2,n: expected an integer,2,b,y,\r\n"

    def test_long_cells_are_cut_for_spreadsheets_and_stay_whole_in_the_record(self) -> None:
        long = "é" * 20_000
        content = (HEADER + f"1,{long},x\n").encode()
        result = run(content, CONTRACT)
        shown = table_of(result.corrections)[1][3]
        assert shown.startswith("é" * 16_000 + "…")
        assert shown.endswith("of 20000 characters]")
        done = corrected(content, result, edited(result, (",x,", ",2,")))
        assert done.data == [{"id": 1, "text": long, "n": 2}]
        assert "was too long to be shown" in problem(
            result, edited(result, ("é" * 16_000, "é" * 15_999))
        )

    @pytest.mark.parametrize("cell", ['"' * 5_000, "x" * 5_000])
    def test_a_huge_record_can_be_read_back(self, cell: str) -> None:
        names = [f"f{n}" for n in range(400)]
        contract = contract_of(
            {"name": "f0", "type": "integer"},
            *({"name": name, "type": "string"} for name in names[1:]),
            dialect={"delimiter": ",", "quoteChar": "'"},
        )
        content = (",".join(names) + "\n" + ",".join(["x", *[cell] * 399]) + "\n").encode()
        result = run(content, contract)
        assert len(result.corrections) < 4 * 1024 * 1024
        rows = table_of(result.corrections)
        assert rows[1][2:5] == ["", "", ""]
        assert patches_of(result, result.corrections) == []
        rows[1][2] = "7"
        (done,) = corrected(content, result, saved(rows)).data
        assert (done["f0"], done["f399"]) == (7, cell)


class TestReading:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_files_saved_by_spreadsheets_are_read(
        self, encoding: str, delimiter: str, line_end: str
    ) -> None:
        result = rejected("1,Ä;\t,x", '2,"two\r\nlines",y')
        table = table_of(result.corrections)
        table[1][4] = "5"
        uploaded = saved(table, encoding=encoding, delimiter=delimiter, line_end=line_end)
        assert patches_of(result, uploaded) == [Patch(1, ("1", "Ä;\t", "x"), "", (None, None, "5"))]

    def test_columns_may_move_and_the_pipelines_columns_may_be_removed(self) -> None:
        result = rejected("1,a,x", '2,b"c,3')
        rows = [[row[4], row[2], row[0], row[3]] for row in table_of(result.corrections)]
        rows[1][0] = "6"
        assert [patch.after for patch in patches_of(result, saved(rows))] == [(None, None, "6")]

    def test_blank_rows_and_columns_and_moved_rows_do_not_matter(self) -> None:
        result = rejected("1,a,x", "2,b,y", "3,c,z")
        header, *rows = table_of(result.corrections)
        rows[2][4] = "9"
        table = [[*row, ""] for row in (header, rows[2], rows[0])] + [[""] * 7, ["", " "]]
        (patch,) = patches_of(result, saved(table))
        assert (patch.row, patch.after) == (3, (None, None, "9"))

    def test_line_ends_in_cells_and_lost_characters_are_not_changes(self) -> None:
        result = rejected('1,"a\r\nb 日本",x')
        table = table_of(result.corrections)
        table[1][3] = "a\nb ??"
        assert patches_of(result, saved(table, encoding="cp1252")) == []
        table[1][4] = "5"
        (patch,) = patches_of(result, saved(table, encoding="cp1252"))
        assert patch.after == (None, None, "5")

    def test_a_dropped_apostrophe_is_not_a_change(self) -> None:
        result = rejected("1,=a,x")
        assert patches_of(result, edited(result, ("'=a", "=a"))) == []

    def test_an_empty_cell_is_a_change_and_a_missing_one_is_an_error(self) -> None:
        result = rejected("1,a,x", "2,b,y")
        (patch,) = patches_of(result, edited(result, ("1,a,x,", "1,,x,")))
        assert patch.after == (None, "", None)
        assert "Line 3: the row has fewer cells than the header." in problem(
            result, edited(result, (",2,b,y,", ",2,b"))
        )

    def test_a_row_whose_raw_text_is_corrected_is_cut_by_the_files_own_dialect(self) -> None:
        contract = contract_of(*FIELDS, dialect={"delimiter": ";", "quoteChar": "'"})
        content = b"id;text;n\n1;a'b;2\n"
        result = run(content, contract)
        uploaded = edited(result, ("1;a'b;2", "1;'a''b; c';2"))
        assert corrected(content, result, uploaded).data == [{"id": 1, "text": "a'b; c", "n": 2}]

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            ('1,a""b""c,1', "unterminated or misplaced quote"),
            ("1,a", "`_raw` has 2 cells instead of 3"),
            ("1,a,2,3", "`_raw` has 4 cells instead of 3"),
            ("1,a,2\n2,b,3", "or two rows"),
        ],
    )
    def test_raw_text_that_is_still_wrong_is_an_error(self, raw: str, message: str) -> None:
        result = rejected('1,a"b,1')
        text = problem(result, edited(result, ('"1,a""b,1"', f'"{raw}"')))
        assert "Line 2: " in text
        assert message in text

    def test_cells_and_raw_text_must_not_contradict_each_other(self) -> None:
        result = rejected("1,a", "2,b,3,4")
        assert "contradict" in problem(result, edited(result, (',1,a,,"1,a"', ',1,b,,"1,a,5"')))
        (patch,) = patches_of(result, edited(result, (',1,a,,"1,a"', ',1,a,5,"1,a,5"')))
        assert patch.after == ("1", "a", "5")

    def test_an_emptied_raw_text_accepts_the_cells(self) -> None:
        content = (HEADER + "1,a\n2,b,3,4\n").encode()
        result = run(content, CONTRACT)
        done = corrected(content, result, edited(result, ('"1,a"', ""), ('"2,b,3,4"', "")))
        assert done.data == [{"id": 1, "text": "a", "n": None}, {"id": 2, "text": "b", "n": 3}]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (",,1,a,5,", "`_row` is missing"),
            ("x,,1,a,5,", "`_row` is not a number"),
            ("-1,,1,a,5,", "`_row` is not a number"),
            ("7,,1,a,5,", "its `_row` is not that of a rejected row"),
            ("0,,1,a,5,", "its `_row` is not that of a rejected row"),
            ("99999,,1,a,5,", "its `_row` is not that of a rejected row"),
            ("3,,1,a,5,", "its `_row` is also that of line 2"),
            ('3,,1,"a,5,', "a quote is not closed or is misplaced"),
            ("8,,1,a,5,,more", "the row has more cells than the header"),
        ],
    )
    def test_rows_that_were_not_rejected_are_errors(self, line: str, message: str) -> None:
        result = rejected("1,a,1", "2,b,1", "3,SECRET,x", "4,d,1", "5,e,y")
        uploaded = result.corrections + line.encode()
        text = problem(result, uploaded)
        assert f"Line 4: {message}" in text
        assert text.startswith("1 row of the corrected file can't be used, so nothing was correct")
        assert "SECRET" not in text

    def test_many_problems_are_counted(self) -> None:
        result = rejected("1,a,x")
        text = problem(result, result.corrections + b"x,,,,1,\n" * 25)
        assert text.startswith("25 rows of")
        assert "Line 12: " in text
        assert "Line 13: " not in text
        assert "15 more lines have problems." in text

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("id,text,n", "is not a header with the column `_row`"),
            ("_row,id,n", "lacks column 2 of the 3 columns"),
            ("_row,id,text,n,other", "Column 5 of the corrected file is not a column"),
            ("_row,id,text,n,n", "Columns 4, 5 of the corrected file have the same name"),
            ('_row,"id,text,n', "is not a header"),
            ("", "is not a header"),
        ],
    )
    def test_other_columns_are_an_error(self, header: str, message: str) -> None:
        assert message in problem(rejected("1,a,x"), header.encode() + b"\n1,1,a,5\n")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"PK\x03\x04xl", "workbook"),
            (b"_row,id,text,n\n1,1,\x81,2\n", "Line 2 of the corrected file has bytes"),
            (b"_row,id,text,n\n1,1,a\0,2\n", "Line 2 of the corrected file has a NUL"),
        ],
    )
    def test_bytes_that_are_not_text_are_an_error(self, content: bytes, message: str) -> None:
        assert message in problem(rejected("1,a,x"), content)

    def test_a_file_beyond_the_limit_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(corrected_rows, "MAX_CORRECTED_BYTES", 20)
        text = problem(rejected("1,a,x"), b"_row,id,text,n\n1,1,a,5\n")
        assert "the limit is 20. Remove the rows that you have not changed" in text

    def test_other_rejected_rows_than_those_of_the_layout_are_an_error(self) -> None:
        result = rejected("1,a,x")
        other = run(b"id,n\n1,x\n", contract_of(FIELDS[0], FIELDS[2]))
        result.corrections, uploaded = other.corrections, result.corrections
        assert "the contract has changed since" in problem(result, uploaded)
        result.corrections = uploaded.replace(b",x,", b",x")
        assert "have been changed or are damaged" in problem(result, uploaded)


class TestApplying:
    def test_three_rejects_are_three_records_again(self) -> None:
        content = (HEADER + '5,"abc,1\n1,ok,2\n2,"q",3\n3,def",7\n4,fine,x\n').encode()
        result = run(content, CONTRACT)
        assert list(result.codes) == [1, 4, 5]
        done = corrected(content, result, edited(result, ("fine,x", "fine,8")))
        assert (done.rows, list(done.codes)) == ([2, 3, 5], [1, 4])
        done = corrected(
            content,
            result,
            edited(result, ('"5,""abc,1"', '"5,abc,1"'), ('"3,def"",7"', '"3,def,7"')),
        )
        assert done.rows == [1, 2, 3, 4]
        assert done.data[0] == {"id": 5, "text": "abc", "n": 1}

    def test_keys_are_those_of_the_whole_file(self) -> None:
        contract = contract_of(*FIELDS, primaryKey=["id"])
        content = (HEADER + "1,a,1\n2,b,1\n2,c,1\n3,d,1\n").encode()
        result = run(content, contract)
        again = corrected(content, result, edited(result, (",2,c", ",3,c")))
        assert again.rows == [1, 2, 3]
        assert [row["errors"][0]["message"] for row in again.rejects] == [
            "primaryKey is id, and row 3 has the same"
        ]
        done = corrected(content, result, edited(result, (",2,c", ",4,c")))
        assert [record["id"] for record in done.data] == [1, 2, 4, 3]

    def test_a_row_that_stays_wrong_keeps_its_text_and_shows_the_new_cells(self) -> None:
        content = (HEADER + "1,a,x\n").encode()
        result = run(content, CONTRACT)
        again = corrected(content, result, edited(result, (",a,x,", ",b,y,")))
        assert again.rejects[0]["raw"] == "1,a,x"
        assert again.rejects[0]["errors"][0]["value"] == "y"
        assert table_of(again.corrections)[1][2:] == ["1", "b", "y", ""]

    def test_a_character_that_is_still_lost_is_rejected_again(self) -> None:
        content = HEADER.encode() + b"1,caf\xe9,x\n2,a\0,3\n"
        result = run(content, CONTRACT)
        again = corrected(content, result, edited(result, ("caf\ufffd,x,", "caf\ufffd,5,")))
        assert again.codes == {1: ["encoding-error"], 2: ["source-error"]}
        text = result.corrections.decode().replace("\ufffd", "é").replace("é,x", "é,5")
        done = corrected(content, result, text.encode())
        assert [record["text"] for record in done.data] == ["café", "aé"]

    def test_a_row_left_without_content_is_rejected_even_where_blank_rows_are_skipped(self) -> None:
        content = b'a,b\n1,x"y\n2,z\n'
        result = run(content)
        again = corrected(content, result, edited(result, ('"1,x""y"', "")))
        assert (again.rows, again.codes) == ([2], {1: ["blank-row"]})

    def test_a_record_that_was_too_long_is_corrected_by_its_cells(self) -> None:
        content = (HEADER + f"1,{'x' * 5_000_000},2\n2,b,3\n").encode()
        result = run(content, CONTRACT)
        table = table_of(result.corrections)
        table[1][2:5] = ["1", "short", "2"]
        assert corrected(content, result, saved(table)).data[0] == {
            "id": 1,
            "text": "short",
            "n": 2,
        }
        table[1][2:6] = ["", "", "", table[1][5][1:]]
        assert "`_raw` was too long to be shown" in problem(result, saved(table))

    def test_a_repeated_header_can_become_a_record_and_a_record_a_header(self) -> None:
        content = (HEADER + "id,text,n\n1,a,x\n").encode()
        result = run(content, CONTRACT)
        table = table_of(result.corrections)
        table[1][2:5], table[2][2:5] = ["2", "b", "3"], ["id", "text", "n"]
        again = corrected(content, result, saved(table))
        assert (again.rows, again.codes) == ([1], {2: ["repeated-header"]})

    def test_statistics_count_the_corrected_values(self) -> None:
        content = (HEADER + "1,a,x\n2,b,4\n").encode()
        result = run(content, CONTRACT)
        done = corrected(content, result, edited(result, (",x,", ",6,")))
        assert done.part == run((HEADER + "1,a,6\n2,b,4\n").encode(), CONTRACT).part

    @pytest.mark.parametrize(
        "patch",
        [
            Patch(1, ("1", "b", "x"), "", (None, None, "5")),
            Patch(1, ("1", "a", "x"), "1,a,x", (None, None, "5")),
            Patch(1, ("1", "a", "x"), "", (None, "5")),
            Patch(3, ("1", "a", "x"), "", (None, None, "5")),
        ],
        ids=["other cells", "other text", "other width", "no such row"],
    )
    def test_a_correction_of_another_record_is_never_applied(self, patch: Patch) -> None:
        content = (HEADER + "1,a,x\n2,b,3\n").encode()
        with pytest.raises(InvalidCorrections, match=f"Row {patch.row} is not the record"):
            run(content, CONTRACT, patches=[patch])

    def test_a_contract_that_counts_rows_differently_is_detected(self) -> None:
        content = (HEADER + "\n1,a,x\n2,b,y\n").encode()
        result = run(content, CONTRACT)
        patches = patches_of(result, edited(result, (",a,x,", ",a,5,")))
        skipping = contract_of(*FIELDS, dialect={"delimiter": ",", "skipBlankRows": True})
        with pytest.raises(InvalidCorrections, match="Restore the contract's dialect"):
            run(content, skipping, patches=patches)
        stricter = contract_of(
            *FIELDS[:2], {**FIELDS[2], "constraints": {"minimum": 9}}, dialect={"delimiter": ","}
        )
        assert run(content, stricter, patches=patches).codes[2] == ["constraint-error"]


class TestMerging:
    def test_later_corrections_win_cell_by_cell(self) -> None:
        first = [
            Patch(1, ("a", "b"), "", ("x", None), ("e1",)),
            Patch(3, ("c", "d"), "r", ("y", "z")),
        ]
        second = [
            Patch(1, ("x", "b"), "", (None, "w"), ("e2",)),
            Patch(2, ("e", "f"), "", ("v", None)),
        ]
        assert list(merge_patches(first, second)) == [
            Patch(1, ("a", "b"), "", ("x", "w"), ("e1", "e2")),
            second[1],
            first[1],
        ]

    def test_a_patch_is_the_same_after_writing_and_reading(self) -> None:
        patch = Patch(7, ("a\n", "ü"), 'r"', (None, ""), ("e",))
        line = patch.to_line()
        assert line.count(b"\n") == 1
        assert Patch.from_line(line) == patch

    def test_corrections_of_another_width_are_not_merged(self) -> None:
        with pytest.raises(InvalidCorrections, match="Row 1"):
            list(
                merge_patches(
                    [Patch(1, ("a",), "", ("b",))], [Patch(1, ("a", "b"), "", ("c", "d"))]
                )
            )


def test_patches_are_read_lazily_and_only_as_far_as_the_split_goes() -> None:
    content = (HEADER + "1,a,x\n2,b,y\n").encode()
    layout = layout_of(content, CONTRACT)
    taken = []

    def patches() -> Any:
        for row in range(2, 10):
            taken.append(row)
            yield Patch(row, (str(row), "b", "y"), "", (None, None, "5"))

    first = Split(0, layout.data_start, layout.data_start + len("1,a,x\n"), 1, 2)
    run(content, layout=layout, split=first, patches=patches())
    assert taken == [2]
