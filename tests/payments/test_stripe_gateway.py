"""The adapter's exact words to Stripe, and what it reads in the answers."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest
import respx

from payments.errors import CardDeclined, OutcomeUnknown, StripeRejected
from payments.gateway import (
    Address,
    BalanceTransaction,
    CancelDraft,
    CaptureDraft,
    ConfirmDraft,
    IntentDraft,
    RefundDraft,
    Shipping,
    UpdateDraft,
)
from payments.ids import (
    ConnectedAccountId,
    IdempotencyKey,
    IntentId,
    OperationId,
    OrderId,
    PaymentId,
    RefundId,
    SellerId,
)
from payments.stripe_client import StripeApi
from payments.stripe_gateway import LONGEST_LOOK_BACK_PAGES, StripePaymentGateway
from tests.payments.stripe_objects import (
    CREATED,
    Json,
    charge,
    movement,
    page,
    payment_intent,
    refund,
)

BASE = "http://stripe.test"
KEY = IdempotencyKey("order:ord_1:g1:pi:create")
WHOLE = {
    "expand[0]": "latest_charge.balance_transaction",
    "expand[1]": "latest_charge.application_fee",
    "expand[2]": "latest_charge.refunds.data.balance_transaction",
    "expand[3]": "latest_charge.refunds.data.transfer_reversal",
}
SHIPPING = Shipping(
    name="Ada",
    address=Address(line1="1 Lane", city="Paris", postal_code="75001", country="FR"),
)
SHIPPED = {
    "shipping[name]": "Ada",
    "shipping[address][line1]": "1 Lane",
    "shipping[address][city]": "Paris",
    "shipping[address][postal_code]": "75001",
    "shipping[address][country]": "FR",
}
INTENT = IntentDraft(
    operation_id=OperationId("op_1"),
    payment_id=PaymentId("pay_1"),
    order_id=OrderId("ord_1"),
    seller_id=SellerId("sel_1"),
    generation=2,
    amount=10_000,
    currency="usd",
    application_fee=1_000,
    destination=ConnectedAccountId("acct_1"),
    capture_method="manual",
    receipt_email="ada+buys@buyers.test",
    description="Shoes & laces",
)
REFUND = RefundDraft(
    operation_id=OperationId("op_3"),
    refund_id=RefundId("rfd_1"),
    payment_id=PaymentId("pay_1"),
    order_id=OrderId("ord_1"),
    intent_id=IntentId("pi_1"),
    amount=1_000,
    reason=None,
    reverse_transfer=True,
    refund_application_fee=False,
)


@pytest.fixture
async def gateway() -> AsyncIterator[StripePaymentGateway]:
    api = StripeApi("sk_test", base_address=BASE, transport="httpx", transaction_open=lambda: False)
    yield StripePaymentGateway(api)
    await api.close()


@pytest.fixture
def stripe() -> Iterator[respx.Router]:
    with respx.mock(base_url=BASE) as router:
        yield router


def form(request: httpx.Request) -> dict[str, str]:
    sent = request.content.decode()
    return dict(parse_qsl(sent, keep_blank_values=True, strict_parsing=True))


def query(request: httpx.Request) -> dict[str, str]:
    return dict(request.url.params)


def only(stripe: respx.Router) -> httpx.Request:
    assert len(stripe.calls) == 1
    request: httpx.Request = stripe.calls[0].request
    return request


class TestWords:
    async def test_a_destination_charge_is_asked_for_in_full(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/payment_intents").respond(json=payment_intent())
        await gateway.create_intent(INTENT, KEY)
        request = only(stripe)
        assert request.headers["idempotency-key"] == KEY
        assert form(request) == {
            "amount": "10000",
            "currency": "usd",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "capture_method": "manual",
            "application_fee_amount": "1000",
            "transfer_data[destination]": "acct_1",
            "transfer_data[metadata][order_id]": "ord_1",
            "transfer_data[metadata][payment_id]": "pay_1",
            "transfer_group": "order_ord_1",
            "receipt_email": "ada+buys@buyers.test",
            "description": "Shoes & laces",
            "metadata[order_id]": "ord_1",
            "metadata[payment_id]": "pay_1",
            "metadata[seller_id]": "sel_1",
            "metadata[operation_id]": "op_1",
            "metadata[generation]": "2",
        }

    async def test_a_fee_of_zero_is_left_out_of_a_creation(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/payment_intents").respond(json=payment_intent(application_fee_amount=None))
        draft = msgspec.structs.replace(INTENT, application_fee=0)
        assert (await gateway.create_intent(draft, KEY)).application_fee == 0
        assert "application_fee_amount" not in form(only(stripe))

    async def test_the_same_draft_is_the_same_request_to_the_byte(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/payment_intents").respond(json=payment_intent())
        await gateway.create_intent(INTENT, KEY)
        stored = msgspec.json.decode(msgspec.json.encode(INTENT), type=IntentDraft)
        await gateway.create_intent(stored, KEY)
        first, second = (call.request.content for call in stripe.calls)
        assert first == second

    async def test_a_creation_can_keep_the_card_and_say_where_goods_go(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/payment_intents").respond(json=payment_intent())
        draft = msgspec.structs.replace(
            INTENT, customer_id="cus_1", save_card=True, shipping=SHIPPING
        )
        await gateway.create_intent(draft, KEY)
        sent = form(only(stripe))
        assert (sent["customer"], sent["setup_future_usage"]) == ("cus_1", "on_session")
        assert {name: said for name, said in sent.items() if name.startswith("shipping")} == SHIPPED

    async def test_a_draft_stored_before_cards_could_be_kept_still_reads(self) -> None:
        stored = msgspec.to_builtins(INTENT)
        for name in ("customer_id", "save_card", "shipping"):
            del stored[name]
        assert msgspec.convert(stored, IntentDraft) == INTENT

    @pytest.mark.parametrize(("fee", "said"), [(600, "600"), (0, "")])
    async def test_an_update_brings_amount_and_fee_together(
        self, gateway: StripePaymentGateway, stripe: respx.Router, fee: int, said: str
    ) -> None:
        """Left out, the earlier fee would stay: an empty one takes it away."""
        stripe.post("/v1/payment_intents/pi_1").respond(
            json=payment_intent(metadata={"cart_version": "3"})
        )
        draft = UpdateDraft(
            operation_id=OperationId("op_4"),
            payment_id=PaymentId("pay_1"),
            order_id=OrderId("ord_1"),
            intent_id=IntentId("pi_1"),
            version=3,
            amount=7_000,
            application_fee=fee,
            shipping=SHIPPING,
        )
        key = IdempotencyKey("order:ord_1:g1:pi:update:3")
        updated = await gateway.update_intent(draft, key)
        request = only(stripe)
        assert request.headers["idempotency-key"] == key
        assert form(request) == {
            "amount": "7000",
            "application_fee_amount": said,
            "metadata[cart_version]": "3",
            **SHIPPED,
            **WHOLE,
        }
        assert updated.cart_version == 3

    async def test_a_confirmation_charges_what_the_buyer_was_shown_with_the_buyer_there(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        shown = payment_intent(
            status="requires_action",
            customer="cus_1",
            payment_method="pm_1",
            setup_future_usage="on_session",
        )
        stripe.post("/v1/payment_intents/pi_1/confirm").respond(json=shown)
        draft = ConfirmDraft(
            operation_id=OperationId("op_5"),
            payment_id=PaymentId("pay_1"),
            order_id=OrderId("ord_1"),
            intent_id=IntentId("pi_1"),
            payment_method_id="pm_1",
            amount=10_000,
            return_url="https://shop.example/orders/ord_1",
            asked_at=datetime.fromtimestamp(CREATED, UTC),
        )
        key = IdempotencyKey("order:ord_1:g1:confirm:1")
        seen = await gateway.confirm_intent(draft, key)
        request = only(stripe)
        assert request.headers["idempotency-key"] == key
        assert form(request) == {
            "payment_method": "pm_1",
            "amount_to_confirm": "10000",
            "off_session": "false",
            "use_stripe_sdk": "true",
            "return_url": "https://shop.example/orders/ord_1",
            **WHOLE,
        }
        assert (seen.customer_id, seen.payment_method_id, seen.saves_card) == (
            "cus_1",
            "pm_1",
            True,
        )

    @pytest.mark.parametrize(
        ("fee", "asks_fee", "said"),
        [
            (600, True, {"application_fee_amount": "600"}),
            (0, True, {"application_fee_amount": "0"}),
            (0, False, {}),
        ],
    )
    async def test_a_capture_is_final_and_leaves_out_only_a_fee_nobody_asked_for(
        self,
        gateway: StripePaymentGateway,
        stripe: respx.Router,
        fee: int,
        asks_fee: bool,
        said: dict[str, str],
    ) -> None:
        stripe.post("/v1/payment_intents/pi_1/capture").respond(json=payment_intent())
        draft = CaptureDraft(
            operation_id=OperationId("op_2"),
            payment_id=PaymentId("pay_1"),
            intent_id=IntentId("pi_1"),
            amount=6_000,
            application_fee=fee,
            asks_fee=asks_fee,
        )
        await gateway.capture_intent(draft, IdempotencyKey("order:ord_1:g1:capture:1"))
        request = only(stripe)
        assert request.headers["idempotency-key"] == "order:ord_1:g1:capture:1"
        assert form(request) == {
            "amount_to_capture": "6000",
            "final_capture": "true",
            **said,
            **WHOLE,
        }

    async def test_a_cancellation_says_why(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/payment_intents/pi_1/cancel").respond(
            json=payment_intent(status="canceled", cancellation_reason="abandoned")
        )
        draft = CancelDraft(
            operation_id=OperationId("op_2"),
            payment_id=PaymentId("pay_1"),
            intent_id=IntentId("pi_1"),
            reason="abandoned",
        )
        after = await gateway.cancel_intent(draft, IdempotencyKey("order:ord_1:g1:cancel"))
        assert (after.status, after.cancellation_reason) == ("canceled", "abandoned")
        assert form(only(stripe)) == {"cancellation_reason": "abandoned", **WHOLE}

    async def test_a_refund_says_who_bears_it(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/refunds").respond(json=refund())
        await gateway.create_refund(REFUND, IdempotencyKey("refund:rfd_1"))
        request = only(stripe)
        assert request.headers["idempotency-key"] == "refund:rfd_1"
        assert form(request) == {
            "payment_intent": "pi_1",
            "amount": "1000",
            "reverse_transfer": "true",
            "refund_application_fee": "false",
            "metadata[refund_id]": "rfd_1",
            "metadata[order_id]": "ord_1",
            "metadata[payment_id]": "pay_1",
            "metadata[operation_id]": "op_3",
            "expand[0]": "transfer_reversal",
        }

    async def test_a_reason_is_passed_on(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.post("/v1/refunds").respond(json=refund())
        draft = msgspec.structs.replace(REFUND, reason="duplicate")
        await gateway.create_refund(draft, IdempotencyKey("refund:rfd_1"))
        assert form(only(stripe))["reason"] == "duplicate"

    async def test_a_payment_intent_is_read_whole_in_one_request(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/payment_intents/pi_1").respond(json=payment_intent())
        await gateway.retrieve_intent(IntentId("pi_1"))
        assert query(only(stripe)) == WHOLE

    async def test_an_id_cannot_lead_to_another_path(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get(url__regex=".*").respond(json=payment_intent())
        await gateway.retrieve_intent(IntentId("../accounts?x=1#"))
        assert only(stripe).url.raw_path.startswith(
            b"/v1/payment_intents/..%2Faccounts%3Fx%3D1%23?expand"
        )


class TestReading:
    async def read(self, stripe: respx.Router, gateway: StripePaymentGateway, intent: Json) -> Any:
        stripe.get("/v1/payment_intents/pi_1").respond(json=intent, headers={"Request-Id": "req_1"})
        return await gateway.retrieve_intent(IntentId("pi_1"))

    async def test_a_captured_charge_with_all_that_came_of_it(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        refunds = page(refund("re_2", metadata={}, reason=None), refund("re_1"))
        shown = charge(amount_refunded=2_000, refunds=refunds)
        intent = payment_intent(status="succeeded", amount_received=10_000, latest_charge=shown)
        seen = await self.read(stripe, gateway, intent)
        assert (seen.status, seen.amount_received, seen.complete) == ("succeeded", 10_000, True)
        assert (seen.request_id, seen.destination) == ("req_1", "acct_1")
        assert seen.created_at == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        told = seen.charge
        assert (told.id, told.transfer_id, told.application_fee_id) == ("ch_1", "tr_1", "fee_1")
        assert (told.application_fee, told.processing_cost) == (1_000, 320)
        assert (told.amount_captured, told.amount_refunded) == (10_000, 2_000)
        assert [(one.id, one.refund_id, one.moved) for one in told.refunds] == [
            ("re_2", None, True),
            ("re_1", "rfd_1", True),
        ]
        assert told.refunds[1].transfer_reversal_id == "trr_1"

    @pytest.mark.parametrize(
        "changes",
        [
            {"application_fee": "fee_1"},
            {"balance_transaction": "txn_1"},
            {"refunds": page(refund(balance_transaction="txn_2"))},
            {"refunds": None},
        ],
        ids=["fee", "movement", "refund's movement", "no refunds"],
    )
    async def test_what_is_only_named_is_not_whole(
        self, gateway: StripePaymentGateway, stripe: respx.Router, changes: Json
    ) -> None:
        intent = payment_intent(latest_charge=charge(**changes))
        assert not (await self.read(stripe, gateway, intent)).complete

    async def test_a_charge_that_is_only_named_is_not_whole(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        seen = await self.read(stripe, gateway, payment_intent(latest_charge="ch_1"))
        assert (seen.charge, seen.complete) == (None, False)

    async def test_an_uncaptured_rest_is_no_refund_and_its_cost_counts(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        rest = movement("partial_capture_reversal", amount=-4_000, fee=-116)
        refunds = page(refund(amount=4_000, balance_transaction=rest, metadata={}))
        shown = charge(amount_captured=6_000, amount_refunded=4_000, refunds=refunds)
        seen = await self.read(stripe, gateway, payment_intent(latest_charge=shown))
        assert (seen.charge.amount_refunded, seen.charge.refunds) == (0, ())
        assert seen.charge.processing_cost == 320 - 116

    async def test_a_released_hold_is_no_refund(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        shown = charge(
            captured=False,
            amount_captured=0,
            amount_refunded=10_000,
            application_fee=None,
            balance_transaction=None,
            transfer=None,
            refunds=page(refund(amount=10_000, balance_transaction=None, metadata={})),
        )
        seen = await self.read(
            stripe, gateway, payment_intent(status="canceled", latest_charge=shown)
        )
        assert (seen.charge.amount_refunded, seen.charge.refunds) == (0, ())
        assert seen.complete

    async def test_a_failed_refund_no_longer_counts(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        failed = refund(status="failed", failure_reason="expired_or_canceled_card")
        shown = charge(refunds=page(failed, refund("re_2", status="pending")))
        seen = await self.read(stripe, gateway, payment_intent(latest_charge=shown))
        assert seen.charge.amount_refunded == 1_000
        assert seen.charge.refunds[0].failure_reason == "expired_or_canceled_card"

    async def test_a_decline_is_named_by_its_charge(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        error = {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "advice_code": "try_again_later",
            "charge": "ch_9",
            "payment_method": {"id": "pm_9", "card": {"brand": "visa", "last4": "9995"}},
        }
        seen = await self.read(stripe, gateway, payment_intent(last_payment_error=error))
        assert (seen.decline.reference, seen.decline.card.last4) == ("ch_9", "9995")
        assert (seen.decline.decline_code, seen.decline.advice_code) == (
            "insufficient_funds",
            "try_again_later",
        )

    async def test_a_failed_authentication_is_named_by_its_card(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        error = {
            "type": "invalid_request_error",
            "code": "payment_intent_authentication_failure",
            "payment_method": {"id": "pm_3ds", "card": None},
        }
        seen = await self.read(stripe, gateway, payment_intent(last_payment_error=error))
        assert seen.decline.reference == "pm_3ds:payment_intent_authentication_failure"
        assert seen.decline.card is None

    async def test_past_the_first_page_the_other_refunds_are_asked_for(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        shown = charge(refunds=page(refund("re_3"), has_more=True))
        stripe.get("/v1/refunds").mock(
            side_effect=[
                httpx.Response(200, json=page(refund("re_3"), refund("re_2"), has_more=True)),
                httpx.Response(200, json=page(refund("re_1"))),
            ]
        )
        seen = await self.read(stripe, gateway, payment_intent(latest_charge=shown))
        assert [one.id for one in seen.charge.refunds] == ["re_3", "re_2", "re_1"]
        assert seen.complete
        second = query(stripe.calls[2].request)
        assert second == {
            "payment_intent": "pi_1",
            "expand[0]": "data.balance_transaction",
            "expand[1]": "data.transfer_reversal",
            "limit": "100",
            "starting_after": "re_2",
        }

    async def test_a_rejection_carries_the_payment_intent(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        error = {"type": "card_error", "code": "card_declined", "payment_intent": payment_intent()}
        stripe.post("/v1/payment_intents").respond(402, json={"error": error})
        with pytest.raises(CardDeclined) as caught:
            await gateway.create_intent(INTENT, KEY)
        assert caught.value.snapshot.order_id == "ord_1"


class TestLooking:
    PLANNED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    # An id as `new_id` mints it at that moment, with zeros where it has random bits.
    DRAFT = msgspec.structs.replace(
        INTENT, operation_id=OperationId("op_01m7yzmhg00000000000000000")
    )

    def ours(self) -> Json:
        return payment_intent(id="pi_7", metadata={"operation_id": self.DRAFT.operation_id})

    async def test_a_lost_creation_is_found_among_what_was_created_since(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        others = [payment_intent(id=f"pi_{n}", metadata={}) for n in range(3)]
        stripe.get("/v1/payment_intents").respond(json=page(*others, self.ours()))
        stripe.get("/v1/payment_intents/pi_7").respond(json=self.ours())
        found = await gateway.find_intent(self.DRAFT)
        assert found is not None
        assert found.id == "pi_7"
        asked = query(stripe.calls[0].request)
        since = int(asked["created[gte]"])
        assert self.PLANNED.timestamp() - since == 300  # clocks may be five minutes apart
        assert asked["limit"] == "100"

    async def test_nothing_of_ours_is_nothing(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/payment_intents").respond(json=page(payment_intent()))
        assert await gateway.find_intent(self.DRAFT) is None

    @pytest.mark.parametrize("known", [True, False])
    async def test_in_a_long_list_search_takes_over(
        self, gateway: StripePaymentGateway, stripe: respx.Router, known: bool
    ) -> None:
        endless = stripe.get("/v1/payment_intents").respond(
            json=page(payment_intent(), has_more=True)
        )
        search = stripe.get("/v1/payment_intents/search").respond(
            json=page(*([self.ours()] if known else []))
        )
        if known:
            stripe.get("/v1/payment_intents/pi_7").respond(json=self.ours())
        found = await gateway.find_intent(self.DRAFT)
        assert (found is not None) == known
        assert endless.call_count == LONGEST_LOOK_BACK_PAGES
        operation_id = self.DRAFT.operation_id
        assert query(search.calls[0].request) == {
            "query": f"metadata['operation_id']:'{operation_id}'"
        }

    async def test_a_refusal_to_look_decides_nothing(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        no = {"error": {"type": "invalid_request_error", "code": "not_available"}}
        stripe.get("/v1/payment_intents").respond(400, json=no)
        stripe.get("/v1/refunds").respond(400, json=no)
        with pytest.raises(OutcomeUnknown) as caught:
            await gateway.find_intent(self.DRAFT)
        assert caught.value.why == "cannot_look:not_available"
        with pytest.raises(OutcomeUnknown):
            await gateway.find_refund(REFUND)

    async def test_a_lost_refund_is_found_by_our_id(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/refunds").respond(json=page(refund("re_2", metadata={}), refund("re_1")))
        found = await gateway.find_refund(REFUND)
        assert found is not None
        assert found.id == "re_1"
        assert query(only(stripe))["payment_intent"] == "pi_1"


class TestBalance:
    SINCE = datetime.fromtimestamp(CREATED, UTC)
    UNTIL = datetime.fromtimestamp(CREATED + 3_600, UTC)

    async def listed(self, gateway: StripePaymentGateway) -> list[BalanceTransaction]:
        found = gateway.balance_transactions(since=self.SINCE, until=self.UNTIL)
        return [one async for one in found]

    async def test_every_page_is_read(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/balance_transactions").mock(
            side_effect=[
                httpx.Response(200, json=page(movement("a", amount=2), has_more=True)),
                httpx.Response(200, json=page(movement("b", amount=1))),
            ]
        )
        assert [one.amount for one in await self.listed(gateway)] == [2, 1]
        first, second = (query(call.request) for call in stripe.calls)
        assert first == {
            "created[gte]": str(CREATED),
            "created[lt]": str(CREATED + 3_600),
            "expand[0]": "data.source",
            "limit": "100",
        }
        assert second == {**first, "starting_after": "txn_a"}

    async def test_parts_of_a_second_round_up_to_the_next(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/balance_transactions").respond(json=page())
        half = timedelta(milliseconds=500)
        found = gateway.balance_transactions(since=self.SINCE + half, until=self.UNTIL + half)
        assert [one async for one in found] == []
        asked = query(only(stripe))
        assert asked["created[gte]"] == str(CREATED + 1)
        assert asked["created[lt]"] == str(CREATED + 3_601)

    @pytest.mark.parametrize(
        "source",
        [
            {"object": "charge", "id": "ch_1"},
            {"object": "refund", "id": "re_1", "charge": "ch_1"},
            {"object": "dispute", "id": "dp_1", "charge": "ch_1"},
            {"object": "transfer", "id": "tr_1", "source_transaction": "ch_1"},
            {"object": "application_fee", "id": "fee_1", "originating_transaction": "ch_1"},
        ],
        ids=lambda source: source["object"],
    )
    async def test_a_source_names_its_charge(
        self, gateway: StripePaymentGateway, stripe: respx.Router, source: Json
    ) -> None:
        stripe.get("/v1/balance_transactions").respond(
            json=page(movement("x", amount=5, source=source))
        )
        (one,) = await self.listed(gateway)
        assert (one.source_id, one.charge_id) == (source["id"], "ch_1")

    @pytest.mark.parametrize(
        "source", [None, "po_1", {"object": "payout", "id": "po_1"}, {"object": "topup"}]
    )
    async def test_what_is_of_no_charge_has_none(
        self, gateway: StripePaymentGateway, stripe: respx.Router, source: object
    ) -> None:
        stripe.get("/v1/balance_transactions").respond(
            json=page(movement("payout", amount=-5, source=source))
        )
        (one,) = await self.listed(gateway)
        assert one.charge_id is None

    async def test_a_reversals_charge_is_known_from_its_page_or_asked_for_once(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        def reversal(n: int, transfer: str) -> Json:
            source = {"object": "transfer_reversal", "id": f"trr_{n}", "transfer": transfer}
            return movement("transfer_reversal", amount=n, source=source)

        near = {"object": "transfer", "id": "tr_near", "source_transaction": "ch_near"}
        fee_refund = {"object": "fee_refund", "id": "fr_1", "fee": "fee_far"}
        stripe.get("/v1/balance_transactions").respond(
            json=page(
                reversal(3, "tr_far"),
                reversal(2, "tr_far"),
                reversal(1, "tr_near"),
                movement("platform_earning_refund", amount=-1, source=fee_refund),
                movement("transfer", amount=-9, source=near),
            )
        )
        transfer = stripe.get("/v1/transfers/tr_far").respond(
            json={"id": "tr_far", "source_transaction": "ch_far"}
        )
        fee = stripe.get("/v1/application_fees/fee_far").respond(
            json={"id": "fee_far", "originating_transaction": "ch_far"}
        )
        found = [one.charge_id for one in await self.listed(gateway)]
        assert found == ["ch_far", "ch_far", "ch_near", "ch_far", "ch_near"]
        assert (transfer.call_count, fee.call_count) == (1, 1)

    async def test_a_list_that_breaks_off_is_not_taken_for_whole(
        self, gateway: StripePaymentGateway, stripe: respx.Router
    ) -> None:
        stripe.get("/v1/balance_transactions").mock(
            side_effect=[
                httpx.Response(200, json=page(movement("a", amount=2), has_more=True)),
                httpx.Response(404, json={"error": {"code": "resource_missing"}}),
            ]
        )
        with pytest.raises(StripeRejected):
            await self.listed(gateway)
