"""IAM policy documents, and whether a statement of one applies to a request.

Only the elements, operators and condition keys in this module are known. A statement with any other
allows nothing, and refuses every request that its known elements match.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Context = Mapping[str, tuple[str, ...]]
"""The values of a request's condition keys, by their names in lower case."""

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}

# With these keys a condition can be decided. A key that a request doesn't have is absent from its
# context; a condition on any other key can't be decided.
KNOWN_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceowner",
        "dynamodb:leadingkeys",
        "events:detail-type",
        "events:source",
        "kms:encryptioncontext:aws:s3:arn",
        "kms:viaservice",
        "s3:delimiter",
        "s3:prefix",
    }
)
_KNOWN_PREFIXES = ("aws:principaltag/",)


@dataclass(frozen=True)
class Access:
    """One permission that a request needs: an action on a resource, with its condition keys."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyCondition:
    """One condition key of a statement with the values that are allowed."""

    operator: str
    key: str
    values: tuple[str, ...]

    def unknown(self) -> str | None:
        """The name of the operator or key that is not known, or None."""
        if _parts(self.operator)[1] not in _OPERATORS:
            return f"the condition operator {self.operator}"
        key = self.key.lower()
        if key in KNOWN_KEYS or key.startswith(_KNOWN_PREFIXES):
            return None
        return f"the condition key {self.key}"

    def holds(self, context: Context) -> bool:
        """Whether the condition is met; it must be known.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_multi-value-conditions.html
        """
        quantifier, base, if_exists = _parts(self.operator)
        given = context.get(self.key.lower(), ())
        if base == "Null":
            return (not given) == (self.values[0].lower() == "true")
        if not given:
            return if_exists or quantifier == "ForAllValues"
        matches = _OPERATORS[base]
        met = (any(matches(value, one, context) for value in self.values) for one in given)
        return all(met) if quantifier == "ForAllValues" else any(met)


def _parts(operator: str) -> tuple[str, str, bool]:
    """`ForAllValues:ArnLikeIfExists` as quantifier, operator, and whether the key may be absent."""
    quantifier, _, base = operator.rpartition(":")
    if quantifier not in ("", "ForAllValues", "ForAnyValue"):
        return "", operator, False
    return quantifier, base.removesuffix("IfExists"), base.endswith("IfExists")


@dataclass(frozen=True)
class Principals:
    """The principals of a resource's policy: services, ARNs and accounts of AWS, or everybody."""

    services: frozenset[str] = frozenset()
    arns: frozenset[str] = frozenset()
    unknown: str | None = None

    def include(self, arns: Iterable[str], service: str) -> bool:
        """Whether they include a caller that has these ARNs, or is this service."""
        return "*" in self.arns or service in self.services or bool(self.arns.intersection(arns))

    def delegate_to(self, account: str) -> bool:
        """Whether they leave the decision about the account's principals to IAM's policies."""
        return any(re.fullmatch(rf"arn:[^:]+:iam::{account}:root|{account}", a) for a in self.arns)


@dataclass(frozen=True)
class Statement:
    """One statement. `place` says where it is, such as `StarterRole, statement ReadMetadata`."""

    place: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: Principals | None
    conditions: tuple[PolicyCondition, ...]
    unknown_element: str | None

    def covers(self, resource: str, context: Context) -> bool:
        """Whether a resource matches, whatever the action and the conditions."""
        return any(matches_pattern(one, resource, context) for one in self.resources)

    def is_about(self, action: str) -> bool:
        """Whether it has an action, whatever the resource."""
        return _one_matches(self.actions, action)

    def unknown(self) -> str | None:
        """What of the statement is not known, or None."""
        if self.unknown_element is not None:
            return self.unknown_element
        if self.principals is not None and self.principals.unknown is not None:
            return self.principals.unknown
        return next((it for c in self.conditions if (it := c.unknown()) is not None), None)

    def holds(self, context: Context) -> bool:
        """Whether all conditions are met; they must be known."""
        return all(condition.holds(context) for condition in self.conditions)


