"""IAM's evaluation of policies: what is allowed, what is refused, and in which words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipectl.embedded.rights.evaluation import (
    Principal,
    administrator,
    decide,
    refusal_text,
    remedy_text,
    service,
)
from pipectl.embedded.rights.policies import Access, Policy, parse

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/function"
OBJECT = "arn:aws:s3:::files/raw/orders/a.csv"
GET = Access("s3:GetObject", OBJECT)
LIST = Access("s3:ListBucket", "arn:aws:s3:::files", {"s3:prefix": ("raw/orders/",)})


def policy(*statements: dict[str, Any]) -> Policy:
    return parse(json.dumps({"Statement": [*statements]}), "ReaderRole")


def allow(action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def role(
    *policies: Policy, boundary: Policy | None = None, tags: Mapping[str, str] | None = None
) -> Principal:
    return Principal(
        SESSION,
        "function",
        ACCOUNT,
        entity=ROLE,
        label="ReaderRole",
        policies=policies,
        boundary=boundary,
        tags=tags or {},
    )


@pytest.mark.parametrize(
    ("statement", "access", "allowed"),
    [
        (allow(), GET, True),
        (allow(action="s3:getobject"), GET, True),
        (allow(action=["s3:PutObject", "s3:Get*"]), GET, True),
        (allow(action="s3:Get?bject"), GET, True),
        (allow(action="s3:GetObjectVersion"), GET, False),
        (allow(action="s3:GetObject*"), Access("s3:PutObject", OBJECT), False),
        (allow(resource="arn:aws:s3:::files/raw/*"), GET, True),
        (allow(resource=["arn:aws:s3:::other/*", "arn:aws:s3:::files/*/?.csv"]), GET, True),
        (allow(resource="arn:aws:s3:::files"), GET, False),
        (allow(resource="arn:aws:s3:::files/RAW/*"), GET, False),
        (allow(resource="arn:aws:s3:::files/raw/orders/a"), GET, False),
        (allow(resource="arn:aws:s3:::files/raw/orders/a.csv.[a-z]*"), GET, False),
    ],
)
def test_actions_and_resources_match_by_wildcards(
    statement: dict[str, Any], access: Access, allowed: bool
) -> None:
    """Actions in any case, resources exactly."""
    assert decide(access, role(policy(statement)), None).allowed is allowed


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "raw/"}}, {"s3:prefix": "raw/"}, True),
        ({"StringEquals": {"s3:prefix": ["a", "raw/"]}}, {"s3:prefix": "raw/"}, True),
        ({"StringEquals": {"s3:prefix": "raw/*"}}, {"s3:prefix": "raw/x"}, False),
        ({"StringEquals": {"s3:prefix": "raw/*"}}, {"s3:prefix": "raw/*"}, True),
        ({"StringEquals": {"s3:prefix": "Raw/"}}, {"s3:prefix": "raw/"}, False),
        ({"StringEquals": {"s3:prefix": "raw/"}}, {}, False),
        ({"StringEquals": {"S3:Prefix": "raw/"}}, {"s3:prefix": "raw/"}, True),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": "raw/x"}, True),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": "work/x"}, False),
        ({"StringLikeIfExists": {"s3:prefix": "raw/*"}}, {}, True),
        ({"StringLikeIfExists": {"s3:prefix": "raw/*"}}, {"s3:prefix": "work/x"}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::fil*"}},
         {"aws:sourcearn": "arn:aws:s3:::files"}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:*:::files"}},
         {"aws:sourcearn": "arn:aws:s3:::files"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:*:files"}},
         {"aws:sourcearn": "arn:aws:s3:::files"}, False),
        ({"ArnLikeIfExists": {"aws:SourceArn": "arn:aws:s3:::files"}}, {}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:securetransport": "true"}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": "true"}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "false"}}, {}, False),
        ({"Null": {"s3:prefix": "false"}}, {"s3:prefix": ""}, True),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "a*"}},
         {"dynamodb:leadingkeys": ("a1", "a2")}, True),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "a*"}},
         {"dynamodb:leadingkeys": ("a1", "b")}, False),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "a*"}}, {}, True),
        ({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": "a*"}},
         {"dynamodb:leadingkeys": ("a1", "b")}, True),
        ({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": "a*"}}, {}, False),
        # All operators and keys have to be met.
        ({"StringLike": {"s3:prefix": "raw/*", "s3:delimiter": "/"}},
         {"s3:prefix": "raw/x"}, False),
        ({"StringLike": {"s3:prefix": "raw/*"}, "Null": {"s3:delimiter": "true"}},
         {"s3:prefix": "raw/x"}, True),
    ],
)  # fmt: skip
def test_conditions(condition: Any, context: dict[str, Any], holds: bool) -> None:
    values = {key: (it,) if isinstance(it, str) else it for key, it in context.items()}
    access = Access("s3:ListBucket", "arn:aws:s3:::files", values)
    statement = allow("s3:ListBucket", "arn:aws:s3:::files", Condition=condition)
    assert decide(access, role(policy(statement)), None).allowed is holds


TAGGED = "arn:aws:s3:::files/raw/${aws:PrincipalTag/dataset}/*"


@pytest.mark.parametrize(
    ("tags", "allowed"),
    [({"dataset": "orders"}, True), ({"dataset": "others"}, False), ({"dataset": "*"}, False),
     ({}, False)],
)  # fmt: skip
def test_a_policy_variable_is_the_principals_tag_word_for_word(
    tags: dict[str, str], allowed: bool
) -> None:
    """Wildcards in a tag are no wildcards, and without the tag nothing matches."""
    caller = role(policy(allow(resource=TAGGED)), tags=tags)
    assert decide(GET, caller, None).allowed is allowed


ANYBODY = {"Principal": "*"}
THE_ROLE = {"Principal": {"AWS": ROLE}}
ACCOUNT_ROOT = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}


@pytest.mark.parametrize(
    ("identity", "boundary", "resource", "allowed"),
    [
        ([], None, None, False),
        ([allow()], None, None, True),
        ([allow(), deny()], None, None, False),
        ([allow(), deny(resource="arn:aws:s3:::files/raw/*")], None, None, False),
        ([allow(), deny(Condition={"Null": {"s3:prefix": "false"}})], None, None, True),
        # A resource's policy allows by itself in the same account, whoever it names.
        ([], None, [allow(**ANYBODY)], True),
        ([], None, [allow(**THE_ROLE)], True),
        ([], None, [allow(Principal={"AWS": SESSION})], True),
        ([], None, [allow(Principal={"AWS": f"{ROLE}-2"})], False),
        ([], None, [allow(Principal={"Service": "s3.amazonaws.com"})], False),
        # The account itself is named to leave the decision to IAM.
        ([], None, [allow(**ACCOUNT_ROOT)], False),
        ([allow()], None, [allow(**ACCOUNT_ROOT)], True),
        ([allow()], None, [deny(**ANYBODY)], False),
        ([allow()], None, [deny(**ACCOUNT_ROOT)], False),
        ([allow()], None, [deny(Principal={"AWS": f"{ROLE}-2"})], True),
        # A boundary limits and allows nothing.
        ([allow()], [allow(action="s3:*")], None, True),
        ([allow()], [allow(action="sqs:*", resource="*")], None, False),
        ([allow()], [allow(), deny()], None, False),
        ([], [allow()], None, False),
        ([], [], [allow(**THE_ROLE)], False),
    ],
)
def test_the_order_of_evaluation(
    identity: list[Any], boundary: list[Any] | None, resource: list[Any] | None, allowed: bool
) -> None:
    caller = role(policy(*identity), boundary=None if boundary is None else policy(*boundary))
    of_resource = None if resource is None else policy(*resource)
    assert decide(GET, caller, of_resource).allowed is allowed


SEND = Access(
    "sqs:SendMessage",
    f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
    {"aws:sourcearn": ("arn:aws:s3:::files",), "aws:sourceaccount": (ACCOUNT,)},
)
FROM_FILES = {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::files"}}
FROM_OTHERS = {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::others"}}


@pytest.mark.parametrize(
    ("principal", "condition", "allowed"),
    [
        ({"Service": "s3.amazonaws.com"}, FROM_FILES, True),
        ({"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}, {}, True),
        ({"Service": "s3.amazonaws.com"}, FROM_OTHERS, False),
        ({"Service": "sns.amazonaws.com"}, FROM_FILES, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, FROM_FILES, False),
    ],
)
def test_a_service_needs_a_statement_of_the_resource(
    principal: Any, condition: Any, allowed: bool
) -> None:
    statement = allow(SEND.action, SEND.resource, Principal=principal, Condition=condition)
    bucket = service("s3.amazonaws.com", ACCOUNT)
    assert decide(SEND, bucket, policy(statement)).allowed is allowed


ASSUME = Access("sts:AssumeRole", ROLE)
USE_KEY = Access("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1")


@pytest.mark.parametrize("access", [ASSUME, USE_KEY])
@pytest.mark.parametrize(
    ("identity", "own", "allowed"),
    [
        (True, [], False),
        (True, [ACCOUNT_ROOT], True),
        (False, [ACCOUNT_ROOT], False),
        (False, [THE_ROLE], True),
    ],
)
def test_a_role_and_a_key_need_their_own_policy(
    access: Access, identity: bool, own: list[Any], allowed: bool
) -> None:
    granted = [allow(access.action, access.resource)] if identity else []
    of_resource = policy(*(allow(access.action, "*", **principal) for principal in own))
    assert decide(access, role(policy(*granted)), of_resource).allowed is allowed


@pytest.mark.parametrize(
    ("unknown", "name"),
    [
        ({"NotAction": "s3:PutObject", "Action": None}, "the element NotAction"),
        ({"NotResource": OBJECT, "Resource": None}, "the element NotResource"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
         "the condition operator IpAddress"),
        ({"Condition": {"ForSome:StringLike": {"s3:prefix": "a"}}},
         "the condition operator ForSome:StringLike"),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
         "the condition key aws:PrincipalOrgID"),
    ],
)  # fmt: skip
def test_what_is_unknown_allows_nothing_and_denies_and_is_named(unknown: Any, name: str) -> None:
    def unknown_one(statement: dict[str, Any]) -> dict[str, Any]:
        return {key: it for key, it in {**statement, **unknown}.items() if it is not None}

    allowing = decide(GET, role(policy(unknown_one(allow()))), None)
    denying = decide(GET, role(policy(allow(), unknown_one(deny()))), None)
    assert (allowing.allowed, denying.allowed) == (False, False)
    assert f"does not know {name} of ReaderRole, statement" in allowing.why
    assert f"does not know {name} of ReaderRole, statement 2" in denying.why
    # Another statement can allow it all the same.
    assert decide(GET, role(policy(unknown_one(allow()), allow())), None).allowed


def test_unknown_principals_are_named() -> None:
    federated = {"Principal": {"Federated": "accounts.example.com"}}
    decision = decide(ASSUME, role(), policy(allow("sts:AssumeRole", "*", **federated)))
    assert "does not know the principal Federated" in decision.why


def test_an_administrator_may_do_everything_that_no_policy_denies() -> None:
    admin = administrator(ACCOUNT)
    assert decide(GET, admin, None).allowed
    assert not decide(GET, admin, policy(deny(**ANYBODY))).allowed


@pytest.mark.parametrize(
    ("caller", "resource", "sentence", "remedy"),
    [
        (
            role(),
            None,
            f'User: {SESSION} is not authorized to perform: s3:GetObject on resource: "{OBJECT}"'
            " because no identity-based policy allows the s3:GetObject action",
            'Add to ReaderRole: {"Effect": "Allow", "Action": "s3:GetObject",'
            f' "Resource": "{OBJECT}"}}',
        ),
        (
            role(policy(allow(), deny(Sid="Never"))),
            None,
            "with an explicit deny in an identity-based policy",
            "ReaderRole, statement Never refuses it.",
        ),
        (
            role(policy(allow()), boundary=policy()),
            None,
            "because no permissions boundary allows the s3:GetObject action",
            'Add to the permissions boundary of ReaderRole: {"Effect": "Allow"',
        ),
        (
            role(policy(allow())),
            policy(deny(**ANYBODY)),
            "with an explicit deny in a resource-based policy",
            "ReaderRole, statement 1 refuses it.",
        ),
        (
            service("s3.amazonaws.com", ACCOUNT),
            None,
            "User: s3.amazonaws.com is not authorized to perform: s3:GetObject on resource:"
            f' "{OBJECT}" because no resource-based policy allows the s3:GetObject action',
            f'Add to the policy of {OBJECT}: {{"Effect": "Allow", "Principal": {{"Service":'
            ' "s3.amazonaws.com"}, "Action": "s3:GetObject",',
        ),
    ],
)
def test_a_refusal_is_in_awss_words_and_names_the_statement_to_add(
    caller: Principal, resource: Policy | None, sentence: str, remedy: str
) -> None:
    decision = decide(GET, caller, resource)
    assert sentence in refusal_text(caller, GET, decision)
    assert remedy in remedy_text(caller, GET, decision)


def test_a_list_with_a_left_out_value_is_a_list_without_it() -> None:
    assert decide(LIST, role(policy(allow(["s3:ListBucket", None], [None, "*"]))), None).allowed
