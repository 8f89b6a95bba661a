"""Datasets: the contract of each, its history, and a new contract with what it changes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipectl.client.uploads import dataset_for, put_contract
from pipectl.console.figures import share_text, sparkline
from pipectl.console.files_page import Shown
from pipectl.console.pages import page
from pipectl.console.staging import contract_text, json_of, safe_name
from pipectl.console.upload_page import files_in
from pipectl.errors import PipectlError, UsageError
from pipectl.local.contract_diff import Change, compare_contracts
from pipectl.operate.list_executions import ExecutionRow
from shared.contracts import folded
from shared.errors import is_missing
from shared.keys import CONTRACTS_PREFIX, DEFAULT_DATASET, dataset_of_contract, history_key
from shared.markup import Html
from tabular.contract.descriptor import read_contract
from tabular.errors import InvalidContract
from tabular.model import Contract
from tabular.writing.output_formats import FORMATS

if TYPE_CHECKING:
    from pipectl.console.state import Console

HISTORY = 20
_LISTED = 25
_LISTED_FIELDS = 100
_SHOWN = ("name", "type", "constraints", "title", "description")
_MOST_CONTRACT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Dataset:
    """A dataset with its files, newest first; `contract` is the key of its contract."""

    name: str
    contract: str | None
    files: Sequence[ExecutionRow]

    @property
    def counted(self) -> list[ExecutionRow]:
        """The last files whose records were counted, oldest first."""
        known = [row for row in self.files if row.record_count is not None]
        return list(reversed(known[:HISTORY]))

    @property
    def usual(self) -> int | None:
        """The median number of records of the last files."""
        counts = [row.record_count or 0 for row in self.counted]
        return round(median(counts)) if counts else None

    @property
    def records(self) -> Html:
        """Records of the last files as a line."""
        counts = [float(row.record_count or 0) for row in self.counted]
        return sparkline(counts, f"Records of the last {len(counts)} files")

    @property
    def shares(self) -> Html:
        """Shares of rejected records of the last files as a line."""
        shares = [
            (row.error_count or 0) / row.record_count * 100 if row.record_count else 0.0
            for row in self.counted
        ]
        title = f"Rejected records of the last {len(shares)} files"
        return sparkline(shares, title, tone="warn" if any(shares) else "plain")

    @property
    def last_share(self) -> str | None:
        """The share of rejected records in the last file."""
        last = self.counted[-1:]
        return share_text(last[0].error_count or 0, last[0].record_count or 0) if last else None


@dataclass(frozen=True)
class Nulls:
    """The shares of a field's nulls in the last files that have it, in percent, oldest first."""

    field: str
    rates: Sequence[float]

    @property
    def last(self) -> str:
        """The share in the last file."""
        return f"{self.rates[-1]:g}%"

    @property
    def median(self) -> str:
        """The median share."""
        return f"{median(self.rates):.4g}%"

    @property
    def range(self) -> str:
        """The lowest and the highest share."""
        low, high = min(self.rates), max(self.rates)
        return f"{low:g}%" if low == high else f"{low:g}% \u2013 {high:g}%"

    @property
    def line(self) -> Html:
        """The shares as a line."""
        return sparkline(self.rates, f"Shares of nulls in the last {len(self.rates)} files")


def _history(console: Console, dataset: str) -> list[Mapping[str, Any]]:
    """The key figures of the dataset's last files, oldest first, as `Summarize` keeps them."""
    bucket = console.stack.output("OutputBucketName")
    try:
        found = console.stack.client("s3").get_object(Bucket=bucket, Key=history_key(dataset))
    except ClientError as error:
        if is_missing(error):
            return []
        raise
    return list(json.loads(found["Body"].read())["files"])


def _nulls(history: Sequence[Mapping[str, Any]]) -> list[Nulls]:
    """The nulls of each field of the last file, the fields with the highest shares first."""
    last: Mapping[str, float] = history[-1]["null_rates"] if history else {}
    found = [
        Nulls(name, [one["null_rates"][name] for one in history if name in one["null_rates"]])
        for name in last
    ]
    return sorted(found, key=lambda one: (-max(one.rates), one.field))


