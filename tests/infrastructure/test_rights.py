"""Every statement of the template's policies is needed by a call of the recorded run.

`tests/end_to_end/recording.py` records the run: the stack with all its parts switched on, and the
people whose policies the stack offers. Here each statement, and each action of it, is removed in
turn. Then a recorded call must be refused. Where none is, `not_recorded.py` has the reason why the
statement is needed all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from pipectl.embedded.rights.enforcement import Call
from pipectl.embedded.rights.policies import Statement
from tests.end_to_end import recording
from tests.infrastructure import deployed, statements
from tests.infrastructure.not_recorded import NOT_RECORDED

SCANS = {"StartOnScanResult": "true"}

# The embedded AWS has one account.
OF_OTHER_ACCOUNTS = {"AllowUploadsOfOtherAccounts"}


@pytest.fixture(scope="module")
def policies() -> statements.Policies:
    return statements.policies(**recording.PARAMETERS, **SCANS)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return recording.recorded()


def test_no_statement_of_the_templates_is_left_out(policies: statements.Policies) -> None:
    """Whatever condition it has."""
    found = {it.place.rpartition(" statement ")[2] for it in policies.statements()}
    document = deployed.template().document["Resources"]
    key = yaml_parse((deployed.ROOT / "key.yaml").read_text(encoding="utf-8"))["Resources"]
    assert set(_sids([document, key])) - found == OF_OTHER_ACCOUNTS


def _sids(value: Any) -> Iterator[str]:
    """The Sids of all statements in a part of a template."""
    if isinstance(value, dict):
        if "Sid" in value:
            yield value["Sid"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _sids(item)


def test_every_recorded_call_is_allowed(policies: statements.Policies, calls: list[Call]) -> None:
    """Otherwise a statement is missing, or the recording is old: `make rights` writes it again."""
    refused = {(it.role, it.action, it.resource) for it in calls if not policies.allow(it)}
    assert refused == set()


def test_every_statement_and_every_action_is_needed_or_has_its_reason(
    policies: statements.Policies, calls: list[Call]
) -> None:
    found = set(_not_needed(policies, calls))
    named = {place for place in found if _key(place) in NOT_RECORDED}
    assert sorted(found - named) == []
    # A reason that is no longer needed could hide a right that is not.
    assert sorted(NOT_RECORDED.keys() - {_key(place) for place in named}) == []


def _key(place: str) -> str:
    """The key of a statement in the table: its place, or its Sid alone."""
    sid = place.rpartition(" statement ")[2]
    return sid if sid in NOT_RECORDED else place


def _not_needed(policies: statements.Policies, calls: list[Call]) -> Iterator[str]:
    """The statements, and actions of others, without which nothing would be refused."""
    for statement in policies.statements():
        if not _is_needed(policies, calls, statement, None):
            yield statement.place
            continue
        for action in statement.actions if len(statement.actions) > 1 else ():
            others = tuple(one for one in statement.actions if one != action)
            if not _is_needed(policies, calls, statement, replace(statement, actions=others)):
                yield f"{statement.place}: {action}"


def _is_needed(
    policies: statements.Policies, calls: list[Call], before: Statement, after: Statement | None
) -> bool:
    """Whether the change of a statement refuses a call, or allows one that it has to refuse."""
    changed = policies.changed(before, after)
    about = [one for one in calls if before.is_about(one.action) and policies.allow(one)]
    if before.allows:
        return not all(changed.allow(call) for call in about)
    return any(
        changed.allow(call, securetransport="false")
        for call in about
        if not policies.allow(call, securetransport="false")
    )
