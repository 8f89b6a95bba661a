"""UpdateCatalogue: the rows that its tables show, and how the tables are extended."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from shared import clients
from shared.errors import InternalError, TransientError
from tabular.contract.descriptor import parse_contract
from tabular.writing.athena_columns import TABLE_FORMATS, members_of
from tabular.writing.output_formats import FORMATS
from tests.athena import read_table
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, client_error
from tests.unit.tabular.engine import TransformResult, run
from update_catalogue.app import handler

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tabular.model import Contract

DATABASE = "analytics"
FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "Order No", "type": "integer"},
    {"name": "total", "type": "number"},
    {"name": "paid", "type": "boolean"},
    {"name": "day", "type": "date"},
    {"name": "at", "type": "datetime", "format": "any"},
    {"name": "since", "type": "year"},
    {"name": "tags", "type": "list"},
    {"name": "sizes", "type": "list", "itemType": "number"},
    {"name": "place", "type": "geopoint"},
    {"name": "spot", "type": "geopoint", "format": "object"},
    {"name": "more", "type": "object"},
    {"name": "items", "type": "array"},
    {"name": "note", "type": "string"},
)
DIALECT = {"delimiter": ";", "quoteChar": None}
HEADER = ";".join(field["name"] for field in FIELDS)
CELLS = (
    *("7", "100.50", "true", "2024-01-15", "2024-01-15T08:00:00Z", "2024", "a,b", "1,2.5"),
    *("90.5, 45.25", '{"lon":1,"lat":2}', '{"k":[1]}', '[1,"x"]', "hi"),
)
CONTENT = f"{HEADER}\n{';'.join(CELLS)}\n8{';' * (len(FIELDS) - 1)}\n".encode()


@pytest.fixture
def catalogue(buckets: S3Client, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """An output bucket and an empty Glue Data Catalog."""
    monkeypatch.setenv("OUTPUT_BUCKET", documents.OUTPUT_BUCKET)
    monkeypatch.setenv("OUTPUT_FORMAT", "jsonl")
    monkeypatch.setenv("GLUE_DATABASE", DATABASE)
    return buckets


def contract(*fields: dict[str, Any], **pipeline: Any) -> Contract:
    document = {"dialect": DIALECT, "schema": {"fields": list(fields)}, "pipeline": pipeline}
    return parse_contract(document, output_formats=FORMATS)


def transform(content: bytes, terms: Contract | None = None) -> TransformResult:
    """The file, transformed into its contract's format."""
    return run(content, terms, output_format=(terms and terms.output_format) or "jsonl")


def published(
    s3: S3Client, result: TransformResult, dataset: str = "orders", error_count: int = 0
) -> dict[str, Any]:
    """Run the step for a file that was transformed; returns its result."""
    plan_key = documents.PARSE["plan_key"]
    plan = json.dumps({"layout": result.layout.to_document()}).encode()
    s3.put_object(Bucket=documents.OUTPUT_BUCKET, Key=plan_key, Body=plan)
    source = {**documents.SOURCE, "dataset": dataset}
    output = {**documents.OUTPUT, "error_count": error_count}
    job = documents.finished(output=output) | {"source": source}
    return handler(documents.payload(job), None)


def table(name: str = "orders") -> dict[str, Any]:
    """The table as Glue describes it."""
    return dict(clients.glue().get_table(DatabaseName=DATABASE, Name=name)["Table"])


def columns(name: str = "orders") -> dict[str, str]:
    return {one["Name"]: one["Type"] for one in table(name)["StorageDescriptor"]["Columns"]}


