"""Fee credits: taken once, given back exactly, and never more than was granted."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from asyncpg import IntegrityConstraintViolationError

from marketplace.fees import credits
from marketplace.fees.credits import CreditRecord
from marketplace.fees.errors import FeeCreditNotFound, FeeCreditRefused, FeeCreditRevoked
from marketplace.fees.grants import Grants, NewCredit, revoke
from marketplace.oversight.approvals import Approvals
from marketplace.paging import PageRequest
from marketplace.sellers.errors import OwnSellerDecision
from payments.database import execute, transaction, value
from payments.errors import NoTransaction
from tests.orders.shop import NOON, account, place_bare, seller

DAY = timedelta(days=1)


async def a_seller(currency: str = "eur") -> str:
    return await seller(await account(), currency)


async def granted(seller_id: str, amount: int, **facts: Any) -> CreditRecord:
    new = NewCredit(**{"seller_id": seller_id, "currency": "eur", "amount": amount, **facts})
    return await Grants(Approvals()).grant(new, actor="acc_admin", reason="Welcome", now=NOON)


async def ordered(seller_id: str, wanted: int) -> tuple[str, int]:
    """An order that takes up to `wanted`; answers it and what it got."""
    order_id = await place_bare(await account(), seller_id)
    return order_id, await taken_by(order_id, seller_id, wanted)


async def taken_by(order_id: str, seller_id: str, wanted: int) -> int:
    async with transaction():
        pieces = await credits.take(seller_id, "eur", wanted, NOON)
        await credits.note(order_id, pieces, NOON)
    return sum(piece.amount for piece in pieces)


async def settled(order_id: str, amount: int) -> int:
    async with transaction():
        return await credits.settle(order_id, amount, NOON)


async def left(seller_id: str, now: datetime, currency: str = "eur") -> int:
    return (await credits.available([seller_id], now)).get((seller_id, currency), 0)


async def check_sums() -> None:
    wrong = await value(
        "SELECT count(*) FROM seller_fee_credits c WHERE used <> (SELECT coalesce(sum(m.amount), 0) "
        "FROM fee_credit_movements m WHERE m.credit_id = c.id)"
    )
    assert wrong == 0


async def test_a_credit_is_used_up_by_orders(database: None) -> None:
    seller_id = await a_seller()
    credit = await granted(seller_id, 500)
    assert await left(seller_id, NOON) == 500
    _, first = await ordered(seller_id, 300)
    second_id, second = await ordered(seller_id, 300)
    _, third = await ordered(seller_id, 300)
    assert (first, second, third) == (300, 200, 0)
    assert await left(seller_id, NOON) == 0
    assert await credits.held_by(second_id) == 200
    used = await credits.find(credit.id)
    assert (used.used, used.left) == (500, 0)
    listed = (await credits.movements_of(credit.id, PageRequest())).data
    assert sorted(movement.amount for movement in listed) == [200, 300]
    await check_sums()


async def test_the_credit_that_ends_first_is_used_first(database: None) -> None:
    seller_id = await a_seller()
    lasting = await granted(seller_id, 100)
    ending = await granted(seller_id, 100, ends_at=NOON + DAY)
    order_id, _ = await ordered(seller_id, 150)
    assert (await credits.find(ending.id)).used == 100
    assert (await credits.find(lasting.id)).used == 50
    assert await settled(order_id, 80) == 70
    # What was taken last is given back first.
    assert (await credits.find(lasting.id)).used == 0
    assert (await credits.find(ending.id)).used == 80
    assert await settled(order_id, 80) == 0
    assert await settled(order_id, 0) == 80
    assert await credits.held_by(order_id) == 0
    await check_sums()


async def test_a_credit_counts_only_in_its_time_and_currency(database: None) -> None:
    seller_id = await a_seller()
    await granted(seller_id, 100, starts_at=NOON + DAY, ends_at=NOON + 2 * DAY)
    for at, expected in ((NOON, 0), (NOON + DAY, 100), (NOON + 2 * DAY, 0)):
        assert await left(seller_id, at) == expected
    assert await left(seller_id, NOON + DAY, "usd") == 0


async def test_a_revoked_credit_is_not_used_again_and_orders_keep_theirs(database: None) -> None:
    seller_id = await a_seller()
    credit = await granted(seller_id, 100)
    order_id, _ = await ordered(seller_id, 40)
    revoked = await revoke(credit.id, actor="acc_admin", reason="A mistake", now=NOON)
    assert revoked.left == 0
    assert await left(seller_id, NOON) == 0
    assert await credits.held_by(order_id) == 40
    with pytest.raises(FeeCreditRevoked):
        await revoke(credit.id, actor="acc_admin", reason="Again", now=NOON)
    noted = await value(
        "SELECT array_agg(action ORDER BY id) FROM audit_log WHERE subject = $1", credit.id
    )
    assert noted == ["fee_credit.granted", "fee_credit.revoked"]


async def test_twenty_orders_at_once_take_it_once(database: None) -> None:
    seller_id = await a_seller()
    await granted(seller_id, 1_000)
    order_ids = [await place_bare(await account(), seller_id) for _ in range(20)]
    taken = await asyncio.gather(*(taken_by(order_id, seller_id, 70) for order_id in order_ids))
    assert sum(taken) == 1_000
    await check_sums()


async def test_any_history_adds_up(database: None) -> None:
    chance = random.Random(3)
    seller_id = await a_seller()
    held: dict[str, int] = {}
    unused = 0
    for _ in range(60):
        act = chance.choice(("grant", "order", "order", "settle"))
        if act == "grant":
            amount = chance.randint(1, 300)
            await granted(seller_id, amount)
            unused += amount
        elif act == "order":
            wanted = chance.randint(0, 200)
            order_id, got = await ordered(seller_id, wanted)
            assert got == min(wanted, unused)
            held[order_id] = got
            unused -= got
        elif held:
            order_id = chance.choice(list(held))
            keep = chance.randint(0, 200)
            back = await settled(order_id, keep)
            assert back == max(held[order_id] - keep, 0)
            held[order_id] -= back
            unused += back
        assert await left(seller_id, NOON) == unused
    for order_id, amount in held.items():
        assert await credits.held_by(order_id) == amount
    await check_sums()


@pytest.mark.parametrize(
    ("facts", "path", "why"),
    [
        ({"seller_id": "sel_unknown"}, "seller_id", "seller_unknown"),
        ({"currency": "usd"}, "currency", "not_the_sellers"),
        ({"amount": 0}, "amount", "amount_outside"),
        ({"amount": 10**9}, "amount", "amount_outside"),
        ({"ends_at": NOON}, "ends_at", "not_after_starts_at"),
        ({"starts_at": NOON - 2 * DAY, "ends_at": NOON - DAY}, "ends_at", "in_the_past"),
        ({"starts_at": NOON - DAY}, "starts_at", "in_the_past"),
    ],
)
async def test_a_credit_that_could_not_be_used_is_refused(
    database: None, facts: dict[str, Any], path: str, why: str
) -> None:
    seller_id = await a_seller()
    with pytest.raises(FeeCreditRefused) as refusal:
        await granted(**{"seller_id": seller_id, "amount": 100, **facts})
    assert (refusal.value.path, refusal.value.why) == (path, why)


async def test_nobody_grants_a_credit_to_their_own_shop(database: None) -> None:
    owner = await account()
    new = NewCredit(seller_id=await seller(owner, "eur"), currency="eur", amount=100)
    with pytest.raises(OwnSellerDecision):
        await Grants(Approvals()).grant(new, actor=owner, reason="Welcome", now=NOON)


async def test_a_credit_in_steps_that_do_not_exist_is_refused(database: None) -> None:
    with pytest.raises(FeeCreditRefused) as refusal:
        await granted(await a_seller("isk"), 150, currency="isk")
    assert refusal.value.why == "amount_not_whole"


async def test_the_database_takes_no_change_of_a_movement_and_no_overuse(database: None) -> None:
    seller_id = await a_seller()
    credit = await granted(seller_id, 100)
    order_id, _ = await ordered(seller_id, 40)
    for statement, subject in (
        ("UPDATE fee_credit_movements SET amount = 1 WHERE order_id = $1", order_id),
        ("DELETE FROM fee_credit_movements WHERE order_id = $1", order_id),
        ("UPDATE seller_fee_credits SET used = 101 WHERE id = $1", credit.id),
    ):
        with pytest.raises(IntegrityConstraintViolationError):
            await execute(statement, subject)
    with pytest.raises(NoTransaction):
        await credits.take(seller_id, "eur", 1, NOON)


async def test_credits_are_listed_by_seller(database: None) -> None:
    seller_id = await a_seller()
    first, second = await granted(seller_id, 1), await granted(seller_id, 2)
    listed = await credits.credits_of(seller_id, PageRequest())
    assert {credit.id for credit in listed.data} == {first.id, second.id}
    with pytest.raises(FeeCreditNotFound):
        await credits.movements_of("fcr_unknown", PageRequest())
