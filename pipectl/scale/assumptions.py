"""The model's assumptions: measured figures, and a few that can only be measured on AWS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """The model's inputs. `docs/scale.md` explains how each was measured or estimated."""

    # Measured (docs/benchmarks.md, section on splits).
    transform_bytes_per_second: float = 35e6
    """CSV bytes that one processor transforms per second, all outputs included."""
    measure_bytes_per_second: float = 265e6
    """CSV bytes that one processor measures per second."""
    record_bytes: float = 128
    """Bytes per record, if the number of records is not given."""
    envelope_bytes: float = 240
    """Bytes that JSON Lines adds to a record: names, quotes, ID, row and time."""
    parquet_share: float = 0.26
    """Size of the processed records as Parquet, as a share of the CSV's."""
    footer_bytes: int = 5300
    """Bytes that each split adds to the footer of a Parquet output."""
    reject_bytes: float = 327
    """Bytes of a rejected record as JSON Lines. As CSV, it is as long as in the file."""
    merge_seconds: float = 0.005
    """Processor seconds that Summarize takes to merge the statistics of one more split."""
    item_bytes: int = 2400
    """Bytes of a metadata item. DynamoDB bills each started KiB, for each index."""
    history_bytes: int = 1300
    """Bytes that the workflow logs for each history event."""
    function_log_bytes: int = 1200
    """Bytes that a function logs in one invocation, Lambda's own lines included."""
    lambda_log_bytes: int = 510
    """Bytes of Lambda's own three lines, which every LogLevel of the stack includes."""

    # The account's own.
    concurrent_executions: int = 1000
    """The account's concurrent Lambda executions; a new account has 10."""

    # Without files. AWS documents long polling and five batches at the start, not the wait.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    pollers: int = 5
    """Connections with which Lambda polls an empty queue."""
    poll_seconds: float = 20
    """Seconds that a poll of an empty queue waits: the longest that SQS allows."""

    # These can only be measured on AWS.
    request_seconds: float = 0.03
    """Duration of a request to S3 or DynamoDB with a small answer."""
    step_seconds: float = 0.05
    """Duration of an invocation without its requests and its work on the file."""
    copy_bytes_per_second: float = 100e6
    """Bytes that S3 copies per second, in one UploadPartCopy."""
    transfer_bytes_per_second: float = 80e6
    """Bytes per second of one connection between S3 and a function."""
    state_seconds: float = 0.05
    """Duration of a transition from one state to the next."""