FIRST: dict[str, Any] = {
    "order_no": 7,
    "paid": True,
    "day": date(2024, 1, 15),
    "since": 2024,
    "note": "hi",
}
FIRST_JSON = {
    **FIRST,
    "total": 100.5,
    "at": "2024-01-15T08:00:00Z",
    "tags": ["a", "b"],
    "sizes": [1.0, 2.5],
    "place": [90.5, 45.25],
    "spot": {"lon": 1.0, "lat": 2.0},
    "more": '{"k":[1]}',
    "items": ["1", "x"],
}
FIRST_PARQUET = {
    **FIRST,
    "total": Decimal("100.50"),
    "at": datetime(2024, 1, 15, 8),
    "tags": '["a","b"]',
    "sizes": "[1,2.5]",
    "place": "[90.5,45.25]",
    "spot": '{"lon":1,"lat":2}',
    "more": '{"k":[1]}',
    "items": '[1,"x"]',
}


def test_every_output_format_has_tables() -> None:
    assert TABLE_FORMATS.keys() == FORMATS.keys()


def test_enveloped_records_are_read_through_the_table(catalogue: S3Client) -> None:
    result = transform(CONTENT, contract(*FIELDS))
    assert published(catalogue, result) == {
        "database": DATABASE,
        "table": "orders",
        "action": "created",
        "problems": [],
        "problem_count": 0,
    }
    assert list(columns()) == ["id", "original_row", "data", "processed_at"]
    first, second = read_table(table(), [result.processed])
    assert first == {
        "id": "f-1",
        "original_row": 1,
        "data": FIRST_JSON,
        "processed_at": "2024-01-01T00:00:00Z",
    }
    assert second["data"] == dict.fromkeys(FIRST_JSON, None) | {"order_no": 8}


def test_flat_records_are_read_through_the_table(catalogue: S3Client) -> None:
    result = transform(CONTENT, contract(*FIELDS, record="flat"))
    assert published(catalogue, result)["action"] == "created"
    first, second = read_table(table(), [result.processed])
    assert first == {"_file_id": "f", "_row": 1, **FIRST_JSON}
    assert second["order_no"] == 8


def test_parquet_is_read_through_the_table(catalogue: S3Client) -> None:
    result = transform(CONTENT, contract(*FIELDS, outputFormat="parquet"))
    assert published(catalogue, result)["problems"] == []
    assert table()["Parameters"]["classification"] == "parquet"
    first, _ = read_table(table(), [result.processed])
    assert first == {"_file_id": "f", "_row": 1, **FIRST_PARQUET}


def test_rejected_records_have_a_table_of_their_own(catalogue: S3Client) -> None:
    result = transform(b"id;n\n1;x\n", contract({"name": "id"}, {"name": "n", "type": "number"}))
    published(catalogue, result, error_count=1)
    [row] = read_table(table("rejected_records"), [result.rejected])
    [fault] = row.pop("errors")
    assert row == {"row": 1, "line": 2, "byte_offset": 5, "raw": "1;x"}
    assert fault["field"] == "n"
    assert fault["code"] == "type-error"
    assert fault["value"] == "x"
    assert table("rejected_records")["StorageDescriptor"]["Location"] == (
        f"s3://{documents.OUTPUT_BUCKET}/rejected/"
    )


def test_a_file_without_rejects_makes_no_table_of_rejects(catalogue: S3Client) -> None:
    published(catalogue, transform(b"a\n1\n"))
    tables = clients.glue().get_tables(DatabaseName=DATABASE)["TableList"]
    assert [one["Name"] for one in tables] == ["orders"]
    assert tables[0]["StorageDescriptor"]["Location"] == (
        f"s3://{documents.OUTPUT_BUCKET}/processed/orders/"
    )


