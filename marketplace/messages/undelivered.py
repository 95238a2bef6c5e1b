"""E-mails as those who run the program see them: to whom, whether they were sent, and why not.

What they say is not here: that is between the platform and the person. `GET /v1/me/messages` tells it them.
"""

from datetime import datetime
from typing import Literal

import msgspec

from marketplace.messages.errors import MessageNotFound, MessageNotGivenUp
from marketplace.messages.kinds import Kind
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import row, rows, transaction

State = Literal["due", "sent", "dead"]


class PostedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One e-mail. `dead` is what was given up, `note` what the server said last."""

    id: str
    kind: Kind
    subject_id: str
    account_id: str
    email: str
    state: State
    attempts: int
    note: str | None
    created_at: datetime
    due_at: datetime | None
    concluded_at: datetime | None


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which e-mails to list; None means any."""

    state: State | None = None
    account_id: str | None = None
    subject_id: str | None = None


async def messages(wanted: MessageFilter, page: PageRequest) -> Page[PostedMessage]:
    """E-mails that fit, the newest first."""
    asked = {
        "m.state = $": wanted.state,
        "m.account_id = $": wanted.account_id,
        "m.subject_id = $": wanted.subject_id,
        "m.id < $": page.starting_after,
    }
    given = {condition: argument for condition, argument in asked.items() if argument is not None}
    fitting = [each.replace("$", f"${place}") for place, each in enumerate(given, start=1)]
    if wanted.state not in (None, "sent"):
        fitting.append(UNSENT)
    found = await rows(
        f"SELECT {_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.account_id "
        f"WHERE {' AND '.join(['true', *fitting])} ORDER BY m.id DESC LIMIT {page.fetched}",
        *given.values(),
    )
    return Page.cut([PostedMessage(**record) for record in found], page)


async def try_again(message_id: str, *, actor: str, now: datetime) -> PostedMessage:
    """Have an e-mail that was given up sent again, and tried for three days from now.

    Raises MessageNotFound, MessageNotGivenUp.
    """
    async with transaction():
        renewed = await row(_RENEW, message_id, now)
        found = await row(
            f"SELECT {_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = $1",
            message_id,
        )
        if found is None:
            raise MessageNotFound(message_id)
        message = PostedMessage(**found)
        if renewed is None:
            raise MessageNotGivenUp(message_id, message.state)
        await audit.record(
            actor=actor,
            action="message.tried_again",
            subject=message_id,
            before={"state": "dead", "note": renewed["note"]},
            after={"state": "due"},
            now=now,
        )
    return message


UNSENT = "m.state <> 'sent'"
"""Of messages that are in an index of their own: (state, id)."""
_COLUMNS = ", ".join(
    "a.email" if name == "email" else f"m.{name}" for name in PostedMessage.__struct_fields__
)
# How long it is tried is counted from when it was written.
_RENEW = """
UPDATE messages m SET state = 'due', due_at = $2, created_at = $2, concluded_at = NULL, attempts = 0
FROM accounts a WHERE m.id = $1 AND m.state = 'dead' AND a.id = m.account_id AND a.disabled_at IS NULL
RETURNING m.note
"""
