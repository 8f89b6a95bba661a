"""Every way to rerun a failed file leaves correct metadata and one notification of success."""

from __future__ import annotations

import json
from pathlib import Path

from pipectl.client.stack_choice import Stack
from pipectl.client.targets import read_target
from pipectl.embedded.process import StackProcess
from pipectl.operate.failed_files import DEFINITION_CHANGED
from pipectl.operate.rerun_actions import RerunActions
from pipectl.operate.rerun_candidates import find_candidates
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import plan_reruns
from tests.integration.operate.conftest import Command, DatasetFolder

BY_HAND = "5b1f0e3c-7a52-4d1e-9c6a-0d9d3c1b7f42"


def test_an_execution_can_be_redriven_any_number_of_times(dataset: DatasetFolder) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.redrive(file_id)
    dataset.ended(file_id, redrives=1)
    dataset.set_contract(type_of_id="integer")
    dataset.redrive(file_id)

    assert dataset.ended(file_id, redrives=2)["status"] == "SUCCEEDED"
    assert dataset.statuses(file_id) == {"1.0": "failed", "1.1": "failed", "1.2": "succeeded"}
    item = dataset.item(file_id)
    assert (item["status"], item["attempt"], item["redrive_count"]) == ("succeeded", 1, 2)
    assert "replay_of" not in item
    assert "failed_on" not in item
    assert dataset.success_notifications(file_id) == 1
    assert len(dataset.dead_letters(file_id)) == 2


def test_new_execution_in_the_console_repeats_the_attempt(dataset: DatasetFolder) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    dataset.start_again(file_id, f"{BY_HAND}-{dataset.name}")

    assert dataset.ended(f"{BY_HAND}-{dataset.name}")["status"] == "SUCCEEDED"
    runs = {"1.0": "failed", f"{BY_HAND}-{dataset.name}.0": "succeeded"}
    assert dataset.statuses(file_id) == runs
    item = dataset.item(file_id)
    assert item["status"] == "succeeded"
    assert item["execution_name"] == f"{BY_HAND}-{dataset.name}"
    assert item["replay_of"] == file_id
    assert dataset.success_notifications(file_id) == 1


def test_a_dead_letter_starts_nothing_after_a_new_execution_succeeded(
    embedded: StackProcess, dataset: DatasetFolder
) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    dataset.start_again(file_id, f"{BY_HAND}-{dataset.name}")
    dataset.ended(f"{BY_HAND}-{dataset.name}")
    dataset.move_back(file_id)
    dataset.wait_for_empty_queue()

    assert len(dataset.statuses(file_id)) == 2
    assert dataset.success_notifications(file_id) == 1
    executions = embedded.client("stepfunctions").list_executions(
        stateMachineArn=dataset.machine, statusFilter="RUNNING"
    )
    assert executions["executions"] == []


def test_a_dead_letter_moved_back_starts_the_next_attempt(dataset: DatasetFolder) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    dataset.move_back(file_id)

    assert dataset.ended(f"{file_id}-r2")["status"] == "SUCCEEDED"
    assert dataset.statuses(file_id) == {"1.0": "failed", "2.0": "succeeded"}
    item = dataset.item(file_id)
    assert (item["attempt"], item["replay_of"]) == (2, file_id)
    assert dataset.success_notifications(file_id) == 1
    assert dataset.dead_letters(file_id) == []


