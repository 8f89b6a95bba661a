"""The output and the effect of the operator's commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipectl.embedded.process import StackProcess
from tests.integration.operate.conftest import Command, DatasetFolder
from tests.unit.tabular.correcting import table_of


def broken(dataset: DatasetFolder, *names: str) -> list[str]:
    """Files of these names that failed because their contract is invalid."""
    dataset.set_contract(type_of_id="integr")
    return [dataset.run(name=name) for name in names]


def test_executions_are_listed_with_their_files(dataset: DatasetFolder, command: Command) -> None:
    [failed] = broken(dataset, "failed.csv")
    dataset.set_contract(type_of_id="integer")
    good = dataset.run(name="good.csv")
    dataset.redrive(failed)
    dataset.ended(failed, redrives=1)
    done = command("executions", "--json", "--source", dataset.glob)

    assert done.document["truncated"] is False
    listed = {one["file_id"]: one for one in done.document["executions"]}
    assert set(listed) == {failed, good}
    assert listed[good]["source"].endswith(f"/raw/{dataset.name}/good.csv")
    assert listed[good]["status"] == "succeeded"
    assert listed[failed]["redrives"] == 1
    assert listed[failed]["error"] is None
    text = command("executions", "--source", dataset.glob).stdout
    assert f"1, redriven 1x  -      raw/{dataset.name}/failed.csv" in text


def test_executions_are_narrowed_by_status_time_and_number(
    dataset: DatasetFolder, command: Command
) -> None:
    failed = broken(dataset, "a.csv", "b.csv")
    narrow = ("executions", "--json", "--source", dataset.glob)

    assert command(*narrow, "--status", "succeeded").document["executions"] == []
    found = command(*narrow, "--status", "failed", "--since", "1h").document["executions"]
    assert {one["file_id"] for one in found} == set(failed)
    assert {one["error"] for one in found} == {"InvalidContract"}
    cut = command(*narrow, "--limit", "1").document
    assert (len(cut["executions"]), cut["truncated"]) == (1, True)


def test_show_describes_a_file_and_all_its_executions(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    assert command("rerun", "--new", file_id).exit_code == 0
    later = dataset.run(name="file.csv")
    shown = command("show", file_id, "--json").document

    assert shown["execution"]["name"] == f"{file_id}-r2"
    assert shown["execution"]["replay_of"] == file_id
    assert [one["name"] for one in shown["attempts"]] == [file_id, f"{file_id}-r2"]
    assert [one["status"] for one in shown["attempts"]] == ["failed", "succeeded"]
    assert shown["outputs"]["processed"].endswith(f"processed/{dataset.name}/file.csv.jsonl")
    assert shown["metadata"]["attempt"] == 2
    versions = {one["file_id"]: one["later"] for one in shown["versions"]}
    assert versions == {file_id: False, later: True}


def test_show_says_where_and_why_an_execution_failed(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    shown = command("show", f"{file_id}-r1", "--json").document["execution"]

    assert shown["status"] == "failed"
    assert shown["redrivable"] is True
    assert shown["error"]["code"] == "InvalidContract"
    assert shown["error"]["state"] == "ParseCsv"
    first = shown["states"][0]
    assert (first["name"], first["status"], first["tries"]) == ("ParseCsv", "failed", 1)
    assert shown["states"][-1]["name"] == "FailureGate"
    text = command("show", file_id).stdout
    assert "Rerun with    pipectl rerun" in text


def test_show_counts_tries_and_separates_redrives(
    embedded: StackProcess, dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    embedded.add_fault("data-pipeline-transform-dev", "throttle", times=2)
    assert command("rerun", file_id).exit_code == 0
    states = command("show", file_id, "--json").document["execution"]["states"]

    again = {one["name"]: one for one in states if one["redrive"] == 1}
    assert again["Transform"]["tries"] == 3
    assert again["FailureGate"]["status"] == "succeeded"
    gate = next(one for one in states if one["name"] == "FailureGate")
    assert (gate["redrive"], gate["status"]) == (0, "failed")


def test_show_writes_the_page_of_an_execution(
    embedded: StackProcess, dataset: DatasetFolder, command: Command, tmp_path: Path
) -> None:
    [file_id] = broken(dataset, "file.csv")
    page = tmp_path / "run.html"

    assert f"Wrote {page}" in command("show", file_id, "--html", str(page)).stdout
    failed = page.read_text(encoding="utf-8")
    assert "The execution failed in ParseCsv." in failed
    assert f"pipectl rerun {file_id}" in failed

    dataset.set_contract(type_of_id="integer")
    assert command("rerun", file_id).exit_code == 0
    assert command("show", file_id, "--html", str(page)).exit_code == 0
    redriven = page.read_text(encoding="utf-8")
    assert "run 2, a redrive" in redriven
    assert command("show", file_id, "--open").exit_code == 2
    nowhere = command("show", file_id, "--html", str(tmp_path / "no" / "run.html"))
    assert (nowhere.exit_code, "can't be written" in nowhere.stderr) == (1, True)


def test_failures_say_why_a_file_failed_and_how_to_rerun_it(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    found = command("failures", "--json", "--source", dataset.glob).document["failures"]

    assert len(found) == 1
    assert found[0]["file_id"] == file_id
    assert found[0]["error"]["code"] == "InvalidContract"
    assert found[0]["error"]["state"] == "ParseCsv"
    assert (found[0]["attempts"], found[0]["redrives"]) == (1, 0)
    assert found[0]["redrivable"] is True
    assert found[0]["dead_letters"] == 1
    assert found[0]["resolved_by"] is None
    line = command("failures", "--source", dataset.glob).stdout.splitlines()[1]
    assert line.startswith(file_id)
    assert "InvalidContract in ParseCsv" in line


def test_a_later_failure_of_an_execution_started_by_hand_does_not_undo_a_success(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integer")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integr")
    by_hand = f"by-hand-{dataset.name}"
    dataset.start_again(file_id, by_hand)
    assert dataset.ended(by_hand)["status"] == "FAILED"
    assert "nothing to do: it has succeeded" in command("show", by_hand).stdout
    failures = ("failures", "--json", "--source", dataset.glob)

    [left_over] = command(*failures).document["failures"]
    assert left_over["resolved_by"]["how"] == "attempt"
    dataset.move_back(file_id)
    dataset.wait_for_empty_queue()
    assert command(*failures).document["failures"] == []


def test_failures_that_a_later_version_resolved_say_so(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    later = dataset.run(name="file.csv")
    [found] = command("failures", "--json", "--source", dataset.glob).document["failures"]

    assert found["file_id"] == file_id
    assert found["resolved_by"]["how"] == "version"
    assert found["resolved_by"]["file_id"] == later
    everything = ("rerun", "--all", "--dry-run", "--json", "--source", dataset.glob)
    assert command(*everything).document["reruns"] == []


def test_a_dead_letter_left_over_after_a_success_is_listed_and_deleted_by_a_rerun(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    dataset.redrive(file_id)
    dataset.ended(file_id, redrives=1)
    [found] = command("failures", "--json", "--source", dataset.glob).document["failures"]

    assert found["resolved_by"]["how"] == "attempt"
    assert len(dataset.dead_letters(file_id)) == 1
    [deleted] = command("rerun", file_id, "--json").document["reruns"]
    assert (deleted["how"], deleted["status"]) == ("none", "succeeded")
    assert deleted["deleted_dead_letters"] == 1
    assert dataset.dead_letters(file_id) == []


def test_dead_letters_about_no_file_are_listed_and_left_alone(
    foreign_message: str, command: Command
) -> None:
    found = [command("failures", "--json").document["unknown_messages"] for _ in range(2)]
    bodies = [[one["body"] for one in messages] for messages in found]
    assert [found.count(foreign_message) for found in bodies] == [1, 1]


def test_a_file_that_never_started_is_found_in_the_queue_and_rerun(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integer")
    # The starter ignores the object, so nothing else starts it.
    file_id = dataset.drop_as_dead_letter("_lost.csv")
    [found] = command("failures", "--json", "--source", dataset.glob).document["failures"]

    assert (found["file_id"], found["known_from"]) == (file_id, "message")
    assert found["error"]["code"] == "NotStarted"
    assert found["redrivable"] is False
    done = command("rerun", "--all", "--json", "--source", dataset.glob)
    assert done.exit_code == 0, done.stderr
    [rerun] = done.document["reruns"]
    assert (rerun["how"], rerun["status"], rerun["deleted_dead_letters"]) == (
        "new_attempt",
        "succeeded",
        1,
    )
    assert dataset.statuses(file_id) == {"1.0": "succeeded"}


def test_rerun_all_stops_at_a_canary_that_fails(dataset: DatasetFolder, command: Command) -> None:
    file_ids = broken(dataset, "a.csv", "b.csv", "c.csv")
    done = command("rerun", "--all", "--json", "--source", dataset.glob)

    assert done.exit_code == 1
    assert done.document["canary"] == "failed"
    statuses = {one["file_id"]: one["status"] for one in done.document["reruns"]}
    assert list(statuses.values()) == ["failed", "not_run", "not_run"]
    assert set(statuses) == set(file_ids)
    assert [dataset.item(file_id)["redrive_count"] for file_id in statuses] == [1, 0, 0]
    assert all(dataset.dead_letters(file_id) for file_id in file_ids)


def test_rerun_all_continues_after_its_canary_and_deletes_the_dead_letters(
    dataset: DatasetFolder, command: Command
) -> None:
    file_ids = broken(dataset, "a.csv", "b.csv", "c.csv")
    dataset.set_contract(type_of_id="integer")
    everything = ("rerun", "--all", "--json", "--source", dataset.glob)
    planned = command(*everything, "--dry-run").document
    done = command(*everything)

    assert [one["status"] for one in planned["reruns"]] == ["planned"] * 3
    assert done.exit_code == 0, done.stderr
    assert done.document["canary"] == "succeeded"
    assert [one["canary"] for one in done.document["reruns"]] == [True, False, False]
    assert {one["status"] for one in done.document["reruns"]} == {"succeeded"}
    assert [one["deleted_dead_letters"] for one in done.document["reruns"]] == [1, 1, 1]
    assert not any(dataset.dead_letters(file_id) for file_id in file_ids)
    assert [dataset.success_notifications(file_id) for file_id in file_ids] == [1, 1, 1]


def test_rerun_all_takes_a_limited_number_of_files_with_one_error(
    dataset: DatasetFolder, command: Command
) -> None:
    broken(dataset, "a.csv", "b.csv")
    everything = ("rerun", "--all", "--dry-run", "--json", "--source", dataset.glob)

    assert command(*everything, "--error", "EmptyFile").document["reruns"] == []
    named = command(*everything, "--error", "InvalidContract", "--limit", "1").document["reruns"]
    assert [one["source"].rpartition("/")[2] for one in named] == ["a.csv"]


def test_a_file_that_has_succeeded_is_rerun_by_force_only(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integer")
    file_id = dataset.run()
    assert command("rerun", file_id).exit_code == 0
    assert dataset.statuses(file_id) == {"1.0": "succeeded"}
    done = command("rerun", file_id, "--force")

    assert done.exit_code == 0, done.stderr
    assert dataset.statuses(file_id) == {"1.0": "succeeded", "2.0": "succeeded"}
    assert dataset.item(file_id)["replay_of"] == file_id


def test_rerun_without_waiting_says_what_was_started(
    dataset: DatasetFolder, command: Command
) -> None:
    [file_id] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    done = command("rerun", file_id, "--no-wait", "--json")

    assert done.exit_code == 0
    assert [one["status"] for one in done.document["reruns"]] == ["started"]
    assert dataset.ended(file_id, redrives=1)["status"] == "SUCCEEDED"
    assert len(dataset.dead_letters(file_id)) == 1


def test_backfill_runs_what_never_succeeded_and_lists_ignored_objects(
    dataset: DatasetFolder, command: Command
) -> None:
    [failed] = broken(dataset, "failed.csv")
    dataset.set_contract(type_of_id="integer")
    dataset.run(name="good.csv")
    ignored = dataset.drop(name="_SUCCESS")
    backfill = ("backfill", "--json", "--prefix", f"raw/{dataset.name}/")
    planned = command(*backfill, "--dry-run").document

    assert [(one["file_id"], one["state"]) for one in planned["objects"]] == [(failed, "failed")]
    assert [(one["file_id"], one["ignored"]) for one in planned["ignored"]] == [
        (ignored, "its name begins with _")
    ]
    assert planned["succeeded"] == 1
    assert command(*backfill).exit_code == 0
    assert dataset.ended(f"{failed}-r2")["status"] == "SUCCEEDED"
    left = command(*backfill).document
    assert (left["objects"], len(left["ignored"]), left["succeeded"]) == ([], 1, 2)


@pytest.mark.slow
def test_backfill_leaves_a_failed_version_alone_if_a_later_one_was_archived(
    embedded: StackProcess, dataset: DatasetFolder, command: Command
) -> None:
    [failed] = broken(dataset, "file.csv")
    dataset.set_contract(type_of_id="integer")
    later = dataset.run(name="file.csv")
    item = dataset.item(later)
    # As the archive does, which makes the failed version the present object.
    embedded.client("s3").delete_object(
        Bucket=item["source_bucket"], Key=item["source_key"], VersionId=item["source_version_id"]
    )
    backfill = ("backfill", "--json", "--dry-run", "--prefix", f"raw/{dataset.name}/")

    found = command(*backfill).document
    assert (found["objects"], found["superseded"]) == ([], 1)
    assert command(*backfill, "--all-versions").document["objects"] == []
    assert dataset.item(failed)["status"] == "failed"


def test_backfill_takes_earlier_versions_on_request(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integr")
    first, second = dataset.run(name="a.txt"), dataset.run(name="a.txt")
    # Below raw/, as all that runs is.
    backfill = ("backfill", "--json", "--dry-run", "--prefix", f"{dataset.name}/")

    present = command(*backfill).document["objects"]
    assert [one["file_id"] for one in present] == [second]
    both = command(*backfill, "--all-versions").document["objects"]
    assert {one["file_id"] for one in both} == {first, second}
    assert command(*backfill, "--since", "2099-01-01").document["objects"] == []


def test_unknown_files_and_executions_are_an_error_in_one_sentence(command: Command) -> None:
    for name in ("show", "rerun"):
        done = command(name, "0" * 32)
        assert done.exit_code == 1
        assert f"Nothing is known of the file {'0' * 32}" in done.stderr
        done = command(name, f"{'0' * 32}-r2")
        assert done.exit_code == 1
        assert "There is no execution" in done.stderr


def test_a_file_that_no_rerun_can_fix_is_skipped(dataset: DatasetFolder, command: Command) -> None:
    empty = dataset.run(b"", "empty.csv")
    broken(dataset, "a.csv")
    dataset.set_contract(type_of_id="integer")
    [line] = [it for it in command("failures").stdout.splitlines() if it.startswith(empty)]
    assert "upload again" in line
    done = command("rerun", "--all", "--json", "--limit", "1", "--source", dataset.glob)
    named = command("rerun", empty)

    assert done.exit_code == 0, done.stderr
    statuses = {one["file_id"]: one["status"] for one in done.document["reruns"]}
    assert statuses.pop(empty) == "skipped"
    assert list(statuses.values()) == ["succeeded"]
    assert named.exit_code == 1
    assert "upload again" in named.stdout
    assert dataset.statuses(empty) == {"1.0": "failed"}
    shown = command("show", empty).stdout
    assert "Next step     Upload a corrected file." in shown
    assert f"Report        pipectl show {empty} --report report.html" in shown


def test_rejects_are_shown_whether_they_are_published_or_not(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integer")
    body = b"id\n1\nx\n2\ny\n"
    published = dataset.run(body, "some.csv")
    unpublished = dataset.run(b"id\nx\ny\n", "all.csv")
    clean = dataset.run(b"id\n1\n", "none.csv")

    assert dataset.item(unpublished)["error"]["code"] == "TooManyRejects"
    message = dataset.item(unpublished)["error"]["message"]
    assert f"`pipectl rejects {unpublished}`" in message
    assert f"work/{unpublished}/{unpublished}/parts/" in message
    assert "Row 2, line 3\n" in command("rejects", published).stdout
    for file_id in (published, unpublished):
        found = [json.loads(it) for it in command("rejects", file_id, "--json").stdout.splitlines()]
        assert [one["raw"] for one in found] == ["x", "y"]
        rows = table_of(command("rejects", file_id, "--csv").stdout.encode())
        assert [row[2] for row in rows] == ["id", "x", "y"]
        assert len(command("rejects", file_id, "--json", "--limit", "1").stdout.splitlines()) == 1
    none = command("rejects", clean)
    assert (none.exit_code, none.stdout) == (0, "")
    assert "No records of the file were rejected: 0 of 1 records." in none.stderr
    unknown = command("rejects", "0" * 32)
    assert unknown.exit_code == 1
    assert "Nothing is known of the file" in unknown.stderr
    assert command("rejects", "not-an-id").exit_code == 2
    assert command("rejects", published, "--csv", "--limit", "1").exit_code == 2


def test_rejected_rows_are_corrected_from_the_command_line(
    dataset: DatasetFolder, command: Command, tmp_path: Path
) -> None:
    dataset.set_contract(type_of_id="integer")
    file_id = dataset.run(b"id\n1\nx\n2\ny\n", "some.csv")
    rows = tmp_path / "rows.csv"
    assert command("rejects", file_id, "--csv", str(rows)).exit_code == 0

    unchanged = command("correct", file_id, str(rows))
    assert (unchanged.exit_code, unchanged.stdout) == (
        0,
        "No row is changed, so there is nothing to correct.\n",
    )
    rows.write_bytes(rows.read_bytes().replace(b",x,", b",3,").replace(b",y,", b",z,"))
    dry = command("correct", file_id, str(rows), "--dry-run")
    assert dry.exit_code == 0, dry.stderr
    assert dry.stdout == (
        "Row 2: id: 'x' -> '3'\n"
        "Row 4: id: 'y' -> 'z'\n"
        "  still wrong: id: expected an integer\n"
        "2 rows are changed; 1 of them will be rejected again."
        " Keys are compared when the file is processed.\n"
    )
    assert dataset.statuses(file_id) == {"1.0": "succeeded"}

    done = command("correct", file_id, str(rows))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(f"{file_id}-r2 succeeded: 3 of 4 records processed, 1 rejected.\n")
    again = command("correct", file_id, str(rows), "--json")
    assert again.exit_code == 1
    assert "Line 2: its `_row` is not that of a rejected row." in again.stderr
    assert command("rejects", file_id, "--csv", str(rows)).exit_code == 0
    rows.write_bytes(rows.read_bytes().replace(b",z,", b",4,"))
    last = command("correct", file_id, str(rows), "--json").document
    assert (last["status"], last["error_count"], last["corrected_count"]) == ("succeeded", 0, 2)
    assert last["rows"] == [
        {"row": 4, "changes": [{"column": "id", "before": "z", "after": "4"}], "errors": []}
    ]
    unknown = command("correct", "0" * 32, str(rows))
    assert unknown.exit_code == 1
    assert "Nothing is known of the file" in unknown.stderr


def test_a_smoke_test_succeeds_and_leaves_nothing(dataset: DatasetFolder, command: Command) -> None:
    done = command("smoke", "--json")

    assert (done.exit_code, done.document["problems"]) == (0, [])
    s3 = dataset.stack.deployment.client("s3")
    name = done.document["key"].split("/")[1]
    found = [
        one["Key"]
        for bucket in ("InputBucketName", "OutputBucketName")
        for page in s3.get_paginator("list_object_versions").paginate(
            Bucket=dataset.stack.outputs[bucket]
        )
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if name in one["Key"] or done.document["file_id"] in one["Key"]
    ]
    assert found == []
    assert command("doctor", "--json").exit_code == 0
