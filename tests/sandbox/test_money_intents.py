"""PaymentIntents of the sandbox: what can be created, changed, found, and by whom."""

import httpx
import pytest

from tests.sandbox.money import (
    AMOUNT,
    FEE,
    confirm,
    create,
    destination_charge,
    event_types,
    hold,
    open_seller,
    pay,
    read,
    read_intent,
    refused,
    send,
    set_transfers,
)

BROWSER_FIELDS = {
    "id", "object", "amount", "canceled_at", "cancellation_reason", "capture_method",
    "client_secret", "confirmation_method", "created", "currency", "description",
    "last_payment_error", "livemode", "next_action", "payment_method", "payment_method_types",
    "receipt_email", "setup_future_usage", "shipping", "status",
}  # fmt: skip


async def test_a_new_payment_waits_for_a_payment_method_and_has_moved_nothing(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await create(stripe, seller, receipt_email="bea@example.com", description="A lesson")
    assert intent["status"] == "requires_payment_method"
    assert intent["client_secret"].startswith(f"{intent['id']}_secret_")
    assert intent["transfer_data"] == {"destination": seller}
    assert intent["application_fee_amount"] == FEE
    assert intent["amount_received"] == intent["amount_capturable"] == 0
    assert intent["capture_method"] == "automatic_async"
    assert intent["latest_charge"] is None
    assert await event_types(stripe) == ["payment_intent.created"]


@pytest.mark.parametrize("status", ["pending", "restricted", "rejected", "unsupported"])
async def test_a_seller_who_cannot_receive_transfers_cannot_be_paid(
    stripe: httpx.AsyncClient, status: str
) -> None:
    seller = await open_seller(stripe)
    await set_transfers(stripe, seller, status)
    error = await refused(stripe, "/v1/payment_intents", **destination_charge(seller))
    assert error["code"] == "insufficient_capabilities_for_transfer"
    assert (await read(stripe, "/v1/payment_intents"))["data"] == []
    assert await event_types(stripe) == []


async def test_a_closed_or_unknown_seller_cannot_be_paid(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    await stripe.post(f"/_sandbox/accounts/{seller}", json={"closed": True})
    error = await refused(stripe, "/v1/payment_intents", **destination_charge(seller))
    assert error["code"] == "insufficient_capabilities_for_transfer"
    error = await refused(stripe, "/v1/payment_intents", **destination_charge("acct_nobody"))
    assert error["code"] == "resource_missing"
    assert error["param"] == "transfer_data[destination]"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "parameter_invalid_integer", "amount"),
        ({"amount": 10**12}, "amount_too_large", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"currency": "gbp", "amount": 29}, "amount_too_small", "amount"),
        ({"currency": "isk", "amount": 10_050}, "invalid_charge_amount", "amount"),
        ({"currency": "kwd", "amount": 10_005}, "invalid_charge_amount", "amount"),
        (
            {"application_fee_amount": AMOUNT + 1},
            "amount_too_large",
            "application_fee_amount",
        ),
        (
            {"application_fee_amount": 0},
            "parameter_invalid_integer",
            "application_fee_amount",
        ),
        (
            {"allowed_payment_method_types": ["card"]},
            "parameters_exclusive",
            "automatic_payment_methods",
        ),
        ({"payment_method": "pm_nothing"}, "resource_missing", "payment_method"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
    ],
)
async def test_a_payment_that_does_not_add_up_is_refused_and_not_kept(
    stripe: httpx.AsyncClient, params: dict[str, object], code: str | None, param: str
) -> None:
    seller = await open_seller(stripe)
    asked = destination_charge(seller) | params
    answer = await refused(stripe, "/v1/payment_intents", **asked)
    assert (answer.get("code"), answer["param"]) == (code, param)
    assert (await read(stripe, "/v1/payment_intents"))["data"] == []


