"""Checks every request and every call between services, and records what came of it."""

from __future__ import annotations

import json
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from pipectl.embedded.rights import evaluation
from pipectl.embedded.rights.account import Account, Entity
from pipectl.embedded.rights.actions import UnknownActionError, accesses
from pipectl.embedded.rights.evaluation import Decision, Principal, decide
from pipectl.embedded.rights.policies import Access, Policy, parse
from pipectl.embedded.rights.requests import Request
from pipectl.embedded.rights.sessions import Sessions, session_arn
from pipectl.embedded.template import ACCOUNT, REGION

# The endpoint is on this machine, and a request never leaves it. So it counts as encrypted.
_SECURE = {"aws:securetransport": ("true",)}

# How many distinct refusals are kept, to explain why something failed.
REMEMBERED_REFUSALS = 1000

_OWN_NAMES = {"stepfunctions": "states"}


class Call(NamedTuple):
    """Something that was allowed. `caller` is the function's name, `role` the role's logical ID.

    A service of AWS that calls by itself is both. `context` are the condition keys.
    """

    caller: str
    role: str
    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Refusal(NamedTuple):
    """Something that was refused: AWS's own sentence, and which statement would allow it."""

    code: str
    message: str
    remedy: str
    service: str


class Rights:
    """The rights of everybody who calls the embedded AWS."""

    def __init__(self, account: Account, log: Path | None = None) -> None:
        """Refusals are appended to `log`."""
        self._account = account
        self._log = log
        self._lock = threading.Lock()
        self._refusals: deque[Refusal] = deque(maxlen=REMEMBERED_REFUSALS)
        self._administrator = evaluation.administrator(ACCOUNT)
        self.sessions = Sessions()
        self.calls: set[Call] = set()
        """The distinct calls that were allowed so far."""
        self.labels: dict[str, str] = {}
        """The logical IDs of roles in the template, by the roles' names."""
        self.keys: dict[str, str] = {}
        """The KMS keys of buckets, queues and topics, by the resources' ARNs."""

    @property
    def refusals(self) -> list[Refusal]:
        """The distinct refusals so far, oldest first."""
        with self._lock:
            return list(self._refusals)

    def refusal(self, request: Request) -> Refusal | None:
        """Why a request is refused, or None if its caller may do all that it needs."""
        principal = self.caller(request.access_key)
        try:
            needed = accesses(request, self._account)
        except UnknownActionError as unknown:
            return self._unknown(principal, request, str(unknown))
        return self._first_refusal(principal, [*needed, *self._uses_of_keys(needed)])

    def refusal_for_missing(self, request: Request) -> Refusal | None:
        """Why S3 refuses to say that an object is missing, or None if the caller may list objects.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        place = "/".join(request.bucket_and_key)
        source = request.header("x-amz-copy-source").lstrip("/")
        bucket = (source or place).partition("/")[0]
        access = Access("s3:ListBucket", f"arn:aws:s3:::{bucket}")
        return self._first_refusal(self.caller(request.access_key), [access])

    def of_service(
        self, service: str, action: str, resource: str, source_arn: str
    ) -> Refusal | None:
        """Why a service may not do something for one of the account's resources, or None."""
        principal = evaluation.service(service, ACCOUNT)
        access = Access(action, resource, _source(source_arn))
        return self._first_refusal(principal, [access, *self._uses_of_keys([access])])

    def of_role(self, role_arn: str, session: str, *needed: Access) -> Refusal | None:
        """Why a role may not do something that a service does on its behalf, or None."""
        principal = self._of_session(role_arn.rpartition("/")[2], session)
        return self._first_refusal(principal, needed)

    def to_assume(self, service: str, role_arn: str, source_arn: str) -> Refusal | None:
        """Why a service may not assume a role for one of the account's resources, or None."""
        return self.of_service(service, "sts:AssumeRole", role_arn, source_arn)

    def caller(self, access_key: str) -> Principal:
        """Who has an access key. Keys that the embedded AWS doesn't know are an administrator's."""
        session = self.sessions.find(access_key) or self._account.session(access_key)
        if session is not None:
            return self._of_session(*session)
        user = self._account.user(access_key)
        if user is None:
            return self._administrator
        name = user.arn.rpartition("/")[2]
        return _principal(user, user.arn, name, name)

    def policy_of(self, resource: str) -> Policy | None:
        """The policy of a resource, None if it has none."""
        if not resource.startswith("arn:"):
            return None
        document = self._account.resource_policy(resource)
        return None if document is None else parse(document, f"the policy of {resource}")

    def _of_session(self, role: str, session: str) -> Principal:
        entity = self._account.role(role)
        arn = session_arn(role, session)
        if entity is None:
            return Principal(arn, session, ACCOUNT, label=role)
        return _principal(entity, arn, session, self.labels.get(role, role))

    def _first_refusal(self, principal: Principal, needed: Iterable[Access]) -> Refusal | None:
        for access in needed:
            complete = Access(access.action, access.resource, {**_SECURE, **access.context})
            decision = decide(complete, principal, self.policy_of(access.resource))
            if not decision.allowed:
                return self._refuse(principal, access, decision)
            if principal is not self._administrator:
                keys = tuple(sorted(access.context.items()))
                name, label = principal.name, principal.label
                self.calls.add(Call(name, label, access.action, access.resource, keys))
        return None

    def _refuse(self, principal: Principal, access: Access, decision: Decision) -> Refusal:
        service = access.action.partition(":")[0]
        return self._noted(
            Refusal(
                code="AuthorizationError" if service == "sns" else "AccessDenied",
                message=evaluation.refusal_text(principal, access, decision),
                remedy=evaluation.remedy_text(principal, access, decision),
                service=service,
            )
        )

    def _unknown(self, principal: Principal, request: Request, operation: str) -> Refusal | None:
        """The refusal of an operation whose actions are not known; an administrator may do all."""
        if principal is self._administrator:
            return None
        service = _OWN_NAMES.get(request.service, request.service)
        return self._noted(
            Refusal(
                code="AccessDenied",
                message=f"User: {principal.arn} is not authorized to perform: {operation}"
                " because the embedded AWS does not know which actions it needs",
                remedy="Add the operation to pipectl/embedded/rights/actions.py.",
                service=service,
            )
        )

    def _noted(self, refusal: Refusal) -> Refusal:
        with self._lock:
            if refusal in self._refusals:
                return refusal
            self._refusals.append(refusal)
            if self._log is not None:
                time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(f"{time} {refusal.message}. {refusal.remedy}\n")
        return refusal

    def _uses_of_keys(self, needed: Iterable[Access]) -> list[Access]:
        """What requests need of the KMS keys under which their resources are encrypted."""
        uses = []
        for access in needed:
            service, _, action = access.action.partition(":")
            resource = access.resource.partition("/")[0] if service == "s3" else access.resource
            key = self.keys.get(resource)
            if key is None:
                continue
            via = (f"{service}.{REGION}.amazonaws.com",)
            context = {**access.context, "kms:viaservice": via}
            if service == "s3":
                context["kms:encryptioncontext:aws:s3:arn"] = (resource,)
            uses += [Access(f"kms:{use}", key, context) for use in _USES_OF_KEYS.get(action, ())]
        return uses


