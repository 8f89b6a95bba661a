"""The policies that the stack offers allow what they are for: users who have them try it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.people import PEOPLE, Person
from tests.end_to_end.pipeline import Pipeline
from tests.infrastructure.test_policies_for_people import OPERATORS

# The recorded run has what they do, and `make test` evaluates their policies with it.
OTHERS = [pytest.param(it, marks=pytest.mark.long) for it in PEOPLE if it != "Operator"]


@pytest.mark.parametrize("policy", [pytest.param("Operator", marks=pytest.mark.slow), *OTHERS])
def test_a_person_may_do_what_a_policy_is_for(
    policy: str, pipeline: Pipeline, tmp_path: Path
) -> None:
    person = Person(pipeline, policy, tmp_path)
    before = pipeline.stack.refusals()
    PEOPLE[policy](person)
    if policy == "Operator":
        assert person.commands == {row.strip("`").split()[0] for row in OPERATORS} - {"all"}
    refused = [it for it in pipeline.stack.refusals() if it not in before]
    # The console's pages show no processed records to operators: docs/operating.md says so.
    expected = {"s3:GetObject"} if policy == "Operator" else set()
    assert {it.message.partition("perform: ")[2].split()[0] for it in refused} == expected
    assert [it.remedy for it in refused if "/processed/" not in it.remedy] == []
