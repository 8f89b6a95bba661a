"""Lint what is deployed: cfn-lint on the translated template with the workflow's definition in it.

Some errors show only after translation, and no linter reads a definition in a file of its own.
Run as `python -m tests.infrastructure.lint`; exit status 1 where anything is found.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure import deployed, suppressions, workflow

# The rules that are ignored.
SUPPRESSED = suppressions.SUPPRESSED["cfn-lint"]
# Resource types and limits differ between regions: one of the oldest and one of the newer ones, and
# those of the partitions for China and the US government. The template is translated for each
# partition, for the translator writes some ARNs itself.
REGIONS = {
    "aws": ["us-east-1", "eu-south-2"],
    "aws-cn": ["cn-north-1", "cn-northwest-1"],
    "aws-us-gov": ["us-gov-west-1", "us-gov-east-1"],
}


def findings(document: Mapping[str, Any], partition: str = "aws") -> list[str]:
    """The findings in a translated template in the regions of a partition.

    That is what cfn-lint finds, without what is suppressed, and every ARN of a fixed partition.
    """
    matches = list(_matches(json.dumps(_with_known_arns(document)), REGIONS[partition]))
    seen = {match.rule.id for match in matches}
    found = [
        f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in matches
        if match.rule.id not in SUPPRESSED
    ]
    unused = [f"{rule} is suppressed and finds nothing" for rule in SUPPRESSED if rule not in seen]
    fixed = [f"{place}: {arn} is of a fixed partition" for place, arn in fixed_arns(document)]
    return found + unused + fixed


def _matches(template: str, regions: list[str]) -> Iterator[Any]:
    """What cfn-lint finds, which takes a second to import: most tests here don't need it."""
    from cfnlint.api import lint  # noqa: PLC0415
    from cfnlint.config import ManualArgs  # noqa: PLC0415

    yield from lint(template, config=ManualArgs(regions=regions, include_checks=["I"]))


def translated(partition: str) -> dict[str, Any]:
    """The template as it is translated in a partition's first region."""
    # The translator keeps the first region that it sees, hence another process.
    completed = subprocess.run(
        [sys.executable, "-m", "pipectl.embedded.template", str(deployed.ROOT / "template.yaml")],
        input="{}",
        env={**os.environ, "AWS_DEFAULT_REGION": REGIONS[partition][0]},
        check=True,
        capture_output=True,
        text=True,
    )
    document: dict[str, Any] = json.loads(completed.stdout)["document"]
    return document


def key_stack_findings() -> Iterator[str]:
    """The findings in key.yaml, the template of the key's own stack, in any partition."""
    text = (deployed.ROOT / "key.yaml").read_text(encoding="utf-8")
    regions = [region for partition in REGIONS.values() for region in partition]
    for match in _matches(text, regions):
        yield f"key.yaml: {match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
    yield from (f"key.yaml: {place}: {arn}" for place, arn in fixed_arns(yaml_parse(text)))


def workflow_findings() -> Iterator[str]:
    """The findings in the workflow's definition and in the values that the template substitutes."""
    errors = workflow.error_classes(deployed.ROOT / "functions")
    yield from workflow.defects(deployed.definition(), errors)
    machine = deployed.properties(deployed.STATE_MACHINE)
    given = set(machine["DefinitionSubstitutions"])
    used = workflow.substitutions(machine["DefinitionString"])
    for name in sorted(used - given):
        yield f"${{{name}}} is used, and the template does not give it"
    for name in sorted(given - used):
        yield f"the template gives {name}, which the workflow does not use"


def _with_known_arns(document: Mapping[str, Any]) -> dict[str, Any]:
    """The template with the workflow's partition filled in: cfn-lint takes `aws` alone there."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            properties = resource["Properties"]
            text = properties["DefinitionString"].replace("${Partition}", "aws")
            properties["DefinitionString"] = text
            properties["DefinitionSubstitutions"].pop("Partition", None)
    return changed


def fixed_arns(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every ARN that names its partition, with its place; also those in the workflow's text."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from fixed_arns(item, f"{place}/{name}")
    elif isinstance(value, list):
        for item in value:
            yield from fixed_arns(item, place)
    elif isinstance(value, str):
        for arn in re.findall(r"\barn:aws[\w-]*:[^\s\"']*", value):
            yield place.removeprefix("/"), arn


def main() -> int:
    """Print what was checked and every finding; returns the exit status."""
    found = [*workflow_findings(), *key_stack_findings()]
    for partition in REGIONS:
        found += findings(translated(partition), partition)
    for line in found:
        print(line)
    print(
        f"cfn-lint: {len(deployed.template().document['Resources'])} resources in "
        f"{', '.join(region for regions in REGIONS.values() for region in regions)}, key.yaml and "
        f"the workflow: {len(found) or 'no'} findings, {len(SUPPRESSED)} rules with a reason.",
        file=sys.stderr,
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
