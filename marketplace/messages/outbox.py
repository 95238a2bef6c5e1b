"""The outbox: what is to be told is written in the transaction that made it true, and sent afterwards.

    await outbox.tell_seller(seller_id, kind="payout_failed", subject_id=payout_id,
                             cause=f"payout:{payout_id}:failed", facts={...}, now=now)
    await outbox.publish(seller_id, type="payout.failed", subject_id=payout_id,
                         cause=f"payout:{payout_id}:failed", data={...}, now=now)

A person hears once of a cause, however often it is told; so do a seller's programs. Facts are what the text
needs (`texts.py` says which): amounts are integers in minor units beside `currency`, times are datetimes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.messages.kinds import EventType, Kind
from payments.database import execute, require_transaction, rows, value
from payments.ids import new_id

ENDPOINTS_OF_A_SELLER: Final = 10
"""How many webhook endpoints a seller may have."""

_TELL = """
INSERT INTO messages
    (id, account_id, kind, subject_id, cause, facts, state, attempts, due_at, created_at)
SELECT told.id, told.account_id, told.kind, told.subject_id, told.cause, told.facts, 'due', 0, $7, $7
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
     AS told(id, account_id, kind, subject_id, cause, facts)
ON CONFLICT (account_id, cause) DO NOTHING
"""
# The endpoints that want it get a delivery each in the same statement; ids are made here, one for each. They
# are held, so that one that is being removed is left out instead of failing the fact that is told.
_PUBLISH = """
WITH event AS (
    INSERT INTO seller_events (id, seller_id, type, subject_id, cause, data, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (seller_id, cause) DO NOTHING RETURNING id
), wanting AS (
    SELECT id FROM webhook_endpoints
    WHERE seller_id = $2 AND disabled_at IS NULL AND (types = '{}' OR $3 = ANY(types))
    FOR KEY SHARE
), placed AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place FROM wanting
)
INSERT INTO webhook_deliveries (id, endpoint_id, event_id, state, attempts, due_at, created_at)
SELECT ($8::text[])[placed.place], placed.id, event.id, 'due', 0, $7, $7 FROM event, placed
"""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person."""

    account_id: str
    kind: Kind
    subject_id: str
    cause: str
    facts: Mapping[str, Any]


async def tell_all(told: Sequence[Told], now: datetime) -> None:
    """Write these messages, in one statement. Raises NoTransaction."""
    require_transaction()
    if not told:
        return
    await execute(
        _TELL,
        [new_id("msg") for _ in told],
        [one.account_id for one in told],
        [one.kind for one in told],
        [one.subject_id for one in told],
        [one.cause for one in told],
        [_written(one.facts) for one in told],
        now,
    )


async def tell(
    *,
    kind: Kind,
    account_id: str,
    subject_id: str,
    cause: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Tell one person. Raises NoTransaction."""
    await tell_all(
        [Told(account_id=account_id, kind=kind, subject_id=subject_id, cause=cause, facts=facts)],
        now,
    )


async def tell_seller(
    seller_id: str,
    *,
    kind: Kind,
    subject_id: str,
    cause: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Tell the person whose shop it is; `seller_id` is among the facts by itself. Raises NoTransaction."""
    require_transaction()
    account_id = await value("SELECT account_id FROM sellers WHERE id = $1", seller_id)
    await tell(
        kind=kind,
        account_id=account_id,
        subject_id=subject_id,
        cause=cause,
        facts={"seller_id": seller_id, **facts},
        now=now,
    )


async def tell_admins(
    *,
    kind: Kind,
    subject_id: str,
    cause: str,
    facts: Mapping[str, Any],
    now: datetime,
    but: str | None = None,
) -> None:
    """Tell every admin, but not who did it. Raises NoTransaction."""
    require_transaction()
    await tell_all(
        [
            Told(account_id=admin, kind=kind, subject_id=subject_id, cause=cause, facts=facts)
            for admin in await admins()
            if admin != but
        ],
        now,
    )


async def publish(
    seller_id: str,
    *,
    type: EventType,
    subject_id: str,
    cause: str,
    data: Mapping[str, Any],
    now: datetime,
) -> None:
    """Tell a seller's programs: every endpoint that wants this type gets a delivery. Raises NoTransaction.

    `data` is delivered as it is: ids, amounts in minor units with their currency, statuses; no secrets.
    """
    require_transaction()
    await execute(
        _PUBLISH,
        new_id("evt"),
        seller_id,
        type,
        subject_id,
        cause,
        _written(data),
        now,
        [new_id("whd") for _ in range(ENDPOINTS_OF_A_SELLER)],
    )


async def admins() -> list[str]:
    """The accounts of every admin who can sign in."""
    found = await rows("SELECT id FROM accounts WHERE is_admin AND disabled_at IS NULL ORDER BY id")
    return [one["id"] for one in found]


def _written(facts: Mapping[str, Any]) -> str:
    return msgspec.json.encode(facts).decode()
