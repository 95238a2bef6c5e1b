"""Sending the outbox: due messages are claimed, sent with no transaction open, and concluded.

At least once: a process that dies after sending and before saying so sends the same e-mail again, with the
same Message-ID. What cannot be sent is tried for three days with growing pauses, then given up with an alarm.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from marketplace.messages.mails import Envelope
from marketplace.messages.post import Outcome, Post
from marketplace.messages.texts import SECRET, FactMissing, letter
from marketplace.people import mailed_links
from payments.database import execute, rows
from payments.events import Clock

LEASE = timedelta(minutes=10)
"""Longer than a whole batch may take; a message whose sender died is due again after it."""
GIVE_UP_AFTER = timedelta(hours=72)
FIRST_RETRY_SECONDS = 30
LAST_RETRY_SECONDS = 3600

_log = structlog.get_logger("marketplace.messages")

_CLAIM = """
WITH claimed AS (
    UPDATE messages SET attempts = attempts + 1, due_at = $2 WHERE id IN (
        SELECT id FROM messages WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING id, account_id, kind, subject_id, facts, attempts, created_at
)
SELECT c.id, c.kind, c.subject_id, c.facts, c.attempts, c.created_at, a.email, a.display_name,
       a.disabled_at IS NOT NULL AS left_us
FROM claimed c JOIN accounts a ON a.id = c.account_id ORDER BY c.id
"""
_CONCLUDE = """
UPDATE messages m SET state = o.state, due_at = o.due_at, concluded_at = o.concluded_at, note = o.note
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
     AS o(id, state, due_at, concluded_at, note)
WHERE m.id = o.id AND m.state = 'due'
"""


class _Conclusion(msgspec.Struct, frozen=True):
    id: str
    state: str
    due_at: datetime | None
    concluded_at: datetime | None
    note: str | None


class Sending:
    """Works on due messages."""

    def __init__(self, post: Post, *, pages_url: str, clock: Clock) -> None:
        self._post, self._pages_url, self._clock = post, pages_url, clock

    async def send_due(self, now: datetime, limit: int = 20) -> int:
        """Claim and send due messages; answers how many were claimed."""
        claimed = await rows(_CLAIM, now, now + LEASE, limit)
        links = [message["subject_id"] for message in claimed if message["kind"] in SECRET]
        secrets = await mailed_links.minted(links, now)
        ready: list[tuple[asyncpg.Record, Envelope]] = []
        concluded: list[_Conclusion] = []
        for message in claimed:
            made = self._envelope(message, secrets.get(message["subject_id"]))
            if isinstance(made, Envelope):
                ready.append((message, made))
            else:
                concluded.append(self._dead(message, made))
        outcomes = await self._post.deliver([envelope for _, envelope in ready]) if ready else []
        concluded += [
            self._concluded(message, outcome)
            for (message, _), outcome in zip(ready, outcomes, strict=True)
        ]
        await _conclude(concluded)
        return len(claimed)

    def _envelope(self, message: asyncpg.Record, secret: str | None) -> Envelope | str:
        """What to send, or why it never can be. `secret` is what a mailed link carries."""
        if message["left_us"]:
            return "the account was disabled"
        if message["kind"] in SECRET and secret is None:
            return "the link is over"
        facts: dict[str, Any] = msgspec.json.decode(message["facts"])
        try:
            written = letter(message["kind"], facts, self._pages_url, secret=secret)
        except (FactMissing, KeyError, ValueError) as error:
            _log.error("message has no text", message_id=message["id"], why=repr(error), alarm=True)
            return f"no text: {error!r}"
        return Envelope(
            message_id=message["id"],
            kind=message["kind"],
            name=message["display_name"],
            address=message["email"],
            written_at=message["created_at"],
            letter=written,
        )

    def _concluded(self, message: asyncpg.Record, outcome: Outcome) -> _Conclusion:
        if outcome.state == "sent":
            return _Conclusion(message["id"], "sent", None, self._clock(), None)
        if outcome.state == "refused":
            # An address that does not exist is its owner's affair: no alarm for one of them.
            _log.warning("message refused", message_id=message["id"], note=outcome.note)
            return self._dead(message, outcome.note)
        now = self._clock()
        if now - message["created_at"] >= GIVE_UP_AFTER:
            _log.error("message given up", message_id=message["id"], note=outcome.note, alarm=True)
            return self._dead(message, outcome.note)
        pause = min(FIRST_RETRY_SECONDS * 2 ** min(message["attempts"] - 1, 12), LAST_RETRY_SECONDS)
        _log.warning("message not sent yet", message_id=message["id"], note=outcome.note)
        return _Conclusion(message["id"], "due", now + timedelta(seconds=pause), None, outcome.note)

    def _dead(self, message: asyncpg.Record, note: str | None) -> _Conclusion:
        return _Conclusion(message["id"], "dead", None, self._clock(), note)


async def _conclude(concluded: Sequence[_Conclusion]) -> None:
    if not concluded:
        return
    await execute(
        _CONCLUDE,
        [one.id for one in concluded],
        [one.state for one in concluded],
        [one.due_at for one in concluded],
        [one.concluded_at for one in concluded],
        [one.note for one in concluded],
    )
