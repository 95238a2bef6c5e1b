"""Rules tried on past orders before they are in force: asked for, worked through by the worker, shown.

A replay goes through the orders by id, a page at a time, and writes its sums down with the last order in
them: whichever worker goes on, no order is counted twice. Only orders that were paid, or are held to be,
count, each at the time its cart was priced. Whole orders are compared, as they were placed.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import asyncpg
import msgspec

from marketplace.fees.draft_records import read as read_draft
from marketplace.fees.errors import ReplayNotFound, ReplayRefused, ReplayStepRefused
from marketplace.fees.replay_sums import DIMENSIONS, By, Figure, PastLine, Sums
from marketplace.fees.schedules import Schedules, json_of, rules_of
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import LOST, execute, row, rows, transaction, value
from payments.ids import new_id

State = Literal["waiting", "running", "done", "canceled", "failed"]

ORDERS_PER_PAGE: Final = 5_000
"""So few that neither the statement nor the sums over it keep anybody else waiting."""
SLICE_SECONDS: Final = 2.0
"""How long one worker goes on before it writes down how far it came."""
KEPT_FOR: Final = timedelta(days=180)
"""After that what a replay found is forgotten; that it was asked for stays in the audit log."""
_LEASE: Final = timedelta(minutes=2)

_WANTED = """
o.status IN ('authorized', 'paid', 'shipped', 'completed')
  AND ($1::timestamptz IS NULL OR o.created_at >= $1)
  AND ($2::timestamptz IS NULL OR o.created_at < $2)
"""
# The lines are found by the range of their orders' ids: one stretch of the index, which joining order by
# order is not.
_PAGE = f"""
WITH page AS MATERIALIZED (
    SELECT o.id, o.seller_id, o.currency, o.created_at, o.application_fee + o.fee_credit AS fee
    FROM orders o WHERE {_WANTED} AND o.id > $3 ORDER BY o.id LIMIT $4
)
SELECT p.id, p.seller_id, p.currency, p.created_at, p.fee, l.category, l.kind, l.amount, l.quantity
FROM order_lines l JOIN page p ON p.id = l.order_id
WHERE l.order_id > $3 AND l.order_id <= (SELECT max(id) FROM page)
ORDER BY l.order_id, l.position
"""


class ReplayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A replay as it stands. Of `orders_total` orders, `orders_done` are in the sums."""

    id: str
    draft_id: str | None
    schedule_id: str | None
    since: datetime | None
    until: datetime | None
    priced_at: datetime | None
    state: State
    orders_total: int | None
    orders_done: int
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    concluded_at: datetime | None
    failure: str | None


_COLUMNS: Final = ", ".join(ReplayRecord.__struct_fields__)


class ReplayWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules (a draft's or a version's) on which orders: placed from `since`, and before `until`.

    `priced_at`: as if every order had been placed then, for rules with date windows to come.
    """

    draft_id: str | None = None
    schedule_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    priced_at: datetime | None = None


class _Work(msgspec.Struct, kw_only=True):
    """A replay under way, in this worker's hands."""

    id: str
    sums: Sums
    since: datetime | None
    until: datetime | None
    cursor: str
    orders_done: int


