"""PaymentMethods a customer keeps: attached, listed, changed, detached, made the default."""

import httpx
import pytest

from stripe_sandbox.cards import CARDS

from .cards import attached, open_customer
from .money import (
    RETURN_URL,
    confirm,
    create,
    event_types,
    newest_event,
    open_seller,
    read,
    refused,
    send,
)

USED = "previously used"


async def test_an_attached_card_belongs_to_its_customer_and_is_listed(
    stripe: httpx.AsyncClient,
) -> None:
    customer, other = await open_customer(stripe), await open_customer(stripe)
    first = await attached(stripe, customer)
    second = await attached(stripe, customer, "pm_card_amex")
    await attached(stripe, other)
    assert first["customer"] == customer
    assert first["card"]["checks"]["cvc_check"] == "pass"
    by_path = await read(stripe, f"/v1/customers/{customer}/payment_methods")
    by_filter = await read(stripe, "/v1/payment_methods", customer=customer, type="card")
    assert by_path["data"] == by_filter["data"] == [second, first]
    assert by_path["url"] == f"/v1/customers/{customer}/payment_methods"
    one = await read(stripe, f"/v1/customers/{customer}/payment_methods/{first['id']}")
    assert one == first
    assert (await newest_event(stripe, "payment_method.attached"))["data"]["object"]["card"]


async def test_a_list_of_kept_cards_has_pages_and_filters(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    cards = [await attached(stripe, customer) for _ in range(3)]
    path = f"/v1/customers/{customer}/payment_methods"
    page = await read(stripe, path, limit=2)
    assert (len(page["data"]), page["has_more"]) == (2, True)
    rest = await read(stripe, path, limit=2, starting_after=page["data"][-1]["id"])
    assert [m["id"] for m in rest["data"]] == [cards[0]["id"]]
    assert (await read(stripe, path, type="us_bank_account"))["data"] == []
    await send(stripe, f"/v1/payment_methods/{cards[1]['id']}", allow_redisplay="always")
    shown = await read(stripe, "/v1/payment_methods", customer=customer, allow_redisplay="always")
    assert [m["id"] for m in shown["data"]] == [cards[1]["id"]]


async def test_a_list_of_kept_cards_is_of_one_customer(stripe: httpx.AsyncClient) -> None:
    answer = await stripe.get("/v1/payment_methods")
    assert answer.json()["error"]["param"] == "customer"
    answer = await stripe.get("/v1/payment_methods", params={"customer": "cus_none"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "resource_missing")
    answer = await stripe.get("/v1/customers/cus_none/payment_methods")
    assert answer.status_code == 404
    customer, other = await open_customer(stripe), await open_customer(stripe)
    card = await attached(stripe, other)
    answer = await stripe.get(f"/v1/customers/{customer}/payment_methods/{card['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


async def test_a_card_is_attached_to_one_customer_only(stripe: httpx.AsyncClient) -> None:
    customer, other = await open_customer(stripe), await open_customer(stripe)
    card = await attached(stripe, customer)
    path = f"/v1/payment_methods/{card['id']}/attach"
    error = await refused(stripe, path, customer=other)
    assert "already been attached to a customer" in error["message"]
    assert await send(stripe, path, customer=customer) == card
    assert (await event_types(stripe)).count("payment_method.attached") == 1


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({}, "parameter_missing", "customer"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
    ],
)
async def test_attaching_needs_a_customer(
    stripe: httpx.AsyncClient, params: dict[str, str], code: str, param: str
) -> None:
    error = await refused(stripe, "/v1/payment_methods/pm_card_visa/attach", **params)
    assert (error["code"], error["param"]) == (code, param)


async def test_what_is_not_there_cannot_be_attached_detached_or_changed(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    for step, params in (("/attach", {"customer": customer}), ("/detach", {}), ("", {})):
        answer = await stripe.post(f"/v1/payment_methods/pm_none{step}", data=params)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "resource_missing")
        assert error["message"] == "No such PaymentMethod: 'pm_none'"


@pytest.mark.parametrize("card", [c.token for c in CARDS if c.decline and not c.challenge])
async def test_a_card_whose_bank_says_no_is_not_attached_but_one_is(
    stripe: httpx.AsyncClient, card: str
) -> None:
    customer = await open_customer(stripe)
    answer = await stripe.post(f"/v1/payment_methods/{card}/attach", data={"customer": customer})
    kept = (await read(stripe, f"/v1/customers/{customer}/payment_methods"))["data"]
    if card == "pm_card_chargeCustomerFail":
        assert (answer.status_code, len(kept)) == (200, 1)
        return
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (402, "card_error")
    assert {"decline_code", "advice_code", "network_decline_code"} <= error.keys()
    assert kept == []


async def test_a_card_that_attaches_may_still_be_declined(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer, "pm_card_chargeCustomerFail")
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method=card["id"], return_url=RETURN_URL)
    assert error["code"] == "card_declined"
    again = await refused(stripe, path, payment_method=card["id"], return_url=RETURN_URL)
    assert again["code"] == "card_declined", "a kept card may be tried again"


async def test_a_detached_card_is_gone_for_good(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    path = f"/v1/payment_methods/{card['id']}"
    assert (await send(stripe, f"{path}/detach"))["customer"] is None
    event = await newest_event(stripe, "payment_method.detached")
    assert event["data"]["previous_attributes"] == {"customer": customer}
    assert (await read(stripe, f"/v1/customers/{customer}/payment_methods"))["data"] == []
    error = await refused(stripe, f"{path}/detach")
    assert "not attached to a customer" in error["message"]
    error = await refused(stripe, f"{path}/attach", customer=customer)
    assert USED in error["message"]
    intent = await create(stripe, await open_seller(stripe))
    confirming = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, confirming, payment_method=card["id"], return_url=RETURN_URL)
    assert USED in error["message"]


async def test_a_kept_card_is_changed_and_the_event_says_what_was(
    stripe: httpx.AsyncClient,
) -> None:
    card = await attached(stripe, await open_customer(stripe))
    changed = await send(
        stripe,
        f"/v1/payment_methods/{card['id']}",
        billing_details={"name": "Bo", "address": {"city": "Aarhus", "country": "DK"}},
        card={"exp_month": 3, "exp_year": 2040},
        metadata={"label": "work"},
    )
    assert changed["billing_details"]["name"] == "Bo"
    assert changed["billing_details"]["address"]["city"] == "Aarhus"
    assert (changed["card"]["exp_month"], changed["card"]["exp_year"]) == (3, 2040)
    assert (changed["card"]["last4"], changed["metadata"]) == ("4242", {"label": "work"})
    before = (await newest_event(stripe, "payment_method.updated"))["data"]["previous_attributes"]
    assert before["card"]["exp_month"] == card["card"]["exp_month"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"card": {"exp_month": 13}}, "expiration month"),
        ({"us_bank_account": {"account_type": "savings"}}, "us_bank_account"),
        ({"card": {"number": "4242"}}, "unknown parameter"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    stripe: httpx.AsyncClient, change: dict[str, object], said: str
) -> None:
    card = await attached(stripe, await open_customer(stripe))
    path = f"/v1/payment_methods/{card['id']}"
    assert said in (await refused(stripe, path, **change))["message"]
    assert await read(stripe, path) == card


