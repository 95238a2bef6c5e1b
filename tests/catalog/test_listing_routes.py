"""Listings over HTTP: published, changed and ended by their sellers, read by anyone."""

from typing import Any

import pytest

from tests.api.harness import client_of, everything_stored
from tests.orders.market import Deal, Market, a_listing, created, shown


async def test_a_seller_publishes_changes_and_ends_a_listing(market: Market) -> None:
    seller, seller_id = await market.seller()
    made = await created(seller, "/v1/listings", a_listing())
    assert (made["stock_on_hand"], made["stock_reserved"], made["available"]) == (10, 0, 10)
    path = f"/v1/listings/{made['id']}"
    changed = await seller.patch(path, {"unit_amount": 3_000})
    assert (changed.status_code, changed.json()["unit_amount"]) == (200, 3_000)
    public = await client_of(market.app).get(path)
    assert public.status_code == 200
    assert "stock_on_hand" not in public.json()
    assert (await seller.delete(path)).status_code == 204
    assert (await seller.get(path)).status_code == 404
    own = await shown(seller, f"/v1/sellers/{seller_id}/listings")
    assert [(each["id"], each["status"]) for each in own["data"]] == [(made["id"], "archived")]


async def test_another_sellers_listing_cannot_be_touched(market: Market) -> None:
    seller, seller_id = await market.seller()
    stranger, _ = await market.seller()
    made = await created(seller, "/v1/listings", a_listing())
    path = f"/v1/listings/{made['id']}"
    assert (await stranger.patch(path, {"title": "Mine"})).status_code == 404
    assert (await stranger.delete(path)).status_code == 404
    assert (await stranger.get(f"/v1/sellers/{seller_id}/listings")).status_code == 404
    assert (await stranger.get(f"/v1/sellers/{seller_id}/orders")).status_code == 404


async def test_the_public_list_is_filtered_and_paged(market: Market) -> None:
    seller, seller_id = await market.seller()
    made = [
        await created(seller, "/v1/listings", a_listing(title=f"Mat number {n}")) for n in range(3)
    ]
    # Ids of one millisecond have no order.
    newest = sorted(made, key=lambda each: str(each["id"]), reverse=True)
    titles = [each["title"] for each in newest]
    anyone = client_of(market.app)
    first = (await anyone.get("/v1/listings", params={"seller_id": seller_id, "limit": 2})).json()
    assert ([each["title"] for each in first["data"]], first["has_more"]) == (
        titles[:2],
        True,
    )
    rest = await anyone.get(
        "/v1/listings",
        params={"seller_id": seller_id, "limit": 2, "starting_after": first["data"][-1]["id"]},
    )
    assert [each["title"] for each in rest.json()["data"]] == titles[2:]
    found = await anyone.get("/v1/listings", params={"seller_id": seller_id, "q": "NUMBER 1"})
    assert [each["title"] for each in found.json()["data"]] == ["Mat number 1"]


BAD_LISTINGS = [
    ({"unit_amount": 0}, 400, "invalid_body"),
    ({"unit_amount": -5}, 400, "invalid_body"),
    ({"unit_amount": 25.5}, 400, "invalid_body"),
    ({"unit_amount": "2500"}, 400, "invalid_body"),
    ({"unit_amount": True}, 400, "invalid_body"),
    ({"unit_amount": 49}, 422, "amount_invalid"),
    ({"unit_amount": 10**9}, 422, "amount_invalid"),
    ({"unit_amount": 10**30}, 400, "body_number_refused"),
    ({"currency": "usd"}, 422, "seller_currency_differs"),
    ({"currency": "EUR"}, 422, "seller_currency_differs"),
    ({"kind": "gift"}, 400, "invalid_body"),
    ({"title": ""}, 400, "invalid_body"),
    ({"title": "   "}, 400, "invalid_body"),
    ({"title": "x" * 161}, 400, "invalid_body"),
    ({"title": "a\x00b"}, 400, "body_text_refused"),
    ({"category": "Yoga"}, 400, "invalid_body"),
    ({"category": "yoga\n"}, 400, "invalid_body"),
    ({"stock_on_hand": -1}, 400, "invalid_body"),
    ({"stock_on_hand": 10**12}, 400, "invalid_body"),
    ({"stock_on_hand": None}, 422, "stock_refused"),
    ({"kind": "session"}, 422, "stock_refused"),
    ({"seller_id": "sel_other"}, 400, "invalid_body"),
]


@pytest.mark.parametrize(("changes", "status", "code"), BAD_LISTINGS)
async def test_a_bad_listing_is_refused_and_nothing_is_stored(
    standing: Deal, changes: dict[str, Any], status: int, code: str
) -> None:
    before = await everything_stored()
    answer = await standing.seller.post("/v1/listings", a_listing(**changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await everything_stored() == before
