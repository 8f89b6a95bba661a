"""Imported by the process that workers are forked from: what their start would mostly go on.

That is the libraries' code, and botocore's descriptions of the services, which it reads into its
default session when the first client of a service is made.
"""

from __future__ import annotations

import importlib

import boto3

_LIBRARIES = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.utilities.batch",
    "orjson",
    "polars",
)

_SERVICES = ("s3", "sns", "sqs", "stepfunctions")

for _library in _LIBRARIES:
    importlib.import_module(_library)

# Nothing of these clients is kept but what botocore remembers: a worker's own settings come later.
_PLACE = {
    "region_name": "us-east-1",
    "aws_access_key_id": "preload",
    "aws_secret_access_key": "preload",
    "endpoint_url": "http://127.0.0.1",
}
for _service in _SERVICES:
    boto3.client(_service, **_PLACE)  # type: ignore[call-overload]
boto3.resource("dynamodb", **_PLACE)  # type: ignore[call-overload]
