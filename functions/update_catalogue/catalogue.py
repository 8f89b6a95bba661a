"""Makes and extends tables in the Glue Data Catalog, while other executions do the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from shared.clients import glue
from shared.errors import TransientError, aws_errors, error_code
from update_catalogue.table_input import extended_table, new_table, too_long
from update_catalogue.wanted_table import WantedTable

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef, TableTypeDef

Action = Literal["created", "extended", "unchanged"]

# Another execution can change the table between reading and writing it. Each loser of such a race
# reads again; with this many losses in a row, the workflow's own Retry waits longer.
_TRIES = 5


@dataclass(frozen=True)
class Updated:
    """The change that was made to a table, and how the table differs from the contract."""

    action: Action
    problems: list[str]


def update_table(database: str, wanted: WantedTable) -> Updated:
    """Make the table, or add what it lacks; the database is made if there is none.

    Of executions that change a table at once, each sees the others' changes: an update names the
    version that it was made from, and Glue refuses it if there is a newer one.

    Raises `TransientError` if Glue is busy or others change the table all the time, and
    `InternalError` for other errors of Glue.
    """
    for _ in range(_TRIES):
        existing = _find(database, wanted.name)
        table: TableInputTypeDef | None
        problems: list[str] = []
        if existing is None:
            table = new_table(wanted)
        else:
            table, problems = extended_table(existing, wanted)
            if table is None:
                return Updated("unchanged", problems)
        excess = too_long(table)
        if excess is not None:
            return Updated("unchanged", [*problems, excess])
        if existing is None and _create(database, table):
            return Updated("created", problems)
        if existing is not None and _update(database, table, existing.get("VersionId")):
            return Updated("extended", problems)
    raise TransientError(
        f"Other executions change the table {wanted.name} in the database {database} all the time. "
        "Retry later."
    )


def _find(database: str, name: str) -> TableTypeDef | None:
    """The table, or None if there is none, or no such database."""
    with aws_errors(f"the Glue table {database}.{name}"):
        try:
            return glue().get_table(DatabaseName=database, Name=name)["Table"]
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return None
            raise


def _create(database: str, table: TableInputTypeDef) -> bool:
    """Create the table; returns False if someone else has created it, or if the database lacked.

    In the latter case the database is made.
    """
    with aws_errors(f"the Glue table {database}.{table['Name']}"):
        try:
            glue().create_table(DatabaseName=database, TableInput=table)
        except ClientError as error:
            if error_code(error) == "AlreadyExistsException":
                return False
            if error_code(error) != "EntityNotFoundException":
                raise
            _create_database(database)
            return False
    return True


def _create_database(database: str) -> None:
    try:
        glue().create_database(
            DatabaseInput={"Name": database, "Description": "Tables of the data pipeline."}
        )
    except ClientError as error:
        if error_code(error) != "AlreadyExistsException":
            raise


def _update(database: str, table: TableInputTypeDef, version: str | None) -> bool:
    """Replace the table's description; returns False if it isn't of this version any more."""
    with aws_errors(f"the Glue table {database}.{table['Name']}"):
        try:
            if version is None:
                glue().update_table(DatabaseName=database, TableInput=table)
            else:
                glue().update_table(DatabaseName=database, TableInput=table, VersionId=version)
        except ClientError as error:
            if error_code(error) == "ConcurrentModificationException":
                return False
            raise
    return True
