"""What an order may still change: the payment until it is confirmed, the charge's words ever."""

import httpx
import pytest

from .cards import ALWAYS, open_customer
from .money import (
    AMOUNT,
    RETURN_URL,
    Json,
    charge_of,
    confirm,
    create,
    event_types,
    hold,
    movements,
    newest_event,
    open_seller,
    pay,
    read,
    read_intent,
    refused,
    send,
)

HOME: Json = {"name": "Bea", "address": {"line1": "1 Main Street", "country": "US"}}
PARCEL: Json = {**HOME, "carrier": "DHL", "tracking_number": "T1"}
CART: Json = {
    "amount": 6_000,
    "application_fee_amount": 700,
    "description": "Order 1, two lines",
    "metadata": {"cart": "2"},
    "receipt_email": "bea@example.com",
    "shipping": HOME,
}


async def waiting(stripe: httpx.AsyncClient, status: str) -> Json:
    """A payment in one of the statuses in which it may still change."""
    intent = await create(stripe, await open_seller(stripe))
    if status == "requires_confirmation":
        intent = await send(
            stripe, f"/v1/payment_intents/{intent['id']}", payment_method="pm_card_visa"
        )
    if status == "requires_action":
        intent = await confirm(stripe, intent, ALWAYS)
    assert intent["status"] == status
    return intent


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ("requires_payment_method", "requires_payment_method"),
        ("requires_confirmation", "requires_confirmation"),
        ("requires_action", "requires_confirmation"),
    ],
)
async def test_a_whole_cart_changes_in_one_update_and_is_paid_as_changed(
    stripe: httpx.AsyncClient, status: str, after: str
) -> None:
    intent = await waiting(stripe, status)
    before = await event_types(stripe)
    changed = await send(stripe, f"/v1/payment_intents/{intent['id']}", **CART)
    assert (changed["status"], changed["next_action"]) == (after, None)
    assert (changed["amount"], changed["application_fee_amount"]) == (6_000, 700)
    assert changed["shipping"]["address"]["line1"] == "1 Main Street"
    assert changed["metadata"] == {"order_id": "ord_1", "cart": "2"}
    assert await event_types(stripe) == before, "an update tells nobody"
    charge = await charge_of(stripe, await confirm(stripe, intent))
    assert (charge["amount"], charge["application_fee_amount"]) == (6_000, 700)
    for name in ("description", "receipt_email", "shipping"):
        assert charge[name] == changed[name]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 600},  # less than the fee
        {"application_fee_amount": 6_001},
        {"application_fee_amount": 0},
        {"receipt_email": "nobody"},
        {"shipping": {"carrier": "DHL"}},
        {"transfer_data": {"amount": 1}},
        {"customer": "cus_none"},
        {"payment_method": "pm_none"},
    ],
)
async def test_one_wrong_word_leaves_the_whole_cart_as_it_was(
    stripe: httpx.AsyncClient, wrong: Json
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    error = await refused(stripe, f"/v1/payment_intents/{intent['id']}", **{**CART, **wrong})
    assert error["type"] == "invalid_request_error"
    assert await read_intent(stripe, intent) == intent


@pytest.mark.parametrize("name", ["amount", "application_fee_amount", "shipping", "receipt_email"])
@pytest.mark.parametrize("status", ["requires_capture", "succeeded", "canceled"])
async def test_a_payment_that_was_confirmed_or_canceled_does_not_change(
    stripe: httpx.AsyncClient, status: str, name: str
) -> None:
    seller = await open_seller(stripe)
    intent = await (pay if status == "succeeded" else hold)(stripe, seller)
    path = f"/v1/payment_intents/{intent['id']}"
    if status == "canceled":
        intent = await send(stripe, f"{path}/cancel")
    assert intent["status"] == status
    error = await refused(stripe, path, **{name: CART[name]})
    assert (error["code"], error["param"]) == ("payment_intent_unexpected_state", name)
    assert f"it has a status of {intent['status']}" in error["message"]
    assert error["payment_intent"] == intent
    noted = await send(stripe, path, description="noted", metadata={"note": "x"})
    assert noted["description"] == "noted"


async def test_a_shipping_address_changes_line_by_line(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe), shipping={**HOME, "phone": "1"})
    path = f"/v1/payment_intents/{intent['id']}"
    moved = {"name": "Bea", "address": {"line1": "2 Side Street"}}
    changed = (await send(stripe, path, shipping=moved))["shipping"]
    assert (changed["address"]["line1"], changed["address"]["country"]) == ("2 Side Street", "US")
    assert changed["phone"] == "1"


