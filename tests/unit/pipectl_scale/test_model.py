"""The estimates for a file, and how they grow with its size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipectl.embedded.template import translate
from pipectl.scale.assumptions import Assumptions
from pipectl.scale.billing import ITEMS, Prices, Quantity, quantities
from pipectl.scale.deployed import Deployed, read_deployed
from pipectl.scale.load_model import Estimate, estimate, file_of
from pipectl.scale.quotas import (
    CONCURRENCY,
    EMAIL,
    QUOTAS,
    SPLITS,
    files_per_day_at,
    loads_of_many,
    loads_of_one,
    per_second,
)
from pipectl.scale.report import Demand, report_of
from pipectl.scale.requests import requests_of
from tests.unit.pipectl_scale.conftest import PROJECT

ASSUMPTIONS = Assumptions()
TEMPLATE = Path(__file__).parents[3] / "template.yaml"
MB, GB, TB = 10**6, 10**9, 10**12


def of_size(deployed: Deployed, size: int, *, rejected: float = 0.01) -> Estimate:
    file = file_of(deployed, ASSUMPTIONS, size=size, rejected=rejected)
    return estimate(deployed, file, ASSUMPTIONS)


def test_splits_add_up_to_the_file(deployed: Deployed) -> None:
    file = file_of(deployed, ASSUMPTIONS, size=10 * GB)

    assert sum(file.splits) == 10 * GB
    assert len(file.splits) == 38
    assert max(file.splits) == deployed.split_bytes


def test_splits_grow_if_there_would_be_more_than_an_upload_can_have_parts(
    deployed: Deployed,
) -> None:
    file = file_of(deployed, ASSUMPTIONS, size=5 * TB)

    assert len(file.splits) <= 10_000
    assert max(file.splits) > deployed.split_bytes


def test_more_rows_in_the_same_bytes_make_a_larger_output(deployed: Deployed) -> None:
    few = file_of(deployed, ASSUMPTIONS, size=GB, rows=1_000_000)
    many = file_of(deployed, ASSUMPTIONS, size=GB, rows=20_000_000)

    assert sum(many.output) > sum(few.output)


def test_small_parts_are_read_and_joined_and_large_ones_copied(deployed: Deployed) -> None:
    large = of_size(deployed, 2 * GB, rejected=0)
    small = estimate(
        replace(deployed, split_bytes=64 * 1024),
        file_of(replace(deployed, split_bytes=64 * 1024), ASSUMPTIONS, size=MB),
        ASSUMPTIONS,
    )

    written = requests_of("WriteOutput", large.file)
    assert written["s3:UploadPartCopy"] == len(large.file.splits)
    assert written["s3:GetObject"] == len(large.file.splits)
    joined = requests_of("WriteOutput", small.file)
    assert joined["s3:UploadPartCopy"] == 0
    assert joined["s3:GetObject"] == 2 * len(small.file.splits)


@pytest.mark.parametrize("size", [MB, 100 * MB, 10 * GB])
def test_twice_the_file_takes_no_more_than_twice_the_time_of_functions(
    deployed: Deployed, size: int
) -> None:
    once, twice = of_size(deployed, size), of_size(deployed, 2 * size)

    assert once.lambda_gb_seconds < twice.lambda_gb_seconds < 2.2 * once.lambda_gb_seconds


def test_what_is_billed_is_what_the_file_takes(deployed: Deployed) -> None:
    one = of_size(deployed, GB)

    billed = quantities(deployed, one)

    assert billed["transitions"] == one.transitions
    assert billed["gb_seconds"] == pytest.approx(one.lambda_gb_seconds)
    assert "emails" not in billed
    assert set(billed) <= set(ITEMS)
    assert quantities(replace(deployed, emails=True), one)["emails"] == 1


def test_a_cost_is_units_times_the_price_given_and_nothing_without_one() -> None:
    prices = Prices({"transitions": 0.5})

    assert prices.cost(Quantity("transitions", 9, 90), 9) == 4.5
    assert prices.cost(Quantity("traces", 1, 10), 1) is None


def test_parquet_is_smaller_than_the_file_and_json_lines_larger(deployed: Deployed) -> None:
    lines = file_of(deployed, ASSUMPTIONS, size=GB)
    parquet = file_of(replace(deployed, output_format="parquet"), ASSUMPTIONS, size=GB)

    assert sum(parquet.output) < GB < sum(lines.output)


def test_parquet_of_several_splits_reads_each_part_and_writes_a_footer(deployed: Deployed) -> None:
    parquet = file_of(replace(deployed, output_format="parquet"), ASSUMPTIONS, size=GB)
    made = requests_of("WriteOutput", parquet)
    without = requests_of("WriteOutput", replace(parquet, tail=0))

    assert made["s3:GetObject"] - without["s3:GetObject"] == len(parquet.splits)
    assert made["s3:UploadPart"] - without["s3:UploadPart"] == 1


def test_at_warn_only_lambda_itself_logs(deployed: Deployed) -> None:
    quiet = of_size(replace(deployed, log_level="WARN"), GB)
    usual = of_size(deployed, GB)

    less = ASSUMPTIONS.function_log_bytes - ASSUMPTIONS.lambda_log_bytes
    assert usual.log_bytes - quiet.log_bytes == usual.lambda_invocations * less


# The estimate changes with these parameters; the others change nothing that it shows.
COUNTED = {
    "ArchiveSource",
    "GlueDatabase",
    "LogLevel",
    "MaxConcurrency",
    "NotificationEmail",
    "OutputFormat",
    "ReservedConcurrency",
    "SplitSizeBytes",
}
NOT_COUNTED = {
    "AccessLogBucket",  # access logs are not estimated
    "AlarmTopicArn",  # alarms are not files
    "CorrectionsRetentionDays",  # storage over time is not estimated
    "Environment",  # a name
    "EventBusName",  # a name
    "IgnoredNames",  # ignored files start nothing
    "KmsKeyArn",  # requests of a key are not estimated
    "LogRetentionDays",  # keeping logs is not estimated
    "MaxRejectCount",  # which files fail is an option of the command
    "MaxRejectPercent",
    "PermissionsBoundaryArn",  # who may do what
    "ProcessedRetentionDays",  # storage over time is not estimated
    "RawRetentionDays",  # storage over time is not estimated
    "RejectShareAlarmPercent",
    "RejectedRetentionDays",  # storage over time is not estimated
    "ReplacedRetentionDays",  # storage over time is not estimated
    "ReportsRetentionDays",  # storage over time is not estimated
    "RequireContract",
    "RolePath",  # who may do what
    "RunbookUrl",
    "StartOnScanResult",  # what GuardDuty bills is not estimated
    "TableDeletionProtection",
    "UploaderArns",  # who may do what
    "UploaderDatasets",  # who may do what
}


def test_every_parameter_is_counted_or_known_not_to_count() -> None:
    declared = set(translate(TEMPLATE).document["Parameters"])
    webhook = {name for name in declared if name.startswith("Webhook")}

    assert declared - webhook == COUNTED | NOT_COUNTED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ArchiveSource", "true"),
        ("GlueDatabase", "analytics"),
        ("LogLevel", "WARN"),
        ("MaxConcurrency", "1"),
        ("NotificationEmail", "a@example.com"),
        ("OutputFormat", "parquet"),
        ("ReservedConcurrency", "2"),
        ("SplitSizeBytes", "67108864"),
    ],
)
def test_a_parameter_that_counts_changes_the_estimate(name: str, value: str) -> None:
    demand = Demand(2 * GB, None, 0.01, 0.0, 1000, 1)

    def report(parameters: dict[str, str]) -> list[str]:
        deployed = read_deployed(TEMPLATE, parameters)
        return list(report_of(deployed, demand, ASSUMPTIONS, Prices()).lines())

    assert report({name: value}) != report({})


def test_a_million_files_a_day_meet_the_quota_of_e_mails_first(deployed: Deployed) -> None:
    one = of_size(deployed, MB)

    first, second, *_ = loads_of_many(
        deployed, one, ASSUMPTIONS, files_per_second=per_second(1_000_000, 1)
    )

    assert first.quota == EMAIL
    assert first.share > 1 > second.share
    assert files_per_day_at(first, 1_000_000) == pytest.approx(864_000)


def test_a_terabyte_stays_within_every_limit(deployed: Deployed) -> None:
    loads = loads_of_one(deployed, of_size(deployed, TB), ASSUMPTIONS)

    assert loads[0].share < 1
    assert {load.quota: round(load.load) for load in loads}[SPLITS] == 3726


def test_every_quota_says_what_to_do() -> None:
    assert all(quota.remedy.endswith(".") for quota in QUOTAS)
    assert len({quota.what for quota in QUOTAS}) == len(QUOTAS)


def test_a_small_account_takes_longer_and_fails_nothing(deployed: Deployed) -> None:
    small = replace(ASSUMPTIONS, concurrent_executions=10)
    file = file_of(deployed, ASSUMPTIONS, size=10 * GB)
    assert len(file.splits) == 38

    slow, fast = estimate(deployed, file, small), estimate(deployed, file, ASSUMPTIONS)

    assert slow.wall_seconds > 1.5 * fast.wall_seconds
    load = {load.quota.what: load for load in loads_of_one(deployed, slow, small)}[CONCURRENCY.what]
    assert (load.load, load.quota.limit) == (38, 10)
    assert load.quota.remedy.startswith("Nothing fails: ")


def test_a_reservation_is_a_limit_of_its_functions() -> None:
    reserving = read_deployed(PROJECT / "template.yaml", {"ReservedConcurrency": "4"})
    assert {name for name, it in reserving.functions.items() if it.reserved == 4} == {
        "ParseCsvFunction",
        "MeasureSplitFunction",
        "TransformFunction",
    }
    one = estimate(reserving, file_of(reserving, ASSUMPTIONS, size=10 * GB), ASSUMPTIONS)

    loads = loads_of_many(reserving, one, ASSUMPTIONS, files_per_second=1)

    load = next(it for it in loads if it.quota.what.startswith("TransformFunction: reserved"))
    assert load.quota.limit == 4
    assert load.share > 1


def test_without_the_parameter_nothing_is_reserved(deployed: Deployed) -> None:
    assert {function.reserved for function in deployed.functions.values()} == {None}
