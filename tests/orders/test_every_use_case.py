"""Every use case of fulfilment in every state of an order: the legal result, or the refusal that fits.

The whole table is written down here and every cell of it is tried, for the seller and for the buyer.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.orders.errors import OrderStepRefused, SellerOnly, ShippingNotNeeded
from marketplace.orders.fulfilment_errors import (
    CompletionTooEarly,
    NotASession,
    SessionNotStarted,
    ShippedAlready,
)
from marketplace.orders.order_states import STATUSES
from marketplace.orders.records import Actor
from marketplace.orders.sessions import Appointment
from marketplace.orders.shipping import Parcel
from payments.database import value
from tests.orders.deals import Deal, a_deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, stock_of

PARCEL = Parcel(carrier="DHL", tracking_number="1")
OTHER = Parcel(carrier="UPS", tracking_number="2")

Outcome = str | type[Exception]
Made = Callable[[Shop], Awaitable[Deal]]


async def prepared(shop: Shop) -> Deal:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    return deal


async def shipped(shop: Shop) -> Deal:
    deal = await prepared(shop)
    await shop.shipping.ship(deal.id, deal.seller, PARCEL, shop.clock())
    return deal


async def completed(shop: Shop) -> Deal:
    deal = await shipped(shop)
    await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    return deal


async def canceled(shop: Shop) -> Deal:
    deal = await a_held_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    return deal


async def expired(shop: Shop) -> Deal:
    deal = await a_held_deal(shop)
    shop.stripe.end(await shop.intent_of(deal.id), "automatic")
    await shop.hear(deal.id)
    return deal


async def session_ahead(shop: Shop) -> Deal:
    deal = await a_paid_deal(shop)
    await shop.coach_sessions.schedule(deal.id, deal.seller, in_days(shop, 2), shop.clock())
    return deal


async def session_over(shop: Shop) -> Deal:
    deal = await session_ahead(shop)
    shop.clock.move(days=2, hours=2)
    return deal


async def session_completed(shop: Shop) -> Deal:
    deal = await session_over(shop)
    await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    return deal


async def session_canceled(shop: Shop) -> Deal:
    deal = await a_paid_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    return deal


async def session_unpaid(shop: Shop) -> Deal:
    return await a_deal(shop, "session")


def in_days(shop: Shop, days: int) -> Appointment:
    return Appointment(starts_at=shop.clock() + timedelta(days=days), lasts=timedelta(hours=1))


USE_CASES: dict[str, Callable[[Shop, Deal, Actor], Awaitable[Any]]] = {
    "prepare": lambda shop, deal, who: shop.preparation.prepare(deal.id, who, shop.clock()),
    "ship": lambda shop, deal, who: shop.shipping.ship(deal.id, who, PARCEL, shop.clock()),
    "correct": lambda shop, deal, who: shop.shipping.correct(deal.id, who, OTHER, shop.clock()),
    "schedule": lambda shop, deal, who: shop.coach_sessions.schedule(
        deal.id, who, in_days(shop, 3), shop.clock()
    ),
    "no buyer": lambda shop, deal, who: shop.coach_sessions.report_absence(
        deal.id, who, "buyer", shop.clock()
    ),
    "no seller": lambda shop, deal, who: shop.coach_sessions.report_absence(
        deal.id, who, "seller", shop.clock()
    ),
    "complete": lambda shop, deal, who: shop.completion.complete(deal.id, who, shop.clock()),
    "cancel": lambda shop, deal, who: shop.cancellation.cancel(deal.id, who, shop.clock()),
}

NO = OrderStepRefused
_OF_PRODUCTS: dict[str, Outcome] = {
    "schedule": NotASession,
    "no buyer": NotASession,
    "no seller": NotASession,
}
_OF_SESSIONS: dict[str, Outcome] = {"ship": ShippingNotNeeded, "correct": ShippingNotNeeded}
_NOTHING: dict[str, Outcome] = dict.fromkeys(USE_CASES, NO)

# What happens when the seller does it, and where it differs, the buyer.
TABLE: dict[str, tuple[Made, dict[str, Outcome], dict[str, Outcome]]] = {
    "checkout": (a_deal, {"cancel": "canceled"}, {}),
    "authorized": (a_held_deal, {"prepare": "paid", "cancel": "canceled"}, {}),
    "paid": (
        prepared,
        {"ship": "shipped", "complete": CompletionTooEarly, "cancel": "canceled"},
        {"complete": "completed"},
    ),
    "shipped": (
        shipped,
        {"correct": "shipped", "complete": CompletionTooEarly, "cancel": "canceled"},
        {"complete": "completed", "cancel": ShippedAlready},
    ),
    "completed": (completed, {}, {}),
    "canceled": (canceled, {}, {}),
    "expired": (expired, {}, {}),
    "session unpaid": (session_unpaid, {"cancel": "canceled"}, {}),
    "session paid": (
        a_paid_deal,
        {
            "schedule": "paid",
            "no buyer": SessionNotStarted,
            "no seller": "canceled",
            "complete": CompletionTooEarly,
            "cancel": "canceled",
        },
        {"no seller": SessionNotStarted, "complete": "completed"},
    ),
    "session ahead": (
        session_ahead,
        {
            "schedule": "paid",
            "no buyer": SessionNotStarted,
            "no seller": "canceled",
            "complete": CompletionTooEarly,
            "cancel": "canceled",
        },
        {"no seller": SessionNotStarted},
    ),
    "session over": (
        session_over,
        {
            "schedule": "paid",
            "no buyer": "completed",
            "no seller": "canceled",
            "complete": CompletionTooEarly,
            "cancel": "canceled",
        },
        {"complete": "completed"},
    ),
    "session completed": (session_completed, {}, {}),
    "session canceled": (session_canceled, {}, {}),
}
# A buyer is not asked about the order's state first: these are the seller's to do.
_SELLERS = {
    "prepare": SellerOnly,
    "ship": SellerOnly,
    "correct": SellerOnly,
    "schedule": SellerOnly,
    "no buyer": SellerOnly,
}
_ABOUT_PRODUCTS: dict[str, Outcome] = {"no buyer": NotASession, "no seller": NotASession}


def expected(state: str, use_case: str, who: str) -> Outcome:
    _, seller, buyer = TABLE[state]
    kind = _OF_SESSIONS if state.startswith("session") else _OF_PRODUCTS
    by_seller = {**_NOTHING, **kind, **seller}
    if who == "seller":
        return by_seller[use_case]
    of_buyers = {} if state.startswith("session") else _ABOUT_PRODUCTS
    return {**by_seller, **_SELLERS, **of_buyers, **buyer}[use_case]


@pytest.mark.parametrize("who", ["seller", "buyer"])
@pytest.mark.parametrize("use_case", USE_CASES)
@pytest.mark.parametrize("state", TABLE)
async def test_every_cell(shop: Shop, state: str, use_case: str, who: str) -> None:
    deal = await TABLE[state][0](shop)
    before, steps = await shop.status(deal.id), await shop.steps(deal.id)
    wanted = expected(state, use_case, who)
    act, actor = USE_CASES[use_case], getattr(deal, who)
    if isinstance(wanted, str):
        view = await act(shop, deal, actor)
        assert view.order.status == wanted
        assert len(await shop.steps(deal.id)) > len(steps)
        await agrees(shop, deal)
    else:
        with pytest.raises(wanted):
            await act(shop, deal, actor)
        assert (await shop.status(deal.id), await shop.steps(deal.id)) == (before, steps)


async def agrees(shop: Shop, deal: Deal) -> None:
    """Order, money and stock tell the same story."""
    view = await shop.see(deal.id)
    captured = view.payment.amount_captured if view.payment else 0
    refunded = view.payment.amount_refunded if view.payment else 0
    if view.order.status in ("paid", "shipped", "completed"):
        assert (captured, refunded) == (view.order.total, 0)
    live = await value(
        "SELECT count(*) FROM payments WHERE order_id = $1 AND status = 'requires_capture'", deal.id
    )
    if view.order.status == "canceled":
        assert live == 0, "nothing can be captured of a canceled order"
    if view.lines[0].kind == "product":
        left_the_shop = "shipped" in await shop.steps(deal.id)
        gone = view.order.status in ("paid", "completed") or left_the_shop
        assert await stock_of(deal.thing) == ((8 if gone else 10), 0)


def test_no_status_is_left_out() -> None:
    assert {state for state in TABLE if not state.startswith("session")} == set(STATUSES)
