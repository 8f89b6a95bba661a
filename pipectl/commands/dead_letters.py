"""`pipectl dead-letters`: move dead letters back, or discard them with a reason."""

from __future__ import annotations

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.output import echo


@click.group()
def command() -> None:
    """Replay or discard messages of the dead-letter queue.

    `pipectl failures` lists them with their ids.
    """


@command.command(epilog="Example: pipectl dead-letters replay 3f2c9a52-6c0e-4b7a-9c55-0a3f3b0c7d11")
@click.argument("message_ids", metavar="MESSAGE_ID...", nargs=-1, required=True)
@changing_stack_options
def replay(*, choice: StackChoice, message_ids: tuple[str, ...]) -> None:
    """Move messages back to the processing queue, where the starter reads them again.

    A message about a file that has succeeded starts nothing. On AWS the command asks for
    confirmation unless you pass --yes.

    Exit status: 0 on success, 1 if a message is not there or can't be replayed, 2 on usage errors.
    """
    from pipectl.operate import dead_letters

    stack = choice.open_to_change("Replay dead letters")
    for letter in dead_letters.replay(stack, message_ids):
        echo(f"Replayed {letter.message_id}")


@command.command(
    epilog="Example: pipectl dead-letters discard 3f2c9a52-6c0e-4b7a-9c55-0a3f3b0c7d11 --reason"
    " 'sent by mistake'"
)
@click.argument("message_ids", metavar="MESSAGE_ID...", nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
@changing_stack_options
def discard(*, choice: StackChoice, message_ids: tuple[str, ...], reason: str) -> None:
    """Delete messages from the queue, after recording their bodies and the reason.

    The records are in the output bucket under dead-letters/. On AWS the command asks for
    confirmation unless you pass --yes.

    Exit status: 0 on success, 1 if a message is not there, 2 on usage errors.
    """
    from pipectl.operate import dead_letters

    stack = choice.open_to_change("Discard dead letters")
    for discarded in dead_letters.discard(stack, message_ids, reason):
        echo(
            f"Discarded {discarded.letter.message_id}; recorded in"
            f" s3://{stack.output('OutputBucketName')}/{discarded.key}"
        )
