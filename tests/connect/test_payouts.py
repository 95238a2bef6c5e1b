"""Payouts are taken in once, never go back, and are found again when their events were lost."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from connect.errors import BalanceUnreadable
from connect.events import PayoutEvent, PayoutFailed, PayoutPaid
from connect.payout_failures import advice_on
from connect.payout_gateway import Funds
from connect.payouts import Payouts
from payments.database import rows
from payments.errors import OutcomeUnknown, StripeRejected
from payments.ids import ConnectedAccountId
from payments.inbox import Notice
from tests.connect.conftest import Connect, MovableClock, a_seller
from tests.connect.payout_fakes import FakePayoutGateway


@dataclass
class Bank:
    """Payouts of one ready seller, and everything told about them."""

    payouts: Payouts
    stripe: FakePayoutGateway
    clock: MovableClock
    seller_id: str
    account_id: ConnectedAccountId
    told: list[PayoutEvent] = field(default_factory=list)

    async def hear(self, payout_id: str, account_id: str | None = None, kind: str = "paid") -> None:
        """A webhook about a payout."""
        notice = Notice(
            event_id="evt_1",
            account=self.account_id if account_id is None else account_id or None,
            door="connect",
            type=f"payout.{kind}",
            object_id=payout_id,
            livemode=False,
            payload="{}",
            attempts=1,
            received_at=self.clock(),
        )
        await self.payouts.take_notices([notice])

    async def row(self, payout_id: str) -> Any:
        [found] = await rows("SELECT * FROM payouts WHERE id = $1", payout_id)
        return found

    async def books(self) -> list[tuple[str, str, str, int]]:
        """Every posting of this seller: kind, source, target, amount."""
        found = await rows(
            "SELECT kind, source, target, amount FROM postings WHERE seller_id = $1 "
            "ORDER BY recorded_at, kind",
            self.seller_id,
        )
        seller = f"seller:{self.seller_id}"
        return [
            (
                each["kind"],
                each["source"].replace(seller, "seller"),
                each["target"].replace(seller, "seller"),
                each["amount"],
            )
            for each in found
        ]


@pytest.fixture
async def bank(connect: Connect) -> Bank:
    seller_id, account_id = await connect.a_ready_seller()
    stripe = FakePayoutGateway(connect.clock)
    told: list[PayoutEvent] = []

    async def announce(event: PayoutEvent) -> None:
        told.append(event)

    payouts = Payouts(stripe, announce, connect.clock)
    return Bank(payouts, stripe, connect.clock, seller_id, account_id, told)


async def test_a_payout_is_read_at_stripe_and_posted_once(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id)
    for _ in range(3):
        await bank.hear(payout_id, kind="created")
    assert (await bank.row(payout_id))["status"] == "pending"
    assert await bank.books() == [("payout", "seller", "banks", 5_400)]
    assert bank.told == []


async def test_an_arrived_payout_is_told_once(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id)
    await bank.hear(payout_id)
    bank.stripe.change(payout_id, status="paid")
    for _ in range(3):
        await bank.hear(payout_id)
    [told] = bank.told
    assert isinstance(told, PayoutPaid)
    assert (told.seller_id, told.amount, told.currency) == (bank.seller_id, 5_400, "eur")


async def test_told_by_many_at_once_it_is_one(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, 5_400, "tr_x", "tr_y")
    bank.stripe.fail(payout_id)
    await asyncio.gather(*[bank.hear(payout_id) for _ in range(8)])
    assert len(await bank.books()) == 2
    assert [type(each) for each in bank.told] == [PayoutFailed]
    [items] = await rows(
        "SELECT count(*) AS found FROM payout_items WHERE payout_id = $1", payout_id
    )
    assert items["found"] == 2


async def test_a_payout_that_was_paid_can_fail_later(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, status="paid")
    await bank.hear(payout_id)
    bank.clock.advance(days=3)
    bank.stripe.fail(payout_id)
    await bank.hear(payout_id, kind="failed")
    assert [type(each) for each in bank.told] == [PayoutPaid, PayoutFailed]
    assert await bank.books() == [
        ("payout", "seller", "banks", 5_400),
        ("payout_failure", "banks", "seller", 5_400),
    ]
    stored = await bank.row(payout_id)
    assert (stored["status"], stored["failure_code"]) == ("failed", "account_closed")
    assert stored["refresh_at"] is not None  # what it carried is not known yet


async def test_an_older_reading_changes_nothing(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id)
    before = bank.stripe.made[payout_id]
    bank.stripe.fail(payout_id)
    await bank.hear(payout_id)
    bank.stripe.made[payout_id] = before
    await bank.hear(payout_id)
    bank.stripe.change(payout_id, status="a_word_of_tomorrow")
    await bank.hear(payout_id)
    assert (await bank.row(payout_id))["status"] == "failed"
    assert len(await bank.books()) == 2
    assert len(bank.told) == 1


async def test_a_canceled_payout_was_counted_twice(bank: Bank) -> None:
    """A payout that was canceled came back twice, and the next one was larger than the balance."""
    payout_id = bank.stripe.pay_out(bank.account_id, automatic=False)
    bank.stripe.change(payout_id, status="canceled", returned_at=bank.clock())
    for _ in range(3):
        await bank.hear(payout_id, kind="canceled")
    assert await bank.books() == [
        ("payout", "seller", "banks", 5_400),
        ("payout_failure", "banks", "seller", 5_400),
    ]
    assert bank.told == []
    assert (await bank.row(payout_id))["refresh_at"] is None


async def test_a_debit_of_the_sellers_bank_is_posted_the_other_way_round(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, -700)
    await bank.hear(payout_id)
    assert await bank.books() == [("payout", "banks", "seller", 700)]


async def test_what_a_payout_carried_is_kept_once_it_is_known(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, 5_400, "tr_a", "tr_b", items_known=False)
    await bank.hear(payout_id)
    assert bank.stripe.count("items") == 0
    bank.stripe.change(payout_id, items_known=True, status="in_transit")
    for _ in range(2):
        await bank.hear(payout_id, kind="reconciliation_completed")
    found = await rows("SELECT * FROM payout_items WHERE payout_id = $1", payout_id)
    assert sorted((each["transfer_id"], each["net"]) for each in found) == [
        ("tr_a", 2_700),
        ("tr_b", 2_700),
    ]
    assert bank.stripe.count("items") == 1


async def test_a_payout_that_is_not_the_sum_of_what_it_carried_rings(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, 5_401, "tr_a", "tr_b")
    with capture_logs() as logs:
        await bank.hear(payout_id)
    assert [each["carried"] for each in logs if each.get("alarm")] == [5_400]


async def test_a_lost_webhook_is_made_good_by_the_sweep(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id)
    await bank.hear(payout_id)
    bank.stripe.fail(payout_id)
    assert await bank.payouts.refresh_due(bank.clock()) == 0
    assert await bank.payouts.refresh_due(bank.clock.advance(hours=6)) >= 1
    assert (await bank.row(payout_id))["status"] == "failed"
    assert [type(each) for each in bank.told] == [PayoutFailed]


async def test_a_payout_nobody_told_of_is_found_in_the_daily_list(bank: Bank) -> None:
    assert await bank.payouts.import_due(bank.clock(), 1000) >= 1
    payout_id = bank.stripe.pay_out(bank.account_id, status="paid")
    await bank.payouts.import_due(bank.clock.advance(hours=23), 1000)
    assert payout_id not in [
        each["id"] for each in await rows("SELECT id FROM payouts WHERE id = $1", payout_id)
    ]
    await bank.payouts.import_due(bank.clock.advance(hours=2), 1000)
    assert (await bank.row(payout_id))["status"] == "paid"
    assert len(bank.told) == 1


async def test_the_list_reaches_back_behind_the_last_one_known(bank: Bank) -> None:
    lost = bank.stripe.pay_out(bank.account_id, status="paid")
    bank.clock.advance(days=20)
    await bank.hear(bank.stripe.pay_out(bank.account_id, status="paid"))
    await bank.payouts.import_due(bank.clock(), 1000)
    assert (await bank.row(lost))["status"] == "paid"


async def test_a_settled_payout_is_left_alone_in_the_end(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id, 5_400, "tr_c", status="paid")
    await bank.hear(payout_id)
    for _ in range(17):
        await bank.payouts.refresh_due(bank.clock.advance(days=1), 1000)
    assert (await bank.row(payout_id))["refresh_at"] is None
    asked = bank.stripe.asked.count(("retrieve_payout", bank.account_id, payout_id))
    await bank.payouts.refresh_due(bank.clock.advance(days=30), 1000)
    assert bank.stripe.asked.count(("retrieve_payout", bank.account_id, payout_id)) == asked


async def test_silence_keeps_it_due_and_stops_nobody(bank: Bank) -> None:
    payout_id = bank.stripe.pay_out(bank.account_id)
    await bank.hear(payout_id)
    bank.stripe.trouble = OutcomeUnknown("timeout")
    await bank.payouts.refresh_due(bank.clock.advance(hours=6))
    await bank.payouts.import_due(bank.clock(), 1000)
    bank.stripe.trouble = None
    bank.stripe.change(payout_id, status="paid")
    await bank.payouts.refresh_due(bank.clock.advance(minutes=11))
    assert (await bank.row(payout_id))["status"] == "paid"


async def test_the_returned_payout_landed_on_the_retired_account(
    bank: Bank, connect: Connect
) -> None:
    """A seller's account was closed, its last payout came back, and nobody was told for weeks."""
    payout_id = bank.stripe.pay_out(bank.account_id, status="in_transit")
    await bank.hear(payout_id)
    connect.gateway.change(bank.account_id, closed=True)
    await connect.accounts.refresh(bank.account_id)
    bank.stripe.fail(payout_id)
    await bank.hear(payout_id, kind="failed")
    [told] = bank.told
    assert isinstance(told, PayoutFailed)
    assert told.account_closed
    stored = await bank.row(payout_id)
    assert (stored["account_id"], stored["seller_id"]) == (bank.account_id, bank.seller_id)


