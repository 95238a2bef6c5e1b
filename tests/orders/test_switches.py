"""What kill switches stop of orders, and what goes on: money that moves already, and what is heard of it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from marketplace.orders.refunds import RefundWish
from marketplace.oversight.errors import SwitchedOff
from marketplace.oversight.switches import NewSwitch, OperationName, Scope, switch_off
from payments.database import execute
from payments.errors import OutcomeUnknown, PaymentStepRefused
from tests.fakes import DEBIT
from tests.orders.deals import ADMIN, Deal, a_deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop
from tests.orders.test_groups import a_trip

WHY = "We look into it"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _on_again(shop: Shop) -> AsyncIterator[None]:
    yield
    await execute("DELETE FROM switches")


async def off(
    shop: Shop, *operations: OperationName, scope: Scope = "all", target: str | None = None
) -> None:
    for operation in operations:
        switch = NewSwitch(
            operation=operation, scope=scope, target=target, reason=WHY, expires_at=None
        )
        await switch_off(switch, actor="acc_admin", now=shop.clock())


async def paid_back(shop: Shop, deal: Deal) -> tuple[str, int]:
    view = await shop.see(deal.id)
    assert view.payment is not None
    return view.order.status, view.payment.amount_refunded


async def test_what_stripe_tells_is_taken_in_although_everything_is_off(shop: Shop) -> None:
    """A browser that has its client secret pays, and we hear of it: no switch closes that door."""
    deal = await a_deal(shop)
    intent = await shop.begin(deal.id)
    await off(shop, "checkout", "capture", "refund", "onboarding")
    asked = len(shop.stripe.asked)
    with pytest.raises(SwitchedOff):
        await shop.begin(deal.id)
    assert len(shop.stripe.asked) == asked
    shop.stripe.pay(intent.intent_id)
    await shop.hear(deal.id)
    assert await shop.status(deal.id) == "authorized"


async def test_what_the_journal_holds_is_carried_out(shop: Shop) -> None:
    """The capture reached Stripe and its answer was lost: the switch that came after changes nothing."""
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    await off(shop, "capture")
    with pytest.raises(SwitchedOff):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    await shop.resume()
    assert await shop.status(deal.id) == "paid"


async def test_a_hold_that_ends_while_captures_are_off_is_released_and_says_so(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await execute(
        "UPDATE sellers SET at_deadline = 'capture' WHERE account_id = $1", deal.seller.account_id
    )
    await off(shop, "capture")
    shop.clock.move(days=6, hours=23)
    await shop.deadlines.run_due(shop.clock())
    assert await shop.status(deal.id) == "canceled"
    assert shop.asked("capture_intent") == 0
    history = await shop.orders.history(deal.id, ADMIN)
    (reached,) = [one.reason for one in history if one.step == "deadline_reached"]
    assert reached == "not captured: captures are switched off"


async def test_money_that_must_not_be_kept_goes_back_although_refunds_are_off(shop: Shop) -> None:
    """The order was canceled while a debit was on its way; a person's refund waits all the same."""
    deal = await a_deal(shop, "session")
    intent = await shop.begin(deal.id)
    shop.stripe.pay(intent.intent_id, DEBIT)
    await shop.hear(deal.id)
    with pytest.raises(PaymentStepRefused):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    other = await a_paid_deal(shop)
    await off(shop, "refund")
    shop.stripe.settle_debit(intent.intent_id, succeeds=True)
    await shop.hear(deal.id)
    await shop.resume()
    assert await paid_back(shop, deal) == ("canceled", 5_000)
    for actor in (other.seller, ADMIN):
        with pytest.raises(SwitchedOff):
            await shop.refunds.ask(
                other.id, actor, RefundWish(), idempotency_key="k", now=shop.clock()
            )
    with pytest.raises(SwitchedOff):
        await shop.cancellation.cancel(other.id, other.buyer, shop.clock())
    assert await paid_back(shop, other) == ("paid", 0)


async def test_a_hold_is_let_go_although_refunds_are_off(shop: Shop) -> None:
    """Nothing was taken, so nothing is refunded."""
    deal = await a_held_deal(shop)
    await off(shop, "refund")
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "canceled"


async def test_of_a_cart_only_the_part_that_is_off_is_refused(shop: Shop) -> None:
    trip = await a_trip(shop)
    _, coach, _ = (await trip.see()).orders
    await off(shop, "checkout", scope="seller", target=coach.order.seller_id)
    progress = await trip.confirm(await trip.card())
    (refusal,) = progress.refusals.items()
    assert refusal[0] == coach.order.id
    assert isinstance(refusal[1], SwitchedOff)
    assert (refusal[1].scope, refusal[1].reason) == ("seller", WHY)
    assert await trip.statuses() == ["authorized", "checkout", "authorized"]
    # Switched on again, the same cart is finished.
    await execute("DELETE FROM switches")
    assert (await trip.confirm()).refusals == {}
    assert await shop.status(coach.order.id) == "paid"


async def test_the_one_that_lasts_longest_is_told(shop: Shop) -> None:
    """Two switches stop the same: whoever is refused is told of the one they wait for."""
    deal = await a_deal(shop)
    seller_id = (await shop.see(deal.id)).order.seller_id
    now = shop.clock()
    for scope, target, hours in (
        ("all", None, 1),
        ("seller", seller_id, 3),
        ("currency", "eur", 2),
    ):
        switch = NewSwitch(
            operation="checkout",
            scope=scope,  # type: ignore[arg-type]
            target=target,
            reason=f"{hours} hours",
            expires_at=now + timedelta(hours=hours),
        )
        await switch_off(switch, actor="acc_admin", now=now)
    for passed, told in ((0, "3 hours"), (2, "3 hours")):
        shop.clock.move(hours=passed)
        with pytest.raises(SwitchedOff) as refusal:
            await shop.begin(deal.id)
        assert refusal.value.reason == told
    assert refusal.value.retry_after_seconds == 3600
    shop.clock.move(hours=1)
    await shop.begin(deal.id)