@pytest.mark.parametrize("settings", [{}, {"record": "flat"}, {"outputFormat": "parquet"}])
def test_a_new_contract_adds_columns_and_old_objects_stay_readable(
    catalogue: S3Client, settings: dict[str, Any]
) -> None:
    def file(content: bytes, *fields: dict[str, Any]) -> TransformResult:
        return transform(content, contract(*fields, **settings))

    old = file(b"a;b\n1;x\n", {"name": "a", "type": "integer"}, {"name": "b"})
    published(catalogue, old)
    clients.glue().update_table(
        DatabaseName=DATABASE, TableInput=with_comment(table(), "an analyst's comment")
    )
    new = file(b"b;c;a\ny;2;3\n", {"name": "b"}, {"name": "c"}, {"name": "a", "type": "integer"})

    assert published(catalogue, new)["action"] == "extended"
    assert published(catalogue, new)["action"] == "unchanged"
    assert published(catalogue, old)["action"] == "unchanged"
    assert table()["Description"] == "an analyst's comment"
    rows = read_table(table(), [old.processed, new.processed])
    values = [row.get("data", row) for row in rows]
    assert [(row["a"], row["b"], row["c"]) for row in values] == [(1, "x", None), (3, "y", "2")]


def with_comment(described: dict[str, Any], comment: str) -> Any:
    kept = ("Name", "StorageDescriptor", "Parameters", "TableType")
    return {name: described[name] for name in kept} | {"Description": comment}


@pytest.mark.parametrize("settings", [{}, {"record": "flat"}, {"outputFormat": "parquet"}])
def test_a_retyped_field_is_reported_and_the_table_keeps_its_type(
    catalogue: S3Client, settings: dict[str, Any], logs: Logs
) -> None:
    before = contract({"name": "a", "type": "integer"}, **settings)
    published(catalogue, transform(b"a\n1\n", before))
    kept = columns()
    after = contract({"name": "a", "type": "string"}, {"name": "b"}, **settings)

    result = published(catalogue, transform(b"a;b\n1;2\n", after))

    assert result["action"] == "extended"
    [problem] = result["problems"]
    assert problem == (
        "In the table orders, the field a has the type bigint, and now it should be string. The "
        "table keeps its type, so Athena may fail or read null for the new values. To change the "
        "type, rerun the dataset's files, so that all objects have the new type, and delete the "
        "table: the next file makes it again."
    )
    types = columns() if "data" not in kept else members_of(columns()["data"])
    assert types is not None
    assert (types["a"], types["b"]) == ("bigint", "string")
    assert problem in [line.get("reason") for line in logs]


def test_names_that_athena_does_not_accept_are_mapped_in_json(catalogue: S3Client) -> None:
    fields = [{"name": name} for name in ("Größe", "a-b", "2024", "ID", "select")]
    settings = {"outputNames": "original", "record": "flat"}
    header = ";".join(field["name"] for field in fields)
    result = transform(f"{header}\n1;2;3;4;5\n".encode(), contract(*fields, **settings))
    assert published(catalogue, result)["problems"] == []
    [row] = read_table(table(), [result.processed])
    assert row == {
        "_file_id": "f",
        "_row": 1,
        "gr__e": "1",
        "a_b": "2",
        "2024": "3",
        "id": "4",
        "select": "5",
    }


def test_names_that_a_table_cannot_have_are_reported(catalogue: S3Client) -> None:
    fields = [{"name": name} for name in ("a b", "a-b", "a.b")]
    parquet = contract(*fields, outputFormat="parquet")
    result = transform(b"a b;a-b;a.b\n1;2;3\n", parquet)
    answer = published(catalogue, result)
    assert list(columns()) == ["_file_id", "_row", "a_b"]
    assert answer["problems"] == [
        f"The table orders has no column for the field {name}: in Athena, another column has "
        "the same name already. Give the field another outputName in the contract."
        for name in ("a-b", "a.b")
    ]
    assert len(read_table(table(), [result.processed])) == 1


@pytest.mark.parametrize(
    ("fields", "settings", "words"),
    [
        (["é"], {"outputFormat": "parquet"}, "Athena accepts only letters a to z"),
        (["original row"], {"outputNames": "original"}, "is a name that records reserve"),
        (["a" * 256], {}, "more than 255 characters"),
    ],
)
def test_a_field_without_a_column_is_reported_with_the_reason(
    catalogue: S3Client, fields: list[str], settings: dict[str, Any], words: str
) -> None:
    terms = contract(*({"name": name} for name in [*fields, "x"]), **settings)
    content = f"{';'.join([*fields, 'x'])}\n1;2\n".encode()
    [problem] = published(catalogue, transform(content, terms))["problems"]
    assert words in problem


