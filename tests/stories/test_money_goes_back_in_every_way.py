"""Money goes back in every way there is, at a Stripe with memory: who has what is the same here and there.

After each story the ledger and Stripe's balance transactions have no difference, and the seller's account
holds to the unit what their Stripe balance holds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from marketplace.books.months import Month
from marketplace.papers.months import ISSUED_AFTER
from payments import ledger
from payments.database import rows, value
from payments.ids import new_id
from payments.reconciliation import reconcile
from tests.stories.town import Person, Town

PRICE, FEE = 6_000, 900


@pytest.fixture(autouse=True)
async def _signed_in(town: Town, admin: Person) -> None:
    """Days go by in these stories, and a session lasts one."""
    await town.signs_in(admin)


@pytest_asyncio.fixture(loop_scope="session")
async def seller(town: Town, admin: Person) -> Person:
    """A coach of one's own: what they have is this story's."""
    return await town.seller("coach", admin=admin)


async def sold(town: Town, seller: Person, unit_amount: int = PRICE, quantity: int = 1) -> str:
    buyer = await town.arrives("buyer")
    return await buyer.pays(await town.lists(seller, unit_amount=unit_amount), quantity)


async def refunds(person: Person, order_id: str, **wish: Any) -> Any:
    return await person.post(f"/v1/orders/{order_id}/refunds", wish)


async def intent_of(order_id: str) -> str:
    return str(await value("SELECT intent_id FROM payments WHERE order_id = $1", order_id))


async def stripes_refund(order_id: str) -> str:
    found: str = await value(
        "SELECT stripe_refund_id FROM refunds WHERE order_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1",
        order_id,
    )
    return found


async def require_agreement(town: Town, seller: Person) -> int:
    """Ours and Stripe's tell the same story; answers what the seller earned, paid out or not."""
    found = await reconcile(
        town.composition.services.gateway,
        since=town.clock() - timedelta(days=60),
        until=town.clock() + timedelta(days=1),
    )
    assert list(found.differences) == []
    open_ = await rows(
        "SELECT o.kind FROM operations o JOIN orders r ON r.id = o.order_id "
        "WHERE o.concluded_at IS NULL AND r.seller_id = $1",
        seller.seller_id,
    )
    assert open_ == []
    address = ledger.seller_account(seller.seller_id)
    ours = {one.account: one.amount for one in await ledger.balances()}.get(address, 0)
    assert ours == await at_stripe(town, seller)
    paid_out: int = await value(
        "SELECT coalesce(sum(CASE kind WHEN 'payout' THEN amount ELSE -amount END), 0)::bigint "
        "FROM postings WHERE seller_id = $1 AND kind IN ('payout', 'payout_failure')",
        seller.seller_id,
    )
    return ours + paid_out


async def at_stripe(town: Town, seller: Person) -> int:
    """What the seller's Stripe balance holds, available or not."""
    balances = (await town.stripe("GET", "/_sandbox/balances"))["balances"]
    held = balances.get(await town.account_of(seller), {}).get("eur", {})
    return int(held.get("available", 0) + held.get("pending", 0))


async def days(town: Town, count: int, *people: Person) -> None:
    """Days go by one after the other; people sign in again, for a session lasts a day."""
    for _ in range(count):
        await town.passes(days=1, seconds=1)
    for person in people:
        await town.signs_in(person)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _platform_has_money(town: Town, coach: Person) -> None:
    """Fees of big sales, available: what is owed to sellers can be sent to them."""
    for _ in range(2):
        await sold(town, coach, unit_amount=200_000)
    await days(town, 3)


async def goes_wrong(town: Town, order_id: str, status: str, reason: str | None = None) -> None:
    """What becomes of the order's latest refund at Stripe."""
    body = {"status": status} | ({"failure_reason": reason} if reason else {})
    refund = await stripes_refund(order_id)
    await town.stripe("POST", f"/_sandbox/refunds/{refund}", json=body)
    await town.settle()


async def test_a_long_sequence_of_partial_refunds_adds_up_at_stripe_too(
    town: Town, seller: Person
) -> None:
    """dokan 3324: fee and seller's share were rounded apart."""
    order_id = await sold(town, seller, unit_amount=1_999)
    for amount in (1, 333, 7, 666, 13, 500, 1, 478):
        await refunds(seller, order_id, amount=amount)
    await town.settle()
    assert await require_agreement(town, seller) == 0
    payment = await value(
        "SELECT fee_refunded = fee_captured FROM payments WHERE order_id = $1", order_id
    )
    assert payment is True


