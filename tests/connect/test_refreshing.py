"""Keeping snapshots true: shared reads, events in the middle of one, and the sweep."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from connect import records
from connect.errors import AccountNotFound
from connect.snapshot import CapabilitySeen
from payments.database import engine, execute, value
from payments.errors import OutcomeUnknown
from payments.ids import ConnectedAccountId
from tests.connect.conftest import Connect
from tests.connect.fakes import SILENT

PENDING = CapabilitySeen("pending")


async def refresh_at(account_id: str) -> object:
    return await value(
        "SELECT refresh_at FROM connected_accounts WHERE account_id = $1", account_id
    )


@pytest.fixture
async def nothing_due(connect: Connect) -> None:
    """Accounts of the module's other tests are out of the way."""
    await execute("UPDATE connected_accounts SET refresh_at = $1", connect.clock() + DAYS)


DAYS = timedelta(days=300)


async def everyone_waits_for_stripe(connect: Connect) -> None:
    """Until the read was heard and nobody is at the database any more."""
    await connect.gateway.reading.wait()
    pool = engine().pool
    assert pool is not None
    async with asyncio.timeout(60):
        for _ in itertools.count():
            if pool.get_idle_size() == pool.get_size():
                return
            await asyncio.sleep(0.01)


async def test_many_who_ask_at_once_share_one_reading(connect: Connect) -> None:
    _, account_id = await connect.a_ready_seller()
    before = connect.gateway.count("retrieve_account")
    connect.gateway.hold_reads()
    asking = [asyncio.create_task(connect.accounts.refresh(account_id)) for _ in range(50)]
    await everyone_waits_for_stripe(connect)
    connect.gateway.open_door.set()
    answers = await asyncio.gather(*asking)
    assert connect.gateway.count("retrieve_account") == before + 1
    assert len({answer.checked_at for answer in answers}) == 1


