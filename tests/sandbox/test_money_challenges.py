"""The bank's 3-D Secure page of the sandbox, as a buyer walks through it."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandbox.money import (
    AMOUNT,
    Json,
    confirm,
    create,
    event_types,
    open_seller,
    read,
    read_intent,
    refused,
    send,
    set_transfers,
)

WAITING = ["payment_intent.created", "payment_intent.requires_action"]


async def challenged(
    stripe: httpx.AsyncClient, card: str = "pm_card_authenticationRequired", **params: object
) -> Json:
    intent = await create(stripe, await open_seller(stripe), **params)
    return await confirm(stripe, intent, card)


def page_of(intent: Json) -> str:
    url: str = intent["next_action"]["redirect_to_url"]["url"]
    return urlsplit(url).path


async def test_the_page_says_what_is_paid_with_which_card_and_works_without_scripts(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe)
    page = await browser.get(page_of(intent))
    assert page.status_code == 200
    assert "100.00 usd" in page.text
    assert "3184" in page.text
    assert 'method="post"' in page.text
    assert "<script" not in page.text
    assert "local stand-in for Stripe" in page.text
    assert 'lang="en"' in page.text
    assert (await read_intent(stripe, intent))["status"] == "requires_action"


async def test_a_passed_challenge_pays_and_leads_back_to_the_platform(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe)
    answer = await browser.post(page_of(intent), data={"outcome": "complete"})
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == "http://platform.test/return"
    assert parse_qs(back.query) == {
        "order": ["ord_1"],
        "payment_intent": [intent["id"]],
        "payment_intent_client_secret": [intent["client_secret"]],
        "redirect_status": ["succeeded"],
    }
    paid = await read_intent(stripe, intent, "latest_charge")
    assert (paid["status"], paid["amount_received"]) == ("succeeded", AMOUNT)
    details = paid["latest_charge"]["payment_method_details"]["card"]
    assert details["three_d_secure"]["result"] == "authenticated"
    assert (await event_types(stripe))[:4] == [
        *WAITING,
        "payment_intent.succeeded",
        "charge.succeeded",
    ]


async def test_a_passed_challenge_of_a_held_payment_holds(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe, capture_method="manual")
    answer = await browser.post(page_of(intent), data={"outcome": "complete"})
    assert "redirect_status=succeeded" in answer.headers["location"]
    assert (await read_intent(stripe, intent))["status"] == "requires_capture"


async def test_a_failed_challenge_leaves_the_payment_open_without_a_charge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe)
    answer = await browser.post(page_of(intent), data={"outcome": "fail"})
    assert "redirect_status=failed" in answer.headers["location"]
    now = await read_intent(stripe, intent)
    assert (now["status"], now["payment_method"]) == ("requires_payment_method", None)
    assert now["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert now["latest_charge"] is None
    assert (await read(stripe, "/v1/charges"))["data"] == []
    assert await event_types(stripe) == [*WAITING, "payment_intent.payment_failed"]
    assert (await confirm(stripe, intent))["status"] == "succeeded"


async def test_the_bank_may_decline_after_a_passed_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    card = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = await challenged(stripe, card)
    answer = await browser.post(page_of(intent), data={"outcome": "complete"})
    assert "redirect_status=failed" in answer.headers["location"]
    now = await read_intent(stripe, intent)
    assert now["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert (await event_types(stripe))[-2:] == ["payment_intent.payment_failed", "charge.failed"]


async def test_without_a_way_back_the_page_says_how_it_ended(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    waiting = await send(
        browser,
        f"/v1/payment_intents/{intent['id']}/confirm",
        client_secret=intent["client_secret"],
        payment_method="pm_card_threeDSecure2Required",
    )
    page = urlsplit(waiting["next_action"]["use_stripe_sdk"]["stripe_js"]).path
    answer = await browser.post(page, data={"outcome": "complete"})
    assert answer.status_code == 200
    assert "succeeded" in answer.text
    assert (await read_intent(stripe, intent))["status"] == "succeeded"


async def test_a_payment_the_platform_confirms_itself_waits_for_it_after_the_challenge(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe, confirmation_method="manual")
    await browser.post(page_of(intent), data={"outcome": "complete"})
    assert (await read_intent(stripe, intent))["status"] == "requires_confirmation"
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(browser, path, client_secret=intent["client_secret"])
    assert "secret key" in error["message"]
    paid = await send(stripe, path, return_url="http://platform.test/")
    assert paid["status"] == "succeeded"


@pytest.mark.parametrize("outcome", ["", "perhaps"])
async def test_an_answer_that_is_neither_is_asked_again(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, outcome: str
) -> None:
    intent = await challenged(stripe)
    answer = await browser.post(page_of(intent), data={"outcome": outcome})
    assert answer.status_code == 400
    assert 'name="outcome"' in answer.text
    assert (await read_intent(stripe, intent))["status"] == "requires_action"


async def test_a_challenge_is_answered_once(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe)
    page = page_of(intent)
    await browser.post(page, data={"outcome": "complete"})
    again = await browser.post(page, data={"outcome": "fail"})
    assert again.status_code == 409
    assert (await browser.get(page)).status_code == 409
    assert (await read_intent(stripe, intent))["status"] == "succeeded"
    assert (await browser.get("/3ds/pi_nothing")).status_code == 404
    assert (await browser.delete(page)).status_code == 405


async def test_a_seller_lost_during_the_challenge_is_not_paid(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    intent = await challenged(stripe)
    await set_transfers(stripe, intent["transfer_data"]["destination"], "restricted")
    answer = await browser.post(page_of(intent), data={"outcome": "complete"})
    assert answer.status_code == 400
    assert (await read_intent(stripe, intent)) == intent