@dataclass(frozen=True)
class Policy:
    """A policy's statements."""

    statements: tuple[Statement, ...]
    _about: dict[str, tuple[Statement, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def about(self, action: str) -> tuple[Statement, ...]:
        """The statements that have an action, whatever the resource."""
        if action not in self._about:
            self._about[action] = tuple(one for one in self.statements if one.is_about(action))
        return self._about[action]


@lru_cache(maxsize=2000)
def parse(document: str, place: str) -> Policy:
    """A policy from its JSON text; `place` names it in messages."""
    read = json.loads(document)
    statements = _listed(read.get("Statement", [])) if isinstance(read, dict) else []
    return Policy(
        tuple(
            _statement(one, f"{place}, statement {one.get('Sid') or number}")
            for number, one in enumerate(statements, 1)
        )
    )


def _statement(document: Mapping[str, Any], place: str) -> Statement:
    unknown = sorted(document.keys() - _ELEMENTS)
    effect = document.get("Effect")
    if effect not in ("Allow", "Deny"):
        unknown.append(f"Effect {effect}")
    # Without a resource it is a trust policy, and the resource is the role that it belongs to.
    # A statement with an unknown element concerns everything that the rest does not exclude.
    return Statement(
        place=place,
        allows=effect == "Allow",
        actions=tuple(map(str, _listed(document.get("Action", "*")))),
        resources=tuple(map(str, _listed(document.get("Resource", "*")))),
        principals=_principals(document["Principal"]) if "Principal" in document else None,
        conditions=tuple(_conditions(document.get("Condition", {}))),
        unknown_element=f"the element {unknown[0]}" if unknown else None,
    )


def _conditions(document: Mapping[str, Any]) -> Iterator[PolicyCondition]:
    for operator, keys in document.items():
        for key, values in keys.items():
            yield PolicyCondition(operator, key, tuple(_text(value) for value in _listed(values)))


def _principals(document: Any) -> Principals:
    if isinstance(document, str):
        return Principals(arns=frozenset({document}))
    unknown = sorted(document.keys() - {"AWS", "Service"})
    return Principals(
        services=frozenset(map(str, _listed(document.get("Service", [])))),
        arns=frozenset(map(str, _listed(document.get("AWS", [])))),
        unknown=f"the principal {unknown[0]}" if unknown else None,
    )


def _listed(value: Any) -> list[Any]:
    """A list of one is written without the list."""
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=10_000)
def _one_matches(patterns: tuple[str, ...], action: str) -> bool:
    """Whether one of the patterns matches an action, in any case."""
    return any(_regex(pattern.lower()).fullmatch(action.lower()) for pattern in patterns)


def matches_pattern(pattern: str, value: str, context: Context) -> bool:
    """Whether a text matches a pattern of `*`, `?` and policy variables, taken from the context.

    A pattern with a variable that the context doesn't have matches nothing.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    if "${" not in pattern:
        return bool(_regex(pattern).fullmatch(value))
    expression, end = "", 0
    for found in _VARIABLE.finditer(pattern):
        expression += _expression(pattern[end : found.start()])
        end = found.end()
        name = found[1]
        if name in ("*", "?", "$"):
            expression += re.escape(name)
            continue
        values = context.get(name.lower(), ())
        if len(values) != 1:
            return False
        expression += re.escape(values[0])
    return bool(re.fullmatch(expression + _expression(pattern[end:]), value, re.DOTALL))


_VARIABLE = re.compile(r"\$\{([^{}]+)\}")


@lru_cache(maxsize=5000)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(pattern), re.DOTALL)


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


# Each compares a value of the policy with one of the request.


def _equals(pattern: str, value: str, context: Context) -> bool:
    # Variables are replaced, wildcards are not.
    return matches_pattern(re.sub(r"[*?]", r"${\g<0>}", pattern), value, context)


def _arn_like(pattern: str, value: str, context: Context) -> bool:
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(
        matches_pattern(one, other, context) for one, other in zip(patterns, values, strict=True)
    )


def _bool(pattern: str, value: str, _context: Context) -> bool:
    return pattern.lower() == value.lower()


_OPERATORS: Mapping[str, Callable[[str, str, Context], bool]] = {
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _bool,
    "Null": _bool,
    "StringEquals": _equals,
    "StringLike": matches_pattern,
}
