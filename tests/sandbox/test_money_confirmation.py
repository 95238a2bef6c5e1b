"""Confirming in the sandbox: approvals, declines and 3-D Secure, as test cards play them."""

import httpx
import pytest

from stripe_sandbox.cards import CARDS
from tests.sandbox.money import (
    AMOUNT,
    RETURN_URL,
    Json,
    charge_of,
    confirm,
    create,
    destination_charge,
    event_types,
    newest_event,
    open_seller,
    read,
    read_intent,
    refused,
    send,
    set_transfers,
)

DECLINES = [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    (
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "card_declined",
        "card_velocity_exceeded",
    ),
]


async def decline(stripe: httpx.AsyncClient, intent: Json, card: str, **params: object) -> Json:
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    answer = await refused(stripe, path, payment_method=card, return_url=RETURN_URL, **params)
    assert answer["type"] == "card_error"
    return answer


async def test_a_good_card_pays_at_once_and_tells_it_in_order(stripe: httpx.AsyncClient) -> None:
    intent = await confirm(stripe, await create(stripe, await open_seller(stripe)))
    assert intent["status"] == "succeeded"
    assert intent["amount_received"] == AMOUNT
    assert await event_types(stripe) == [
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
        "transfer.created",
        "application_fee.created",
    ]
    charge = await charge_of(stripe, intent)
    assert charge["outcome"]["network_status"] == "approved_by_network"
    assert charge["payment_method_details"]["card"]["last4"] == "4242"
    assert charge["metadata"] == {"order_id": "ord_1"}
    assert charge["transfer_group"] == "order_ord_1"


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"])
async def test_every_brand_can_pay(stripe: httpx.AsyncClient, card: str) -> None:
    intent = await confirm(stripe, await create(stripe, await open_seller(stripe)), card)
    charge = await charge_of(stripe, intent)
    assert charge["payment_method_details"]["card"]["brand"] == card.removeprefix("pm_card_")


