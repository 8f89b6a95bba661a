"""Who calls, what is recorded and refused, and what a request needs of a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.rights.account import Entity
from pipectl.embedded.rights.enforcement import Call, Rights
from pipectl.embedded.rights.policies import Access
from pipectl.embedded.rights.requests import Request

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", **statement} for statement in statements]})


READ = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::files/*"}
WRITE = {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::files/*"}
USE_KEY = {
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": KEY,
    "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
}


class Known:
    """An account with a role, a user, and a session that somebody got from STS."""

    def __init__(self, *documents: str) -> None:
        self._documents = documents

    def role(self, name: str) -> Entity | None:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        return Entity(arn, self._documents) if name == "reader" else None

    def user(self, access_key: str) -> Entity | None:
        arn = f"arn:aws:iam::{ACCOUNT}:user/team/ada"
        return Entity(arn, self._documents) if access_key == "AKIAUSER" else None

    def session(self, access_key: str) -> tuple[str, str] | None:
        return ("reader", "me") if access_key == "ASIASESSION" else None

    def resource_policy(self, arn: str) -> str | None:
        whole = {"Action": "kms:*", "Resource": "*", "Principal": ROOT}
        return document(whole) if arn == KEY else None

    def hash_key(self, _table: str) -> str | None:
        return None

    def secret_arn(self, _name: str) -> str | None:
        return None

    def has_tags(self, _bucket: str, _key: str, _version_id: str) -> bool:
        return False


def request(access_key: str, method: str = "GET", path: str = "/files/a") -> Request:
    scope = f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/s3/aws4_request, Signed"
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:1"}
    return Request({**environ, "QUERY_STRING": "", "HTTP_AUTHORIZATION": scope})


def test_a_caller_is_who_has_the_access_key_or_the_administrator() -> None:
    rights = Rights(Known())
    own = rights.sessions.begin("arn:aws:iam::1:role/path/reader", "function")
    arns = [
        rights.caller(key).arn
        for key in (own.access_key, "ASIASESSION", "AKIAUSER", "anything", "")
    ]
    assert arns == [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/function",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/me",
        f"arn:aws:iam::{ACCOUNT}:user/team/ada",
        *[f"arn:aws:iam::{ACCOUNT}:user/administrator"] * 2,
    ]
    assert rights.sessions.begin("reader", "function") == own
    assert rights.sessions.begin("reader", "other") != own


def test_a_session_of_a_role_that_is_gone_may_do_nothing() -> None:
    rights = Rights(Known(document({"Action": "*", "Resource": "*"})))
    gone = rights.sessions.begin("gone", "function")
    assert rights.refusal(request(gone.access_key)) is not None


def test_a_call_of_anybody_but_the_administrator_is_recorded() -> None:
    rights = Rights(Known(document(READ)))
    rights.labels = {"reader": "ReaderRole"}
    assert rights.refusal(request("ASIASESSION")) is None
    assert rights.refusal(request("administrator")) is None
    assert rights.calls == {Call("me", "ReaderRole", "s3:GetObject", "arn:aws:s3:::files/a")}


def test_a_refusal_is_written_once_with_the_statement_to_add(tmp_path: Path) -> None:
    log = tmp_path / "refused.txt"
    rights = Rights(Known(), log)
    rights.labels = {"reader": "ReaderRole"}
    for _ in range(2):
        assert rights.refusal(request("ASIASESSION")) is not None
    assert len(rights.refusals) == 1
    [line] = log.read_text().splitlines()
    statement = '{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::files/a"}'
    assert line.endswith(f"allows the s3:GetObject action. Add to ReaderRole: {statement}")


def test_only_an_administrator_may_use_an_operation_whose_actions_are_not_known() -> None:
    rights = Rights(Known(document({"Action": "*", "Resource": "*"})))
    strange = request("AKIAUSER", "PATCH")
    refusal = rights.refusal(strange)
    assert refusal is not None
    assert "s3:PATCH object ? because the embedded AWS does not know" in refusal.message
    assert rights.refusal(request("administrator", "PATCH")) is None


@pytest.mark.parametrize(
    ("method", "statements", "refused"),
    [
        ("GET", [READ, USE_KEY], None),
        ("GET", [READ], "kms:Decrypt"),
        ("PUT", [WRITE, USE_KEY], None),
        ("PUT", [WRITE], "kms:GenerateDataKey"),
        ("DELETE", [{**READ, "Action": "s3:DeleteObject"}], None),
    ],
)
def test_an_encrypted_object_needs_the_key(
    method: str, statements: list[dict[str, Any]], refused: str | None
) -> None:
    rights = Rights(Known(document(*statements)))
    rights.keys = {"arn:aws:s3:::files": KEY}
    refusal = rights.refusal(request("ASIASESSION", method))
    assert (refusal and refusal.message.partition("perform: ")[2].split()[0]) == refused


def test_a_service_acts_for_a_resource_of_an_account() -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue"

    class Open(Known):
        def resource_policy(self, arn: str) -> str | None:
            source = {"aws:SourceArn": "arn:aws:s3:::files", "aws:SourceAccount": ACCOUNT}
            allowed = {"Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
            return document({**allowed, "Resource": arn, "Condition": {"StringEquals": source}})

    def refused(source: str) -> bool:
        needed = ("s3.amazonaws.com", "sqs:SendMessage", queue, source)
        return Rights(Open()).of_service(*needed) is not None

    assert not refused("arn:aws:s3:::files")
    assert refused("arn:aws:s3:::others")
    assert refused(f"arn:aws:sns:us-east-1:{ACCOUNT}:files")


def test_a_role_that_a_service_acts_with_needs_all_of_several_permissions() -> None:
    rights = Rights(Known(document(READ)))
    read, write = (Access(f"s3:{it}Object", "arn:aws:s3:::files/a") for it in ("Get", "Put"))
    role = f"arn:aws:iam::{ACCOUNT}:role/reader"
    assert rights.of_role(role, "states", read) is None
    refusal = rights.of_role(role, "states", read, write)
    assert refusal is not None
    assert "s3:PutObject" in refusal.message
