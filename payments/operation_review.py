"""The journal as people read it: what is open, for how long, and one operation in full."""

from datetime import datetime

import msgspec

from payments.database import row, rows
from payments.operation_words import STUCK_AFTER, OperationRow

_COLUMNS = ", ".join(OperationRow.__struct_fields__)


class OperationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations; None leaves a field open. `open` are those without an outcome."""

    state: str | None = None
    open: bool | None = None
    kind: str | None = None
    order_id: str | None = None
    # Planned before this moment: how old it is at least.
    before: datetime | None = None


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Operations that are open for too long: how many, and the one that is longest."""

    count: int
    oldest: OperationRow


async def operations(
    wanted: OperationFilter, *, limit: int, starting_after: str | None
) -> list[OperationRow]:
    """At most `limit` operations, the newest first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM operations WHERE ($1::text IS NULL OR state = $1) "
        "AND ($2::boolean IS NULL OR (concluded_at IS NULL) = $2) "
        # What is open has an index of its own.
        "AND (($2::boolean IS NOT TRUE AND ($1::text IS NULL OR $1 IN ('succeeded', 'rejected'))) "
        "  OR due_at IS NOT NULL) "
        "AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR order_id = $4) "
        "AND ($5::timestamptz IS NULL OR created_at < $5) AND ($6::text IS NULL OR id < $6) "
        "ORDER BY id DESC LIMIT $7",
        wanted.state,
        wanted.open,
        wanted.kind,
        wanted.order_id,
        wanted.before,
        starting_after,
        limit,
    )
    return [OperationRow(**each) for each in found]


async def operation(operation_id: str) -> OperationRow | None:
    """One operation, or None."""
    found = await row(f"SELECT {_COLUMNS} FROM operations WHERE id = $1", operation_id)
    return None if found is None else OperationRow(**found)


async def stuck(now: datetime) -> Stuck | None:
    """Operations that were sent and are open for longer than `STUCK_AFTER`."""
    found = await row(
        f"SELECT {_COLUMNS}, count(*) OVER () AS stuck FROM operations "
        "WHERE due_at IS NOT NULL AND created_at < $1 AND attempts > 0 "
        "ORDER BY created_at LIMIT 1",
        now - STUCK_AFTER,
    )
    if found is None:
        return None
    told = dict(found.items())
    count = told.pop("stuck")
    return Stuck(count=count, oldest=OperationRow(**told))
