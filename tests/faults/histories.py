"""Histories: many small stories at once, made up by chance from a seed, with everything going wrong at times.

Buyers order, pay, are declined and cancel; a seller prepares and refunds; somebody works in Stripe's own
Dashboard; requests to Stripe fail in every way; webhooks come twice, late or never; clients hang up; hours
pass. At the end the faults stop, time passes, and the invariants must hold. A seed tells the whole history.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from marketplace.worker import drain
from payments.database import row, rows
from payments.ids import new_id
from stripe_sandbox.faults import REQUEST_FAULTS
from tests.faults.conftest import at_rest
from tests.stories.town import SECRET_KEY, Person, Town, a_client
from tests.stories.wallet import saves_card

CARDS = (
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
)
STOCK = 12
STRIPE_PATHS = (
    "/v1/payment_intents",
    "/v1/payment_intents/*",
    "/v1/payment_intents/*/capture",
    "/v1/payment_intents/*/cancel",
    "/v1/refunds",
    "/v2/core/accounts/*",
    "*",
)
PAUSES_SECONDS = (1, 3, 20, 35, 70, 400, 25 * 3600)
LAST_PAUSE_SECONDS = 30 * 3600
_PAUSE_WEIGHTS = (20, 20, 10, 20, 10, 5, 1)


@dataclass
class History:
    """One history of a town."""

    town: Town
    seed: int
    admin: Person
    seller: Person
    buyers: tuple[Person, ...]
    listings: tuple[str, ...] = ()
    orders: dict[str, Person] = field(default_factory=dict)
    checkouts: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    async def run(self, rounds: int) -> None:
        """Live through it, then come to rest."""
        await self._everybody_signs_in()
        product = await self.town.product(self.seller, stock=STOCK)
        for buyer in self.buyers:
            self.cards[buyer.email] = await saves_card(self.town, buyer)
        self.listings = (await self.town.lists(self.seller), product, product)
        for _ in range(rounds):
            together = [self._deed() for _ in range(self.chance.randint(1, 4))]
            await asyncio.gather(*[deed() for deed in together])
            if self.chance.random() < 0.25:
                await self._time_passes()
        await self.town.stripe("DELETE", "/_sandbox/faults")
        # Long enough for whatever nobody told us of to be read again.
        await self.town.passes(seconds=LAST_PAUSE_SECONDS)
        await at_rest(self.town)
        await self._require_stock()

    def _deed(self) -> Callable[[], Awaitable[None]]:
        deeds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._order, 5),
            (self._check_out, 4),
            (self._pay, 9),
            (self._change, 4),
            (self._one_click, 4),
            (self._prepare, 7),
            (self._cancel, 2),
            (self._refund, 7),
            (self._refresh, 2),
            (self._work, 6),
            (self._break_stripe, 5),
            (self._break_webhooks, 3),
            (self._hang_up, 2),
            (self._dashboard, 1),
        ]
        return self.chance.choices([deed for deed, _ in deeds], [often for _, often in deeds])[0]

    # What people do

    async def _order(self) -> None:
        buyer, listing = self.chance.choice(self.buyers), self.chance.choice(self.listings)
        lines = [{"listing_id": listing, "quantity": self.chance.randint(1, 2)}]
        placed = await self._ask(buyer, "/v1/orders", {"lines": lines})
        if placed is not None and placed.status_code == 201:
            self.orders[placed.json()["id"]] = buyer
            await self._check_out_order(placed.json()["id"])

    async def _check_out(self) -> None:
        order_id = await self._an_order("checkout")
        if order_id is not None:
            await self._check_out_order(order_id)

    async def _check_out_order(self, order_id: str) -> None:
        path = f"/v1/orders/{order_id}/checkout"
        answer = await self._ask(self.orders[order_id], path, {"again": True})
        if answer is not None and answer.status_code == 200:
            self.checkouts[order_id] = answer.json()

    async def _pay(self) -> None:
        checkout = self.checkouts.get(await self._an_order("checkout") or "")
        if checkout is None:
            return
        with contextlib.suppress(
            httpx.TransportError
        ):  # what goes wrong goes wrong for browsers too
            await self.town.confirm(checkout, self.chance.choice(CARDS))

    async def _change(self) -> None:
        """The buyer wants another number of the same thing."""
        order_id = await self._an_order("checkout")
        if order_id is None:
            return
        buyer = self.orders[order_id]
        order = await buyer.get(f"/v1/orders/{order_id}")
        lines = [
            {"listing_id": line["listing_id"], "quantity": self.chance.randint(1, 3)}
            for line in order["lines"]
        ]
        await self._ask(buyer, f"/v1/orders/{order_id}", {"lines": lines}, method="PATCH")

    async def _one_click(self) -> None:
        """The buyer pays what they see with the card they keep."""
        order_id = await self._an_order("checkout")
        if order_id is None:
            return
        buyer = self.orders[order_id]
        order = await buyer.get(f"/v1/orders/{order_id}")
        body = {"amount": order["total"], "card_id": self.cards[buyer.email], "again": True}
        await self._ask(buyer, f"/v1/orders/{order_id}/confirmation", body)

    async def _prepare(self) -> None:
        await self._on_an_order("authorized", self.seller, "preparation")

    async def _cancel(self) -> None:
        status = self.chance.choice(("checkout", "authorized"))
        await self._on_an_order(status, None, "cancellation")

    async def _refresh(self) -> None:
        await self._on_an_order("checkout", None, "refresh")

    async def _refund(self) -> None:
        amount = self.chance.choice((1, 700, 2500, None))
        person = self.chance.choice((self.seller, self.admin))
        body = {} if amount is None else {"amount": amount}
        await self._on_an_order("paid", person, "refunds", body)

    async def _work(self) -> None:
        await drain(self.town.composition.sweeps, self.town.clock())

    async def _on_an_order(
        self, status: str, person: Person | None, what: str, body: Any = None
    ) -> None:
        order_id = await self._an_order(status)
        if order_id is not None:
            await self._ask(person or self.orders[order_id], f"/v1/orders/{order_id}/{what}", body)

    async def _an_order(self, status: str) -> str | None:
        """One of this history's, mostly one in this status."""
        wanted = None if self.chance.random() < 0.15 else status
        found = await rows(
            "SELECT id FROM orders WHERE id = ANY($1) AND ($2::text IS NULL OR status = $2) "
            "ORDER BY id",
            list(self.orders),
            wanted,
        )
        return self.chance.choice(found)[0] if found else None

    async def _hang_up(self) -> None:
        """Somebody asks for something and is gone before the answer."""
        asking = asyncio.create_task(
            self.chance.choice((self._prepare, self._order, self._refund))()
        )
        await asyncio.sleep(self.chance.random() / 50)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def _ask(
        self, person: Person, path: str, body: Any = None, *, method: str = "POST"
    ) -> httpx.Response | None:
        """Asked under one key until there is an answer, or patience ends."""
        key = new_id("k")
        for _ in range(self.chance.randint(1, 3)):
            answer = await person.call(method, path, body, key=key)
            assert answer.status_code in (200, 201, 409, 422, 503), (self.seed, path, answer.text)
            self.told[str(answer.status_code)] += 1
            if answer.status_code != 503:
                return answer
        return None

    # What goes wrong

    async def _break_stripe(self) -> None:
        await self.town.fault(
            fault=self.chance.choice(REQUEST_FAULTS),
            method=self.chance.choice(("POST", "POST", "GET", "*")),
            path=self.chance.choice(STRIPE_PATHS),
            times=self.chance.randint(1, 2),
            skip=self.chance.randint(0, 2),
            seconds=0.05,
        )

    async def _break_webhooks(self) -> None:
        await self.town.fault(
            fault=self.chance.choice(("duplicate", "drop", "delay")),
            times=self.chance.randint(1, 4),
            copies=self.chance.randint(1, 3),
            seconds=self.chance.randint(1, 200),
        )

    async def _dashboard(self) -> None:
        """Somebody at the platform uses Stripe's own pages; a no is a no."""
        paid = await row(
            "SELECT intent_id, status FROM payments WHERE intent_id IS NOT NULL AND order_id = ANY($1) "
            "ORDER BY id OFFSET $2 LIMIT 1",
            list(self.orders),
            self.chance.randrange(max(len(self.orders), 1)),
        )
        if paid is None:
            return
        intent_id = paid["intent_id"]
        deeds: list[tuple[str, dict[str, str]]] = [
            (f"/v1/payment_intents/{intent_id}/cancel", {}),
            (f"/v1/payment_intents/{intent_id}/capture", {}),
            ("/v1/refunds", {"payment_intent": intent_id, "amount": "5"}),
        ]
        path, data = self.chance.choice(deeds)
        async with a_client(base_url=self.town.sandbox.base_url) as dashboard:
            headers = {"Authorization": f"Bearer {SECRET_KEY}"}
            with contextlib.suppress(httpx.TransportError):
                await dashboard.post(path, data=data, headers=headers)

    async def _time_passes(self) -> None:
        seconds = self.chance.choices(PAUSES_SECONDS, _PAUSE_WEIGHTS)[0]
        await self.town.passes(seconds=seconds)
        if seconds > 300:
            await self._everybody_signs_in()

    async def _everybody_signs_in(self) -> None:
        for person in (self.admin, self.seller, *self.buyers):
            await self.town.signs_in(person)

    async def _require_stock(self) -> None:
        """What is on hand and what was sold is what there was."""
        found = await rows(
            "SELECT l.stock_on_hand + coalesce(sum(r.quantity), 0) FROM listings l "
            "LEFT JOIN stock_reservations r ON r.listing_id = l.id AND r.state = 'sold' "
            "WHERE l.id = ANY($1) AND l.kind = 'product' GROUP BY l.id",
            list(self.listings),
        )
        assert [record[0] for record in found] == [STOCK], self.seed
