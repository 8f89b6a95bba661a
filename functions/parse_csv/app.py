"""ParseCsv: settle how the file is read, and plan the splits that are transformed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from shared import keys, storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.contract import Contract
from tabular.descriptor import parse_contract
from tabular.errors import InvalidContract, TabularError
from tabular.layout import read_layout
from tabular.transform import Split

# Enough for any header and a sample to tell the delimiter by; one request.
HEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    output_bucket: str


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Read the file's head and its dataset's contract; write the plan, return what it says."""
    settings = from_environment(Settings)
    source = task.job.source
    contract_key = keys.contract_key(source.dataset)
    stored = storage.read_optional(settings.input_bucket, contract_key)
    contract = _read_contract(contract_key, stored[0]) if stored else None

    head = storage.read_range(source, 0, HEAD_BYTES)
    layout = read_layout(head, size=source.size, name=source.key, contract=contract)
    splits = [Split.whole(layout)]

    plan_key = keys.plan_key(task.job.file_id)
    plan = {"layout": layout.to_document(), "splits": [asdict(split) for split in splits]}
    storage.write_document(settings.output_bucket, plan_key, plan)
    return {
        "plan_key": plan_key,
        "splits": len(splits),
        "encoding": layout.encoding,
        "compression": layout.compression,
        "delimiter": layout.dialect.delimiter,
        "columns": len(layout.header),
        "contract_key": contract_key if stored else None,
        "contract_version": stored[1] if stored else None,
    }


def _read_contract(key: str, body: bytes) -> Contract:
    """The dataset's contract; raises InvalidContract, naming the object, where it is wrong."""
    try:
        return parse_contract(json.loads(body))
    except ValueError:
        raise InvalidContract(f"The contract {key} is not JSON in UTF-8.") from None
    except InvalidContract as error:
        raise InvalidContract(f"The contract {key} is wrong. {error}") from None