def test_names_that_differ_only_in_case_leave_the_table_as_it_is(catalogue: S3Client) -> None:
    terms = contract({"name": "id"}, {"name": "ID"}, outputNames="original")
    answer = published(catalogue, transform(b"id;ID\n1;2\n", terms))
    assert (answer["table"], answer["action"]) == (None, "unchanged")
    assert "the field id and the field ID differ only in case" in answer["problems"][0]


def test_labels_of_a_file_without_a_contract_are_not_repeated(catalogue: S3Client) -> None:
    published(catalogue, transform(b"secret-name,b\n1,2\n"))
    description = with_comment(table(), "")
    storage = description["StorageDescriptor"]
    storage["Columns"] = [
        {**one, "Type": one["Type"].replace("secret_name:string", "secret_name:int")}
        for one in storage["Columns"]
    ]
    clients.glue().update_table(DatabaseName=DATABASE, TableInput=description)
    [problem] = published(catalogue, transform(b"secret-name,b\n1,2\n"))["problems"]
    assert "column 1 of the file has the type int" in problem
    assert "secret" not in problem


def test_labels_that_are_the_same_for_athena_are_not_repeated(catalogue: S3Client) -> None:
    result = transform(b"secret\xc3\xa4,secret\xc3\xb6,b\n1,2,3\n")
    [problem] = published(catalogue, result)["problems"]
    assert "column 2 of the file: in Athena, another column has the same name" in problem
    assert "secret" not in problem


def test_labels_of_columns_of_another_file_are_not_repeated(catalogue: S3Client) -> None:
    published(catalogue, transform(b"secret\xc3\xa4,b\n1,2\n"))
    [problem] = published(catalogue, transform(b"secret\xc3\xb6,b\n1,2\n"))["problems"]
    assert "column 1 of the file has in Athena belongs to another field" in problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"record": "flat"}, "The shape of the dataset's records has changed"),
        ({"outputFormat": "parquet"}, "The dataset's output format has changed"),
    ],
)
def test_a_table_never_reads_two_formats_or_shapes(
    catalogue: S3Client, settings: dict[str, Any], words: str
) -> None:
    published(catalogue, transform(b"a\n1\n", contract({"name": "a"})))
    before = table()
    result = transform(b"a;b\n1;2\n", contract({"name": "a"}, {"name": "b"}, **settings))
    answer = published(catalogue, result)
    assert answer["action"] == "unchanged"
    assert words in answer["problems"][0]
    assert table() == before


def test_the_tables_of_others_and_of_other_datasets_are_left_alone(catalogue: S3Client) -> None:
    glue = clients.glue()
    glue.create_database(DatabaseInput={"Name": DATABASE})
    glue.create_table(DatabaseName=DATABASE, TableInput={"Name": "orders"})
    foreign = table()
    assert "was not made by the data pipeline" in problem_of(catalogue, "orders")
    assert table() == foreign
    published(catalogue, transform(b"a\n1\n"), "web-shop")
    assert "belongs to another dataset" in problem_of(catalogue, "Web.Shop")
    assert table("web_shop")["StorageDescriptor"]["Location"].endswith("/processed/web-shop/")
    assert "is the table of all rejected records" in problem_of(catalogue, "rejected_records")


def problem_of(s3: S3Client, dataset: str) -> str:
    [problem] = published(s3, transform(b"a,b\n1,2\n"), dataset)["problems"]
    return str(problem)


