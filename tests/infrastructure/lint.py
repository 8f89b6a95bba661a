"""Lint what is deployed: cfn-lint on the translated template with the workflow's definition in it.

Some errors show only after translation, and no linter reads a definition in a file of its own.
Run as `python -m tests.infrastructure.lint`; exit status 1 where anything is found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tests.infrastructure import deployed, workflow

# Rule -> why its findings are right to be ignored. One that finds nothing any more is a finding.
SUPPRESSED = {
    "I3011": "Buckets and table hold the only copy of something. They have deletion policies, and "
    "a test says so. Queues and log groups go with their stack.",
    "W1020": "SAM puts a parameter's default into the layer's name while it translates, and leaves "
    "a Sub behind that has nothing to substitute.",
}
# Resource types and limits differ between regions: one of the oldest, and one of the newer ones.
REGIONS = ["us-east-1", "eu-south-2"]


def findings(document: Mapping[str, Any]) -> list[str]:
    """What cfn-lint finds in a CloudFormation template, without what is suppressed."""
    arguments = ManualArgs(regions=REGIONS, include_checks=["I"])
    matches = lint(json.dumps(document), config=arguments)
    seen = {match.rule.id for match in matches}
    found = [
        f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in matches
        if match.rule.id not in SUPPRESSED
    ]
    unused = [f"{rule} is suppressed and finds nothing" for rule in SUPPRESSED if rule not in seen]
    return found + unused


def workflow_findings() -> Iterator[str]:
    """What is wrong with the workflow's definition and with what the template puts into it."""
    errors = workflow.error_classes(deployed.ROOT / "functions")
    yield from workflow.defects(deployed.definition(), errors)
    machine = deployed.properties(deployed.STATE_MACHINE)
    given = set(machine["DefinitionSubstitutions"])
    used = workflow.substitutions(machine["DefinitionString"])
    for name in sorted(used - given):
        yield f"${{{name}}} is used, and the template does not give it"
    for name in sorted(given - used):
        yield f"the template gives {name}, which the workflow does not use"


def main() -> int:
    """Print every finding; returns the exit status."""
    found = [*findings(deployed.template().document), *workflow_findings()]
    for line in found:
        print(line)
    print(f"Translated template and workflow: {len(found) or 'no'} findings.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