def _datasets(console: Console) -> list[Dataset]:
    contracts = {folded(dataset_of_contract(key)): key for key in _contract_keys(console)}
    files: dict[str, list[ExecutionRow]] = defaultdict(list)
    for row in console.index.files():
        if row.dataset:
            files[row.dataset].append(row)
    with_files = {folded(name) for name in files}
    found = [Dataset(name, contracts.get(folded(name)), rows) for name, rows in files.items()]
    found += [
        Dataset(dataset_of_contract(key), key, [])
        for name, key in contracts.items()
        if name not in with_files
    ]
    return sorted(found, key=lambda one: one.name.casefold())


def _contract_keys(console: Console) -> list[str]:
    paginator = console.stack.client("s3").get_paginator("list_objects_v2")
    bucket = console.stack.output("InputBucketName")
    pages = paginator.paginate(Bucket=bucket, Prefix=CONTRACTS_PREFIX)
    keys = (item["Key"] for found in pages for item in found.get("Contents", []))
    return [key for key in keys if key.endswith(".json") and "/" not in key.partition("/")[2]]


def show_all(request: Request) -> Response:
    """All datasets: those with files and those with a contract."""
    console: Console = request.app.state.console
    return page(
        request, "datasets.html", screen="datasets", datasets=_datasets(console), history=HISTORY
    )


def show(request: Request) -> Response:
    """One dataset."""
    console: Console = request.app.state.console
    name = str(request.path_params["dataset"])
    found = next((one for one in _datasets(console) if one.name == name), None)
    if found is None:
        found = Dataset(name, None, [])
        if name != DEFAULT_DATASET:
            _valid(name)
    text = contract_text(console.stack, name)
    history = _history(console, name)
    nulls = _nulls(history)
    some = [one for one in nulls if max(one.rates)]
    return page(
        request,
        "dataset.html",
        nulls=some[:_LISTED_FIELDS],
        nulls_files=len(history),
        nulls_never=len(nulls) - len(some),
        screen="datasets",
        dataset=found,
        contract=_read(text) if text is not None else None,
        files=[Shown(row, None) for row in found.files[:_LISTED]],
        history=HISTORY,
        address=f"/datasets/{quote(name, safe='')}",
        pull=console.commands.line("contract", "pull", name),
        push=console.commands.line("contract", "push", f"{name}.contract.json", "--dataset", name),
        infer="pipectl contract infer FILE",
    )


@dataclass(frozen=True)
class ReadContract:
    """A contract's text, its fields and settings for people, and what is wrong with it."""

    text: str
    fields: list[dict[str, str]]
    settings: list[tuple[str, str]]
    problems: tuple[tuple[str, str], ...]
    contract: Contract | None

    @property
    def digest(self) -> str:
        """A digest of this version of the contract."""
        return digest_of(self.text.encode())


def digest_of(text: bytes | None) -> str:
    """A digest of a version of a contract; `none` if there is none."""
    return "none" if text is None else hashlib.sha256(text).hexdigest()


def _read(text: bytes) -> ReadContract:
    contract: Contract | None = None
    problems: tuple[tuple[str, str], ...] = ()
    try:
        contract = read_contract(text, output_formats=FORMATS)
    except InvalidContract as error:
        problems = tuple(error.problems)
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        document = {}
    document = document if isinstance(document, dict) else {}
    schema = document.get("schema")
    listed = schema.get("fields") if isinstance(schema, dict) else None
    fields = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    settings = [(key, _written(value)) for key, value in document.items() if key != "schema"]
    if isinstance(schema, dict):
        settings += [(key, _written(value)) for key, value in schema.items() if key != "fields"]
    return ReadContract(
        text.decode("utf-8", "replace"),
        [_field(one) for one in fields],
        settings,
        problems,
        contract,
    )


