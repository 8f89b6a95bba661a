"""What the model takes for granted: measured figures, and a few that only AWS could tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """The model's inputs. `docs/scale.md` says how each was measured, or why it is a guess."""

    # Measured (docs/benchmarks.md, section on splits).
    transform_bytes_per_second: float = 35e6
    """CSV bytes that one processor transforms in a second, all outputs included."""
    measure_bytes_per_second: float = 265e6
    """CSV bytes that one processor measures in a second."""
    record_bytes: float = 128
    """Bytes of a record, where nobody says how many records a file has."""
    envelope_bytes: float = 240
    """Bytes that a record is longer as JSON Lines: names, quotes, id, row and time."""
    parquet_share: float = 0.27
    """Bytes of the processed records as Parquet, as a share of the CSV's."""
    reject_bytes: float = 327
    """Bytes of a rejected record as JSON Lines; as CSV it has those of the file."""
    merge_seconds: float = 0.005
    """Processor seconds that Summarize takes to merge the statistics of one more split."""
    item_bytes: int = 2400
    """Bytes of a metadata item, of which DynamoDB bills every begun KiB and index."""
    history_bytes: int = 1300
    """Bytes that the workflow logs for each history event."""
    function_log_bytes: int = 1200
    """Bytes that a function logs in one invocation, Lambda's own lines included."""
    lambda_log_bytes: int = 510
    """Bytes of Lambda's own three lines, which no LogLevel of the stack leaves out."""

    # The account's own.
    concurrent_executions: int = 1000
    """Lambda invocations that the account runs at once; a new account begins with 10."""

    # Not to be measured without AWS.
    request_seconds: float = 0.03
    """From a request to S3 or DynamoDB to the end of a small answer."""
    step_seconds: float = 0.05
    """What an invocation takes beside its requests and its work on the file."""
    copy_bytes_per_second: float = 100e6
    """What S3 copies in a second, for one UploadPartCopy."""
    transfer_bytes_per_second: float = 80e6
    """What one connection carries between S3 and a function in a second."""
    state_seconds: float = 0.05
    """What the workflow takes from one state to the next."""