async def test_a_card_nobody_keeps_cannot_be_changed(stripe: httpx.AsyncClient) -> None:
    card = await send(stripe, "/v1/payment_methods", type="card", card={"token": "tok_visa"})
    error = await refused(stripe, f"/v1/payment_methods/{card['id']}", metadata={"a": "b"})
    assert "must save this PaymentMethod to a customer" in error["message"]


# -------------------------------------------------------------------------------- the default


async def test_a_kept_card_is_made_the_default_and_detaching_it_clears_that(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    path = f"/v1/customers/{customer}"
    changed = await send(stripe, path, invoice_settings={"default_payment_method": card["id"]})
    assert changed["invoice_settings"]["default_payment_method"] == card["id"]
    event = await newest_event(stripe, "customer.updated")
    before = event["data"]["previous_attributes"]
    assert before["invoice_settings"]["default_payment_method"] is None
    shown = await read(stripe, path, expand=["invoice_settings.default_payment_method"])
    assert shown["invoice_settings"]["default_payment_method"]["card"]["last4"] == "4242"
    await send(stripe, f"/v1/payment_methods/{card['id']}/detach")
    assert (await read(stripe, path))["invoice_settings"]["default_payment_method"] is None
    event = await newest_event(stripe, "customer.updated")
    before = event["data"]["previous_attributes"]
    assert before["invoice_settings"]["default_payment_method"] == card["id"]


async def test_only_the_customers_own_card_can_be_the_default(stripe: httpx.AsyncClient) -> None:
    customer, other = await open_customer(stripe), await open_customer(stripe)
    loose = await send(stripe, "/v1/payment_methods", type="card", card={"token": "tok_visa"})
    others = await attached(stripe, other)
    for id in (loose["id"], others["id"], "pm_none"):
        error = await refused(
            stripe, f"/v1/customers/{customer}", invoice_settings={"default_payment_method": id}
        )
        assert error["code"] == "resource_missing"
        assert error["param"] == "invoice_settings[default_payment_method]"
        assert "must be attached to the customer" in error["message"]


async def test_a_customer_may_begin_with_a_card(stripe: httpx.AsyncClient) -> None:
    made = await send(
        stripe,
        "/v1/customers",
        email="bo@example.com",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    kept = (await read(stripe, f"/v1/customers/{made['id']}/payment_methods"))["data"]
    assert [m["id"] for m in kept] == [made["invoice_settings"]["default_payment_method"]]
    assert await event_types(stripe) == ["customer.created", "payment_method.attached"]
    error = await refused(stripe, "/v1/customers", payment_method="pm_card_visa_chargeDeclined")
    assert error["code"] == "card_declined"
    assert len((await read(stripe, "/v1/customers"))["data"]) == 1


# ------------------------------------------------------------------- cards that belong to nobody


async def test_a_card_that_belongs_to_nobody_pays_once(stripe: httpx.AsyncClient) -> None:
    seller, customer = await open_seller(stripe), await open_customer(stripe)
    card = await send(stripe, "/v1/payment_methods", type="card", card={"token": "tok_visa"})
    await confirm(stripe, await create(stripe, seller), card["id"])
    again = await create(stripe, seller)
    path = f"/v1/payment_intents/{again['id']}/confirm"
    error = await refused(stripe, path, payment_method=card["id"], return_url=RETURN_URL)
    assert USED in error["message"]
    assert error["payment_intent"]["status"] == "requires_payment_method"
    path = f"/v1/payment_methods/{card['id']}/attach"
    assert USED in (await refused(stripe, path, customer=customer))["message"]


async def test_a_declined_card_that_belongs_to_nobody_is_used_up_too(
    stripe: httpx.AsyncClient,
) -> None:
    card = await send(
        stripe, "/v1/payment_methods", type="card", card={"token": "tok_visa_chargeDeclined"}
    )
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    body = {"payment_method": card["id"], "return_url": RETURN_URL}
    assert (await refused(stripe, path, **body))["code"] == "card_declined"
    assert USED in (await refused(stripe, path, **body))["message"]
