"""Paying with cards that are kept: one click, with or without the buyer, and keeping them."""

import httpx
import pytest

from .cards import ALWAYS, UNLESS_SET_UP, attached, kept_card, open_customer, pass_challenge, set_up
from .money import (
    AMOUNT,
    DAY_SECONDS,
    RETURN_URL,
    Json,
    advance,
    charge_of,
    confirm,
    create,
    destination_charge,
    event_types,
    open_seller,
    read,
    read_intent,
    refused,
    send,
)

ALREADY_SET_UP = "pm_card_authenticationRequiredSetupForOffSession"
SET_UP_BUT_POOR = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"


async def declined(stripe: httpx.AsyncClient, intent: Json, card: str, **params: object) -> Json:
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, payment_method=card, return_url=RETURN_URL, **params)
    assert error["type"] == "card_error"
    return error


async def kept_by(stripe: httpx.AsyncClient, customer: str) -> list[str]:
    listed = await read(stripe, f"/v1/customers/{customer}/payment_methods")
    return [method["id"] for method in listed["data"]]


# ------------------------------------------------------------------------------- whose card it is


async def test_a_kept_card_pays_again_and_again_for_its_customer(
    stripe: httpx.AsyncClient,
) -> None:
    seller, customer = await open_seller(stripe), await open_customer(stripe)
    card = await attached(stripe, customer)
    for _ in range(2):
        intent = await create(stripe, seller, customer=customer)
        paid = await confirm(stripe, intent, card["id"])
        assert (paid["status"], paid["payment_method"]) == ("succeeded", card["id"])
        assert (await charge_of(stripe, paid))["customer"] == customer
    listed = await read(stripe, "/v1/payment_intents", customer=customer)
    assert len(listed["data"]) == 2


