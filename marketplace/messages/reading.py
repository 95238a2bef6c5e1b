"""What was written to people, as they read it: the text is made from the facts that were kept."""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from marketplace.messages.texts import FactMissing, Letter, letter
from marketplace.paging import Page, PageRequest
from payments.database import rows

_COLUMNS = "m.id, m.kind, m.subject_id, m.facts, m.state, m.created_at, m.concluded_at"


class ReadMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message with its text. `state` is `due` until it was sent, `dead` when it could not be."""

    id: str
    kind: str
    subject_id: str
    subject: str
    paragraphs: tuple[str, ...]
    link: str | None
    state: str
    created_at: datetime
    sent_at: datetime | None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A message in everybody's mailbox, with whom it is for."""

    address: str
    message: ReadMessage


class Messages:
    """Reads messages. Links lead to `pages_url`."""

    def __init__(self, pages_url: str) -> None:
        self._pages_url = pages_url

    async def list_own(self, account_id: str, page: PageRequest) -> Page[ReadMessage]:
        """What was written to this person, the newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM messages m WHERE m.account_id = $1 "
            "AND ($2::text IS NULL OR m.id < $2) ORDER BY m.id DESC LIMIT $3",
            account_id,
            page.starting_after,
            page.fetched,
        )
        return Page.cut([self._read(one) for one in found], page)

    async def latest_of_everybody(self, limit: int) -> list[Posted]:
        """The newest messages to anybody: for the mailbox of a program without real people."""
        found = await rows(
            f"SELECT {_COLUMNS}, a.email FROM messages m JOIN accounts a ON a.id = m.account_id "
            "ORDER BY m.id DESC LIMIT $1",
            limit,
        )
        return [Posted(address=one["email"], message=self._read(one)) for one in found]

    def _read(self, found: asyncpg.Record) -> ReadMessage:
        written = self._letter(found["kind"], msgspec.json.decode(found["facts"]))
        return ReadMessage(
            id=found["id"],
            kind=found["kind"],
            subject_id=found["subject_id"],
            subject=written.subject,
            paragraphs=written.paragraphs,
            link=written.link,
            state=found["state"],
            created_at=found["created_at"],
            sent_at=found["concluded_at"] if found["state"] == "sent" else None,
        )

    def _letter(self, kind: Any, facts: dict[str, Any]) -> Letter:
        try:
            return letter(kind, facts, self._pages_url)
        except (FactMissing, KeyError, ValueError):
            # Never sent either, and alarmed then: a list must not fail for it.
            return Letter(subject=str(kind).replace("_", " "), paragraphs=(), link=None)
