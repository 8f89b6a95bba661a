"""Imports of moto without what only its EC2 needs.

moto's Step Functions and CloudFormation import its EC2, which reads all instance types, images and
regions of AWS into memory when it is imported: a third of the time that all of moto takes. The
stack has no EC2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto.utilities import utils


@contextmanager
def without_ec2_data() -> Iterator[None]:
    """Let moto's modules that are imported inside the block find no data of EC2."""
    load = utils.load_resource

    def load_others(resource: str) -> Any:
        return {} if resource.startswith("ec2/") else load(resource)

    with (
        patch.object(utils, "load_resource", load_others),
        patch.object(boto3.Session, "get_available_regions", lambda *_, **__: []),
    ):
        yield