async def test_lines_go_back_at_their_price(town: Town, seller: Person) -> None:
    buyer = await town.arrives("buyer")
    one = await town.lists(seller, unit_amount=1_999)
    two = await town.lists(seller, unit_amount=701)
    order = await buyer.order((one, 3), (two, 1))
    await town.confirm(await buyer.checkout(order["id"]))
    await town.settle()
    first = await refunds(seller, order["id"], lines=[{"listing_id": one, "quantity": 2}])
    assert first["amount"] == 3_998
    path = f"/v1/orders/{order['id']}/refunds"
    both = {"lines": [{"listing_id": one, "quantity": 1}, {"listing_id": two, "quantity": 1}]}
    answers = await asyncio.gather(
        *[seller.call("POST", path, both, key=new_id("k")) for _ in range(4)]
    )
    assert sorted(one.status_code for one in answers) == [201, 422, 422, 422]
    await town.settle()
    assert await require_agreement(town, seller) == 0


async def test_who_bears_it_is_the_platforms_to_say(
    town: Town, admin: Person, seller: Person
) -> None:
    borne, kept = await sold(town, seller), await sold(town, seller)
    await refunds(admin, borne, amount=500, bearer="platform")
    await refunds(admin, kept, fee="keep")
    await town.settle()
    # Whole for the one, and out of pocket by the fee for the other.
    assert await require_agreement(town, seller) == (PRICE - FEE) - FEE