@pytest.mark.parametrize(("card", "code", "decline_code"), DECLINES)
async def test_a_declined_card_leaves_the_payment_open_and_says_why(
    stripe: httpx.AsyncClient, card: str, code: str, decline_code: str
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    error = await decline(stripe, intent, card)
    assert (error["code"], error["decline_code"]) == (code, decline_code)
    assert error["advice_code"] in ("confirm_card_data", "do_not_try_again", "try_again_later")
    now = await read_intent(stripe, intent)
    assert now["status"] == "requires_payment_method"
    assert now["payment_method"] is None
    told = now["last_payment_error"]
    assert (told["code"], told["decline_code"]) == (code, decline_code)
    assert told["payment_method"]["card"]["last4"] == error["payment_method"]["card"]["last4"]
    assert error["payment_intent"] == now
    charge = await charge_of(stripe, now)
    assert error["charge"] == charge["id"]
    assert (charge["status"], charge["paid"]) == ("failed", False)
    assert charge["outcome"]["reason"] == decline_code
    assert charge["balance_transaction"] is None
    assert await event_types(stripe) == [
        "payment_intent.created",
        "payment_intent.payment_failed",
        "charge.failed",
    ]


async def test_after_a_decline_another_card_pays_and_both_attempts_are_kept(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await decline(stripe, intent, "pm_card_visa_chargeDeclined")
    await decline(stripe, intent, "pm_card_visa_chargeDeclinedInsufficientFunds")
    paid = await confirm(stripe, intent, "pm_card_mastercard")
    assert paid["last_payment_error"] is None
    charges = await read(stripe, "/v1/charges", payment_intent=intent["id"])
    assert [c["status"] for c in charges["data"]] == ["succeeded", "failed", "failed"]
    assert charges["data"][0]["id"] == paid["latest_charge"]


async def test_an_update_forgets_the_last_decline(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await decline(stripe, intent, "pm_card_visa_chargeDeclined")
    path = f"/v1/payment_intents/{intent['id']}"
    changed = await send(stripe, path, amount=5_000, application_fee_amount=500)
    assert changed["last_payment_error"] is None


async def test_a_replayed_decline_is_the_same_attempt(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    body = {"payment_method": "pm_card_visa_chargeDeclined", "return_url": RETURN_URL}
    keyed = {"Idempotency-Key": "order:ord_1:g1:confirm:1"}
    first = await stripe.post(path, data=body, headers=keyed)
    again = await stripe.post(path, data=body, headers=keyed)
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert (await event_types(stripe)).count("charge.failed") == 1


async def test_a_browser_learns_of_a_decline_but_not_of_the_platforms_fee(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(
        browser,
        path,
        client_secret=intent["client_secret"],
        payment_method="pm_card_visa_chargeDeclinedLostCard",
    )
    assert error["decline_code"] == "lost_card"
    assert error["payment_intent"]["status"] == "requires_payment_method"
    for private in ("application_fee_amount", "transfer_data", "metadata", "latest_charge"):
        assert private not in error["payment_intent"]
    told = error["payment_intent"]["last_payment_error"]["payment_method"]
    assert told["card"]["last4"] == error["payment_method"]["card"]["last4"] == "9987"
    assert "fingerprint" not in {*told["card"], *error["payment_method"]["card"]}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"capture_method": "automatic"}, "capture_method"),
        ({"off_session": True}, "off_session"),
        ({"error_on_requires_action": True}, "error_on_requires_action"),
        (
            {"payment_method_options": {"card": {"capture_method": "manual"}}},
            "payment_method_options[card][capture_method]",
        ),
        (
            {"payment_method_options": {"card": {"request_three_d_secure": "any"}}},
            "payment_method_options[card][request_three_d_secure]",
        ),
    ],
)
async def test_a_browser_cannot_say_what_only_a_server_may(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, more: Json, param: str
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    known = {"client_secret": intent["client_secret"], "payment_method": "pm_card_visa"}
    error = await refused(browser, path, **known, **more)
    assert (error["code"], error["param"]) == ("parameter_unknown", param)
    assert (await read_intent(stripe, intent))["status"] == "requires_payment_method"
    chosen = {"payment_method_options": {"card": {"network": "visa"}}}
    assert (await send(browser, path, **known, **chosen))["status"] == "succeeded"


async def test_a_card_payment_has_a_statement_descriptor_suffix_only(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    whole = await create(stripe, seller, statement_descriptor="MY SHOP")
    path = f"/v1/payment_intents/{whole['id']}/confirm"
    error = await refused(stripe, path, payment_method="pm_card_visa", return_url=RETURN_URL)
    assert error["param"] == "statement_descriptor"
    suffix = await create(stripe, seller, statement_descriptor_suffix="ORDER 7")
    assert (await confirm(stripe, suffix, "pm_card_visa"))["status"] == "succeeded"


async def test_a_payment_created_and_declined_in_one_call_exists(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    asked = destination_charge(
        seller, confirm=True, payment_method="pm_card_visa_chargeDeclined", return_url=RETURN_URL
    )
    error = await refused(stripe, "/v1/payment_intents", **asked)
    now = await read_intent(stripe, error["payment_intent"])
    assert now["status"] == "requires_payment_method"
    assert (await event_types(stripe))[0] == "payment_intent.created"


async def test_confirming_needs_a_payment_method_and_a_way_back(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, return_url=RETURN_URL)
    assert error["code"] == "payment_intent_unexpected_state"
    assert "missing a payment method" in error["message"]
    error = await refused(stripe, path, payment_method="pm_card_visa")
    assert error["param"] == "return_url"
    for address in ("nowhere", "http://a\nb", "http://exämple.test/"):
        error = await refused(stripe, path, payment_method="pm_card_visa", return_url=address)
        assert error["code"] == "url_invalid"
    assert await read_intent(stripe, intent) == intent


@pytest.mark.parametrize(
    "choice",
    [
        {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}},
        {"allowed_payment_method_types": ["card"]},
    ],
)
async def test_a_card_only_payment_needs_no_way_back(
    stripe: httpx.AsyncClient, choice: Json
) -> None:
    asked = destination_charge(await open_seller(stripe))
    del asked["automatic_payment_methods"]
    intent = await send(stripe, "/v1/payment_intents", **asked, **choice)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    paid = await send(stripe, path, payment_method="pm_card_visa")
    assert paid["status"] == "succeeded"


async def test_a_method_the_payment_does_not_offer_is_refused(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    asked = destination_charge(seller, allowed_payment_method_types=["klarna"])
    del asked["automatic_payment_methods"]
    intent = await send(stripe, "/v1/payment_intents", **asked)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method="pm_card_visa")
    assert error["code"] == "payment_intent_incompatible_payment_method"


async def test_an_amount_that_changed_under_the_buyer_is_not_charged(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    body = {"payment_method": "pm_card_visa", "return_url": RETURN_URL}
    error = await refused(stripe, path, amount_to_confirm=AMOUNT - 1, **body)
    assert error["param"] == "amount_to_confirm"
    paid = await send(stripe, path, amount_to_confirm=AMOUNT, **body)
    assert paid["status"] == "succeeded"


async def test_a_seller_who_lost_transfers_is_not_paid_at_confirmation(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await create(stripe, seller)
    await set_transfers(stripe, seller, "restricted")
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method="pm_card_visa", return_url=RETURN_URL)
    assert error["code"] == "insufficient_capabilities_for_transfer"
    assert await read_intent(stripe, intent) == intent


async def test_a_very_large_amount_is_too_large_for_amex(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe), amount=10**9)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method="pm_card_amex", return_url=RETURN_URL)
    assert error["code"] == "amount_too_large"
    assert (await confirm(stripe, intent))["amount_received"] == 10**9


# ----------------------------------------------------------------------------------- 3-D Secure


async def test_a_card_that_needs_authentication_asks_for_it(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    waiting = await confirm(stripe, intent, "pm_card_authenticationRequired")
    assert waiting["status"] == "requires_action"
    action = waiting["next_action"]
    assert action["type"] == "redirect_to_url"
    assert action["redirect_to_url"]["return_url"] == RETURN_URL
    assert action["redirect_to_url"]["url"].endswith(f"/3ds/{intent['id']}")
    assert waiting["latest_charge"] is None
    event = await newest_event(stripe, "payment_intent.requires_action")
    assert event["data"]["object"] == waiting


async def test_without_a_way_back_the_script_handles_the_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    waiting = await send(
        browser,
        path,
        client_secret=intent["client_secret"],
        payment_method="pm_card_authenticationRequired",
        use_stripe_sdk=True,
    )
    action = waiting["next_action"]
    assert action["type"] == "use_stripe_sdk"
    assert action["use_stripe_sdk"]["stripe_js"].endswith(f"/3ds/{intent['id']}")


@pytest.mark.parametrize("how", [{"off_session": True}, {"error_on_requires_action": True}])
async def test_without_the_buyer_a_challenge_is_a_decline(
    stripe: httpx.AsyncClient, how: dict[str, bool]
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    error = await decline(stripe, intent, "pm_card_authenticationRequired", **how)
    assert error["code"] == error["decline_code"] == "authentication_required"
    assert error["payment_intent"]["status"] == "requires_payment_method"


async def test_a_card_set_up_for_it_pays_without_the_buyer(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    card = "pm_card_authenticationRequiredSetupForOffSession"
    alone = await confirm(stripe, await create(stripe, seller), card, off_session=True)
    assert alone["status"] == "succeeded"
    present = await confirm(stripe, await create(stripe, seller), card)
    assert present["status"] == "requires_action"


async def test_a_challenge_can_be_abandoned_for_another_card(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent, "pm_card_authenticationRequired")
    paid = await confirm(stripe, intent, "pm_card_visa")
    assert (paid["status"], paid["next_action"]) == ("succeeded", None)


async def test_a_changed_amount_makes_a_challenge_worthless(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent, "pm_card_authenticationRequired")
    path = f"/v1/payment_intents/{intent['id']}"
    noted = await send(stripe, path, metadata={"note": "x"})
    assert noted["status"] == "requires_action"
    changed = await send(stripe, path, amount=5_000, application_fee_amount=100)
    assert (changed["status"], changed["next_action"]) == ("requires_confirmation", None)


@pytest.mark.parametrize("card", [card.token for card in CARDS])
async def test_every_test_card_ends_in_a_state_stripe_knows(
    stripe: httpx.AsyncClient, card: str
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    await stripe.post(path, data={"payment_method": card, "return_url": RETURN_URL})
    now = await read_intent(stripe, intent)
    assert now["status"] in ("requires_payment_method", "requires_action", "succeeded")
    assert (now["status"] == "succeeded") == (now["amount_received"] == AMOUNT)
    assert (now["status"] == "requires_action") == (now["next_action"] is not None)


async def test_a_browser_makes_payment_methods_of_test_numbers_but_a_server_must_not(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    card = {"number": "4000 0000 0000 9995", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    method = await send(browser, "/v1/payment_methods", type="card", card=card)
    assert method["card"]["last4"] == "9995"
    assert "fingerprint" not in method["card"]
    error = await refused(stripe, "/v1/payment_methods", type="card", card=card)
    assert error["param"] == "card[number]"
    error = await refused(
        browser, "/v1/payment_methods", type="card", card={**card, "number": "4111111111111111"}
    )
    assert error["code"] == "incorrect_number"
    intent = await create(stripe, await open_seller(stripe))
    error = await decline(stripe, intent, method["id"])
    assert error["decline_code"] == "insufficient_funds"
