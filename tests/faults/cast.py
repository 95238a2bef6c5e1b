"""A town with somebody in every role, something of everybody's, and every door of the application.

For what must hold at each route: who is let in, what is refused, and that a refusal changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
from litestar.routes import HTTPRoute

from marketplace.api.guard import takes_any_query
from marketplace.api.policies import Audience, Policy, handlers_of, policy_of
from marketplace.app import app_of
from marketplace.people.scopes import grantable_scopes
from payments.database import execute, rows
from payments.ids import new_id
from tests.faults import things
from tests.faults.bodies import BODIES, QUERIES
from tests.stories.town import Person, Town, a_client
from tests.stories.wallet import saves_card

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NOISE = {"idempotent_requests", "limits", "sessions", "migration"}
"""Tables that note who asked, whatever was answered."""


class Door(NamedTuple):
    """One method of one path, and what it asks of its caller."""

    method: str
    path: str
    policy: Policy
    takes_body: bool
    takes_any_query: bool

    @property
    def closed(self) -> bool:
        return self.policy.audience in {Audience.SIGNED_IN, Audience.ADMIN}


def doors_of(town: Town) -> list[Door]:
    """Every declared route, as the application itself knows them."""
    return [
        Door(
            method,
            route.path_format,
            policy,
            takes_body=handler.parsed_data_field is not None,
            takes_any_query=takes_any_query(handler),
        )
        for route in app_of(town.composition).routes
        if isinstance(route, HTTPRoute)
        for method, handler in handlers_of(route)
        if (policy := policy_of(handler)) is not None
    ]


@dataclass
class Cast:
    """Everybody. `buyer` bought of `seller`; the others have an account, a shop, and nothing in common.

    `deputy` is another admin, whose wishes `admin` may approve.
    """

    town: Town
    http: httpx.AsyncClient
    doors: list[Door]
    admin: Person
    deputy: Person
    seller: Person
    buyer: Person
    other_seller: Person
    other_buyer: Person
    listing: str
    product: str
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, ...], str] = field(default_factory=dict)

    async def ask(
        self,
        door: Door,
        headers: Mapping[str, str],
        *,
        ids: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request through a door, with ids in its path."""
        path = door.path.format_map({**self.ids, **(ids or {})})
        return await self.http.request(
            door.method,
            path,
            headers={"Idempotency-Key": new_id("k"), **headers},
            params=QUERIES.get((door.method, door.path)),
            **options,
        )

    async def held_order(self) -> str:
        """A new order of the buyer's, whose money the bank holds."""
        return await self._bought(self.product)

    async def _bought(self, listing: str) -> str:
        # Nobody buys as often as this buyer, whom the guard against card testing would stop.
        await execute("DELETE FROM limits WHERE bucket LIKE 'checkout:%'")
        return await self.buyer.pays(listing)

    async def dispute(self) -> str:
        """A new dispute about a session that the buyer had paid."""
        order_id = await self._bought(self.listing)
        return await things.dispute(self.town, self.seller, order_id)

    async def approval(self) -> str:
        """A debt of the seller's that the other admin wants to give up."""
        debt_id = await things.debt(self.ids["order_id"], self.town.clock())
        path = f"/v1/admin/debts/{debt_id}/write-off"
        return str((await self.deputy.post(path, {"reason": "They are bankrupt"}))["id"])

    async def draft(self, *, submitted: bool = False) -> str:
        """A fee schedule in the making, by the other admin."""
        return await things.draft(self.deputy, submitted=submitted)

    async def key(self, person: Person, *scopes: str) -> str:
        """The token of the person's key with these scopes, made when it is first needed."""
        wanted = (person.email, *scopes)
        if wanted not in self.keys:
            self.keys[wanted], _ = await key_of(person, *scopes)
        return self.keys[wanted]

    async def card(self) -> str:
        """A new saved card of the buyer's, of another number than the one they keep."""
        return await saves_card(self.town, self.buyer, "pm_card_mastercard")

    async def endpoint(self) -> str:
        """A new webhook endpoint of the seller's; nothing listens there."""
        made = await self.seller.post(
            f"/v1/sellers/{self.seller.seller_id}/webhook-endpoints",
            {"url": f"http://127.0.0.1:9/{new_id('at')}"},
        )
        return str(made["endpoint"]["id"])

    def has_body_of(self, door: Door) -> bool:
        """Whether it is known what the door takes."""
        return (door.method, door.path) in BODIES

    def body_of(self, door: Door) -> Any:
        """A body that the door would take."""
        return BODIES[door.method, door.path](self)


