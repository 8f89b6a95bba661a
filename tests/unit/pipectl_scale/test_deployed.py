"""The model reads the settings that are deployed, not copies of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipectl.errors import UsageError
from pipectl.scale.deployed import Deployed, read_deployed

TEMPLATE = Path(__file__).parents[3] / "template.yaml"


def test_functions_have_the_templates_memory_timeout_and_storage(deployed: Deployed) -> None:
    transform = deployed.functions["TransformFunction"]

    assert (transform.memory_mb, transform.timeout_seconds) == (1769, 900)
    assert transform.processors == 1
    assert transform.paid_storage_mb == 4096 - 512
    # Global settings apply if a function has none of its own.
    assert deployed.functions["NotifyFunction"].memory_mb == 512
    assert deployed.functions["NotifyFunction"].timeout_seconds == 60


def test_parameters_override_the_templates_defaults() -> None:
    given = {"SplitSizeBytes": "67108864", "MaxConcurrency": "500", "ArchiveSource": "true"}

    deployed = read_deployed(TEMPLATE, given)

    assert (deployed.split_bytes, deployed.max_concurrency) == (67108864, 500)
    assert deployed.archives
    assert not read_deployed(TEMPLATE, {}).archives


def test_what_is_not_deployed_is_left_out() -> None:
    without = read_deployed(TEMPLATE, {})
    with_webhook = read_deployed(TEMPLATE, {"WebhookSecret": "chat/webhook"})

    assert "WebhookFunction" not in without.functions
    assert "WebhookFunction" in with_webhook.functions
    assert with_webhook.webhook


def test_every_task_of_the_workflow_has_its_function(deployed: Deployed) -> None:
    states = deployed.definition["States"]
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    native = {name for name, state in tasks.items() if deployed.function(state) is None}

    assert native == {"SendToDeadLetterQueue"}


def test_a_parameter_that_is_not_the_templates_is_refused() -> None:
    with pytest.raises(UsageError, match="no parameter SplitSize"):
        read_deployed(TEMPLATE, {"SplitSize": "1"})
