"""The contract that applies to a dataset's files, and datasets that have none on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

import pytest

from parse_csv.contract_of_dataset import read_contract
from shared.contracts import deleted_contracts, present_contracts
from shared.errors import ContractMissing
from tabular.errors import InvalidContract
from tests.unit.functions.documents import INPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTRACT = b'{"fields": [{"name": "id", "type": "integer"}]}'


def put(s3: S3Client, *names: str, body: bytes = CONTRACT) -> None:
    for name in names:
        s3.put_object(Bucket=INPUT_BUCKET, Key=f"contracts/{name}", Body=body)


def delete(s3: S3Client, name: str) -> None:
    s3.delete_object(Bucket=INPUT_BUCKET, Key=f"contracts/{name}")


def test_a_dataset_without_a_contract_has_none(buckets: S3Client) -> None:
    put(buckets, "orders-2.json", "order.json", "orders.json.bak", "sub/orders.json")
    found = read_contract(INPUT_BUCKET, "orders", required=False)
    assert (found.terms, found.key, found.version) == (None, None, None)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("orders", "orders.json"),
        ("orders", "Orders.json"),
        ("Orders", "orders.json"),
        ("orders", "ORDERS.JSON"),
        ("2026-orders", "2026-Orders.json"),
        ("straße", "STRASSE.json"),
        ("über", "Über.json"),
        # As a Mac composes names.
        ("über", normalize("NFD", "Über.json")),
        (normalize("NFD", "été"), "Été.json"),
    ],
)
def test_a_contract_is_found_whatever_the_case_of_its_name(
    buckets: S3Client, dataset: str, name: str
) -> None:
    put(buckets, name, "another.json", "Zulu.json")
    found = read_contract(INPUT_BUCKET, dataset, required=True)
    assert found.terms is not None
    assert found.key == f"contracts/{name}"
    assert found.version is not None


def test_contracts_that_differ_only_in_case_are_refused(buckets: S3Client) -> None:
    put(buckets, "orders.json", "Orders.json")
    with pytest.raises(InvalidContract, match=r"contracts/Orders\.json, contracts/orders\.json"):
        read_contract(INPUT_BUCKET, "orders", required=False)
    delete(buckets, "Orders.json")
    assert read_contract(INPUT_BUCKET, "orders", required=False).key == "contracts/orders.json"


@pytest.mark.parametrize("deleted", ["orders.json", "Orders.json"])
def test_a_deleted_contract_is_missing(buckets: S3Client, deleted: str) -> None:
    put(buckets, deleted)
    delete(buckets, deleted)
    assert deleted_contracts(INPUT_BUCKET, "orders") == [f"contracts/{deleted}"]
    with pytest.raises(ContractMissing, match=rf"contracts/{deleted} .*was deleted.*without a sch"):
        read_contract(INPUT_BUCKET, "orders", required=False)


def test_a_contract_that_was_put_again_is_there(buckets: S3Client) -> None:
    put(buckets, "orders.json")
    delete(buckets, "orders.json")
    put(buckets, "orders.json")
    assert read_contract(INPUT_BUCKET, "orders", required=True).terms is not None
    assert deleted_contracts(INPUT_BUCKET, "orders") == []


def test_a_contract_that_is_deleted_while_it_is_read_is_missing(
    buckets: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(buckets, "orders.json")
    monkeypatch.setattr("shared.storage.read_optional", lambda _bucket, _key: None)
    with pytest.raises(ContractMissing, match="was deleted"):
        read_contract(INPUT_BUCKET, "orders", required=False)


def test_a_stack_can_require_contracts(buckets: S3Client) -> None:
    put(buckets, "other.json")
    with pytest.raises(ContractMissing, match=r"RequireContract.*contracts/orders\.json"):
        read_contract(INPUT_BUCKET, "orders", required=True)


def test_a_contract_without_a_schema_is_the_absence_of_rules_on_purpose(buckets: S3Client) -> None:
    put(buckets, "orders.json", body=b"{}")
    found = read_contract(INPUT_BUCKET, "orders", required=True)
    assert found.terms is not None
    assert found.terms.fields == ()
    assert found.key == "contracts/orders.json"


def test_contracts_are_found_on_every_page(
    buckets: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "5")  # a page, which has 1,000 keys on AWS
    put(buckets, *(f"o{number:04}.json" for number in range(11)), "orders.json")
    assert buckets.list_objects_v2(Bucket=INPUT_BUCKET)["KeyCount"] == 5
    assert present_contracts(INPUT_BUCKET, "orders") == ["contracts/orders.json"]


@pytest.mark.parametrize(("padding", "kept"), [(0, True), (70_000, False)])
def test_only_small_contracts_are_kept_between_files(
    buckets: S3Client, padding: int, kept: bool
) -> None:
    put(buckets, "orders.json", body=CONTRACT + b" " * padding)
    first, again = (read_contract(INPUT_BUCKET, "orders", required=True).terms for _ in range(2))
    assert first == again
    assert (first is again) is kept