async def test_a_refund_that_fails_days_later_gives_the_seller_their_money_back(
    town: Town, admin: Person, seller: Person
) -> None:
    """woocommerce-gateway-stripe 4405, gumroad 5779: nobody was given anything back after a bounce."""
    order_id = await sold(town, seller)
    before = await require_agreement(town, seller)
    await refunds(seller, order_id, amount=1_999)
    await town.settle()
    await days(town, 3)
    await goes_wrong(town, order_id, "failed", "expired_or_canceled_card")
    assert await require_agreement(town, seller) == before
    await town.signs_in(seller)
    [refund] = (await seller.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert (refund["status"], refund["failure_reason"]) == ("failed", "expired_or_canceled_card")
    steps = [s["step"] for s in (await seller.get(f"/v1/orders/{order_id}/history"))["data"]]
    assert steps[-2:] == ["refunded", "refund_failed"]

    again = await refunds(seller, order_id)
    assert (again["status"], again["amount"]) == ("succeeded", PRICE)
    await town.settle()
    assert await require_agreement(town, seller) == 0


async def test_a_refund_waits_until_there_is_money_and_says_so(
    town: Town, admin: Person, seller: Person
) -> None:
    """commerce-stripe 134: a refund whose money had to be collected first was shown as failed."""
    async with _no_money(town, admin, seller):
        order_id = await sold(town, seller)
        refund = await refunds(seller, order_id)
        assert (refund["status"], refund["pending_reason"]) == ("pending", "insufficient_funds")
        order = await seller.get(f"/v1/orders/{order_id}")
        assert order["payment"]["amount_refunded"] == 0
        # The seller's part is back already, and nobody was told of a success.
        await require_agreement(town, seller)
        steps = [s["step"] for s in (await seller.get(f"/v1/orders/{order_id}/history"))["data"]]
        assert steps[-1] == "refund_asked"
    [refund] = (await seller.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert (refund["status"], refund["pending_reason"]) == ("succeeded", None)
    await require_agreement(town, seller)


@pytest.mark.parametrize("outcome", ["canceled", "failed"])
async def test_a_refund_that_never_got_its_money_leaves_the_seller_whole(
    town: Town, admin: Person, seller: Person, outcome: str
) -> None:
    async with _no_money(town, admin, seller):
        order_id = await sold(town, seller)
        before = await require_agreement(town, seller)
        await refunds(seller, order_id)
        await town.settle()
        assert await _status(order_id) == "pending"
        await goes_wrong(town, order_id, outcome)
    assert await _status(order_id) == outcome
    earned = await _earned_since(seller, order_id)
    await days(town, 4)
    assert await require_agreement(town, seller) == before + earned


async def _earned_since(seller: Person, order_id: str) -> int:
    """What the seller's later orders brought them."""
    found: int = await value(
        "SELECT sum(p.amount_captured - p.fee_captured)::bigint FROM payments p "
        "WHERE p.seller_id = $1 AND p.order_id > $2 AND p.amount_refunded = 0",
        seller.seller_id,
        order_id,
    )
    return found


@asynccontextmanager
async def _no_money(town: Town, admin: Person, seller: Person) -> AsyncIterator[None]:
    """The platform's balance is below zero, and what goes back waits; afterwards there is money again."""
    platform = (await town.stripe("GET", "/_sandbox/balances"))["balances"]["platform"]["eur"]
    big = await sold(town, seller, unit_amount=max(0, platform["available"]) + 20_000)
    await refunds(admin, big, bearer="platform")
    await town.settle()
    await town.stripe("POST", "/_sandbox/balances", json={"overdrafts": False})
    try:
        yield
    finally:
        await town.stripe("POST", "/_sandbox/balances", json={"overdrafts": True})
        await town.settle()
        for _ in range(2):
            await sold(town, seller, unit_amount=200_000)
        await days(town, 3, admin, seller)


async def _status(order_id: str) -> str:
    return str(await value("SELECT status FROM refunds WHERE order_id = $1", order_id))


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        ({}, PRICE - FEE),
        ({"reverse_transfer": True}, PRICE - FEE - 1_000),
        ({"reverse_transfer": True, "refund_application_fee": True}, PRICE - FEE - 850),
    ],
)
async def test_refunds_made_in_the_dashboard_are_imported_with_their_flags(
    town: Town, seller: Person, flags: dict[str, bool], left: int
) -> None:
    """Sylius 101, openfoodnetwork 5449: dashboard refunds were not imported."""
    order_id = await sold(town, seller)
    body = {"payment_intent": await intent_of(order_id), "amount": 1_000, **flags}
    await town.stripe("POST", "/_sandbox/refunds", json=body)
    await town.settle()
    assert await require_agreement(town, seller) == left
    await town.stripe("POST", "/_sandbox/refunds", json={**body, "amount": 777})
    await town.settle()
    await require_agreement(town, seller)
    imported = (await seller.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert [(one["amount"], one["status"]) for one in imported] == [
        (1_000, "succeeded"),
        (777, "succeeded"),
    ]
    # Ours takes exactly what is left, and no unit more.
    rest = await refunds(seller, order_id)
    assert rest["amount"] == PRICE - 1_777
    await town.settle()
    await require_agreement(town, seller)


async def test_a_refund_made_in_the_dashboard_may_fail_too(town: Town, seller: Person) -> None:
    order_id = await sold(town, seller)
    await town.stripe(
        "POST",
        "/_sandbox/refunds",
        json={
            "payment_intent": await intent_of(order_id),
            "amount": 1_999,
            "reverse_transfer": True,
            "refund_application_fee": True,
        },
    )
    await town.settle()
    await goes_wrong(town, order_id, "failed", "lost_or_stolen_card")
    await town.settle()
    assert await require_agreement(town, seller) == PRICE - FEE


async def test_a_refund_after_the_payout_leaves_a_balance_below_zero(
    town: Town, seller: Person
) -> None:
    """polar 4428, 9666: after a refund the next payout was larger than the real balance."""
    order_id = await sold(town, seller)
    await days(town, 4, seller)
    assert await at_stripe(town, seller) == 0, "paid out"
    await refunds(seller, order_id)
    await town.settle()
    assert await at_stripe(town, seller) == -(PRICE - FEE)
    assert await require_agreement(town, seller) == 0
    # The next sale fills it: nothing is paid out twice.
    await sold(town, seller)
    await days(town, 4, seller)
    assert await at_stripe(town, seller) == 0
    assert await require_agreement(town, seller) == PRICE - FEE


async def test_a_disputed_order_is_not_refunded_and_a_won_one_is(
    town: Town, seller: Person
) -> None:
    """gumroad 4372: refunded while disputed, the seller was debited twice."""
    order_id = await sold(town, seller)
    dispute = await town.stripe(
        "POST", "/_sandbox/disputes", json={"payment_intent": await intent_of(order_id)}
    )
    await town.settle()
    path = f"/v1/orders/{order_id}/refunds"
    assert await seller.refused("POST", path, {}) == (409, "payment_disputed")
    await town.stripe("POST", f"/_sandbox/disputes/{dispute['id']}", json={"outcome": "won"})
    await town.settle()
    assert await require_agreement(town, seller) == PRICE - FEE
    await refunds(seller, order_id)
    await town.settle()
    assert await require_agreement(town, seller) == 0


async def test_a_debt_is_netted_from_the_next_order_and_owed_again_when_that_is_refunded(
    town: Town, admin: Person, seller: Person
) -> None:
    """pay-connector 1249: the refund went out, the pull-back failed, and nobody kept a book of it."""
    order_id = await sold(town, seller)
    dispute = await town.stripe(
        "POST", "/_sandbox/disputes", json={"payment_intent": await intent_of(order_id)}
    )
    await town.settle()
    await town.stripe("POST", f"/_sandbox/disputes/{dispute['id']}", json={"outcome": "won"})
    await town.settle()
    await town.fault(
        method="POST", path="/v1/transfers/*/reversals", fault="balance_insufficient", times=1
    )
    await refunds(seller, order_id)
    await town.settle()
    path = f"/v1/sellers/{seller.seller_id}/debts"
    owed = await seller.get(path)
    # What the dispute had taken was sent again, and this time Stripe would not take it back.
    assert owed["totals"][0]["left"] == PRICE - FEE
    assert await require_agreement(town, seller) == PRICE - FEE
    consent = f"/v1/sellers/{seller.seller_id}/debt-consent"
    answer = await seller.call("PUT", consent, {"basis_points": 10_000})
    assert answer.status_code == 200
    await town.passes(seconds=5)
    next_order = await sold(town, seller, unit_amount=10_000)
    await town.passes(minutes=2)
    assert (await seller.get(path))["totals"] == []
    assert await require_agreement(town, seller) == 10_000 - 1_500
    # Consent taken back, and that order refunded: what it had settled is owed again.
    withdrawn = await seller.call("DELETE", consent)
    assert withdrawn.status_code == 200
    await refunds(seller, next_order)
    await town.settle()
    assert (await seller.get(path))["totals"][0]["left"] == PRICE - FEE
    assert await require_agreement(town, seller) == PRICE - FEE


async def test_all_of_it_is_on_papers_and_in_the_years_report(town: Town, admin: Person) -> None:
    """Refunds, failures, disputes, debts, payouts, the dashboard's doings: of every seller above."""
    issuer = {
        "legal_name": "Marketplace GmbH",
        "line1": "Torstraße 1",
        "city": "Berlin",
        "country": "DE",
        "papers_from": await value("SELECT to_char(min(recorded_at), 'YYYY-MM') FROM postings"),
    }
    named = await admin.call("PUT", "/v1/admin/paper-issuer", issuer)
    assert named.status_code == 200, named.text
    last = Month.named(f"{town.clock() + timedelta(days=14):%Y-%m}")
    issued_at = last.until + ISSUED_AFTER + timedelta(hours=9)
    await town.passes(seconds=(issued_at - town.clock()).total_seconds())
    # That each posting is on one paper, to the unit, is asked at the end of each story (P1 to P6).
    different = await rows(
        "SELECT s.id FROM sellers s LEFT JOIN LATERAL (SELECT closing FROM papers p "
        "WHERE p.seller_id = s.id AND p.kind = 'statement' ORDER BY p.month DESC LIMIT 1) AS last ON true "
        "WHERE coalesce(last.closing, 0) <> (SELECT coalesce(sum(CASE target WHEN 'seller:' || s.id "
        "THEN amount ELSE -amount END), 0) FROM postings WHERE 'seller:' || s.id IN (source, target) "
        "AND recorded_at < date_trunc('month', $1::timestamptz))",
        town.clock(),
    )
    assert different == []
    await town.signs_in(admin)
    reported: Counter[str] = Counter()
    # These stories may have gone on over the end of a year.
    for year in range(int(issuer["papers_from"][:4]), town.clock().year + 1):
        page = await admin.get(f"/v1/admin/tax-reports/{year}", limit=100)
        assert not page["has_more"]
        for one in page["data"]:
            for each in one["activities"]:
                reported[one["seller_id"]] += each["consideration"] + each["fees"]
    # With the fees that are shown beside it: what buyers paid, less all that went back.
    sold = await rows(
        "SELECT seller_id, sum(CASE WHEN target = 'platform:fees' THEN amount ELSE 0 END "
        "- CASE WHEN source = 'platform:fees' THEN amount ELSE 0 END "
        "+ CASE WHEN target LIKE 'seller:%' THEN amount ELSE 0 END "
        "- CASE WHEN source LIKE 'seller:%' THEN amount ELSE 0 END)::bigint AS left FROM postings "
        "WHERE payment_id IS NOT NULL AND kind NOT IN ('processing_cost', 'dispute_cost') GROUP BY 1"
    )
    assert dict(reported) == {each["seller_id"]: each["left"] for each in sold}