def test_an_older_version_publishes_nothing_after_a_later_one_has_succeeded(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integr")
    older = dataset.run(b"id\n1\n")
    dataset.set_contract(type_of_id="integer")
    later = dataset.run(b"id\n2\n")
    assert dataset.item(later)["status"] == "succeeded"

    named = command("rerun", older, "--json")
    [rerun] = named.document["reruns"]
    assert (rerun["how"], rerun["status"], named.exit_code) == ("none", "superseded", 1)
    # As moving the whole dead-letter queue back does.
    dataset.move_back(older)

    assert dataset.ended(f"{older}-r2")["status"] == "SUCCEEDED"
    assert dataset.statuses(older) == {"1.0": "failed", "2.0": "superseded"}
    item = dataset.item(older)
    assert (item["status"], item["superseded_by"]["file_id"]) == ("superseded", later)
    assert "failed_on" not in item
    [output] = dataset.stack.output_keys(f"processed/{dataset.name}/")
    assert dataset.item(later)["output_key"] == output


def test_a_file_whose_contract_was_deleted_fails_until_there_is_one_again(
    embedded: StackProcess, dataset: DatasetFolder, command: Command, tmp_path: Path
) -> None:
    # With a name in another case than the folder's.
    contract = tmp_path / "contract.json"
    contract.write_text('{"schema": {"fields": [{"name": "id", "type": "integer"}]}}')
    key = f"contracts/{dataset.name.upper()}.json"
    pushed = command("contract", "push", str(contract), "--dataset", dataset.name.upper())
    assert key in pushed.stdout
    assert dataset.item(dataset.run(b"id\n1\n"))["contract_key"] == key
    bucket = embedded.outputs["InputBucketName"]
    embedded.client("s3").delete_object(Bucket=bucket, Key=key)

    file_id = dataset.run(b"id\nx\n")

    error = dataset.item(file_id)["error"]
    assert (error["code"], error["state"]) == ("ContractMissing", "ParseCsv")
    assert key in error["message"]
    command("contract", "push", str(contract), "--dataset", dataset.name)
    assert command("rerun", file_id).exit_code == 1
    assert dataset.item(file_id)["error"]["code"] == "TooManyRejects"
    contract.write_text("{}")
    pushed = command("contract", "push", str(contract), "--dataset", dataset.name.title())
    assert f"contracts/{dataset.name}.json" in pushed.stdout
    assert command("rerun", file_id).exit_code == 0
    assert dataset.statuses(file_id) == {"1.0": "failed", "1.1": "failed", "1.2": "succeeded"}


def test_rerun_redrives_if_possible(dataset: DatasetFolder, command: Command) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    result = command("rerun", file_id)

    assert result.exit_code == 0, result.stderr
    assert "redrive (emulated)" in result.stdout
    assert dataset.statuses(file_id) == {"1.0": "failed", "1.1": "succeeded"}
    assert dataset.success_notifications(file_id) == 1
    assert dataset.dead_letters(file_id) == []


def test_rerun_follows_a_redrive_that_someone_else_started_first(
    embedded: StackProcess, dataset: DatasetFolder
) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    stack, options = Stack(embedded.deployment), RerunOptions((read_target(file_id),))
    [rerun] = plan_reruns(find_candidates(stack, options), options)
    assert rerun.how == "redrive"
    dataset.redrive(file_id)
    actions = RerunActions(stack, options)
    actions.start([rerun])
    actions.follow([rerun], lambda _: None)

    assert (rerun.how, rerun.status) == ("follow", "succeeded")
    assert dataset.statuses(file_id) == {"1.0": "failed", "1.1": "succeeded"}


def test_rerun_makes_a_new_attempt_on_request(dataset: DatasetFolder, command: Command) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    result = command("rerun", "--new", file_id)

    assert result.exit_code == 0, result.stderr
    assert "new attempt, because --new was given" in result.stderr
    assert dataset.statuses(file_id) == {"1.0": "failed", "2.0": "succeeded"}
    assert dataset.item(file_id)["replay_of"] == file_id
    assert dataset.success_notifications(file_id) == 1
    assert dataset.dead_letters(file_id) == []


def test_rerun_makes_a_new_attempt_if_the_definition_has_changed(
    embedded: StackProcess, dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.set_contract(type_of_id="integer")
    states = embedded.client("stepfunctions")
    before = states.describe_state_machine(stateMachineArn=dataset.machine)["definition"]
    changed = json.dumps({**json.loads(before), "Comment": "changed"})
    states.update_state_machine(stateMachineArn=dataset.machine, definition=changed)
    try:
        [failure] = command("failures", "--json", "--source", dataset.glob).document["failures"]
        shown = command("show", file_id).stdout
        result = command("rerun", file_id)
    finally:
        states.update_state_machine(stateMachineArn=dataset.machine, definition=before)

    assert failure["not_redrivable_reason"] == DEFINITION_CHANGED
    assert f"pipectl rerun {file_id}  (a new attempt: {DEFINITION_CHANGED})" in shown
    assert f"new attempt, because {DEFINITION_CHANGED}" in result.stderr
    assert dataset.statuses(file_id) == {"1.0": "failed", "2.0": "succeeded"}
    assert dataset.item(file_id)["replay_of"] == file_id


def test_all_ways_one_after_the_other_are_in_the_history(
    dataset: DatasetFolder, command: Command
) -> None:
    dataset.set_contract(type_of_id="integr")
    file_id = dataset.run()
    dataset.redrive(file_id)
    dataset.ended(file_id, redrives=1)
    dataset.start_again(file_id, f"{BY_HAND}-{dataset.name}")
    dataset.ended(f"{BY_HAND}-{dataset.name}")
    dataset.move_back(file_id)
    dataset.ended(f"{file_id}-r2")
    dataset.set_contract(type_of_id="integer")
    result = command("rerun", f"{file_id}-r1")

    assert result.exit_code == 0, result.stderr
    assert dataset.statuses(file_id) == {
        "1.0": "failed",
        "1.1": "failed",
        "1.2": "succeeded",
        "2.0": "failed",
        f"{BY_HAND}-{dataset.name}.0": "failed",
    }
    assert dataset.item(file_id)["redrive_count"] == 2
    assert dataset.success_notifications(file_id) == 1
    assert dataset.dead_letters(file_id) == []
