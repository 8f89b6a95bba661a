"""Every object under `raw/` is processed, fails visibly, or is on the list of ignored names."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.end_to_end.pipeline import Pipeline

IGNORED = '"message":"ignored"'


def archive(**members: bytes) -> bytes:
    """A ZIP archive of members in a folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(f"export/{name.replace('__', '.')}", content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("A.CSV", b"id,x\n1,a\n2,b\n"),
        ("a.Txt", b"id;x\n1;a\n2;b\n"),
        ("a.psv", b"id|x\n1|a\n2|b\n"),
        ("a.ZIP", archive(a__tsv=b"id\tx\n1\ta\n2\tb\n", b__pdf=b"%PDF")),
    ],
)
def test_csv_like_files_and_archives_of_one_are_processed(
    pipeline: Pipeline, name: str, body: bytes
) -> None:
    outcome = pipeline.run(body, name)
    assert outcome.execution.status == "succeeded"
    assert (outcome.item["processed_count"], outcome.item["error_count"]) == (2, 0)


def test_any_other_name_fails_like_every_failure(pipeline: Pipeline) -> None:
    outcome = pipeline.wait_for_failure(pipeline.drop(b"PK", "Report.xlsx").file_id)
    assert outcome.item["error"]["code"] == "UnsupportedFormat"
    assert "Export the sheet as CSV in UTF-8." in outcome.item["error"]["message"]
    [notification] = pipeline.notifications(outcome.file_id)
    assert notification["attributes"]["error"] == "UnsupportedFormat"
    [document] = pipeline.dead_letters(outcome.file_id)
    assert document["failure"]["caught"]["Error"] == "UnsupportedFormat"


def test_ignored_objects_start_nothing_and_are_logged(pipeline: Pipeline) -> None:
    files = [
        pipeline.drop(body, name, dataset="every-object")
        for name, body in (("", b""), ("_SUCCESS", b""), ("a.csv.tmp", b"id\n1\n"))
    ]
    pipeline.run(b"id\n1\n", "a.csv", dataset="every-object")
    pipeline.wait_until_all_is_delivered()
    assert [pipeline.attempts(file.file_id) for file in files] == [[], [], []]
    assert [pipeline.item(file.file_id) for file in files] == [{}, {}, {}]
    [log] = [text for name, text in pipeline.stack.logs().items() if "starter" in name]
    logged = [json.loads(line) for line in log.splitlines() if IGNORED in line]
    ours = {line["key"]: line["reason"] for line in logged if "every-object" in line["key"]}
    assert ours == {
        "raw/every-object/": "it marks a folder",
        "raw/every-object/_SUCCESS": "its name begins with _",
        "raw/every-object/a.csv.tmp": "its name ends with .tmp, so it is not complete",
    }