async def test_a_browser_pays_with_a_kept_card(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    secret = intent["client_secret"]
    paid = await send(browser, path, client_secret=secret, payment_method=card["id"])
    assert paid["status"] == "succeeded"


async def test_a_kept_card_pays_for_nobody_else(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    owner, other = await open_customer(stripe), await open_customer(stripe)
    card = await attached(stripe, owner)
    for customer in ({"customer": other}, {}):
        intent = await create(stripe, seller, **customer)
        path = f"/v1/payment_intents/{intent['id']}"
        for step, params in (("", {}), ("/confirm", {"return_url": RETURN_URL})):
            error = await refused(stripe, f"{path}{step}", payment_method=card["id"], **params)
            assert error["type"] == "invalid_request_error"
            assert error["payment_intent"] == intent
            if customer:
                assert "does not belong to the Customer you supplied" in error["message"]
            else:
                assert error["code"] == "parameter_missing"
                assert f"belongs to the Customer {owner}" in error["message"]
        assert await read_intent(stripe, intent) == intent
        asked = destination_charge(seller, payment_method=card["id"], **customer)
        assert "payment_intent" not in await refused(stripe, "/v1/payment_intents", **asked)
    assert (await read(stripe, "/v1/charges"))["data"] == []


async def test_a_payment_gets_its_customer_once(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}"
    assert (await send(stripe, path, customer=customer))["customer"] == customer
    for again in (customer, await open_customer(stripe)):
        error = await refused(stripe, path, customer=again)
        assert "cannot modify `customer`" in error["message"]


async def test_a_payment_of_a_customer_says_whose_card_it_misses(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(stripe, path, return_url=RETURN_URL)
    assert error["code"] == "payment_intent_unexpected_state"
    assert customer in error["message"]


async def test_a_kept_card_is_chosen_by_update_and_confirmed_with_one_click(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    path = f"/v1/payment_intents/{intent['id']}"
    chosen = await send(stripe, path, payment_method=card["id"])
    assert chosen["status"] == "requires_confirmation"
    paid = await send(
        stripe, f"{path}/confirm", off_session=False, use_stripe_sdk=True, return_url=RETURN_URL
    )
    assert paid["status"] == "succeeded"


async def test_a_kept_card_may_ask_for_the_buyer_who_then_goes_on(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, ALWAYS)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, capture_method="manual"
    )
    waiting = await confirm(stripe, intent, card, off_session=False)
    assert waiting["status"] == "requires_action"
    await pass_challenge(browser, waiting)
    now = await read_intent(stripe, intent)
    assert (now["status"], now["payment_method"]) == ("requires_capture", card)


async def test_a_kept_card_survives_a_failed_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, ALWAYS)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    await pass_challenge(browser, await confirm(stripe, intent, card), "fail")
    assert (await read_intent(stripe, intent))["status"] == "requires_payment_method"
    await pass_challenge(browser, await confirm(stripe, intent, card))
    assert (await read_intent(stripe, intent))["status"] == "succeeded"


# -------------------------------------------------------------------------- keeping it by paying


@pytest.mark.parametrize("where", ["creation", "update", "confirmation", "option"])
async def test_a_payment_with_future_usage_keeps_its_card(
    stripe: httpx.AsyncClient, where: str
) -> None:
    customer = await open_customer(stripe)
    usage = {"setup_future_usage": "off_session"}
    at_creation = usage if where == "creation" else {}
    intent = await create(stripe, await open_seller(stripe), customer=customer, **at_creation)
    if where == "update":
        intent = await send(stripe, f"/v1/payment_intents/{intent['id']}", **usage)
    at_confirmation: Json = usage if where == "confirmation" else {}
    if where == "option":
        at_confirmation = {"payment_method_options": {"card": usage}}
    paid = await confirm(stripe, intent, **at_confirmation)
    assert await kept_by(stripe, customer) == [paid["payment_method"]]
    types = await event_types(stripe)
    assert types.index("payment_method.attached") < types.index("payment_intent.succeeded")


async def test_a_browser_may_ask_to_keep_the_card(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    paid = await send(
        browser,
        f"/v1/payment_intents/{intent['id']}/confirm",
        client_secret=intent["client_secret"],
        payment_method="pm_card_visa",
        setup_future_usage="off_session",
    )
    assert await kept_by(stripe, customer) == [paid["payment_method"]]


@pytest.mark.parametrize(
    ("kept", "given", "refusal"),
    [
        ("off_session", "on_session", True),
        ("off_session", "", True),
        ("on_session", "off_session", False),
        ("on_session", "on_session", False),
    ],
)
async def test_a_browser_may_ask_for_more_than_the_platform_and_not_for_less(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, kept: str, given: str, refusal: bool
) -> None:
    customer = await open_customer(stripe)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, setup_future_usage=kept
    )
    answer = await browser.post(
        f"/v1/payment_intents/{intent['id']}/confirm",
        data={
            "client_secret": intent["client_secret"],
            "payment_method": "pm_card_visa",
            "setup_future_usage": given,
        },
    )
    if refusal:
        assert answer.json()["error"]["param"] == "setup_future_usage"
        assert await read_intent(stripe, intent) == intent
    else:
        assert answer.json()["setup_future_usage"] == given
        assert len(await kept_by(stripe, customer)) == 1


async def test_a_customer_deleted_during_a_challenge_keeps_no_card(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, setup_future_usage="off_session"
    )
    waiting = await confirm(stripe, intent, ALWAYS)
    await stripe.delete(f"/v1/customers/{customer}")
    assert (await pass_challenge(browser, waiting)).status_code == 303
    paid = await read_intent(stripe, intent, "payment_method")
    assert (paid["status"], paid["payment_method"]["customer"]) == ("succeeded", None)
    assert "payment_method.attached" not in await event_types(stripe)


async def test_a_card_is_kept_when_the_challenge_is_passed_and_not_before(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, setup_future_usage="off_session"
    )
    waiting = await confirm(stripe, intent, UNLESS_SET_UP)
    assert await kept_by(stripe, customer) == []
    await pass_challenge(browser, waiting)
    assert await kept_by(stripe, customer) == [waiting["payment_method"]]


@pytest.mark.parametrize(
    ("params", "card"),
    [
        ({}, "pm_card_visa"),
        ({"setup_future_usage": "off_session"}, "pm_card_visa_chargeDeclined"),
        (
            {
                "setup_future_usage": "off_session",
                "payment_method_options": {"card": {"setup_future_usage": "none"}},
            },
            "pm_card_visa",
        ),
    ],
)
async def test_a_card_nobody_asked_to_keep_or_that_was_declined_is_not_kept(
    stripe: httpx.AsyncClient, params: Json, card: str
) -> None:
    customer = await open_customer(stripe)
    intent = await create(stripe, await open_seller(stripe), customer=customer, **params)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    await stripe.post(path, data={"payment_method": card, "return_url": RETURN_URL})
    assert await kept_by(stripe, customer) == []


async def test_a_bank_account_is_kept_too(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, setup_future_usage="off_session"
    )
    pending = await confirm(stripe, intent, "pm_usBankAccount_success")
    assert pending["status"] == "processing"
    assert await kept_by(stripe, customer) == [pending["payment_method"]]


# ---------------------------------------------------------------------------- without the buyer


async def test_a_card_that_wants_the_buyer_unless_set_up_pays_without_once_it_is(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    seller, customer = await open_seller(stripe), await open_customer(stripe)
    only_attached = await attached(stripe, customer, UNLESS_SET_UP)
    intent = await create(stripe, seller, customer=customer)
    error = await declined(stripe, intent, only_attached["id"], off_session=True)
    assert error["code"] == error["decline_code"] == "authentication_required"
    card = await kept_card(stripe, browser, customer, UNLESS_SET_UP)
    paid = await confirm(stripe, intent, card, off_session=True)
    assert paid["status"] == "succeeded"
    present = await create(stripe, seller, customer=customer)
    assert (await confirm(stripe, present, card))["status"] == "requires_action"


async def test_a_card_kept_by_paying_is_set_up_too(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    seller, customer = await open_seller(stripe), await open_customer(stripe)
    first = await create(stripe, seller, customer=customer, setup_future_usage="off_session")
    waiting = await confirm(stripe, first, UNLESS_SET_UP)
    await pass_challenge(browser, waiting)
    again = await create(stripe, seller, customer=customer)
    paid = await confirm(stripe, again, waiting["payment_method"], off_session=True)
    assert paid["status"] == "succeeded"


async def test_a_card_set_up_for_a_present_buyer_still_wants_the_buyer(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer, UNLESS_SET_UP, usage="on_session")
    await pass_challenge(browser, setup)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    error = await declined(stripe, intent, setup["payment_method"], off_session=True)
    assert error["code"] == "authentication_required"


async def test_a_card_that_always_wants_the_buyer_is_declined_without_however_it_was_set_up(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, ALWAYS)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    error = await declined(stripe, intent, card, off_session=True)
    assert (error["code"], error["advice_code"]) == ("authentication_required", "confirm_card_data")
    assert error["payment_method"]["id"] == card
    assert error["payment_intent"]["last_payment_error"]["payment_method"]["id"] == card
    back = await confirm(stripe, intent, card)
    await pass_challenge(browser, back)
    assert (await read_intent(stripe, intent))["status"] == "succeeded"


@pytest.mark.parametrize("how", ["recurring", "one_off", True])
async def test_every_way_of_being_without_the_buyer_counts(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, how: object
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, ALREADY_SET_UP)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    assert (await confirm(stripe, intent, card, off_session=how))["status"] == "succeeded"


async def test_a_card_set_up_may_still_lack_the_money(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, SET_UP_BUT_POOR)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    error = await declined(stripe, intent, card, off_session=True)
    assert (error["decline_code"], error["advice_code"]) == (
        "insufficient_funds",
        "try_again_later",
    )


async def test_error_on_requires_action_declines_instead_of_waiting(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    card = await kept_card(stripe, browser, customer, UNLESS_SET_UP)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    error = await declined(stripe, intent, card, error_on_requires_action=True)
    assert error["code"] == "authentication_required"
    assert (await read_intent(stripe, intent))["next_action"] is None


async def test_a_payment_without_the_buyer_is_created_and_confirmed_in_one_call(
    stripe: httpx.AsyncClient,
) -> None:
    seller, customer = await open_seller(stripe), await open_customer(stripe)
    card = await attached(stripe, customer)
    asked = destination_charge(
        seller, customer=customer, payment_method=card["id"], off_session=True, confirm=True
    )
    paid = await send(stripe, "/v1/payment_intents", return_url=RETURN_URL, **asked)
    assert (paid["status"], paid["amount_received"]) == ("succeeded", AMOUNT)


@pytest.mark.parametrize(
    ("param", "value"),
    [("off_session", True), ("return_url", RETURN_URL), ("error_on_requires_action", True)],
)
async def test_what_belongs_to_a_confirmation_is_refused_at_a_mere_creation(
    stripe: httpx.AsyncClient, param: str, value: object
) -> None:
    asked = destination_charge(await open_seller(stripe), **{param: value})
    error = await refused(stripe, "/v1/payment_intents", **asked)
    assert error["param"] == param
    assert "unless `confirm` is set to true" in error["message"]


@pytest.mark.parametrize(
    ("card", "off_session", "seconds"),
    [
        ("pm_card_visa", False, 7 * DAY_SECONDS),
        ("pm_card_visa", True, 4 * DAY_SECONDS + 18 * 3_600),
        ("pm_card_mastercard", True, 7 * DAY_SECONDS),
    ],
)
async def test_a_hold_without_the_buyer_ends_earlier_at_visa(
    stripe: httpx.AsyncClient, card: str, off_session: bool, seconds: int
) -> None:
    customer = await open_customer(stripe)
    kept = await attached(stripe, customer, card)
    intent = await create(
        stripe, await open_seller(stripe), customer=customer, capture_method="manual"
    )
    held = await confirm(stripe, intent, kept["id"], off_session=off_session)
    charge = await charge_of(stripe, held)
    details = charge["payment_method_details"]["card"]
    assert details["capture_before"] == charge["created"] + seconds
    await advance(stripe, seconds - 60)
    assert (await read_intent(stripe, held))["status"] == "requires_capture"
    await advance(stripe, 60)
    over = await read_intent(stripe, held)
    assert (over["status"], over["cancellation_reason"]) == ("canceled", "automatic")
    assert (await event_types(stripe))[-2:] == ["charge.expired", "payment_intent.canceled"]
    error = await refused(stripe, f"/v1/payment_intents/{held['id']}/capture")
    assert error["code"] == "capture_charge_authorization_expired"


@pytest.mark.parametrize(
    ("card", "advice", "network"),
    [
        ("pm_card_visa_chargeDeclinedStolenCard", "do_not_try_again", "43"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "try_again_later", "51"),
        ("pm_card_chargeDeclinedIncorrectCvc", "confirm_card_data", "82"),
    ],
)
async def test_a_decline_says_whether_to_try_again(
    stripe: httpx.AsyncClient, card: str, advice: str, network: str
) -> None:
    error = await declined(stripe, await create(stripe, await open_seller(stripe)), card)
    assert (error["advice_code"], error["network_decline_code"]) == (advice, network)
    charge = await read(stripe, f"/v1/charges/{error['charge']}")
    outcome = charge["outcome"]
    assert (outcome["advice_code"], outcome["network_decline_code"]) == (advice, network)