async def test_an_asker_who_gives_up_leaves_the_reading_to_the_others(connect: Connect) -> None:
    _, account_id = await connect.a_ready_seller()
    before = connect.gateway.count("retrieve_account")
    connect.gateway.hold_reads()
    impatient = asyncio.create_task(connect.accounts.refresh(account_id))
    patient = asyncio.create_task(connect.accounts.refresh(account_id))
    await everyone_waits_for_stripe(connect)
    impatient.cancel()
    connect.gateway.open_door.set()
    assert (await patient).snapshot.id == account_id
    assert connect.gateway.count("retrieve_account") == before + 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_failed_reading_fails_for_all_and_the_next_one_is_new(connect: Connect) -> None:
    _, account_id = await connect.a_ready_seller()
    connect.gateway.silence = SILENT
    answers = await asyncio.gather(
        *(connect.accounts.refresh(account_id) for _ in range(5)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {OutcomeUnknown}
    connect.gateway.silence = None
    assert (await connect.accounts.refresh(account_id)).snapshot.id == account_id


async def test_an_event_during_a_reading_is_not_lost(connect: Connect) -> None:
    """The reading began before the change: its answer must not pass for what came after."""
    _, account_id = await connect.a_ready_seller()
    connect.clock.advance(seconds=5)
    connect.gateway.hold_reads()
    reading = asyncio.create_task(connect.accounts.refresh(account_id))
    await connect.gateway.reading.wait()
    connect.gateway.change(account_id, transfers=PENDING)
    await connect.accounts.mark_stale(account_id)
    connect.gateway.open_door.set()
    old = await reading
    assert old.snapshot.transfers.status == "active"
    assert old.stale
    assert await refresh_at(account_id) == old.checked_at

    fresh = await connect.accounts.refresh(account_id)
    assert fresh.snapshot.transfers.status == "pending"
    assert not fresh.stale


async def test_who_comes_for_an_event_does_not_settle_for_an_older_reading(
    connect: Connect,
) -> None:
    _, account_id = await connect.a_ready_seller()
    connect.gateway.hold_reads()
    reading = asyncio.create_task(connect.accounts.refresh(account_id))
    await connect.gateway.reading.wait()
    connect.gateway.change(account_id, transfers=PENDING)
    await connect.accounts.mark_stale(account_id)
    for_the_event = asyncio.create_task(connect.accounts.refresh(account_id))
    await asyncio.sleep(0.05)
    connect.gateway.open_door.set()
    assert (await for_the_event).snapshot.transfers.status == "pending"
    await reading


async def test_an_older_answer_never_overwrites_a_newer_one(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    old = connect.gateway.accounts[account_id]
    connect.gateway.change(account_id, transfers=PENDING)
    connect.clock.advance(seconds=10)
    newer = await connect.accounts.refresh(account_id)
    await records.absorb(
        old,
        seller_id=seller_id,
        checked_at=newer.checked_at - timedelta(microseconds=1),
        nudges_seen=0,
        policy=connect.accounts.policy,
    )
    kept = (await records.require(account_id)).known
    assert kept.snapshot.transfers.status == "pending"
    assert kept.checked_at == newer.checked_at


async def test_an_account_we_do_not_know_is_said_so(connect: Connect) -> None:
    stranger = ConnectedAccountId("acct_stranger")
    with pytest.raises(AccountNotFound):
        await connect.accounts.mark_stale(stranger)
    with pytest.raises(AccountNotFound):
        await connect.accounts.refresh(stranger)
    assert connect.gateway.asked == []


@pytest.mark.usefixtures("nothing_due")
async def test_the_sweep_reads_what_events_marked(connect: Connect) -> None:
    _, marked = await connect.a_ready_seller()
    _, other = await connect.a_ready_seller()
    connect.gateway.change(marked, transfers=PENDING)
    connect.gateway.change(other, transfers=PENDING)
    await connect.accounts.mark_stale(marked)
    assert await connect.accounts.refresh_due(connect.clock()) == 1
    assert (await records.require(marked)).known.snapshot.transfers.status == "pending"
    assert (await records.require(other)).known.snapshot.transfers.status == "active"
    assert await connect.accounts.refresh_due(connect.clock()) == 0


@pytest.mark.usefixtures("nothing_due")
async def test_the_sweep_comes_back_for_accounts_on_their_way(connect: Connect) -> None:
    _, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, transfers=PENDING)
    await connect.accounts.refresh(account_id)
    assert await connect.accounts.refresh_due(connect.clock.advance(minutes=59)) == 0
    connect.gateway.onboard(account_id)
    assert await connect.accounts.refresh_due(connect.clock.advance(minutes=1)) == 1
    assert (await records.require(account_id)).known.snapshot.transfers.status == "active"
    assert await connect.accounts.refresh_due(connect.clock.advance(hours=23)) == 0
    assert await connect.accounts.refresh_due(connect.clock.advance(hours=1)) == 1


@pytest.mark.usefixtures("nothing_due")
async def test_the_sweep_outlives_silence_and_tries_again_a_minute_later(
    connect: Connect,
) -> None:
    _, first = await connect.a_ready_seller()
    _, second = await connect.a_ready_seller()
    await connect.accounts.mark_stale(first)
    await connect.accounts.mark_stale(second)
    connect.gateway.silence = SILENT
    assert await connect.accounts.refresh_due(connect.clock()) == 2
    connect.gateway.silence = None
    assert await connect.accounts.refresh_due(connect.clock.advance(seconds=59)) == 0
    assert await connect.accounts.refresh_due(connect.clock.advance(seconds=1)) == 2
    assert not (await records.require(first)).known.stale


@pytest.mark.usefixtures("nothing_due")
async def test_an_account_that_cannot_be_kept_does_not_keep_the_others_from_being_read(
    connect: Connect,
) -> None:
    marked = [(await connect.a_ready_seller())[1] for _ in range(4)]
    for account_id in marked:
        await connect.accounts.mark_stale(account_id)
    for account_id in marked[:2]:
        connect.gateway.change(account_id, country="a country of three words")
    assert await connect.accounts.refresh_due(connect.clock()) == 4
    stale = [(await records.require(account_id)).known.stale for account_id in marked]
    assert stale == [True, True, False, False]
    for account_id in marked[:2]:
        connect.gateway.change(account_id, country="DE")


@pytest.mark.usefixtures("nothing_due")
async def test_two_sweeps_never_take_the_same_account(connect: Connect) -> None:
    marked = []
    for _ in range(6):
        _, account_id = await connect.a_ready_seller()
        await connect.accounts.mark_stale(account_id)
        marked.append(account_id)
    lease = timedelta(seconds=60)
    claims = await asyncio.gather(*(records.claim_due(connect.clock(), 2, lease) for _ in range(5)))
    taken = [account_id for claim in claims for account_id in claim]
    assert sorted(taken) == sorted(marked)