def test_a_table_of_another_bucket_is_left_alone(
    catalogue: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(catalogue, transform(b"a\n1\n"))
    described = with_comment(table(), "")
    described["StorageDescriptor"]["Location"] = "s3://elsewhere/processed/orders/"
    clients.glue().update_table(DatabaseName=DATABASE, TableInput=described)
    assert "Use one database for each environment" in problem_of(catalogue, "orders")


def test_a_structure_that_is_too_long_for_glue_is_reported(catalogue: S3Client) -> None:
    header = ",".join(f"{'x' * 200}{number}" for number in range(700))
    result = transform(f"{header}\n{',' * 699}1\n".encode())
    answer = published(catalogue, result)
    assert (answer["action"], answer["problem_count"]) == ("unchanged", 1)
    assert "Glue allows 131,072" in answer["problems"][0]


def test_the_result_does_not_grow_with_the_number_of_problems(catalogue: S3Client) -> None:
    fields = [{"name": f"{name}b"} for name in " -.+/!?%&=#@:*~^'`$"]
    settings = {"outputNames": "original"}
    header = ";".join(field["name"] for field in fields)
    answer = published(
        catalogue, transform(f"{header}\n\n".encode(), contract(*fields, **settings))
    )
    assert len(answer["problems"]) == 10
    assert answer["problem_count"] == 18


def test_two_files_that_change_a_table_at_once_both_get_their_columns(
    catalogue: S3Client, fault: Fault
) -> None:
    published(catalogue, transform(b"a\n1\n", contract({"name": "a"})))
    lost = client_error("ConcurrentModificationException", "UpdateTable")
    fault("UpdateTable", lost, lost)
    answer = published(catalogue, transform(b"a;b\n1;2\n", contract({"name": "a"}, {"name": "b"})))
    assert answer["action"] == "extended"
    assert members_of(columns()["data"]) == {"a": "string", "b": "string"}


def test_a_table_that_someone_else_has_just_made_is_extended(
    catalogue: S3Client, fault: Fault
) -> None:
    published(catalogue, transform(b"a\n1\n", contract({"name": "a"})))
    fault("GetTable", client_error("EntityNotFoundException", "GetTable"))
    answer = published(catalogue, transform(b"a;b\n1;2\n", contract({"name": "a"}, {"name": "b"})))
    assert answer["action"] == "extended"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", TransientError),
        ("OperationTimeoutException", TransientError),
        ("InternalServiceException", TransientError),
        ("AccessDeniedException", InternalError),
        ("GlueEncryptionException", InternalError),
    ],
)
@pytest.mark.parametrize("operation", ["GetTable", "CreateTable", "CreateDatabase"])
def test_an_error_of_glue_is_raised_as_its_kind(
    catalogue: S3Client, fault: Fault, operation: str, code: str, kind: type[Exception]
) -> None:
    fault(operation, client_error(code, operation))
    with pytest.raises(kind, match=code):
        published(catalogue, transform(b"a\n1\n"))


def test_endless_conflicts_are_left_to_the_workflows_retry(
    catalogue: S3Client, fault: Fault
) -> None:
    published(catalogue, transform(b"a\n1\n", contract({"name": "a"})))
    fault("UpdateTable", *[client_error("ConcurrentModificationException", "UpdateTable")] * 5)
    with pytest.raises(TransientError, match="Other executions change the table orders"):
        published(catalogue, transform(b"a;b\n1;2\n", contract({"name": "a"}, {"name": "b"})))


@pytest.mark.parametrize(
    ("struct", "members"),
    [
        ("struct<a:int>", {"a": "int"}),
        ("struct<a:decimal(38,18),b:string>", {"a": "decimal(38,18)", "b": "string"}),
        (
            "struct<a:array<struct<x:int,y:int>>,b:map<string,int>>",
            {"a": "array<struct<x:int,y:int>>", "b": "map<string,int>"},
        ),
        ("array<string>", None),
        ("struct<a>", None),
        ("string", None),
    ],
)
def test_members_of_structures(struct: str, members: dict[str, str] | None) -> None:
    assert members_of(struct) == members
