"""The patches of moto fit the installed version, and only they import moto."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.glue.models import glue_backends

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.moto_patches import all_patches, backends, events, kept, table
from pipectl.embedded.pending import PendingInvocations
from pipectl.errors import PipectlError

PIPECTL = Path(__file__).parents[3] / "pipectl"
PATCHES = PIPECTL / "embedded" / "moto_patches"


def test_every_name_that_is_patched_is_as_the_patch_expects_it() -> None:
    assert all_patches.changes() == []


def test_a_name_that_moto_changed_or_dropped_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = type("Owner", (), {"__module__": "moto.example", "changed": all_patches.changes})

    def patch(name: str) -> table.Replacement:
        return table.Replacement(owner, name, "0123456789ab", lambda original, _settings: original)

    monkeypatch.setattr(all_patches, "REPLACEMENTS", [patch("dropped"), patch("changed")])
    dropped, changed = all_patches.changes()
    assert dropped.startswith("moto no longer has moto.example.Owner.dropped.")
    assert changed.startswith("moto has changed moto.example.Owner.changed.")


def test_patches_replace_every_name_of_the_table_and_restore_it() -> None:
    settings: Any = SimpleNamespace()
    before = [getattr(patch.owner, patch.name) for patch in table.REPLACEMENTS]
    settings.clock = settings.endpoint = settings.invoke = None
    settings.serve = lambda _session: None
    with all_patches.applied(settings):
        during = [getattr(patch.owner, patch.name) for patch in table.REPLACEMENTS]
    assert all(new is not old for new, old in zip(during, before, strict=True))
    assert [getattr(patch.owner, patch.name) for patch in table.REPLACEMENTS] == before


def version_ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of three uploads to one key in a new stack: one content twice, then another."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    settings: Any = SimpleNamespace(serve=lambda _: None, clock=None, endpoint=None, invoke=None)
    with mock_aws(), all_patches.applied(settings):
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="input")
        s3.put_bucket_versioning(Bucket="input", VersioningConfiguration={"Status": "Enabled"})
        contents = (b"a", b"a", b"b")
        answers = [s3.put_object(Bucket="input", Key="raw/x.csv", Body=body) for body in contents]
        other = s3.put_object(Bucket="input", Key="raw/y.csv", Body=b"a")
    return [answer["VersionId"] for answer in (*answers, other)]


def test_the_same_content_has_the_same_version_id_in_every_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = version_ids(monkeypatch), version_ids(monkeypatch)
    assert first == second
    assert len(set(first)) == 4


def imports_moto(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        if any(name.split(".")[0] == "moto" for name in names):
            return True
    return False


def test_only_the_patches_import_moto() -> None:
    importers = {path.parent for path in PIPECTL.rglob("*.py") if imports_moto(path)}
    assert importers == {PATCHES}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{"a": <text>, "b": <number>}', '{"a": "x \\"y\\"", "b": 7}'),
        ('{"a": "is <text>", "b": "<number>"}', '{"a": "is x \\"y\\"", "b": "7"}'),
        ('{"a": <list>, "b": <none>, "c": <missing>}', '{"a": [1], "b": null, "c": null}'),
        ('"<number> of <text>"', '"7 of x \\"y\\""'),
    ],
)
def test_variables_of_an_input_template_become_json(template: str, result: str) -> None:
    values = {"text": 'x "y"', "number": 7, "list": [1], "none": None}
    assert events.filled(template, values) == result


@pytest.mark.parametrize(
    ("name", "document", "missing"),
    [
        (Name("object", '["photos", "a.jpg"]'), [], "the bucket photos"),
        (Name("queue", "letters"), [{"id": "1"}], "letters"),
        (Name("item", '["people", {}]'), {}, "the table people"),
        (
            Name("execution", "arn:1"),
            {"number": 0, "machine": "arn:machine"},
            "the state machine arn:machine",
        ),
    ],
)
def test_data_of_another_stack_is_refused(
    tmp_path: Path, name: Name, document: Any, missing: str
) -> None:
    folder = DataFolder(tmp_path)
    folder.save({name: json.dumps(document)}, {})
    with backends.empty_backends(), pytest.raises(PipectlError, match=f"with {missing}, which"):
        kept.restore(folder)
    folder.close()


def test_glues_tables_are_restored_with_their_versions(tmp_path: Path) -> None:
    def tables() -> Any:
        glue = glue_backends["123456789012"]["us-east-1"]
        return [table.as_dict() for table in glue.get_tables("lake", "")]

    folder = DataFolder(tmp_path)
    with backends.empty_backends():
        glue = glue_backends["123456789012"]["us-east-1"]
        glue.create_database("lake", {"Name": "lake", "Description": "all"})
        glue.create_table("lake", "orders", {"Name": "orders", "Parameters": {"version": "1"}})
        glue.get_table("lake", "orders").update({"Name": "orders", "Parameters": {"version": "2"}})
        before = tables()
        contents = kept.listed(PendingInvocations())
        texts = {one.name: json.dumps(one.describe()) for one in contents.kept}
        folder.save(texts, contents.objects)
    with backends.empty_backends():
        kept.restore(folder)
        after = tables()
    folder.close()
    assert [{**table, "UpdateTime": None} for table in after] == [
        {**table, "UpdateTime": None} for table in before
    ]
    assert after[0]["VersionId"] == "2"
