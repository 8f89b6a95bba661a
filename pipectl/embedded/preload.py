"""Imports libraries that are slow to import, in the process that workers are forked from.

It imports the libraries' code, and lets botocore read its descriptions of the services, which it
does when the first client of a service is made.
"""

from __future__ import annotations

import gc
import importlib
import os
from functools import cache
from typing import Any

import boto3
import botocore.useragent

from pipectl.embedded.sandbox import EXECUTION_ENVIRONMENT

_LIBRARIES = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.utilities.batch",
    "orjson",
    "polars",
)

_SERVICES = ("events", "s3", "sns", "sqs", "stepfunctions")

# Powertools and the session that functions share keep the description of the environment.
os.environ["AWS_EXECUTION_ENV"] = EXECUTION_ENVIRONMENT

for _library in _LIBRARIES:
    importlib.import_module(_library)

# Each request composes botocore's description of itself, character by character.
_about: Any = botocore.useragent
_about.sanitize_user_agent_string_component = cache(_about.sanitize_user_agent_string_component)

# Only botocore's caches remain of these clients. Workers make their own, with their own settings.
_SETTINGS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "preload",
    "aws_secret_access_key": "preload",
    "endpoint_url": "http://127.0.0.1",
}
for _service in _SERVICES:
    boto3.client(_service, **_SETTINGS)  # type: ignore[call-overload]
boto3.resource("dynamodb", **_SETTINGS)  # type: ignore[call-overload]

# Workers share these objects' memory as long as their garbage collector doesn't touch them.
gc.collect()
gc.freeze()