class Replays:
    """The use cases of replaying rules, and the sweep that does it."""

    def __init__(
        self,
        schedules: Schedules,
        *,
        orders_per_page: int = ORDERS_PER_PAGE,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._schedules = schedules
        self._orders_per_page = orders_per_page
        self._slice_seconds = slice_seconds

    async def ask(self, wanted: ReplayWanted, actor: str, now: datetime) -> ReplayRecord:
        """Ask for a replay of one draft or one version, with its rules as they are now.

        Raises DraftNotFound, FeeScheduleNotFound, and ReplayRefused unless just one of the two is named.
        """
        if (wanted.draft_id is None) == (wanted.schedule_id is None):
            raise ReplayRefused("draft_id", "one_of_draft_and_schedule")
        if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
            raise ReplayRefused("until", "not_after_since")
        rules = (
            (await read_draft(wanted.draft_id)).rules
            if wanted.draft_id is not None
            else (await self._schedules.require(wanted.schedule_id or "")).rules
        )
        replay_id = new_id("frp")
        async with transaction():
            await execute(
                "INSERT INTO fee_replays (id, draft_id, schedule_id, rules, since, until, priced_at, "
                "state, orders_done, asked_by, asked_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0, $8, $9)",
                replay_id,
                wanted.draft_id,
                wanted.schedule_id,
                json_of(rules),
                wanted.since,
                wanted.until,
                wanted.priced_at,
                actor,
                now,
            )
            facts = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
            await audit.record(
                actor=actor, action="fee_replay.asked", subject=replay_id, after=facts, now=now
            )
        return await self.find(replay_id)

    async def find(self, replay_id: str) -> ReplayRecord:
        """How far it is. Raises ReplayNotFound."""
        found = await row(f"SELECT {_COLUMNS} FROM fee_replays WHERE id = $1", replay_id)
        if found is None:
            raise ReplayNotFound(replay_id)
        return ReplayRecord(**found)

    async def list(self, page: PageRequest) -> Page[ReplayRecord]:
        """Every replay, the newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM fee_replays WHERE $1::text IS NULL OR id < $1 "
            "ORDER BY id DESC LIMIT $2",
            page.starting_after,
            page.fetched,
        )
        return Page.cut([ReplayRecord(**record) for record in found], page)

    async def cancel(self, replay_id: str, actor: str, now: datetime) -> ReplayRecord:
        """Stop it; what it found so far is not kept. Raises ReplayNotFound, ReplayStepRefused."""
        async with transaction():
            stopped = await execute(
                "UPDATE fee_replays SET state = 'canceled', concluded_at = $2, leased_until = NULL, "
                "checkpoint = NULL WHERE id = $1 AND concluded_at IS NULL",
                replay_id,
                now,
            )
            replay = await self.find(replay_id)
            if not stopped:
                raise ReplayStepRefused(replay_id, replay.state)
            await audit.record(
                actor=actor, action="fee_replay.canceled", subject=replay_id, now=now
            )
        return replay

    async def figures(self, replay_id: str, by: By, page: PageRequest) -> Page[tuple[str, Figure]]:
        """What it found, each with its cursor, the largest differences first; nothing until it is done.

        Raises ReplayNotFound.
        """
        await self.find(replay_id)
        found = await rows(
            "SELECT id, by, key, currency, orders, amount, fee_before, fee_after "
            "FROM fee_replay_figures WHERE replay_id = $1 AND id > $2 AND id LIKE $3 "
            "ORDER BY id LIMIT $4",
            replay_id,
            page.starting_after or "",
            f"{replay_id}:{DIMENSIONS.index(by)}:%",
            page.fetched,
        )
        return Page.cut([(one["id"], Figure(**dict(list(one.items())[1:]))) for one in found], page)

    async def run_once(self, now: datetime, limit: int) -> int:
        """Go on with the replay that waits longest, for a slice of time; 0 when there is none."""
        return limit if await self.go_on(now) else 0

    async def forget_old(self, now: datetime, limit: int) -> int:
        """The sweep that deletes replays that ended long ago, with what they found."""
        return await execute(
            "WITH old AS (SELECT id FROM fee_replays WHERE concluded_at < $1 ORDER BY id LIMIT $2), "
            "found AS (DELETE FROM fee_replay_figures WHERE replay_id IN (SELECT id FROM old)) "
            "DELETE FROM fee_replays WHERE id IN (SELECT id FROM old)",
            now - KEPT_FOR,
            limit,
        )

    async def go_on(self, now: datetime, replay_id: str | None = None) -> bool:
        """Work on one replay (None: the one that waits longest) for a slice of time.

        Answers False when there was none, or another worker has it.
        """
        work = await _claim(now, replay_id)
        if work is None:
            return False
        try:
            finished = await self._work(work)
        except LOST:
            raise  # it goes on from where it was written down, once its lease is over
        except Exception as error:
            await _fail(work.id, type(error).__name__, now)
            raise
        if finished:
            await _finish(work, now)
        else:
            await _write_down(work)
        return True

    async def _work(self, work: _Work) -> bool:
        """Page after page until the time is over; answers whether there was nothing left."""
        until = time.monotonic() + self._slice_seconds
        while True:
            found = await rows(_PAGE, work.since, work.until, work.cursor, self._orders_per_page)
            if not found:
                return True
            work.cursor = found[-1]["id"]
            # In a thread, so that the worker's other sweeps are not kept waiting for it.
            work.orders_done += await asyncio.to_thread(_add, work.sums, found)
            if time.monotonic() >= until:
                return False


async def _claim(now: datetime, replay_id: str | None) -> _Work | None:
    """The replay, or the one that waits longest, leased to this worker."""
    found = await row(
        "UPDATE fee_replays SET state = 'running', leased_until = $2, "
        "started_at = coalesce(started_at, $1) WHERE id = ("
        "  SELECT id FROM fee_replays WHERE concluded_at IS NULL AND ($3::text IS NULL OR id = $3) "
        "  AND (leased_until IS NULL OR leased_until <= $1) "
        "  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, rules, since, until, priced_at, orders_total, orders_done, cursor, checkpoint",
        now,
        now + _LEASE,
        replay_id,
    )
    if found is None:
        return None
    sums = Sums(rules_of(found["rules"]), found["priced_at"])
    if found["checkpoint"] is not None:
        sums.resume(found["checkpoint"])
    if found["orders_total"] is None:
        await _count_orders(found["id"], found["since"], found["until"])
    return _Work(
        id=found["id"],
        sums=sums,
        since=found["since"],
        until=found["until"],
        cursor=found["cursor"] or "",
        orders_done=found["orders_done"],
    )


async def _count_orders(replay_id: str, since: datetime | None, until: datetime | None) -> None:
    """So that progress can be shown; where counting takes too long, the planner's guess must do."""
    try:
        total: int = await value(f"SELECT count(*) FROM orders o WHERE {_WANTED}", since, until)
    except asyncpg.QueryCanceledError:
        plan = await value(
            f"EXPLAIN (FORMAT JSON) SELECT FROM orders o WHERE {_WANTED}", since, until
        )
        total = msgspec.json.decode(plan)[0]["Plan"]["Plan Rows"]
    await execute("UPDATE fee_replays SET orders_total = $2 WHERE id = $1", replay_id, total)


def _add(sums: Sums, found: list[Any]) -> int:
    return sums.add(PastLine(*record) for record in found)


async def _write_down(work: _Work) -> None:
    """How far it came; nothing where it was canceled meanwhile."""
    await execute(
        "UPDATE fee_replays SET cursor = $2, checkpoint = $3, orders_done = $4, leased_until = NULL "
        "WHERE id = $1 AND concluded_at IS NULL",
        work.id,
        work.cursor,
        work.sums.checkpoint(),
        work.orders_done,
    )


async def _finish(work: _Work, now: datetime) -> None:
    figures = work.sums.figures()
    columns = [
        [f"{work.id}:{DIMENSIONS.index(one.by)}:{at:08}" for at, one in enumerate(figures)],
        *(
            [getattr(one, name) for one in figures]
            for name in ("by", "key", "currency", "orders", "amount", "fee_before", "fee_after")
        ),
    ]
    async with transaction():
        done = await execute(
            "UPDATE fee_replays SET state = 'done', concluded_at = $2, leased_until = NULL, "
            "orders_done = $3, orders_total = $3, cursor = $4, checkpoint = NULL "
            "WHERE id = $1 AND concluded_at IS NULL",
            work.id,
            now,
            work.orders_done,
            work.cursor,
        )
        if done:
            await execute(
                "INSERT INTO fee_replay_figures (id, replay_id, by, key, currency, orders, amount, "
                "fee_before, fee_after) SELECT f.id, $1, f.by, f.key, f.currency, f.orders, f.amount, "
                "f.fee_before, f.fee_after FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], "
                "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) AS f "
                "(id, by, key, currency, orders, amount, fee_before, fee_after)",
                work.id,
                *columns,
            )


async def _fail(replay_id: str, failure: str, now: datetime) -> None:
    await execute(
        "UPDATE fee_replays SET state = 'failed', failure = $2, concluded_at = $3, "
        "leased_until = NULL, checkpoint = NULL WHERE id = $1 AND concluded_at IS NULL",
        replay_id,
        failure,
        now,
    )
