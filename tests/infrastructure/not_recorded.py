"""The statements of the template that no recorded call needs, each with its reason."""

from __future__ import annotations

NO_X_RAY = "X-Ray's daemon is not part of the embedded AWS"
NO_LOGS = "CloudWatch Logs stores nothing here: logs are files"
ABORTED_UPLOAD = "an error in the middle of a large object aborts its upload"
RESULTS_IN_PARTS = "Step Functions itself writes large results of a Map in parts"
ONLY_READS = "whoever has it only reads here; all share one policy for the key"
SPLITS_OF_A_MAP = "the embedded AWS keeps no executions of a Map Run that could be read"

# The statements, and actions of others, that no recorded call needs. A name without a place is that
# of all statements with this Sid.
NOT_RECORDED = {
    "Trace": NO_X_RAY,
    "a function's policy, statement FreshnessPermission": "scheduled rules don't run here",
    "the key's policy, statement AllowLogs": NO_LOGS,
    "AllowUndeliveredScanResults": "in the recorded run EventBridge can deliver every result",
    "PipelineStateMachineRole, statement DeliverLogs": NO_LOGS,
    "PipelineStateMachineRole, statement RedriveSplits": "a Map whose failure was caught runs anew",
    **{
        f"PipelineStateMachineRole, statement ReadSplitsAndWriteMapResults: s3:{action}": (
            RESULTS_IN_PARTS
        )
        for action in ("AbortMultipartUpload", "ListMultipartUploadParts")
    },
    "ParseCsvRole, statement WritePlans: s3:AbortMultipartUpload": ABORTED_UPLOAD,
    "TransformRole, statement ReadPlansAndWriteParts: s3:AbortMultipartUpload": ABORTED_UPLOAD,
    "WriteOutputRole, statement PublishOutputs: s3:AbortMultipartUpload": ABORTED_UPLOAD,
    "NotifyRole, statement MarkNotifiedFailures": "only one of two channels accepted a failure",
    "FailureGateRole, statement UseKey": "the gate reads and writes nothing; all share one policy",
    **{
        f"{who}, statement UseKey: kms:GenerateDataKey": ONLY_READS
        for who in (
            *("FreshnessRole", "RecordMetadataRole", "SplitFailureRole", "UpdateCatalogueRole"),
            *("Auditor's KeyPolicy", "Erase's KeyPolicy", "ReadProcessed's KeyPolicy"),
        )
    },
    "OperatorPolicy, statement ReadAndRedriveExecutions: states:ListMapRuns": (
        "read while a Map runs, which is too short here"
    ),
    "OperatorPolicy, statement ReadMapRuns: states:ListExecutions": SPLITS_OF_A_MAP,
    "OperatorPolicy, statement ReadSplits": SPLITS_OF_A_MAP,
    "ErasePolicy, statement ReadExecutions": "finds the key of a file that has no metadata item",
}