# ------------------------------------------------------------------------------------- the charge


@pytest.mark.parametrize("capture_method", ["manual", "automatic"])
async def test_a_parcel_is_told_to_the_charge_and_moves_no_money(
    stripe: httpx.AsyncClient, capture_method: str
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller, capture_method=capture_method, shipping=HOME)
    charge = await charge_of(stripe, intent)
    assert charge["shipping"]["tracking_number"] is None
    moved = await movements(stripe)
    path = f"/v1/charges/{charge['id']}"
    changed = await send(
        stripe,
        path,
        shipping=PARCEL,
        description="sent",
        metadata={"parcel": "1"},
        receipt_email="bea@example.com",
    )
    assert changed["shipping"] == {**charge["shipping"], "carrier": "DHL", "tracking_number": "T1"}
    told = ("description", "metadata", "receipt_email", "shipping")
    assert {n: v for n, v in changed.items() if n not in told} == {
        n: v for n, v in charge.items() if n not in told
    }
    assert await movements(stripe) == moved
    assert await read_intent(stripe, intent) == intent
    event = await newest_event(stripe, "charge.updated")
    assert event["data"]["previous_attributes"] == {
        "description": charge["description"],
        "metadata": {"parcel": None},
        "receipt_email": None,
        "shipping": {"carrier": None, "tracking_number": None},
    }
    corrected = await send(stripe, path, shipping={**HOME, "tracking_number": "T2"})
    assert (corrected["shipping"]["carrier"], corrected["shipping"]["tracking_number"]) == (
        "DHL",
        "T2",
    )


async def test_a_report_of_fraud_is_made_and_taken_back(stripe: httpx.AsyncClient) -> None:
    charge = await charge_of(stripe, await pay(stripe, await open_seller(stripe)))
    path = f"/v1/charges/{charge['id']}"
    assert charge["fraud_details"] == {}
    made = await send(stripe, path, fraud_details={"user_report": "fraudulent"})
    assert made["fraud_details"] == {"user_report": "fraudulent"}
    back = await send(stripe, path, fraud_details={"user_report": ""})
    assert back["fraud_details"] == {}


async def test_a_charge_gets_its_customer_and_group_once(stripe: httpx.AsyncClient) -> None:
    customer, other = await open_customer(stripe), await open_customer(stripe)
    charge = await charge_of(stripe, await pay(stripe, await open_seller(stripe)))
    path = f"/v1/charges/{charge['id']}"
    assert (await send(stripe, path, customer=customer))["customer"] == customer
    assert (await refused(stripe, path, customer=other))["param"] == "customer"
    assert (await refused(stripe, path, transfer_group="order_2"))["param"] == "transfer_group"
    same = await send(stripe, path, transfer_group=charge["transfer_group"])
    assert same["transfer_group"] == charge["transfer_group"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"amount": 1}, "amount"),
        ({"receipt_email": "nobody"}, "receipt_email"),
        ({"shipping": {"tracking_number": "T1"}}, "shipping[address]"),
        ({"fraud_details": {"user_report": "perhaps"}}, "fraud_details[user_report]"),
        ({"customer": "cus_none"}, "customer"),
    ],
)
async def test_a_change_of_a_charge_that_makes_no_sense_is_refused(
    stripe: httpx.AsyncClient, change: Json, param: str
) -> None:
    charge = await charge_of(stripe, await pay(stripe, await open_seller(stripe)))
    path = f"/v1/charges/{charge['id']}"
    assert (await refused(stripe, path, **change))["param"] == param
    assert await read(stripe, path) == charge


async def test_an_unknown_charge_is_missing_and_a_browser_changes_none(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    assert (await stripe.post("/v1/charges/ch_none", data={})).status_code == 404
    charge = await charge_of(stripe, await pay(stripe, await open_seller(stripe)))
    answer = await browser.post(f"/v1/charges/{charge['id']}", data={"description": "x"})
    assert answer.status_code == 401


async def test_a_payment_made_of_a_changed_cart_cannot_be_confirmed_with_the_old_total(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await send(stripe, f"/v1/payment_intents/{intent['id']}", **CART)
    error = await refused(
        stripe,
        f"/v1/payment_intents/{intent['id']}/confirm",
        payment_method="pm_card_visa",
        return_url=RETURN_URL,
        amount_to_confirm=AMOUNT,
    )
    assert error["param"] == "amount_to_confirm"