async def test_payouts_of_the_platform_and_of_strangers_are_none_of_ours(bank: Bank) -> None:
    stranger = bank.stripe.pay_out("acct_stranger")
    await bank.hear(stranger, "acct_stranger")
    own = bank.stripe.pay_out(bank.account_id)
    await bank.hear(own, "")
    assert await rows("SELECT FROM payouts WHERE id = ANY($1)", [stranger, own]) == []
    assert bank.stripe.asked == []


async def test_an_exchange_difference_booked_as_credit_grew_a_phantom_balance(bank: Bank) -> None:
    """The books owed a seller more than Stripe held; payouts failed for six weeks before a person looked."""
    payout_id = bank.stripe.pay_out(bank.account_id, -259)
    await bank.hear(payout_id)  # the books hold 259 for the seller
    bank.stripe.funds[bank.account_id] = (Funds(currency="eur", available=200, pending=58),)
    with capture_logs() as logs:
        await bank.payouts.import_due(bank.clock.advance(days=2), 1000)
    assert [(each["books"], each["stripe"]) for each in logs if each.get("alarm")] == [(259, 258)]
    bank.stripe.funds[bank.account_id] = (Funds(currency="eur", available=200, pending=59),)
    with capture_logs() as logs:
        await bank.payouts.import_due(bank.clock.advance(days=2), 1000)
    assert [each for each in logs if each.get("alarm")] == []


async def test_a_balance_is_stripes_or_none(bank: Bank) -> None:
    funds = (Funds(currency="eur", available=-200, pending=900),)
    bank.stripe.funds[bank.account_id] = funds
    assert await bank.payouts.balance(bank.seller_id) == funds
    bank.stripe.trouble = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await bank.payouts.balance(bank.seller_id)
    bank.stripe.trouble = StripeRejected("account_invalid", http_status=403)
    with pytest.raises(BalanceUnreadable):
        await bank.payouts.balance(bank.seller_id)


async def test_who_has_no_account_holds_nothing(bank: Bank) -> None:
    assert await bank.payouts.balance(await a_seller()) == ()
    assert bank.stripe.count("balance") == 0


def test_every_failure_is_told_in_plain_words() -> None:
    for code in ("account_closed", "no_account", "insufficient_funds", "a_new_one", None):
        advice = advice_on(code)
        assert advice.explanation.endswith(".")
        assert advice.what_to_do.endswith(".")
    assert "closed" in advice_on("account_closed").explanation