def session_of(person: Person) -> dict[str, str]:
    """What a person's browser sends on everything."""
    return {"Cookie": person.http.headers["Cookie"]}


def browser_of(person: Person) -> dict[str, str]:
    """What it sends with something that changes something."""
    return {**session_of(person), "X-CSRF-Token": person.csrf}


def program(token: str) -> dict[str, str]:
    """What a program with this key sends."""
    return {"Authorization": f"Bearer {token}"}


async def key_of(person: Person, *scopes: str, lasts: timedelta | None = None) -> Any:
    """A new API key of the person's: its token and its id. All the scopes there are, if none is named."""
    wanted = scopes or sorted(grantable_scopes(is_admin=person.email.startswith("admin")))
    body: dict[str, Any] = {"name": "A program", "scopes": list(wanted)}
    if lasts is not None:
        body["expires_at"] = (person.town.clock() + lasts).isoformat()
    made = await person.post("/v1/api-keys", body)
    return made["token"], made["api_key"]["id"]


async def assembled(town: Town) -> Cast:
    """Everybody arrives, opens what they have, and the buyer buys."""
    admin, deputy = await town.admin(), await town.admin()
    seller, other_seller = await town.seller("seller", admin=admin), await town.arrives("rival")
    await town.opens_shop(other_seller)
    buyer, other_buyer = await town.arrives("buyer"), await town.arrives("stranger")
    listing, product = await town.lists(seller), await town.product(seller, stock=1000)
    cast = Cast(
        town,
        a_client(base_url=town.base_url, timeout=30),
        doors_of(town),
        admin,
        deputy,
        seller,
        buyer,
        other_seller,
        other_buyer,
        listing,
        product,
    )
    town.browsers.append(cast.http)
    order_id = await buyer.pays(listing)
    await seller.post(f"/v1/orders/{order_id}/refunds", {"amount": 700})
    group = await buyer.post("/v1/checkout-groups", BODIES["POST", "/v1/checkout-groups"](cast))
    await buyer.post(f"/v1/checkout-groups/{group['id']}/abandonment")
    _, api_key_id = await key_of(buyer, "orders:read")
    endpoint_id = await cast.endpoint()
    hooks = f"/v1/sellers/{seller.seller_id}/webhook-endpoints/{endpoint_id}"
    cast.ids = {
        "endpoint_id": endpoint_id,
        "delivery_id": (await seller.post(f"{hooks}/ping"))["id"],
        "order_id": order_id,
        "group_id": group["id"],
        "card_id": await saves_card(town, buyer),
        "setup_id": (await buyer.post("/v1/cards/setup"))["id"],
        "listing_id": listing,
        "seller_id": seller.seller_id,
        "account_id": (await buyer.get("/v1/me"))["id"],
        "api_key_id": api_key_id,
        "payout_id": await things.payout(town, seller),
        "month": f"{town.clock():%Y-%m}",
        "year": f"{town.clock():%Y}",
        "paper_id": await things.paper(town, admin, seller),
        "account": "platform:fees",
        "name": "docs.js",
        "code": "not_found",
        "path": "admin/cases",
        "dispute_id": await cast.dispute(),
        "debt_id": await things.debt(order_id, town.clock()),
    }
    cast.ids |= await things.of_the_platform(cast.admin, other_seller)
    cast.ids |= {"approval_id": await cast.approval(), "draft_id": await cast.draft()}
    return cast


async def everything_there_is(cast: Cast) -> dict[str, Any]:
    """A hash of each table's rows, and how much Stripe was asked to do."""
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    names = [each[0] for each in tables if each[0] not in _NOISE]
    # When a key was last used is noted, whatever it was used for.
    told = dict.fromkeys(names, "(t.*)::text") | {
        "api_keys": "(t.id, t.scopes, t.revoked_at)::text"
    }
    hashes = " UNION ALL ".join(
        f"SELECT '{name}', md5(coalesce(string_agg({told[name]}, '|' ORDER BY {told[name]}), '')) "
        f'FROM "{name}" AS t'
        for name in names
    )
    found: dict[str, Any] = {each[0]: each[1] for each in await rows(hashes)}
    found["asked of Stripe"] = sum(
        one["method"] != "GET" for one in cast.town.sandbox.sandbox.requests
    )
    return found
