"""No message about a whole file repeats its text, for any error."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tabular.errors import TabularError
from tests.unit.tabular.engine import contract_of, run

SECRET = "s3cret"
FIELDS = [{"name": "id", "type": "integer"}, {"name": "mail"}, {"name": "sum", "type": "number"}]
ROW = f"1;{SECRET};{SECRET}\n"
CONTENTS = [
    f"{SECRET},{SECRET}\n",
    f"{SECRET};,x\n{SECRET}\n",
    f'{SECRET},"{SECRET}"{SECRET}\n{SECRET}\n',
    f"{SECRET}\n\nid;mail;sum\n" + ROW * 5,
    f"{SECRET} of {SECRET}\nid,mail,{SECRET}\n" + f"1,{SECRET},2\n" * 5,
    f"{SECRET}:,{SECRET}\n\nid,mail,sum\n" + f"1,{SECRET},2\n" * 5,
    f"1001,{SECRET}@example.com,19.99\n1002,{SECRET}@example.com,5.00\n",
    f"{SECRET}~{SECRET}2\n1~{SECRET}\n2~{SECRET}\n",
    f"{SECRET}||x\n{SECRET}||y\n",
    f"'{SECRET}','x'\n'1','{SECRET}'\n",
    f'id, "{SECRET}", x\n1, "{SECRET}", 2\n',
    f"{SECRET},{SECRET}2;{SECRET}3\n1,2;3\n",
    f"sep=;\n{SECRET};x\n",
    f"<html>{SECRET}</html>\n",
    f'{{"{SECRET}": 1}}\n',
    f"{SECRET}\0,x\n",
    f"{SECRET}\u00fc,x\n",
    f"id,mail,sum\n1,{SECRET}\u00fc,x\n",
]
CONTRACTS: list[Any] = [
    None,
    contract_of(*FIELDS),
    contract_of(*FIELDS, fieldsMatch="partial"),
    contract_of(*FIELDS, dialect={}),
    contract_of(*FIELDS, dialect={"headerRows": [2]}),
    contract_of(*FIELDS, encoding="cp1252", pipeline={"extraColumns": "keep"}),
    contract_of(*FIELDS, fieldsMatch="superset", primaryKey="id"),
]


def messages(content: bytes, contract: Any, name: str) -> list[str]:
    """The messages about a file and its rows."""
    try:
        rejects = run(content, contract, name=name).rejects
    except TabularError as error:
        return [str(error), repr(error), repr(error.__cause__)]
    return [fault["message"] for reject in rejects for fault in reject["errors"]]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16-le", "cp850"])
def test_no_message_repeats_text_of_the_file(content: str, encoding: str) -> None:
    data = content.encode(encoding)
    for contract in CONTRACTS:
        for stored, name in ((data, "a.csv"), (gzip.compress(data, mtime=0), "a.csv.gz")):
            assert SECRET not in str(messages(stored, contract, name))
