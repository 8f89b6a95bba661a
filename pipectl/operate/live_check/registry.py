"""The checks of the live check, most important first; docs/truth.md lists them too."""

from __future__ import annotations

from pipectl.operate.live_check import function_checks, storage_checks, workflow_checks
from pipectl.operate.live_check.model import LiveCheck

_DOCS = "https://docs.aws.amazon.com/"
_STATES = _DOCS + "step-functions/latest/dg/"
_S3 = _DOCS + "AmazonS3/latest/"

CHECKS = (
    LiveCheck(
        "file-processed",
        "An upload under `raw/` starts an execution, and every step can do its work under its role",
        "succeeded, 1 processed, 1 rejected",
        workflow_checks.file_is_processed,
        _S3 + "userguide/EventNotifications.html",
    ),
    LiveCheck(
        "redrive-count",
        "The failure gate sees the redrive count of the run that it is in",
        "the gate saw 0, 1, 1; the dead letters say 0, 1",
        workflow_checks.fresh_redrive_count,
        _STATES + "input-output-contextobject.html",
    ),
    LiveCheck(
        "redrive-continues",
        "A redrive continues at the gate, and from there at the step that failed",
        "succeeded after 2 redrives",
        workflow_checks.redrive_continues,
        _STATES + "redrive-executions.html",
    ),
    LiveCheck(
        "error-name",
        "A Python exception's class name becomes the execution's error",
        "failed with TooManyRejects",
        workflow_checks.failure_has_its_name,
        _STATES + "concepts-error-handling.html",
    ),
    LiveCheck(
        "map-role",
        "A Distributed Map's children can assume the state machine's role",
        "succeeded, each Map Run with several children",
        workflow_checks.map_runs_its_children,
        cost="large file",
    ),
    LiveCheck(
        "traces",
        "Step Functions' segments reach X-Ray under the state machine's role",
        "segments of Step Functions",
        workflow_checks.trace_has_the_workflow,
        _STATES + "concepts-xray-tracing.html",
    ),
    LiveCheck(
        "map-results",
        "Names of children, and folders, names and fields of a Map Run's result files",
        "manifest.json and SUCCEEDED_0.json of each Map Run, as documented",
        workflow_checks.map_results_have_their_layout,
        _STATES + "input-output-resultwriter.html",
        cost="large file",
    ),
    LiveCheck(
        "map-failure",
        "A failed child's own error is in FAILED_0.json, and becomes the execution's error",
        "SourceNotFound, at least 1 child in FAILED_0.json",
        workflow_checks.failed_child_is_found,
        _STATES + "input-output-resultwriter.html",
        cost="large file",
    ),
    LiveCheck(
        "map-redrive",
        "A redriven Map whose failure was caught starts a new Map Run",
        "1 new Map Run, 0 redriven",
        workflow_checks.redriven_map_starts_anew,
        cost="large file",
    ),
    LiveCheck(
        "missing-version",
        "S3 answers 404, not 403, for a deleted version to a role that may list the bucket",
        "SourceNotFound",
        workflow_checks.missing_version_is_404,
        _S3 + "API/API_GetObject.html",
    ),
    LiveCheck(
        "missing-object",
        "S3 answers 404, not 403, for a missing object to a role that may list the bucket",
        "succeeded without a contract",
        workflow_checks.missing_contract_is_404,
        _S3 + "API/API_GetObject.html",
    ),
    LiveCheck(
        "timeout-name",
        "A function's timeout has one of the error names that the workflow retries once",
        "Sandbox.Timedout or Lambda.Unknown, 2 attempts",
        function_checks.timeout_has_its_name,
        _STATES + "concepts-error-handling.html",
        invasive=True,
        cost="large file",
    ),
    LiveCheck(
        "retry-count",
        "The context object counts a state's retries, and has 0 in its first attempt",
        "Transform saw 0, 1",
        function_checks.retries_are_counted,
        _STATES + "input-output-contextobject.html",
        invasive=True,
        cost="large file",
    ),
    LiveCheck(
        "cause-length",
        "Catch hands on the whole cause of an error",
        "all of more than 4,000 characters",
        workflow_checks.cause_arrives_whole,
        _STATES + "concepts-error-handling.html",
    ),
    LiveCheck(
        "conditional-complete",
        "CompleteMultipartUpload takes conditions, and ETags and numbers without checksums",
        "412 for a condition that isn't met, 404 without an object",
        storage_checks.conditional_complete,
        _S3 + "API/API_CompleteMultipartUpload.html",
        cost="requests",
    ),
    LiveCheck(
        "unquoted-etags",
        "Conditions of reads, writes and copies take ETags without quotes",
        "success with the ETag, 412 with another",
        storage_checks.unquoted_etags,
        cost="requests",
    ),
    LiveCheck(
        "conditional-delete",
        "DeleteObject takes If-Match",
        "412 with another ETag, then success",
        storage_checks.conditional_delete,
        _S3 + "userguide/conditional-deletes.html",
        cost="requests",
    ),
    LiveCheck(
        "copies",
        "S3 copies untagged objects for roles that may not read or write tags",
        "succeeded, and archived if ArchiveSource is true",
        workflow_checks.untagged_objects_are_copied,
        _S3 + "API/API_UploadPartCopy.html",
        cost="large file",
    ),
    LiveCheck(
        "metrics-at-warn",
        "Metrics in the embedded format are logged even if the minimum log level is WARN",
        "a metric in the log",
        function_checks.metrics_pass_log_level,
        invasive=True,
    ),
    *(
        LiveCheck(
            f"memory-{kind}",
            f"Transform and Summarize have enough memory for a split of {what}",
            "at most 80% of each function's memory",
            function_checks.memory_used(file),
            cost="large file",
        )
        for kind, what, file in (
            ("narrow", "short records", function_checks.narrow_file),
            ("wide", "2,000 columns", function_checks.wide_file),
            ("rejected", "rejected records", function_checks.rejected_file),
        )
    ),
    LiveCheck(
        "stop-in-map",
        "EventBridge reports an execution that is stopped in a Map, and nothing is done twice",
        "aborted, item failed, 1 dead letter, 1 notification",
        workflow_checks.stop_in_a_map,
        _STATES + "eventbridge-integration.html",
        cost="large file",
    ),
    LiveCheck(
        "throttling",
        "Throttled invocations have the error name that the workflow retries for hours",
        "12 of 12 succeeded",
        function_checks.throttled_files_succeed,
        _STATES + "concepts-error-handling.html",
        invasive=True,
        cost="large file",
    ),
    LiveCheck(
        "redrive-events",
        "EventBridge reports the failures of an execution that was redriven",
        "at least 2 events for 2 failures",
        workflow_checks.redriven_executions_have_events,
        _STATES + "eventbridge-integration.html",
    ),
    LiveCheck(
        "event-identity",
        "S3's event has the version that was uploaded, and a sequencer in hex digits",
        "the version, a sequencer",
        workflow_checks.event_identifies_the_version,
        _S3 + "userguide/notification-content-structure.html",
    ),
    LiveCheck(
        "packages",
        "The packages run on Python 3.13 on arm64",
        "succeeded; all functions python3.13 on arm64",
        function_checks.packages_run_on_arm64,
        _DOCS + "lambda/latest/dg/foundation-arch.html",
    ),
)