# What an action on an encrypted resource needs of its key.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_USES_OF_KEYS: Mapping[str, tuple[str, ...]] = {
    "GetObject": ("Decrypt",),
    "GetObjectVersion": ("Decrypt",),
    "PutObject": ("GenerateDataKey", "Decrypt"),
    "ReceiveMessage": ("Decrypt",),
    "SendMessage": ("GenerateDataKey", "Decrypt"),
    "Publish": ("GenerateDataKey", "Decrypt"),
}


def _principal(entity: Entity, arn: str, name: str, label: str) -> Principal:
    boundary = entity.boundary
    return Principal(
        arn=arn,
        name=name,
        account=ACCOUNT,
        entity=entity.arn,
        label=label,
        policies=tuple(parse(document, label) for document in entity.documents),
        boundary=None if boundary is None else parse(boundary, f"the boundary of {label}"),
        tags=entity.tags,
    )


def _source(arn: str) -> dict[str, tuple[str, ...]]:
    """For which resource a service acts, and whose it is; S3's ARNs don't name the account."""
    keys = {"aws:sourceaccount": (arn.split(":")[4] or ACCOUNT,)}
    return {**keys, "aws:sourcearn": (arn,)}


def answer_of(refusal: Refusal, request: Request) -> tuple[int, str, bytes, dict[str, str]]:
    """A refusal in the protocol of its request: status, media type, body, further headers."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    message = refusal.message
    if request.service == "s3":
        error = f"<Code>AccessDenied</Code><Message>{escape(message)}</Message>"
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
        return 403, "application/xml", text.encode(), headers
    if request.is_form:
        error = f"<Type>Sender</Type><Code>{refusal.code}</Code>"
        error += f"<Message>{escape(message)}</Message>"
        text = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        return 403, "text/xml", text.encode(), headers
    headers["x-amzn-ErrorType"] = "AccessDeniedException"
    if request.service == "sqs":
        # The error's name in SQS's older protocol, which its clients report.
        headers["x-amzn-query-error"] = "AccessDenied;Sender"
    status = 403 if request.service in ("lambda", "sqs") else 400
    body = json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message})
    return status, "application/json", body.encode(), headers
