"""The policies that the stack offers for people and other systems: who may do what with them."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infrastructure import deployed

POLICIES = ("Upload", "ReadProcessed", "ContractOwner", "Operator", "SmokeTest", "Erase", "Auditor")
TAG = "${!aws:PrincipalTag/data-pipeline-dataset}"
# IAM's maximum, spaces not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_CHARACTERS = 6144
OWN_DATASET = {
    "Upload": {
        f"s3:{action} ${{InputBucket.Arn}}/{prefix}/{TAG}/*"
        for action in ("AbortMultipartUpload", "ListMultipartUploadParts", "PutObject")
        for prefix in ("raw", "corrections")
    },
    "ReadProcessed": {
        "s3:ListBucket OutputBucket.Arn",
        f"s3:GetObject ${{OutputBucket.Arn}}/processed/{TAG}/*",
    },
    "ContractOwner": {
        "cloudformation:DescribeStacks cloudformation:stack/${AWS::StackName}/*",
        *(
            f"s3:{action} ${{InputBucket.Arn}}/contracts/{TAG}.json"
            for action in ("DeleteObject", "GetObject", "GetObjectVersion", "PutObject")
        ),
        "s3:ListBucket InputBucket.Arn",
        "s3:ListBucket OutputBucket.Arn",
        f"s3:GetObject ${{InputBucket.Arn}}/raw/{TAG}/*",
        "dynamodb:Query ${MetadataTable.Arn}/index/source-index",
        *(
            f"s3:GetObject ${{OutputBucket.Arn}}/{prefix}/{TAG}/*"
            for prefix in ("corrections", "rejected", "reports")
        ),
    },
}
# Where a file's cells are, in the buckets.
WITH_CELLS = (
    "${InputBucket.Arn}/raw/orders/a.csv",
    "${InputBucket.Arn}/processed/orders/a.csv",
    "${InputBucket.Arn}/corrections/orders/0.csv",
    "${OutputBucket.Arn}/processed/orders/a.csv.jsonl",
    "${OutputBucket.Arn}/rejected/orders/a.csv.jsonl",
    "${OutputBucket.Arn}/corrections/orders/0.csv",
    "${OutputBucket.Arn}/reports/orders/0_summary.json",
    "${OutputBucket.Arn}/reports/orders/0.html",
    "${OutputBucket.Arn}/work/0/a/parts/00000.jsonl",
)
# The rows of the table in docs/operating.md.
OPERATORS = (
    *("all", "`executions`", "`show`", "`show --html`", "`failures`", "`rerun`", "`rejects`"),
    *("`correct`", "`doctor`", "`backfill`", "`dead-letters`", "`console`"),
)
OTHERS = ("command", "`erase`", "`smoke`", "`live-check`", "`contract test`")
CHANGING = re.compile(r":(Put|Delete|Send|Start|Stop|Redrive|Update|Change|Receive|Create|Abort)")


def _statements(policy: str) -> list[dict[str, Any]]:
    return _with_conditional(deployed.properties(f"{policy}Policy")["PolicyDocument"]["Statement"])


def _with_conditional(written: list[Any]) -> list[Any]:
    """The items of a list, those that depend on a parameter included."""
    return [it["Fn::If"][1] if isinstance(it, dict) and "Fn::If" in it else it for it in written]


def _resources(statement: dict[str, Any]) -> list[str]:
    return [
        re.sub(
            r"^arn:\$\{AWS::Partition\}:(\w+):\$\{AWS::Region\}:\$\{AWS::AccountId\}:",
            r"\1:",
            deployed.text_of(it),
        )
        for it in _with_conditional(deployed.as_list(statement["Resource"]))
    ]


def _grants(policy: str) -> set[str]:
    return {
        f"{action} {resource}"
        for statement in _statements(policy)
        for action in deployed.as_list(statement["Action"])
        for resource in _resources(statement)
    }


def _actions(policy: str) -> set[str]:
    return {grant.split()[0] for grant in _grants(policy)}


@pytest.mark.parametrize("policy", OWN_DATASET)
def test_a_policy_of_one_dataset_allows_this_and_no_more(policy: str) -> None:
    assert _grants(policy) == OWN_DATASET[policy]


@pytest.mark.parametrize("policy", OWN_DATASET)
def test_what_lists_a_bucket_or_queries_the_table_is_limited_to_the_dataset(policy: str) -> None:
    limited = {"s3:ListBucket": "s3:prefix", "dynamodb:Query": "dynamodb:LeadingKeys"}
    for statement in _statements(policy):
        key = limited.get(statement["Action"]) if isinstance(statement["Action"], str) else None
        if key is None:
            assert "Condition" not in statement
            continue
        (allowed, *_) = statement["Condition"].values()
        values = [deployed.text_of(it) for it in deployed.as_list(allowed[key])]
        # The names of contracts are no secret, and their owner looks for one in another case.
        own = [it for it in values if it != "contracts/*"]
        assert own
        assert [it for it in own if "PrincipalTag/data-pipeline-dataset}/*" not in it] == []


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_is_an_output_and_short_enough(policy: str) -> None:
    output = deployed.template().document["Outputs"][f"{policy}PolicyArn"]
    assert output["Value"] == {"Ref": f"{policy}Policy"}
    document = json.dumps(_resolved(_statements(policy)), separators=(",", ":"))
    assert len(document) < MAX_CHARACTERS


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_has_wildcard_actions_or_all_resources(policy: str) -> None:
    assert [grant for grant in _grants(policy) if "*" in grant.split()[0]] == []
    assert [grant for grant in _grants(policy) if grant.endswith(" *")] == []


def listed_actions(*commands: str) -> set[str]:
    """The actions that docs/operating.md lists for these commands."""
    page = (deployed.ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", page.partition("## Permissions on AWS")[2], re.M)
    listed = dict(rows)
    assert set(listed) == {*OPERATORS, *OTHERS}
    found = {it for command in commands for it in re.findall(r"`(\w+:\w+)`", listed[command])}
    # Everybody may ask who they are.
    return found - {"sts:GetCallerIdentity"}


def test_an_operator_may_do_what_the_page_lists_and_nothing_else() -> None:
    assert _actions("Operator") == listed_actions(*OPERATORS)


def test_a_smoke_test_may_do_what_the_page_lists_and_nothing_else() -> None:
    assert _actions("SmokeTest") == listed_actions("all", "`smoke`")


def test_erasing_may_do_what_the_page_lists_and_nothing_else() -> None:
    assert _actions("Erase") == listed_actions("all", "`erase`")


def test_contracts_are_not_erased() -> None:
    deleting = {it for it in _grants("Erase") if "s3:Delete" in it}
    assert deleting
    assert [it for it in deleting if "contracts" in it or it.endswith("Arn}/*")] == []


def test_a_contract_owner_may_do_what_the_tests_of_contracts_need() -> None:
    assert listed_actions("all", "`contract test`") <= _actions("ContractOwner")


def test_an_operator_deletes_nothing_but_dead_letters() -> None:
    assert {it for it in _actions("Operator") if "Delete" in it} == {"sqs:DeleteMessage"}


def test_a_smoke_test_writes_and_deletes_its_own_objects_and_intermediate_results_only() -> None:
    changing = {it for it in _grants("SmokeTest") if re.match(r"s3:(Put|Delete)", it)}
    assert changing
    assert [it for it in changing if "/smoke-*" not in it and not it.endswith("}/work/*")] == []


@pytest.mark.parametrize("place", WITH_CELLS)
def test_an_auditor_reads_no_cell_of_a_file(place: str) -> None:
    readable = [grant.split()[1] for grant in _grants("Auditor") if "s3:GetObject" in grant]
    assert [pattern for pattern in readable if fnmatchcase(place, pattern)] == []


def test_an_auditor_changes_nothing() -> None:
    assert [action for action in _actions("Auditor") if CHANGING.search(action)] == []


def test_an_auditor_reads_outcomes_executions_contracts_and_every_log() -> None:
    grants = _grants("Auditor")
    groups = deployed.template().resources("AWS::Logs::LogGroup")
    assert {f"logs:FilterLogEvents {group}.Arn" for group in groups} <= grants
    assert {
        "dynamodb:Query MetadataTable.Arn",
        "s3:GetObjectVersion ${InputBucket.Arn}/contracts/*",
        "states:GetExecutionHistory states:execution:data-pipeline-${Environment}:*",
    } <= grants


def test_uploaders_of_other_accounts_may_upload_to_their_datasets_if_there_are_any() -> None:
    statements = deployed.properties("InputBucketPolicy")["PolicyDocument"]["Statement"]
    (condition, allowed, nothing) = next(it for it in statements if "Fn::If" in it)["Fn::If"]
    assert condition == "HasUploaders"
    assert nothing == {"Ref": "AWS::NoValue"}
    assert allowed["Principal"] == {"AWS": {"Fn::Split": [",", {"Ref": "UploaderArns"}]}}
    # A tag would be set by the other account, so it can't say which dataset is theirs.
    assert {
        f"{action} {resource}" for action in allowed["Action"] for resource in _resources(allowed)
    } == {grant.replace(TAG, "${UploaderDatasets}") for grant in OWN_DATASET["Upload"]}


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("", True),
        ("arn:aws:iam::123456789012:role/partner/upload", True),
        ("arn:aws:iam::123456789012:root,arn:aws-cn:iam::210987654321:user/a", True),
        ("*", False),
        ("arn:aws:iam::123456789012:role/*", False),
        ("arn:aws:iam::123456789012:root, arn:aws:iam::210987654321:root", False),
        ("123456789012", False),
    ],
)
def test_only_named_principals_can_be_uploaders(given: str, allowed: bool) -> None:
    pattern = deployed.template().document["Parameters"]["UploaderArns"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, given)) is allowed


def _resolved(value: Any) -> Any:
    """A policy with ARNs of realistic lengths in place of references."""
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Fn::If":
            return _resolved(argument[1])
        if name == "Ref" or name.startswith("Fn::"):
            text = deployed.text_of(value)
            if text.endswith("LogGroup.Arn"):
                return "x" * 105
            text = re.sub(r"\$\{?(Input|Output)Bucket(\.Arn)?\}?", "x" * 75, text)
            text = re.sub(r"\$\{AWS::\w+\}", "x" * 14, text)
            return re.sub(r"^\w+$|^\w+\.Arn$|\$\{MetadataTable\.Arn\}", "x" * 80, text)
    return {name: _resolved(item) for name, item in value.items()}
