"""What files take, and how it grows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipectl.scale.assumptions import Assumptions
from pipectl.scale.deployed import Deployed, read_deployed
from pipectl.scale.model import Estimate, estimate, file_of
from pipectl.scale.prices import PRICES, bill
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
from pipectl.scale.requests import requests_of
from tests.unit.pipectl_scale.conftest import PROJECT

ASSUMPTIONS = Assumptions()
MB, GB, TB = 10**6, 10**9, 10**12


def of_size(deployed: Deployed, size: int, *, rejected: float = 0.01) -> Estimate:
    file = file_of(deployed, ASSUMPTIONS, size=size, rejected=rejected)
    return estimate(deployed, file, ASSUMPTIONS)


def test_splits_add_up_to_the_file(deployed: Deployed) -> None:
    file = file_of(deployed, ASSUMPTIONS, size=10 * GB)

    assert sum(file.splits) == 10 * GB
    assert len(file.splits) == 38
    assert max(file.splits) == deployed.split_bytes


def test_splits_grow_where_there_would_be_more_than_an_upload_has_parts(
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
    assert written["s3:GetObject"] == 1 + len(large.file.splits)
    joined = requests_of("WriteOutput", small.file)
    assert joined["s3:UploadPartCopy"] == 0
    assert joined["s3:GetObject"] == 1 + 2 * len(small.file.splits)


@pytest.mark.parametrize("size", [MB, 100 * MB, 10 * GB])
def test_twice_the_file_takes_no_more_than_twice_the_time_of_functions(
    deployed: Deployed, size: int
) -> None:
    once, twice = of_size(deployed, size), of_size(deployed, 2 * size)

    assert once.lambda_gb_seconds < twice.lambda_gb_seconds < 2.2 * once.lambda_gb_seconds


def test_a_bill_is_quantities_times_prices(deployed: Deployed) -> None:
    one = of_size(deployed, GB)

    lines = {line.key: line for line in bill(deployed, one)}

    assert lines["transitions"].usd == pytest.approx(one.transitions * 0.000025)
    assert lines["gb_seconds"].usd == pytest.approx(one.lambda_gb_seconds * 0.0000133334)
    assert "emails" not in lines


def test_every_price_says_where_it_was_read_or_that_it_was_not() -> None:
    unverified = {key for key, price in PRICES.items() if not price.verified}

    assert unverified == {"storage_gb_seconds", "traces"}
    assert all(
        price.read_from is None or "https://" in price.read_from for price in PRICES.values()
    )


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
