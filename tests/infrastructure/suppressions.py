"""The one table of findings that the linters of the template may have, each with its reason.

Tool -> rule -> resources, `*` for all, and why its findings are right to be ignored. A rule of
cdk-nag is named without its pack, because several packs share it. A suppression that finds nothing
any more is a finding. ruff and zizmor have theirs at the lines that they are about.
"""

from __future__ import annotations

_NO_VERSIONS = (
    "Everything in the output bucket is made again from the input bucket, which has versions."
    " Versions would keep what was erased."
)
_NO_RESERVATIONS = (
    "Only the functions of splits run in large numbers, and these have a limit by parameter."
    " A reservation for each function would take the account's concurrency from others."
)
_SYNCHRONOUS = (
    "Steps are invoked synchronously: the state machine retries and sends to the dead-letter"
    " queue. Those with asynchronous invocations have a failure destination."
)
_NO_NETWORK = (
    "The functions call nothing but AWS's APIs and the webhook. A VPC would add endpoints and"
    " a NAT gateway, and protect nothing: there is no network to reach."
)
SUPPRESSED: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "cfn-lint": {
        "I3011": (
            ("*",),
            "Buckets and table hold the only copy of something. They have deletion policies, and"
            " a test says so. Queues and log groups go with their stack.",
        ),
        "W1020": (
            ("*",),
            "SAM puts a parameter's default into the layer's name while it translates, and leaves"
            " a Sub behind that has nothing to substitute.",
        ),
    },
    "checkov": {
        "CKV_AWS_21": (
            ("OutputBucket",),
            _NO_VERSIONS,
        ),
        "CKV_AWS_115": (
            ("*",),
            _NO_RESERVATIONS,
        ),
        "CKV_AWS_116": (
            ("*",),
            _SYNCHRONOUS,
        ),
        "CKV_AWS_117": (
            ("*",),
            _NO_NETWORK,
        ),
        "CKV_AWS_173": (
            ("*",),
            "Environment variables have names of resources and settings. Lambda encrypts them with"
            " a key of its own; secrets are in Secrets Manager.",
        ),
    },
    "cdk-nag": {
        "DynamoDBInBackupPlan": (
            ("MetadataTable",),
            "It has point-in-time recovery. A backup plan is the account's: AWS Backup selects"
            " resources by the stack's tags.",
        ),
        "IAM5": (
            ("*",),
            "The wildcards are keys below a prefix, executions of this state machine, and the few"
            " actions without resource types, which test_policies.py lists.",
        ),
        "IAMNoInlinePolicy": (
            ("*",),
            "Each role has one policy that belongs to it alone and is deleted with it.",
        ),
        "L1": (
            ("*",),
            "Lambda's newest Python is used once the locked packages have wheels for it and the"
            " tests run on it.",
        ),
        "LambdaConcurrency": (("*",), _NO_RESERVATIONS),
        "LambdaDLQ": (("*",), _SYNCHRONOUS),
        "LambdaEventSourceMappingDestination": (
            ("StarterFunctionQueue",),
            "Lambda offers no destination for SQS as source. The queue has a redrive policy.",
        ),
        "LambdaInsideVPC": (("*",), _NO_NETWORK),
        "LambdaLatestVersion": (("*",), "As L1."),
        "S3BucketReplicationEnabled": (
            ("InputBucket", "OutputBucket"),
            "The other region is the operator's choice: docs/production.md has the commands.",
        ),
        "S3BucketVersioningEnabled": (("OutputBucket",), _NO_VERSIONS),
        "SNSRedrivePolicy": (
            ("WebhookSubscription",),
            "SNS invokes the function asynchronously; what the function can't deliver goes to the"
            " dead-letter queue.",
        ),
        "SQSRedrivePolicy": (("DeadLetterQueue",), "It is the dead-letter queue."),
    },
    "cfn-guard": {
        "lambda_inside_vpc_check": (("*",), _NO_NETWORK),
        "s3_bucket_object_lock_enabled_check": (
            ("InputBucket", "OutputBucket"),
            "Files have to be erased when a person asks for it.",
        ),
        "s3_bucket_policy_ssl_requests_only_check": (
            ("InputBucketPolicy", "OutputBucketPolicy"),
            "Both deny requests without TLS, which test_policies.py proves. The rule doesn't follow"
            " references to the bucket.",
        ),
        "s3_bucket_versioning_enabled_check": (("OutputBucket",), _NO_VERSIONS),
        "s3_event_notifications_enabled_check": (
            ("OutputBucket",),
            "The workflow publishes one event for each file, after the last object is written.",
        ),
        "sqs_dlq_check": (("DeadLetterQueue",), "It is the dead-letter queue."),
    },
}
