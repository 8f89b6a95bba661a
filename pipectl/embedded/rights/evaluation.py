"""Decides whether a principal may do something, in the order in which IAM evaluates policies.

1. A statement that can't be understood refuses what it could deny.
2. An explicit denial in any policy wins.
3. In the same account, a resource's policy that names the principal allows by itself; otherwise an
   identity policy has to allow. For roles (their trust policy) and keys, the resource's policy has
   to allow in any case, or to leave the decision to IAM.
4. A permissions boundary has to allow as well.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipectl.embedded.rights.policies import Access, Context, Policy, Statement


@dataclass(frozen=True)
class Principal:
    """Who calls: a session of a role, a user, or a service of AWS, which has no policies.

    `entity` is the ARN of the role or user, `label` names it for people: its logical ID in the
    template if it has one.
    """

    arn: str
    name: str
    account: str
    entity: str = ""
    label: str = ""
    service: str = ""
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def arns(self) -> tuple[str, ...]:
        """The ARNs under which a resource's policy can name it."""
        return () if self.service else tuple(filter(None, (self.arn, self.entity)))


@dataclass(frozen=True)
class Decision:
    """Whether an access is allowed; `why` completes the service's sentence if it isn't.

    `statement` is the one that decided, if one did. `missing` is the kind of policy in which a
    statement is missing, or None if adding one can't help.
    """

    allowed: bool
    why: str = ""
    statement: Statement | None = None
    missing: str | None = None


# Their own policy has to allow: a role's trust policy and a key's policy.
_OWN_POLICY_DECIDES = ("sts:AssumeRole", "kms:")


@dataclass(frozen=True)
class _Considered:
    """The statements about an access, by the kind of their policy, and the condition keys."""

    identity: list[Statement]
    boundary: list[Statement]
    resource: list[Statement]
    context: Context


def decide(access: Access, principal: Principal, resource_policy: Policy | None) -> Decision:
    """Evaluate all policies for one access. `resource_policy` is that of the access's resource."""
    context = {**access.context, **_of(principal)}
    considered = _Considered(
        identity=[it for one in principal.policies for it in _covering(one, access, context)],
        boundary=_covering(principal.boundary, access, context),
        resource=[
            one for one in _covering(resource_policy, access, context) if _concerns(one, principal)
        ],
        context=context,
    )
    return _denial(considered) or _allowance(access, principal, considered)


def _concerns(statement: Statement, principal: Principal) -> bool:
    """Whether a statement of a resource's policy is about the principal, or may be."""
    principals = statement.principals
    if principals is None:
        return statement.unknown_element is not None
    return (
        principals.unknown is not None
        or principals.include(principal.arns(), principal.service)
        or (not principal.service and principals.delegate_to(principal.account))
    )


def _allowance(access: Access, principal: Principal, considered: _Considered) -> Decision:
    by_identity = next(_allowing(considered.identity, considered.context), None)
    by_resource, delegated = None, False
    for statement in _allowing(considered.resource, considered.context):
        assert statement.principals is not None  # noqa: S101  # `decide` leaves out all others
        if statement.principals.include(principal.arns(), principal.service):
            by_resource = by_resource or statement
        else:
            delegated = True
    if access.action.startswith(_OWN_POLICY_DECIDES) and by_resource is None and not delegated:
        kind = "role trust" if access.action == "sts:AssumeRole" else "resource-based"
        return _not_allowed(access, kind, considered.resource)
    allowing = by_resource or by_identity
    if allowing is None and principal.service:
        return _not_allowed(access, "resource-based", considered.resource)
    if allowing is None:
        return _not_allowed(access, "identity-based", considered.identity)
    within = next(_allowing(considered.boundary, considered.context), None)
    if principal.boundary is not None and within is None:
        return _not_allowed(access, "permissions boundary", considered.boundary)
    return Decision(allowed=True, statement=allowing)


def _not_allowed(access: Access, kind: str, considered: list[Statement]) -> Decision:
    policy = kind if kind == "permissions boundary" else f"{kind} policy"
    why = f"because no {policy} allows the {access.action} action"
    for statement in considered:
        unknown = statement.unknown()
        if unknown is not None:
            why += f". The embedded AWS does not know {unknown} of {statement.place}"
            break
    return Decision(allowed=False, why=why, missing=kind)


def _denial(considered: _Considered) -> Decision | None:
    for kind, statements in (
        ("an identity-based policy", considered.identity),
        ("a permissions boundary", considered.boundary),
        ("a resource-based policy", considered.resource),
    ):
        for statement in statements:
            unknown = None if statement.allows else statement.unknown()
            if unknown is not None:
                why = f"because the embedded AWS does not know {unknown} of {statement.place}"
                return Decision(allowed=False, why=why, statement=statement)
            if not statement.allows and statement.holds(considered.context):
                why = f"with an explicit deny in {kind}"
                return Decision(allowed=False, why=why, statement=statement)
    return None


def _allowing(statements: list[Statement], context: Context) -> Iterator[Statement]:
    for statement in statements:
        if statement.allows and statement.unknown() is None and statement.holds(context):
            yield statement


def _covering(policy: Policy | None, access: Access, context: Context) -> list[Statement]:
    if policy is None:
        return []
    return [one for one in policy.about(access.action) if one.covers(access.resource, context)]


def _of(principal: Principal) -> dict[str, tuple[str, ...]]:
    """The condition keys that follow from who calls."""
    if principal.service:
        return {}
    account = (principal.account,)
    known: dict[str, tuple[str, ...]] = {
        "aws:principalaccount": account,
        "aws:sourceowner": account,
    }
    known["aws:principalarn"] = (principal.entity or principal.arn,)
    for name, value in principal.tags.items():
        known[f"aws:principaltag/{name.lower()}"] = (value,)
    return known


def refusal_text(principal: Principal, access: Access, decision: Decision) -> str:
    """The sentence with which AWS refuses: who, which action, which resource, and why."""
    quoted = f'"{access.resource}"' if access.action.startswith("s3:") else access.resource
    return (
        f"User: {principal.arn} is not authorized to perform: {access.action} on resource:"
        f" {quoted} {decision.why}"
    )


def remedy_text(principal: Principal, access: Access, decision: Decision) -> str:
    """Which statement to add where, or which one refuses."""
    if decision.statement is not None:
        return f"{decision.statement.place} refuses it."
    statement: dict[str, Any] = {"Effect": "Allow", "Action": access.action}
    statement["Resource"] = access.resource
    if decision.missing == "identity-based":
        where = principal.label or principal.arn
    elif decision.missing == "permissions boundary":
        where = f"the permissions boundary of {principal.label or principal.arn}"
    else:
        named = {"Service": principal.service} if principal.service else {"AWS": principal.entity}
        statement = {"Effect": "Allow", "Principal": named, "Action": access.action}
        if decision.missing == "role trust":
            where = f"the trust policy of {access.resource}"
        else:
            where = f"the policy of {access.resource}"
            statement["Resource"] = access.resource
    return f"Add to {where}: {json.dumps(statement)}"


def administrator(account: str) -> Principal:
    """The account's administrator, whose policy allows everything."""
    everything = Statement("AdministratorAccess", True, ("*",), ("*",), None, (), None)
    arn = f"arn:aws:iam::{account}:user/administrator"
    return Principal(
        arn,
        "administrator",
        account,
        entity=arn,
        label="administrator",
        policies=(Policy((everything,)),),
    )


def service(name: str, account: str) -> Principal:
    """A service of AWS, such as `s3.amazonaws.com`."""
    return Principal(name, name, account, label=name, service=name)
