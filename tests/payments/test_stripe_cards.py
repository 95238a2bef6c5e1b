"""The cards adapter's exact words to Stripe, and what it reads in the answers."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from payments.card_gateway import CustomerDraft, DetachDraft, SetupDraft
from payments.errors import OutcomeUnknown
from payments.ids import IdempotencyKey, OperationId
from payments.stripe_cards import StripeCards
from payments.stripe_client import StripeApi
from tests.payments.stripe_objects import CREATED, page

BASE = "http://stripe.test"
KEY = IdempotencyKey("buyer:acc_1:customer")
CUSTOMER = CustomerDraft(
    operation_id=OperationId("op_1"), buyer_id="acc_1", email="ada+buys@buyers.test"
)
SETUP = SetupDraft(
    operation_id=OperationId("op_2"), setup_id="cst_1", buyer_id="acc_1", customer_id="cus_1"
)


@pytest.fixture
def stripe() -> Iterator[respx.Router]:
    with respx.mock(base_url=BASE) as router:
        yield router


@pytest.fixture
async def cards() -> AsyncIterator[StripeCards]:
    api = StripeApi("sk_test_1", base_address=BASE, transport="httpx")
    yield StripeCards(api)
    await api.close()


def form(stripe: respx.Router) -> dict[str, str]:
    [call] = stripe.calls
    return dict(parse_qsl(call.request.content.decode(), strict_parsing=True))


def setup(**changes: Any) -> dict[str, Any]:
    return {
        "id": "seti_1",
        "object": "setup_intent",
        "status": "requires_payment_method",
        "client_secret": "seti_1_secret_hush",
        "customer": "cus_1",
        "metadata": {"setup_id": "cst_1"},
        "last_setup_error": None,
        "a_field_of_next_year": [],
        **changes,
    }


def method(id: str) -> dict[str, Any]:
    card = {"brand": "visa", "last4": "4242", "exp_month": 2, "exp_year": 2034, "fingerprint": "f1"}
    return {"id": id, "object": "payment_method", "created": CREATED, "type": "card", "card": card}


async def test_a_customer_is_known_by_our_ids(cards: StripeCards, stripe: respx.Router) -> None:
    stripe.post("/v1/customers").respond(json={"id": "cus_1", "object": "customer", "metadata": {}})
    made = await cards.create_customer(CUSTOMER, KEY)
    assert (made.id, made.deleted) == ("cus_1", False)
    assert stripe.calls[0].request.headers["idempotency-key"] == KEY
    assert form(stripe) == {
        "email": "ada+buys@buyers.test",
        "metadata[buyer_id]": "acc_1",
        "metadata[operation_id]": "op_1",
    }


async def test_a_customer_is_looked_for_on_every_page_of_that_address(
    cards: StripeCards, stripe: respx.Router
) -> None:
    other = {"id": "cus_2", "metadata": {"operation_id": "op_2"}}
    ours = {"id": "cus_1", "metadata": {"operation_id": "op_1"}}
    pages = [page(other, has_more=True), page(ours)]
    stripe.get("/v1/customers").mock(side_effect=[httpx.Response(200, json=one) for one in pages])
    found = await cards.find_customer(CUSTOMER)
    assert found is not None
    assert found.id == "cus_1"
    asked = [dict(call.request.url.params) for call in stripe.calls]
    assert asked[0] == {"email": "ada+buys@buyers.test", "limit": "100"}
    assert asked[1]["starting_after"] == "cus_2"


async def test_a_no_to_looking_is_no_answer(cards: StripeCards, stripe: respx.Router) -> None:
    refused = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}
    stripe.get("/v1/setup_intents").respond(404, json=refused)
    with pytest.raises(OutcomeUnknown):
        await cards.find_setup(SETUP)


async def test_a_setup_is_for_payments_with_the_owner_there(
    cards: StripeCards, stripe: respx.Router
) -> None:
    stripe.post("/v1/setup_intents").respond(json=setup())
    seen = await cards.create_setup(SETUP, IdempotencyKey("setup:cst_1:create"))
    assert form(stripe) == {
        "customer": "cus_1",
        "usage": "on_session",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
        "metadata[setup_id]": "cst_1",
        "metadata[buyer_id]": "acc_1",
        "metadata[operation_id]": "op_2",
    }
    assert (seen.setup_id, seen.customer_id, seen.decline) == ("cst_1", "cus_1", None)
    assert "hush" not in repr(seen)


async def test_why_a_bank_did_not_want_it(cards: StripeCards, stripe: respx.Router) -> None:
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "stolen_card",
        "advice_code": "do_not_try_again",
        "payment_method": method("pm_1"),
    }
    stripe.get("/v1/setup_intents/seti_1").respond(json=setup(last_setup_error=error))
    decline = (await cards.retrieve_setup("seti_1")).decline
    assert decline is not None
    assert (decline.reference, decline.decline_code, decline.advice_code) == (
        "pm_1:card_declined",
        "stolen_card",
        "do_not_try_again",
    )


async def test_a_failed_authentication_has_no_card(
    cards: StripeCards, stripe: respx.Router
) -> None:
    error = {"type": "invalid_request_error", "code": "setup_intent_authentication_failure"}
    stripe.get("/v1/setup_intents/seti_1").respond(json=setup(last_setup_error=error))
    decline = (await cards.retrieve_setup("seti_1")).decline
    assert decline is not None
    assert (decline.reference, decline.card) == ("seti_1:setup_intent_authentication_failure", None)


async def test_a_card_is_detached(cards: StripeCards, stripe: respx.Router) -> None:
    stripe.post("/v1/payment_methods/pm_1/detach").respond(json=method("pm_1"))
    draft = DetachDraft(
        operation_id=OperationId("op_3"),
        card_id="crd_1",
        buyer_id="acc_1",
        customer_id="cus_1",
        payment_method_id="pm_1",
    )
    await cards.detach_card(draft, IdempotencyKey("card:crd_1:detach:1"))
    assert stripe.calls[0].request.headers["idempotency-key"] == "card:crd_1:detach:1"


async def test_only_cards_are_listed_to_the_last_page(
    cards: StripeCards, stripe: respx.Router
) -> None:
    pages = [page(method("pm_2"), has_more=True), page(method("pm_1"))]
    stripe.get("/v1/customers/cus_1/payment_methods").mock(
        side_effect=[httpx.Response(200, json=one) for one in pages]
    )
    listed = await cards.cards_of("cus_1")
    assert [one.payment_method_id for one in listed] == ["pm_2", "pm_1"]
    assert (listed[0].expiry_month, listed[0].expiry_year, listed[0].fingerprint) == (2, 2034, "f1")
    assert dict(stripe.calls[0].request.url.params) == {"type": "card", "limit": "100"}


async def test_a_deleted_customer(cards: StripeCards, stripe: respx.Router) -> None:
    gone = {"id": "cus_1", "object": "customer", "deleted": True}
    stripe.get("/v1/customers/cus_1").respond(json=gone)
    assert (await cards.retrieve_customer("cus_1")).deleted
