"""Numbers without gaps: many at once, and what is rolled back."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from marketplace.invariants.check import broken
from marketplace.invariants.papers import PAPERS
from marketplace.papers import issuer
from marketplace.papers.errors import PaperMonthRefused
from payments.database import execute, rows, transaction, value
from tests.fees.test_locks import SOMEBODY_WAITS_FOR_US
from tests.papers.bookkeeping import NOVEMBER, Bookkeeper, issuing, named, runs, sealed

pytestmark = pytest.mark.usefixtures("database")

ISSUED = datetime(2026, 12, 5, tzinfo=UTC)


async def test_the_first_month_does_not_change_while_it_is_closed() -> None:
    """Somebody names November as the first month, and has not committed when October is closed."""
    await named("2026-10")
    begun = asyncio.Event()

    async def closing() -> None:
        await begun.wait()
        await issuing().close_month("2026-10", actor="acc_1", now=ISSUED)

    # Made outside of the transaction, so that it has a connection of its own.
    task = asyncio.create_task(closing())
    async with transaction():
        await issuer.lock_issuers()
        begun.set()
        async with asyncio.timeout(10):
            while not task.done() and not await value(SOMEBODY_WAITS_FOR_US):
                await execute("SELECT pg_sleep(0.005)")
        await execute(
            "INSERT INTO paper_issuers (id, details, papers_from, set_by, set_at) SELECT 'pis_z', "
            "details, '2026-11', set_by, set_at + interval '1 second' FROM paper_issuers"
        )
    with pytest.raises(PaperMonthRefused, match="before_first"):
        await task


async def test_many_workers_and_admins_at_once_number_every_paper_once() -> None:
    sellers = [await Bookkeeper.new() for _ in range(12)]
    for seller in sellers:
        await seller.sale(1_000, NOVEMBER)
    await named("2026-11")
    await sealed(ISSUED)
    workers = [issuing() for _ in range(4)]
    await asyncio.gather(
        *(worker.run_once(ISSUED, 5) for worker in workers for _ in range(3)),
        *(
            issuing().issue_of(one.seller_id, "2026-11", actor="acc_1", now=ISSUED)
            for one in sellers[::3]
            for _ in range(2)
        ),
    )
    await runs(ISSUED, limit=7)
    found = await rows("SELECT kind, number FROM papers ORDER BY kind, number")
    assert [(each["kind"], each["number"]) for each in found] == [
        (kind, number) for kind in ("fee_invoice", "statement") for number in range(1, 13)
    ]
    assert await broken(ISSUED, rules=PAPERS) == []


async def test_what_is_rolled_back_leaves_no_gap() -> None:
    """The process dies when the papers are written and nothing is committed: the next has their numbers."""
    seller = await Bookkeeper.new()
    sale = await seller.sale(1_000, datetime(2026, 12, 10, tzinfo=UTC))
    now = datetime(2027, 1, 5, tzinfo=UTC)
    await sealed(now)
    last = await value("SELECT last_number FROM paper_series WHERE id = 'statement:2026'")
    # A seller whose papers cannot be told of: the transaction that numbers everybody's fails at its end.
    await execute("ALTER TABLE messages ADD CONSTRAINT broken CHECK (cause <> 'papers:2026-12')")
    await issuing().run_once(now, 100)
    await execute("ALTER TABLE messages DROP CONSTRAINT broken")
    assert await value("SELECT count(*) FROM papers WHERE month = '2026-12'") == 0
    await runs(now + timedelta(hours=2))
    found = await rows("SELECT name FROM papers WHERE month = '2026-12' ORDER BY name")
    assert [each["name"] for each in found] == ["FI-2027-000001", "ST-2027-000001"]
    assert last == 12
    assert sale.quote.fee == await value("SELECT total FROM papers WHERE name = 'FI-2027-000001'")


async def test_the_database_refuses_a_number_out_of_its_order() -> None:
    copy = (
        "INSERT INTO papers SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'ppr_x', 'name', "
        "'x', 'month', '2026-12', 'number', p.number + {skipped}))).* FROM papers p "
        "WHERE p.kind = 'statement' AND p.year = 2026 ORDER BY p.number DESC LIMIT 1"
    )
    taken = "UPDATE paper_series SET last_number = last_number + {by} WHERE id = 'statement:2026'"
    for skipped, by in ((1, 0), (2, 2), (2, 1)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="continue"):
            await _together(taken.format(by=by), copy.format(skipped=skipped))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="without its paper"):
        await execute(taken.format(by=1))


async def _together(*statements: str) -> None:
    async with transaction():
        for statement in statements:
            await execute(statement)
