"""The four things with money in them that are asked of Stripe, each with what must come of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from payments.database import row, rows, value
from payments.ids import new_id
from stripe_sandbox.world import World
from tests.stories.town import Person, Town


@dataclass(frozen=True)
class Scene:
    """An order at the point where Stripe will be asked, and who asks what of us, under which key."""

    order_id: str
    person: Person
    path: str
    key: str
    listing: str

    async def ask(self, key: str | None = None) -> httpx.Response:
        return await self.person.call("POST", self.path, key=key or self.key)


@dataclass(frozen=True)
class Act:
    """One thing asked of Stripe: where, what sets it up, what is true when it was done once."""

    stripe_path: str
    what: str
    set_up: Callable[[Town, Person, Person], Awaitable[Scene]]
    found: Callable[[World, str], Awaitable[tuple[Any, ...]]]
    expected: tuple[Any, ...]

    async def require_done_once(self, world: World, order_id: str) -> None:
        """Assert that it happened, once, here and at Stripe."""
        found = await self.found(world, order_id)
        assert found == self.expected, (self.what, order_id, found)


def _scene(coach: Person, buyer: Person, order_id: str, listing: str, what: str) -> Scene:
    person = coach if what in ("preparation", "refunds") else buyer
    return Scene(order_id, person, f"/v1/orders/{order_id}/{what}", new_id("k"), listing)


async def _ordered(town: Town, coach: Person, buyer: Person) -> Scene:
    listing = await town.product(coach, stock=3)
    order = await buyer.order((listing, 2))
    return _scene(coach, buyer, order["id"], listing, "checkout")


async def _held(town: Town, coach: Person, buyer: Person, what: str) -> Scene:
    listing = await town.product(coach, stock=3)
    return _scene(coach, buyer, await buyer.pays(listing, 2), listing, what)


async def _to_prepare(town: Town, coach: Person, buyer: Person) -> Scene:
    return await _held(town, coach, buyer, "preparation")


async def _to_cancel(town: Town, coach: Person, buyer: Person) -> Scene:
    return await _held(town, coach, buyer, "cancellation")


async def _to_refund(town: Town, coach: Person, buyer: Person) -> Scene:
    listing = await town.lists(coach)
    return _scene(coach, buyer, await buyer.pays(listing), listing, "refunds")


def _intent(world: World, order_id: str) -> Any:
    [intent] = [
        one for one in world.all("payment_intent") if one["metadata"]["order_id"] == order_id
    ]
    return intent


async def _status(order_id: str) -> Any:
    return await value("SELECT status FROM orders WHERE id = $1", order_id)


async def _created(world: World, order_id: str) -> tuple[Any, ...]:
    intent = _intent(world, order_id)
    payment = await row("SELECT * FROM payments WHERE order_id = $1 AND live", order_id)
    assert payment is not None
    held = await value(
        "SELECT sum(quantity) FROM stock_reservations WHERE order_id = $1 AND state = 'held'",
        order_id,
    )
    return intent["status"], payment["status"], payment["intent_id"] == intent["id"], held


async def _captured(world: World, order_id: str) -> tuple[Any, ...]:
    captures = await value(
        "SELECT count(*) FROM postings WHERE order_id = $1 AND kind = 'capture'", order_id
    )
    return _intent(world, order_id)["amount_received"], captures, await _status(order_id)


async def _canceled(world: World, order_id: str) -> tuple[Any, ...]:
    intent = _intent(world, order_id)
    return intent["status"], intent["amount_received"], await _status(order_id)


async def _refunded(world: World, order_id: str) -> tuple[Any, ...]:
    intent = _intent(world, order_id)
    there = [one for one in world.all("refund") if one["payment_intent"] == intent["id"]]
    here = await rows("SELECT amount, status FROM refunds WHERE order_id = $1", order_id)
    return [one["amount"] for one in there], [tuple(record) for record in here]


ACTS = {
    "checkout": Act(
        "/v1/payment_intents",
        "checkout",
        _ordered,
        _created,
        ("requires_payment_method", "requires_payment_method", True, 2),
    ),
    "capture": Act(
        "/v1/payment_intents/*/capture",
        "preparation",
        _to_prepare,
        _captured,
        (5000, 1, "paid"),
    ),
    "cancellation": Act(
        "/v1/payment_intents/*/cancel",
        "cancellation",
        _to_cancel,
        _canceled,
        ("canceled", 0, "canceled"),
    ),
    "refund": Act("/v1/refunds", "refunds", _to_refund, _refunded, ([6000], [(6000, "succeeded")])),
}