async def test_a_fee_needs_a_destination_and_excludes_a_transfer_amount(
    stripe: httpx.AsyncClient,
) -> None:
    alone = {"amount": AMOUNT, "currency": "usd", "application_fee_amount": FEE}
    error = await refused(stripe, "/v1/payment_intents", **alone)
    assert error["param"] == "application_fee_amount"
    both = destination_charge(await open_seller(stripe))
    both["transfer_data"]["amount"] = 500
    error = await refused(stripe, "/v1/payment_intents", **both)
    assert error["code"] == "parameters_exclusive"


async def test_the_minimum_amount_and_a_fee_of_everything_are_accepted(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await create(stripe, seller, amount=50, application_fee_amount=50, currency="USD")
    assert (intent["amount"], intent["currency"]) == (50, "usd")
    yen = await create(stripe, seller, amount=50, application_fee_amount=1, currency="jpy")
    assert yen["currency"] == "jpy"


# --------------------------------------------------------------------------------------- changes


async def test_amount_and_fee_follow_the_cart_until_the_payment_is_confirmed(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}"
    changed = await send(
        stripe, path, amount=6_000, application_fee_amount=700, metadata={"cart": "2"}
    )
    assert (changed["amount"], changed["application_fee_amount"]) == (6_000, 700)
    assert changed["metadata"] == {"order_id": "ord_1", "cart": "2"}
    assert changed["client_secret"] == intent["client_secret"]
    assert await event_types(stripe) == ["payment_intent.created"]


async def test_an_update_that_does_not_add_up_changes_nothing(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}"
    error = await refused(stripe, path, amount=1_000, metadata={"cart": "2"})
    assert error["param"] == "application_fee_amount"
    assert await read_intent(stripe, intent) == intent


async def test_the_destination_cannot_be_changed(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    other = await open_seller(stripe)
    path = f"/v1/payment_intents/{intent['id']}"
    error = await refused(stripe, path, transfer_data={"destination": other})
    assert error["code"] == "parameter_unknown"
    error = await refused(stripe, path, transfer_group="order_ord_2")
    assert error["param"] == "transfer_group"


async def test_money_is_fixed_once_authorized_but_notes_are_not(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    for intent in (await hold(stripe, seller), await pay(stripe, seller)):
        path = f"/v1/payment_intents/{intent['id']}"
        error = await refused(stripe, path, amount=5_000, application_fee_amount=100)
        assert error["code"] == "payment_intent_unexpected_state"
        assert error["param"] == "amount"
        assert error["payment_intent"]["status"] == intent["status"]
        assert error["message"].endswith(
            "requires_payment_method, requires_confirmation, requires_action."
        )
        noted = await send(stripe, path, metadata={"note": "x"}, description="Later")
        assert noted["metadata"]["note"] == "x"
        assert noted["amount"] == AMOUNT


async def test_attaching_a_payment_method_asks_for_confirmation_next(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await create(stripe, seller, payment_method="pm_card_visa")
    assert intent["status"] == "requires_confirmation"
    later = await create(stripe, seller)
    later = await send(
        stripe, f"/v1/payment_intents/{later['id']}", payment_method="pm_card_mastercard"
    )
    assert later["status"] == "requires_confirmation"
    method = await read(stripe, f"/v1/payment_methods/{later['payment_method']}")
    assert (method["card"]["brand"], method["card"]["last4"]) == ("mastercard", "4444")
    paid = await send(
        stripe, f"/v1/payment_intents/{later['id']}/confirm", return_url="http://platform.test/"
    )
    assert paid["status"] == "succeeded"


async def test_an_empty_value_unsets_a_field_and_a_metadata_key(
    stripe: httpx.AsyncClient,
) -> None:
    address = {"line1": "1 Main Street", "country": "US"}
    intent = await create(
        stripe, await open_seller(stripe), shipping={"name": "Bea", "address": address}
    )
    assert intent["shipping"]["address"]["postal_code"] is None
    path = f"/v1/payment_intents/{intent['id']}"
    changed = await send(
        stripe, path, shipping="", application_fee_amount="", metadata={"order_id": "", "a": "b"}
    )
    assert changed["shipping"] is None
    assert changed["application_fee_amount"] is None
    assert changed["metadata"] == {"a": "b"}
    assert (await send(stripe, path, metadata=""))["metadata"] == {}


# ------------------------------------------------------------------------------- the buyer's view


async def test_a_browser_sees_a_subset_and_only_with_the_client_secret(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}"
    seen = await read(browser, path, client_secret=intent["client_secret"])
    assert seen.keys() == BROWSER_FIELDS
    without = await browser.get(path)
    assert without.json()["error"]["code"] == "parameter_missing"
    wrong = await browser.get(path, params={"client_secret": f"{intent['id']}_secret_guessed"})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["code"] == "payment_intent_invalid_parameter"


async def test_a_browser_pays_with_the_client_secret(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    paid = await send(
        browser, path, client_secret=intent["client_secret"], payment_method="pm_card_visa"
    )
    assert paid["status"] == "succeeded"
    assert paid.keys() == BROWSER_FIELDS
    again = await refused(browser, path, client_secret=intent["client_secret"])
    assert again["code"] == "payment_intent_unexpected_state"
    assert again["payment_intent"].keys() == BROWSER_FIELDS


async def test_a_browser_can_neither_capture_nor_cancel_nor_refund(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    for path in (
        f"/v1/payment_intents/{intent['id']}/capture",
        f"/v1/payment_intents/{intent['id']}/cancel",
        f"/v1/payment_intents/{intent['id']}",
        "/v1/refunds",
    ):
        answer = await browser.post(path, data={"client_secret": intent["client_secret"]})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "secret_key_required"


# --------------------------------------------------------------------------------------- finding


async def test_payments_are_found_by_metadata_and_status(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    first = await pay(stripe, seller, metadata={"order_id": "ord_7"})
    second = await create(stripe, seller, metadata={"order_id": "ord_7"})
    other = await create(stripe, seller, metadata={"order_id": "ord_8"})

    async def found(query: str) -> list[str]:
        answer = await read(stripe, "/v1/payment_intents/search", query=query)
        assert answer["object"] == "search_result"
        return [intent["id"] for intent in answer["data"]]

    assert await found("metadata['order_id']:'ord_7'") == [second["id"], first["id"]]
    assert await found("metadata['order_id']:'ord_7' AND status:'succeeded'") == [first["id"]]
    assert await found("metadata['order_id']:'ord_7' AND -status:'succeeded'") == [second["id"]]
    assert await found("amount>9999 AND metadata['order_id']:'ord_8'") == [other["id"]]
    assert await found("metadata['order_id']~'_8' OR status:'succeeded'") == [
        other["id"],
        first["id"],
    ]
    assert await found("metadata['nothing']:null AND amount<50") == []


@pytest.mark.parametrize(
    "query", ["order_id:'x'", "status:'a' AND amount>1 OR amount<2", "status", "'", "AND"]
)
async def test_a_search_that_cannot_be_read_is_refused(
    stripe: httpx.AsyncClient, query: str
) -> None:
    answer = await stripe.get("/v1/payment_intents/search", params={"query": query})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "query"


async def test_search_answers_page_by_page(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    made = [(await create(stripe, seller))["id"] for _ in range(3)]
    query = "status:'requires_payment_method'"
    first = await read(stripe, "/v1/payment_intents/search", query=query, limit=2)
    assert first["has_more"] is True
    page = first["next_page"]
    second = await read(stripe, "/v1/payment_intents/search", query=query, limit=2, page=page)
    assert [i["id"] for i in first["data"] + second["data"]] == made[::-1]
    assert second["next_page"] is None


async def test_a_payment_confirmed_twice_is_paid_once(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method="pm_card_visa")
    assert error["code"] == "payment_intent_unexpected_state"
    assert error["payment_intent"]["status"] == "succeeded"
    assert "already succeeded" in error["message"]
    assert len((await read(stripe, "/v1/charges", payment_intent=intent["id"]))["data"]) == 1
