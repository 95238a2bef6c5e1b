"""The history of an order: what its buyer, its seller and admins may read of it."""

from marketplace.orders import records, steps
from marketplace.orders.order_states import Step
from marketplace.orders.refunds import RefundWish
from marketplace.orders.steps import PLATFORM, STRIPE, StepRecord
from payments.database import transaction
from payments.ids import new_id
from tests.orders.deals import ADMIN, Deal, a_deal, a_held_deal
from tests.orders.shop import Shop

WARNING = "issfr_1NnabcdefghijklmnopqrstX"


async def takes(shop: Shop, deal: Deal, step: Step, actor: str, reason: str | None = None) -> None:
    async with transaction():
        order = await records.lock(deal.id)
        await steps.take(order, step, actor=actor, now=shop.clock(), reason=reason)


async def a_troubled_deal(shop: Shop) -> Deal:
    """Refused to be prepared, warned of, held and released, prepared, refunded in part."""
    deal = await a_held_deal(shop)
    await takes(shop, deal, "preparation_refused", deal.seller.account_id, "transfers_inactive")
    await takes(shop, deal, "deadline_escalated", PLATFORM, "12h")
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    await takes(shop, deal, "fraud_warned", STRIPE, WARNING)
    await takes(shop, deal, "fulfilment_held", PLATFORM, "captured 4900 of 5000")
    await takes(shop, deal, "fulfilment_released", ADMIN.account_id, "agreed")
    wish = RefundWish(amount=500)
    await shop.refunds.ask(deal.id, ADMIN, wish, idempotency_key=new_id("key"), now=shop.clock())
    return deal


def told(history: list[StepRecord]) -> dict[str, tuple[str, str | None]]:
    return {one.step: (one.actor, one.reason) for one in history}


async def test_a_buyer_reads_no_ids_no_warnings_and_not_why_the_seller_cannot_be_paid(
    shop: Shop,
) -> None:
    deal = await a_troubled_deal(shop)
    history = told(await shop.orders.history(deal.id, deal.buyer))
    assert not {"fraud_warned", "deadline_escalated", "preparation_asked"} & set(history)
    assert not {"fulfilment_held", "fulfilment_released"} & set(history)
    assert history["placed"] == ("buyer", None)
    assert history["preparation_refused"] == ("seller", None)
    assert history["refunded"] == ("admin", None)
    assert list(history)[-3:] == ["prepared", "refund_asked", "refunded"]


async def test_a_seller_reads_why_and_of_people_only_their_part(shop: Shop) -> None:
    deal = await a_troubled_deal(shop)
    history = told(await shop.orders.history(deal.id, deal.seller))
    assert history["preparation_refused"] == ("seller", "transfers_inactive")
    assert history["fulfilment_released"] == ("admin", "agreed")
    assert history["fraud_warned"] == ("stripe", None)
    assert history["refund_asked"] == ("admin", None)
    assert history["placed"] == ("buyer", None)


async def test_a_seller_does_not_read_how_the_buyer_tried_to_pay(shop: Shop) -> None:
    deal = await a_deal(shop)
    await shop.begin(deal.id)
    await takes(shop, deal, "payment_ended", STRIPE, "expired_card")
    assert "payment_ended" not in told(await shop.orders.history(deal.id, deal.seller))
    assert told(await shop.orders.history(deal.id, deal.buyer))["payment_ended"] == (
        "stripe",
        "expired_card",
    )


async def test_an_admin_reads_everything_as_it_was_written(shop: Shop) -> None:
    deal = await a_troubled_deal(shop)
    history = await shop.orders.history(deal.id, ADMIN)
    assert history == await steps.history(deal.id)
    assert told(history)["fraud_warned"] == ("stripe", WARNING)
    assert told(history)["preparation_refused"][0] == deal.seller.account_id