def _field(field: Mapping[str, Any]) -> dict[str, str]:
    constraints = field.get("constraints")
    rules = constraints.items() if isinstance(constraints, dict) else ()
    others = [f"{key} {_written(value)}" for key, value in field.items() if key not in _SHOWN]
    return {
        "name": str(field.get("name", "")),
        "type": str(field.get("type", "any")),
        "rules": ", ".join(f"{key} {_written(value)}" for key, value in rules),
        "about": str(field.get("title") or field.get("description") or ""),
        "more": ", ".join(others),
    }


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 200 else f"{text[:200]}\u2026"


def _valid(name: str) -> str:
    try:
        return str(dataset_for(name, None))
    except UsageError as error:
        raise PipectlError(error.message) from None


def propose(request: Request, form: FormData) -> Response:
    """Check the contract in the page's form, and show what it changes."""
    text = str(form.get("contract", "")).replace("\r\n", "\n").encode()
    return _proposal(request, text, notes=[])


def infer(request: Request, form: FormData) -> Response:
    """Draft a contract from sample files, and show what it changes."""
    console: Console = request.app.state.console
    name = _valid(str(request.path_params["dataset"]))
    with console.staging.scratch() as folder:
        paths = []
        for number, file in enumerate(files_in(form)):
            path = folder / str(number) / safe_name(str(file.filename))
            path.parent.mkdir()
            with path.open("wb") as copy:
                shutil.copyfileobj(file.file, copy)
            paths.append(path)
        options = ["--dataset", name, "--json"]
        options += ["--propose"] if form.get("propose") else []
        answer = json_of(["contract", "infer", *map(str, paths), *options])
    text = json.dumps(answer["contract"], indent=2, ensure_ascii=False) + "\n"
    return _proposal(request, text.encode(), notes=_notes(answer))


def _notes(answer: Mapping[str, Any]) -> list[str]:
    """The notes on what a person must decide."""
    columns = (f"{one['name']}: {doubt}" for one in answer["columns"] for doubt in one["doubts"])
    return [*answer["doubts"], *columns]


def _proposal(request: Request, text: bytes, notes: Sequence[str]) -> Response:
    console: Console = request.app.state.console
    name = _valid(str(request.path_params["dataset"]))
    if len(text) > _MOST_CONTRACT_BYTES:
        raise PipectlError("A contract has at most 1 MiB.")
    present = contract_text(console.stack, name)
    new = _read(text)
    old = _read(present) if present is not None else None
    changes: list[Change] | None = None
    if old is not None and old.contract is not None and new.contract is not None:
        changes = compare_contracts(old.contract, new.contract)
    return page(
        request,
        "contract.html",
        screen="datasets",
        name=name,
        proposed=new,
        present=old,
        changes=changes,
        breaking=sum(bool(change.breaks) for change in changes or []),
        notes=notes,
        replaces=digest_of(present),
        address=f"/datasets/{quote(name, safe='')}",
        push=console.commands.line("contract", "push", f"{name}.contract.json", "--dataset", name),
    )


def push(request: Request, form: FormData) -> Response:
    """Upload the contract, unless the stack's contract has changed since the page was loaded."""
    console: Console = request.app.state.console
    name = _valid(str(request.path_params["dataset"]))
    text = str(form.get("contract", "")).replace("\r\n", "\n").encode()
    read = _read(text)
    if read.contract is None:
        raise PipectlError(*(f"{path}: {message}" for path, message in read.problems))
    if digest_of(text) != form.get("checked"):
        # The text was edited, so its changes have not been shown yet.
        return _proposal(request, text, notes=[])
    if digest_of(contract_text(console.stack, name)) != form.get("replaces"):
        raise PipectlError(
            "The contract in the stack has changed since this page was loaded."
            " Check your contract again to see what it changes now."
        )
    with console.staging.scratch() as folder:
        path = Path(folder) / "contract.json"
        path.write_bytes(text)
        put_contract(console.stack.deployment, path, name)
    return RedirectResponse(f"/datasets/{quote(name, safe='')}", 303)
