"""The one client of Stripe's API.

Its exact requests, what it keeps to itself, what it never does.
"""

import json
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx
import stripe

from payments.errors import OutcomeUnknown, StripeRejected, TransactionOpen
from payments.stripe_client import API_VERSION, StripeApi
from payments.stripe_wire import PaymentIntentObject
from tests.payments.stripe_objects import payment_intent

BASE = "http://stripe.test"
KEY = "sk_test_never_logged"
INTENTS = "/v1/payment_intents"


@pytest.fixture
async def api() -> AsyncIterator[StripeApi]:
    api = StripeApi(KEY, base_address=BASE, transport="httpx", transaction_open=lambda: False)
    yield api
    await api.close()


@pytest.fixture
def stripe_server() -> Iterator[respx.Router]:
    with respx.mock(base_url=BASE) as router:
        yield router


def sent(router: respx.Router) -> httpx.Request:
    assert len(router.calls) == 1
    request: httpx.Request = router.calls[0].request
    return request


class TestRequests:
    async def test_a_post_carries_key_version_and_form(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.post(INTENTS).respond(json=payment_intent())
        await api.request(
            "post",
            INTENTS,
            {
                "amount": 10_000,
                "application_fee_amount": None,
                "automatic_payment_methods": {"enabled": True},
                "expand": ("latest_charge",),
            },
            key="order:ord_1:g1:pi:create",
        )
        request = sent(stripe_server)
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["stripe-version"] == API_VERSION == "2026-10-28.endive"
        assert request.headers["idempotency-key"] == "order:ord_1:g1:pi:create"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "stripe-account" not in request.headers
        assert request.content.decode() == (
            "amount=10000&automatic_payment_methods[enabled]=true&expand[0]=latest_charge"
        )

    async def test_the_key_is_never_a_form_field(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.post(INTENTS).respond(json=payment_intent())
        await api.request("post", INTENTS, key="refund:rfd_1")
        assert sent(stripe_server).content == b""

    async def test_a_get_puts_its_parameters_in_the_address_and_has_no_key(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.get("/v1/refunds").respond(json={"data": []})
        await api.request("get", "/v1/refunds", {"created": {"gte": 5}, "limit": 100})
        request = sent(stripe_server)
        assert request.url.query == b"created[gte]=5&limit=100"
        assert "idempotency-key" not in request.headers

    async def test_version_2_speaks_json_under_the_same_version(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.post("/v2/core/accounts").respond(json={"id": "acct_1"})
        stripe_server.get("/v2/core/accounts/acct_1").respond(json={"id": "acct_1"})
        await api.request("post", "/v2/core/accounts", {"dashboard": "express"}, key="seller:1")
        await api.request("get", "/v2/core/accounts/acct_1", {"include": ["identity"]})
        post, get = (call.request for call in stripe_server.calls)
        assert post.headers["content-type"] == "application/json"
        assert json.loads(post.content) == {"dashboard": "express"}
        assert post.headers["idempotency-key"] == "seller:1"
        assert post.headers["stripe-version"] == get.headers["stripe-version"] == API_VERSION
        assert get.url.query == b"include[0]=identity"

    async def test_it_can_act_for_a_connected_account(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.get("/v1/payouts").respond(json={"data": []})
        await api.request("get", "/v1/payouts", account="acct_1")
        assert sent(stripe_server).headers["stripe-account"] == "acct_1"

    async def test_nothing_is_told_about_the_machine(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.get("/v1/balance").respond(json={}, headers={"Request-Id": "req_1"})
        await api.request("get", "/v1/balance")
        await api.request("get", "/v1/balance")
        assert not stripe.enable_telemetry
        for call in stripe_server.calls:
            about = json.loads(call.request.headers["x-stripe-client-user-agent"])
            assert {"platform", "telemetry_id"}.isdisjoint(about)
            assert "x-stripe-client-telemetry" not in call.request.headers

    @pytest.mark.parametrize("status", [409, 429, 500, 503])
    async def test_nothing_is_retried_here(
        self, api: StripeApi, stripe_server: respx.Router, status: int
    ) -> None:
        headers = {"Stripe-Should-Retry": "false"}
        stripe_server.post(INTENTS).respond(status, json={"error": {}}, headers=headers)
        with pytest.raises(Exception, match=r"http_|unreadable"):
            await api.request("post", INTENTS, key="k")
        assert len(stripe_server.calls) == 1

    async def test_a_failed_connection_is_not_retried_either(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.post(INTENTS).mock(side_effect=httpx.ReadError("reset"))
        with pytest.raises(OutcomeUnknown):
            await api.request("post", INTENTS, key="k")
        assert len(stripe_server.calls) == 1

    async def test_no_request_goes_out_inside_a_transaction(
        self, stripe_server: respx.Router
    ) -> None:
        api = StripeApi(KEY, base_address=BASE, transport="httpx", transaction_open=lambda: True)
        with pytest.raises(TransactionOpen):
            await api.request("post", INTENTS, key="k")
        assert not stripe_server.calls
        await api.close()


class TestAnswers:
    async def test_a_yes_is_plain_data_with_its_request_id(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.get("/v1/balance").respond(
            json={"object": "balance"}, headers={"Request-Id": "req_7"}
        )
        answer = await api.request("get", "/v1/balance")
        assert (answer.data, answer.request_id) == ({"object": "balance"}, "req_7")

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>", b"[1, 2]", b"null", b"\xff\xfe", b'{"object"', b'{"a":' * 5_000],
        ids=["empty", "html", "list", "null", "not utf-8", "cut off", "deep"],
    )
    async def test_a_yes_that_is_no_json_object_is_no_answer(
        self, api: StripeApi, stripe_server: respx.Router, body: bytes
    ) -> None:
        stripe_server.post(INTENTS).respond(200, content=body, headers={"Request-Id": "req_1"})
        with pytest.raises(OutcomeUnknown) as caught:
            await api.request("post", INTENTS, key="k")
        assert (caught.value.why, caught.value.replayed) == ("unreadable", False)

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": 100.0},
            {"amount": "100"},
            {"amount": None},
            {"status": 7},
            {"object": "charge"},
            {"metadata": ["order_id"]},
            {"latest_charge": 5},
            {"created": "2026-11-21"},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    async def test_a_yes_of_another_shape_is_no_answer(
        self, api: StripeApi, stripe_server: respx.Router, changes: dict[str, object]
    ) -> None:
        stripe_server.post(INTENTS).respond(
            json=payment_intent(**changes), headers={"Request-Id": "req_2"}
        )
        answer = await api.request("post", INTENTS, key="k")
        with pytest.raises(OutcomeUnknown) as caught:
            answer.read(PaymentIntentObject)
        assert (caught.value.why, caught.value.request_id) == ("unreadable", "req_2")

    async def test_fields_of_next_year_are_no_surprise(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        stripe_server.get(f"{INTENTS}/pi_1").respond(json=payment_intent(new_in_2027=[1.5]))
        answer = await api.request("get", f"{INTENTS}/pi_1")
        assert answer.read(PaymentIntentObject).amount == 10_000


class TestSecrets:
    async def test_neither_key_nor_client_secret_is_logged_or_shown(
        self,
        api: StripeApi,
        stripe_server: respx.Router,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        stripe_server.post(INTENTS).respond(json=payment_intent())
        answer = await api.request("post", INTENTS, key="k")
        shown = caplog.text + repr(answer) + repr(answer.read(PaymentIntentObject))
        assert "hush" not in shown
        assert KEY not in shown

    async def test_an_error_holds_nothing_of_the_answer_but_its_words(
        self, api: StripeApi, stripe_server: respx.Router
    ) -> None:
        error = {"type": "card_error", "code": "card_declined", "message": "No."}
        stripe_server.post(INTENTS).respond(
            402, json={"error": {**error, "payment_intent": payment_intent()}}
        )
        with pytest.raises(StripeRejected) as caught:
            await api.request("post", INTENTS, key="k")
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert "hush" not in repr(caught.value) + str(caught.value.args)
        assert "hush" not in repr(caught.value.snapshot)
        assert caught.value.snapshot.client_secret == "pi_1_secret_hush"
