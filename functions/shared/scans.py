"""GuardDuty Malware Protection for S3: the results of its scans, and the events that report them.

https://docs.aws.amazon.com/guardduty/latest/ug/monitoring-malware-protection-s3-scans-gdu.html
https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.job import Source, iso, new_job

# The scan tags the version that it scanned with its result. A later scan replaces the tag.
TAG = "GuardDutyMalwareScanStatus"
CLEAN = "NO_THREATS_FOUND"
INFECTED = "THREATS_FOUND"
DETAIL_TYPE = "GuardDuty Malware Protection Object Scan Result"

# The event has no size, and an object that is gone has none either. It must not be 0: an empty file
# fails as such, before S3 is asked for its bytes.
_UNKNOWN_BYTES = 1
_STATUS = re.compile(r"[A-Z_]{1,40}")


@dataclass(frozen=True)
class ScanResult:
    """The result of scanning one version of an object.

    `source` is the version as far as the event describes it: its size is not known, there is no
    sequencer, and its time is that of the scan. `status` is `CLEAN`, `INFECTED` or the reason why
    there is no result, such as `UNSUPPORTED`, `ACCESS_DENIED` or `FAILED`.
    """

    source: Source
    status: str


def read_scan_result(event: Mapping[str, Any]) -> ScanResult:
    """The scan result in an event of EventBridge, which doesn't URL-encode keys as S3 does.

    Raises KeyError, TypeError or ValueError if the event is malformed.
    """
    scanned = event["detail"]["s3ObjectDetails"]
    status = str(event["detail"]["scanResultDetails"]["scanResultStatus"])
    if not _STATUS.fullmatch(status):
        raise ValueError("scanResultStatus")
    job = new_job(
        bucket=str(scanned["bucketName"]),
        key=str(scanned["objectKey"]),
        version_id=scanned.get("versionId"),
        etag=str(scanned["eTag"]).strip('"'),
        size=_UNKNOWN_BYTES,
        sequencer="",
        event_time=iso(datetime.fromisoformat(str(event["time"]))),
    )
    return ScanResult(job.source, status)
