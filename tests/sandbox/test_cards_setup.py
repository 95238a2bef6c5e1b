"""SetupIntents of the sandbox: a card is kept for later payments, without a payment now."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from stripe_sandbox.keeping import restore, save
from stripe_sandbox.server import RunningSandbox

from .cards import ALWAYS, attached, open_customer, pass_challenge, set_up
from .money import (
    RETURN_URL,
    Json,
    confirm,
    create,
    event_types,
    newest_event,
    open_seller,
    read,
    refused,
    send,
)

BROWSER_SEES = {
    "id",
    "object",
    "cancellation_reason",
    "client_secret",
    "created",
    "description",
    "last_setup_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "status",
    "usage",
}


async def opened(stripe: httpx.AsyncClient, **params: object) -> Json:
    return await send(stripe, "/v1/setup_intents", **params)


async def cards_of(stripe: httpx.AsyncClient, customer: str) -> list[str]:
    listed = await read(stripe, f"/v1/customers/{customer}/payment_methods")
    return [method["id"] for method in listed["data"]]


async def test_a_setup_intent_is_created_read_listed_and_described(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    setup = await opened(stripe, customer=customer, usage="on_session", metadata={"buyer": "1"})
    assert (setup["object"], setup["status"]) == ("setup_intent", "requires_payment_method")
    assert (setup["usage"], setup["customer"]) == ("on_session", customer)
    assert setup["payment_method_types"] == ["card"]
    assert setup["client_secret"].startswith(f"{setup['id']}_secret_")
    assert (await opened(stripe))["usage"] == "off_session"
    assert await read(stripe, f"/v1/setup_intents/{setup['id']}") == setup
    assert (await read(stripe, "/v1/setup_intents", customer=customer))["data"] == [setup]
    path = f"/v1/setup_intents/{setup['id']}"
    changed = await send(stripe, path, description="card for later", metadata={"buyer": ""})
    assert (changed["description"], changed["metadata"]) == ("card for later", {})
    assert await event_types(stripe) == [
        "customer.created",
        "setup_intent.created",
        "setup_intent.created",
    ]


async def test_a_browser_sets_up_a_card_with_the_client_secret(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    setup = await opened(stripe, customer=customer)
    path = f"/v1/setup_intents/{setup['id']}"
    known = {"client_secret": setup["client_secret"]}
    assert (await read(browser, path, **known))["status"] == "requires_payment_method"
    done = await send(browser, f"{path}/confirm", payment_method="pm_card_visa", **known)
    assert done["status"] == "succeeded"
    assert set(done) == BROWSER_SEES
    assert await cards_of(stripe, customer) == [done["payment_method"]]
    assert (await event_types(stripe))[-2:] == ["payment_method.attached", "setup_intent.succeeded"]


@pytest.mark.parametrize(
    ("secret", "code"),
    [(None, "parameter_missing"), ("seti_wrong", "setup_intent_invalid_parameter")],
)
async def test_a_browser_needs_the_client_secret(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, secret: str | None, code: str
) -> None:
    setup = await opened(stripe)
    params = {"payment_method": "pm_card_visa", **({"client_secret": secret} if secret else {})}
    path = f"/v1/setup_intents/{setup['id']}/confirm"
    assert (await refused(browser, path, **params))["code"] == code
    assert await read(stripe, f"/v1/setup_intents/{setup['id']}") == setup


async def test_a_browser_neither_creates_cancels_nor_lists(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    setup = await opened(stripe)
    assert (await browser.post("/v1/setup_intents")).status_code == 401
    assert (await browser.get("/v1/setup_intents")).status_code == 401
    assert (await browser.post(f"/v1/setup_intents/{setup['id']}/cancel")).status_code == 401


async def test_a_server_sets_up_a_card_in_one_call(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer)
    assert setup["status"] == "succeeded"
    assert await cards_of(stripe, customer) == [setup["payment_method"]]
    assert await event_types(stripe) == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    whole = await read(stripe, f"/v1/setup_intents/{setup['id']}", expand=["latest_attempt"])
    attempt = whole["latest_attempt"]
    assert (attempt["object"], attempt["status"]) == ("setup_attempt", "succeeded")
    assert attempt["payment_method_details"]["card"]["last4"] == "4242"


async def test_a_card_already_kept_is_not_attached_again(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    setup = await set_up(stripe, customer, card["id"])
    assert (setup["status"], setup["payment_method"]) == ("succeeded", card["id"])
    assert (await event_types(stripe)).count("payment_method.attached") == 1


async def test_without_a_customer_the_card_can_be_attached_later(
    stripe: httpx.AsyncClient,
) -> None:
    setup = await opened(stripe, payment_method="pm_card_visa", confirm=True, return_url=RETURN_URL)
    assert setup["status"] == "succeeded"
    customer = await open_customer(stripe)
    kept = await send(
        stripe, f"/v1/payment_methods/{setup['payment_method']}/attach", customer=customer
    )
    assert kept["customer"] == customer


# ---------------------------------------------------------------------------------- 3-D Secure


async def test_a_passed_challenge_keeps_the_card_and_leads_back(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer, ALWAYS)
    assert (setup["status"], setup["last_setup_error"]) == ("requires_action", None)
    assert setup["next_action"]["redirect_to_url"]["return_url"] == RETURN_URL
    assert await cards_of(stripe, customer) == []
    page = await browser.get(urlsplit(setup["next_action"]["redirect_to_url"]["url"]).path)
    assert "saves this card" in page.text
    assert "3184" in page.text
    answer = await pass_challenge(browser, setup)
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {
        "order": ["ord_1"],
        "setup_intent": [setup["id"]],
        "setup_intent_client_secret": [setup["client_secret"]],
        "redirect_status": ["succeeded"],
    }
    done = await read(stripe, f"/v1/setup_intents/{setup['id']}", expand=["latest_attempt"])
    assert (done["status"], done["next_action"]) == ("succeeded", None)
    assert await cards_of(stripe, customer) == [done["payment_method"]]
    details = done["latest_attempt"]["payment_method_details"]["card"]
    assert details["three_d_secure"]["result"] == "authenticated"
    assert (await event_types(stripe))[-3:] == [
        "setup_intent.requires_action",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    assert (await pass_challenge(browser, setup)).status_code == 409


async def test_a_failed_challenge_keeps_nothing_and_another_card_may_follow(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer, ALWAYS)
    answer = await pass_challenge(browser, setup, "fail")
    assert "redirect_status=failed" in answer.headers["location"]
    failed = await read(stripe, f"/v1/setup_intents/{setup['id']}", expand=["latest_attempt"])
    assert (failed["status"], failed["payment_method"]) == ("requires_payment_method", None)
    assert failed["last_setup_error"]["code"] == "setup_intent_authentication_failure"
    assert failed["latest_attempt"]["status"] == "failed"
    assert await cards_of(stripe, customer) == []
    assert (await newest_event(stripe, "setup_intent.setup_failed"))["data"]["object"]["id"]
    path = f"/v1/setup_intents/{setup['id']}/confirm"
    done = await send(stripe, path, payment_method="pm_card_visa", return_url=RETURN_URL)
    assert (done["status"], done["last_setup_error"]) == ("succeeded", None)


async def test_without_a_way_back_the_script_handles_the_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    setup = await opened(stripe, customer=await open_customer(stripe))
    waiting = await send(
        browser,
        f"/v1/setup_intents/{setup['id']}/confirm",
        client_secret=setup["client_secret"],
        payment_method=ALWAYS,
        use_stripe_sdk=True,
    )
    url = waiting["next_action"]["use_stripe_sdk"]["stripe_js"]
    answer = await browser.post(urlsplit(url).path, data={"outcome": "complete"})
    assert (answer.status_code, "succeeded" in answer.text) == (200, True)


async def test_a_challenge_left_for_another_card_was_abandoned(stripe: httpx.AsyncClient) -> None:
    setup = await set_up(stripe, await open_customer(stripe), ALWAYS)
    path = f"/v1/setup_intents/{setup['id']}"
    done = await send(
        stripe, f"{path}/confirm", payment_method="pm_card_visa", return_url=RETURN_URL
    )
    assert (done["status"], done["next_action"]) == ("succeeded", None)
    assert done["latest_attempt"] != setup["latest_attempt"]


# ------------------------------------------------------------------------------------ declines


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ],
)
async def test_a_declined_card_is_not_kept_and_the_reason_is(
    stripe: httpx.AsyncClient, card: str, code: str, decline_code: str
) -> None:
    customer = await open_customer(stripe)
    setup = await opened(stripe, customer=customer)
    path = f"/v1/setup_intents/{setup['id']}"
    error = await refused(stripe, f"{path}/confirm", payment_method=card, return_url=RETURN_URL)
    assert (error["type"], error["code"]) == ("card_error", code)
    assert error["decline_code"] == decline_code
    now = await read(stripe, path)
    assert error["setup_intent"] == now
    assert (now["status"], now["payment_method"]) == ("requires_payment_method", None)
    assert now["last_setup_error"]["decline_code"] == decline_code
    assert await cards_of(stripe, customer) == []
    assert (await event_types(stripe))[-1] == "setup_intent.setup_failed"


async def test_a_card_may_be_declined_after_a_passed_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer, "pm_card_threeDSecureRequiredChargeDeclined")
    answer = await pass_challenge(browser, setup)
    assert "redirect_status=failed" in answer.headers["location"]
    now = await read(stripe, f"/v1/setup_intents/{setup['id']}")
    assert now["last_setup_error"]["code"] == "card_declined"
    assert await cards_of(stripe, customer) == []


# ------------------------------------------------------------------------------- wrong requests


async def test_confirming_needs_a_card_and_a_way_back(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    card = await attached(stripe, customer)
    await send(
        stripe,
        f"/v1/customers/{customer}",
        invoice_settings={"default_payment_method": card["id"]},
    )
    setup = await opened(stripe, customer=customer)
    path = f"/v1/setup_intents/{setup['id']}/confirm"
    error = await refused(stripe, path, return_url=RETURN_URL)
    assert error["code"] == "setup_intent_unexpected_state"
    assert "missing a payment method" in error["message"], "a default is for invoices only"
    assert error["setup_intent"] == setup
    assert (await refused(stripe, path, payment_method="pm_card_visa"))["param"] == "return_url"
    error = await refused(stripe, path, payment_method="pm_card_visa", return_url="nowhere")
    assert error["code"] == "url_invalid"
    error = await refused(stripe, path, payment_method="pm_none", return_url=RETURN_URL)
    assert error["code"] == "resource_missing"
    error = await refused(
        stripe, path, payment_method="pm_usBankAccount_success", return_url=RETURN_URL
    )
    assert error["param"] == "payment_method"
    assert await read(stripe, f"/v1/setup_intents/{setup['id']}") == setup


@pytest.mark.parametrize(
    "choice",
    [
        {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}},
        {"allowed_payment_method_types": ["card"]},
    ],
)
async def test_a_card_only_setup_needs_no_way_back(stripe: httpx.AsyncClient, choice: Json) -> None:
    setup = await opened(stripe, payment_method="pm_card_visa", confirm=True, **choice)
    assert setup["status"] == "succeeded"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"return_url": RETURN_URL}, "return_url"),
        ({"usage": "sometimes"}, "usage"),
        ({"customer": "cus_none"}, "customer"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"on_behalf_of": "acct_1"}, "on_behalf_of"),
        ({"amount": 5}, "amount"),
    ],
)
async def test_a_setup_that_makes_no_sense_is_not_created(
    stripe: httpx.AsyncClient, params: Json, param: str
) -> None:
    error = await refused(stripe, "/v1/setup_intents", **params)
    assert error["param"] == param
    assert (await read(stripe, "/v1/setup_intents"))["data"] == []


async def test_a_setup_must_offer_cards(stripe: httpx.AsyncClient) -> None:
    for params in (
        {"allowed_payment_method_types": ["us_bank_account"]},
        {"excluded_payment_method_types": ["card"]},
    ):
        error = await refused(stripe, "/v1/setup_intents", **params)
        assert error["code"] == "setup_intent_invalid_parameter"


async def test_another_customers_card_is_not_set_up(stripe: httpx.AsyncClient) -> None:
    owner, other = await open_customer(stripe), await open_customer(stripe)
    card = await attached(stripe, owner)
    error = await refused(stripe, "/v1/setup_intents", customer=other, payment_method=card["id"])
    assert "does not belong to the Customer you supplied" in error["message"]
    assert (error["param"], "setup_intent" in error) == ("payment_method", False)
    error = await refused(stripe, "/v1/setup_intents", payment_method=card["id"])
    assert f"belongs to the Customer {owner}" in error["message"]
    setup = await opened(stripe, customer=other)
    path = f"/v1/setup_intents/{setup['id']}"
    for step in ("", "/confirm"):
        params = {"return_url": RETURN_URL} if step else {}
        error = await refused(stripe, f"{path}{step}", payment_method=card["id"], **params)
        assert error["setup_intent"] == setup


async def test_a_card_is_chosen_by_update_and_then_confirmed(stripe: httpx.AsyncClient) -> None:
    setup = await opened(stripe, customer=await open_customer(stripe))
    path = f"/v1/setup_intents/{setup['id']}"
    chosen = await send(stripe, path, payment_method="pm_card_visa")
    assert chosen["status"] == "requires_confirmation"
    done = await send(stripe, f"{path}/confirm", return_url=RETURN_URL)
    assert (done["status"], done["payment_method"]) == ("succeeded", chosen["payment_method"])
    error = await refused(stripe, path, payment_method="pm_card_visa")
    assert "already succeeded" in error["message"]
    assert (await send(stripe, path, metadata={"a": "b"}))["metadata"] == {"a": "b"}


async def test_what_is_over_is_neither_confirmed_nor_canceled(stripe: httpx.AsyncClient) -> None:
    done = await set_up(stripe, await open_customer(stripe))
    path = f"/v1/setup_intents/{done['id']}"
    error = await refused(stripe, f"{path}/confirm", return_url=RETURN_URL)
    assert (error["code"], error["message"]) == (
        "setup_intent_unexpected_state",
        "You cannot confirm this SetupIntent because it has already succeeded.",
    )
    assert "status of succeeded" in (await refused(stripe, f"{path}/cancel"))["message"]
    setup = await opened(stripe, payment_method="pm_card_visa")
    path = f"/v1/setup_intents/{setup['id']}"
    canceled = await send(stripe, f"{path}/cancel", cancellation_reason="abandoned")
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["payment_method"] == setup["payment_method"]
    assert (await event_types(stripe))[-1] == "setup_intent.canceled"
    assert "already canceled" in (await refused(stripe, f"{path}/cancel"))["message"]
    error = await refused(stripe, f"{path}/confirm", return_url=RETURN_URL)
    assert "has been canceled" in error["message"]


async def test_canceling_a_setup_ends_its_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    setup = await set_up(stripe, await open_customer(stripe), ALWAYS)
    await send(stripe, f"/v1/setup_intents/{setup['id']}/cancel")
    assert (await pass_challenge(browser, setup)).status_code == 409


async def test_a_replayed_confirmation_is_the_same_attempt(stripe: httpx.AsyncClient) -> None:
    setup = await opened(stripe, customer=await open_customer(stripe))
    body = {"payment_method": "pm_card_visa", "return_url": RETURN_URL}
    keyed = {"Idempotency-Key": "card:1:confirm:1"}
    path = f"/v1/setup_intents/{setup['id']}/confirm"
    first = await stripe.post(path, data=body, headers=keyed)
    again = await stripe.post(path, data=body, headers=keyed)
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_an_unknown_setup_is_missing(stripe: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("POST", "/confirm"), ("POST", "/cancel"), ("POST", "")):
        answer = await stripe.request(method, f"/v1/setup_intents/seti_none{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["message"]) == (404, "No such setupintent: 'seti_none'")


async def test_a_card_set_up_pays(stripe: httpx.AsyncClient) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer)
    intent = await create(stripe, await open_seller(stripe), customer=customer)
    paid = await confirm(stripe, intent, setup["payment_method"])
    assert (paid["status"], paid["payment_method"]) == ("succeeded", setup["payment_method"])


async def test_kept_cards_and_a_challenge_under_way_survive_a_restart(
    stripe: httpx.AsyncClient,
    browser: httpx.AsyncClient,
    sandbox: RunningSandbox,
    tmp_path: Path,
) -> None:
    customer = await open_customer(stripe)
    setup = await set_up(stripe, customer, ALWAYS)
    card = await attached(stripe, customer)
    save(sandbox.sandbox, tmp_path / "state.json")
    sandbox.sandbox.reset()
    assert restore(sandbox.sandbox, tmp_path / "state.json")
    await pass_challenge(browser, setup)
    assert await cards_of(stripe, customer) == [card["id"], setup["payment_method"]]
