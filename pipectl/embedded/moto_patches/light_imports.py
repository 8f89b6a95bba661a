"""Imports of moto without what the stack has no use for.

moto's Step Functions and CloudFormation import its EC2, which reads all instance types, images and
regions of AWS into memory when it is imported: a third of the time that all of moto takes. The
stack has no EC2. moto's server would also compute headers for web pages of any origin (CORS), which
`guard` removes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto.utilities import utils


@contextmanager
def without_what_is_not_used() -> Iterator[None]:
    """Let moto's modules that are imported inside the block find no data of EC2 and no CORS."""
    load = utils.load_resource

    def load_others(resource: str) -> Any:
        return {} if resource.startswith("ec2/") else load(resource)

    with (
        patch.object(utils, "load_resource", load_others),
        patch.dict(os.environ, {"MOTO_DISABLE_GLOBAL_CORS": "true"}),
        patch.object(boto3.Session, "get_available_regions", lambda *_, **__: []),
    ):
        yield
