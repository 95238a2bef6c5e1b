"""Fulfilment over HTTP: what is taken, what is told to whom, and how refusals read."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from payments.database import execute
from tests.orders.market import SESSION, Deal, Market, paid, shown

PARCEL = {"carrier": "DHL", "tracking_number": "00340434161094042557"}


async def held(market: Market) -> Deal:
    deal = await market.deal()
    intent = (await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"]
    market.shop.stripe.pay(intent)
    await deal.buyer.post(deal.path("refresh"))
    return deal


async def prepared(market: Market) -> Deal:
    deal = await held(market)
    assert (await deal.seller.post(deal.path("preparation"))).status_code == 200
    return deal


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    return answer.status_code, answer.json()["code"]


async def test_a_part_is_prepared_and_everybody_sees_what_was_captured(market: Market) -> None:
    deal = await held(market)
    part = {"lines": [{"listing_id": deal.listing_id, "quantity": 1}]}
    answer = await deal.seller.post(deal.path("preparation"), part)
    assert answer.status_code == 200, answer.text
    for person in (deal.seller, deal.buyer):
        order = await shown(person, deal.path())
        assert (order["status"], order["total"]) == ("paid", 5_000)
        assert order["payment"]["amount_captured"] == 2_500
        assert order["lines"][0]["quantity_prepared"] == 1


async def test_what_cannot_be_prepared_is_a_clear_4xx(market: Market) -> None:
    deal = await held(market)
    listing = deal.listing_id
    for body, refusal in (
        ({"lines": []}, (422, "nothing_prepared")),
        ({"lines": [{"listing_id": listing, "quantity": 0}]}, (422, "nothing_prepared")),
        ({"lines": [{"listing_id": listing, "quantity": 3}]}, (422, "prepared_too_many")),
        ({"lines": [{"listing_id": "lst_x", "quantity": 1}]}, (422, "line_unknown")),
        ({"lines": [{"listing_id": listing, "quantity": 1}] * 2}, (422, "listing_repeated")),
        ({"lines": [{"listing_id": listing, "quantity": -1}]}, (400, "invalid_body")),
        ({"lines": None}, (400, "invalid_body")),
        ({"amount": 1}, (400, "invalid_body")),
    ):
        answer = await deal.seller.post(deal.path("preparation"), body)
        assert code(answer) == refusal, body
    assert (await shown(deal.seller, deal.path()))["status"] == "authorized"


async def test_the_seller_sees_until_when_to_prepare_the_buyer_does_not(market: Market) -> None:
    deal = await held(market)
    order = await shown(deal.seller, deal.path())
    assert order["prepare_by"] < order["payment"]["capture_before"]
    assert order["held_reason"] is None
    theirs = await shown(deal.buyer, deal.path())
    assert "prepare_by" not in theirs
    assert theirs["payment"]["capture_before"] == order["payment"]["capture_before"]
    taken = (await deal.seller.post(deal.path("preparation"))).json()
    assert (taken["status"], taken["payment"]["capture_before"]) == ("paid", None)
    assert "held_reason" not in theirs


async def test_an_order_that_is_held_says_so_to_its_seller_and_goes_nowhere(
    market: Market,
) -> None:
    deal = await prepared(market)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", deal.order_id)
    assert (await shown(deal.seller, deal.path()))["held_reason"] == "too little"
    assert "too little" not in (await deal.buyer.get(deal.path())).text
    ship = await deal.seller.post(deal.path("shipment"), PARCEL)
    complete = await deal.buyer.post(deal.path("completion"))
    assert code(ship) == code(complete) == (409, "fulfilment_held")


async def test_a_parcel_is_shipped_and_corrected(market: Market) -> None:
    deal = await prepared(market)
    shipped = await deal.seller.post(deal.path("shipment"), PARCEL)
    assert shipped.status_code == 200, shipped.text
    assert shipped.json()["shipment"].items() >= PARCEL.items()
    other = PARCEL | {"carrier": "UPS"}
    corrected = await deal.seller.http.patch(deal.path("shipment"), json=other)
    assert corrected.status_code == 200, corrected.text
    order = await shown(deal.buyer, deal.path())
    assert (order["status"], order["shipment"]["carrier"]) == ("shipped", "UPS")
    assert order["completes_at"] is not None
    assert code(await deal.buyer.post(deal.path("cancellation"))) == (409, "order_shipped")
    done = await deal.buyer.post(deal.path("completion"))
    assert (done.json()["status"], done.json()["completes_at"]) == ("completed", None)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "invalid_body")),
        ({"carrier": "DHL"}, (400, "invalid_body")),
        (PARCEL | {"shipped_at": "2026-11-21T12:00:00Z"}, (400, "invalid_body")),
        (PARCEL | {"carrier": " "}, (422, "parcel_refused")),
        (PARCEL | {"tracking_number": "1" * 81}, (422, "parcel_refused")),
        (PARCEL | {"tracking_number": "1\n2"}, (422, "parcel_refused")),
    ],
)
async def test_a_parcel_nobody_could_follow_is_refused(
    market: Market, standing: Deal, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert code(await standing.seller.post(standing.path("shipment"), body)) == refusal


async def test_a_session_is_scheduled_shown_and_moved(market: Market) -> None:
    deal = await paid(market)
    starts_at = market.shop.clock() + timedelta(days=3)
    body = {"starts_at": starts_at.isoformat(), "duration_minutes": 50}
    answer = await deal.seller.post(deal.path("schedule"), body)
    assert answer.status_code == 200, answer.text
    session = (await shown(deal.buyer, deal.path()))["session"]
    assert session["starts_at"] == starts_at.isoformat().replace("+00:00", "Z")
    past = {"starts_at": (starts_at - timedelta(days=9)).isoformat()}
    refused = await deal.seller.post(deal.path("schedule"), past)
    assert code(refused) == (422, "session_time_refused")
    assert refused.json()["why"] == "past"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"starts_at": "tomorrow"},
        {"starts_at": "2026-11-28T09:00:00"},
        {"starts_at": "2026-11-28T09:00:00Z", "duration_minutes": 4},
        {"starts_at": "2026-11-28T09:00:00Z", "duration_minutes": 1_441},
    ],
)
async def test_a_time_that_is_none_is_a_400(standing_paid: Deal, body: dict[str, Any]) -> None:
    answer = await standing_paid.seller.post(standing_paid.path("schedule"), body)
    assert code(answer) == (400, "invalid_body")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
async def test_the_ends_of_time_are_refused(standing_paid: Deal, moment: str) -> None:
    body = {"starts_at": moment, "duration_minutes": 1_440}
    answer = await standing_paid.seller.post(standing_paid.path("schedule"), body)
    assert code(answer) == (422, "session_time_refused")


async def test_an_absence_is_reported_by_whom_it_concerns(market: Market) -> None:
    deal = await paid(market)
    assert code(await deal.seller.post(deal.path("no-show"), {"who": "nobody"})) == (
        400,
        "invalid_body",
    )
    early = await deal.buyer.post(deal.path("no-show"), {"who": "seller"})
    assert code(early) == (409, "session_not_started")
    assert early.json()["absent_from"] is None
    owned_up = await deal.seller.post(deal.path("no-show"), {"who": "seller"})
    assert (owned_up.json()["status"], owned_up.json()["payment"]["amount_refunded"]) == (
        "canceled",
        5_000,
    )


async def test_what_canceling_would_do_is_told_to_whoever_may_cancel(market: Market) -> None:
    deal = await paid(market)
    terms = await shown(deal.buyer, deal.path("cancellation"))
    assert terms == {
        "order_id": deal.order_id,
        "effect": "refund",
        "currency": "eur",
        "amount_captured": 5_000,
        "refund_basis_points": 10_000,
        "refund": 5_000,
        "session_at": None,
        "windows": [
            {"hours_before": 24, "refund_basis_points": 10_000},
            {"hours_before": 0, "refund_basis_points": 5_000},
        ],
    }
    stranger = await market.person()
    assert code(await stranger.get(deal.path("cancellation"))) == (404, "order_not_found")
    canceled = await deal.buyer.post(deal.path("cancellation"), {"reason": "I am ill"})
    assert (canceled.json()["status"], canceled.json()["canceling"]) == ("canceled", False)
    history = (await shown(deal.seller, deal.path("history")))["data"]
    assert history[-1]["reason"] == "I am ill"
    assert code(await deal.buyer.get(deal.path("cancellation"))) == (409, "order_step_refused")


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "a\nb", None, 1])
async def test_a_reason_nobody_could_read_is_a_400(standing: Deal, reason: Any) -> None:
    answer = await standing.buyer.post(standing.path("cancellation"), {"reason": reason})
    assert code(answer) == (400, "invalid_body")
    assert (await shown(standing.buyer, standing.path()))["status"] == "checkout"


async def test_the_same_key_is_the_same_answer(market: Market) -> None:
    deal = await prepared(market)
    first = await deal.seller.post(deal.path("shipment"), PARCEL, key="a-parcel")
    again = await deal.seller.post(deal.path("shipment"), PARCEL, key="a-parcel")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(market.shop.stripe_tracking.asked) == 0, "there is no address"
    assert code(await deal.seller.post(deal.path("shipment"), PARCEL)) == (
        409,
        "order_step_refused",
    )


async def test_a_completion_that_is_too_early_says_why(market: Market) -> None:
    deal = await market.deal(**SESSION)
    answer = await deal.seller.post(deal.path("completion"))
    assert code(answer) == (409, "order_step_refused")
    deal = await paid(market)
    answer = await deal.seller.post(deal.path("completion"))
    assert code(answer) == (409, "completion_too_early")
    assert (answer.json()["why"], answer.json()["allowed_from"]) == ("not_scheduled", None)
