"""Disputes in the sandbox: what they take from the platform, and what they give back."""

import httpx
import pytest

from stripe_sandbox.disputes import FEE_MINOR
from tests.sandbox.controls import control, control_refused, dispute
from tests.sandbox.money import (
    AMOUNT,
    FEE,
    PROCESSING,
    Json,
    booked,
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
    refused,
    send,
    total,
)

BOTH = {"reverse_transfer": True, "refund_application_fee": True}


async def test_a_dispute_takes_amount_and_fee_from_the_platform_alone(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    opened = await dispute(stripe, intent, reason="product_not_received")
    assert (opened["status"], opened["amount"]) == ("needs_response", AMOUNT)
    assert (opened["payment_intent"], opened["charge"]) == (intent["id"], intent["latest_charge"])
    assert opened["payment_method_details"]["card"]["network_reason_code"] == "13.1"
    assert opened["is_charge_refundable"] is False
    (taken,) = opened["balance_transactions"]
    last = (await movements(stripe))[-1]
    assert (taken["id"], taken["source"]) == (last["id"], opened["id"])
    assert booked([last]) == [("adjustment", "dispute", -AMOUNT, FEE_MINOR)]
    assert total(await movements(stripe)) == FEE - PROCESSING - AMOUNT - FEE_MINOR
    assert total(await movements(stripe, seller)) == AMOUNT - FEE
    charge = await charge_of(stripe, intent)
    assert (charge["disputed"], charge["amount_refunded"]) == (True, 0)
    assert (await read(stripe, f"/v1/transfers/{charge['transfer']}"))["amount_reversed"] == 0
    assert (await event_types(stripe))[-2:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]


async def test_a_dispute_that_is_won_gives_everything_back(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    before = total(await movements(stripe))
    opened = await dispute(stripe, intent)
    won = await control(stripe, f"disputes/{opened['id']}", outcome="won")
    assert (won["status"], len(won["balance_transactions"])) == ("won", 2)
    assert booked((await movements(stripe))[-1:]) == [
        ("adjustment", "dispute_reversal", AMOUNT, -FEE_MINOR)
    ]
    assert total(await movements(stripe)) == before
    assert (await event_types(stripe))[-2:] == [
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    closed = await newest_event(stripe, "charge.dispute.closed")
    assert closed["data"]["previous_attributes"]["status"] == "needs_response"
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=100, **BOTH)
    assert refund["status"] == "succeeded"


async def test_a_dispute_that_is_lost_gives_nothing_back(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    opened = await dispute(stripe, intent)
    lost = await control(stripe, f"disputes/{opened['id']}", outcome="lost")
    assert (lost["status"], len(lost["balance_transactions"])) == ("lost", 1)
    assert (await event_types(stripe))[-1] == "charge.dispute.closed"
    error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"], amount=1)
    assert error["code"] == "charge_disputed"


async def test_a_dispute_that_is_won_in_part_is_lost_and_gives_that_part_back(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    opened = await dispute(stripe, intent)
    path = f"disputes/{opened['id']}"
    assert "lies between" in await control_refused(stripe, path, outcome="partial", amount=AMOUNT)
    ended = await control(stripe, path, outcome="partial", amount=4_000)
    assert ended["status"] == "lost"
    assert [t["net"] for t in ended["balance_transactions"]] == [-AMOUNT - FEE_MINOR, 4_000]
    assert (await event_types(stripe))[-1] == "charge.dispute.funds_reinstated"


async def test_a_disputed_charge_cannot_be_refunded(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    await dispute(stripe, intent, amount=10)
    error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"], amount=1, **BOTH)
    assert error["code"] == "charge_disputed"
    assert (await read(stripe, "/v1/refunds"))["data"] == []


async def test_what_was_refunded_already_is_not_disputed_unless_the_bank_errs(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=6_000, **BOTH)
    assert (await dispute(stripe, intent))["amount"] == 4_000

    other = await pay(stripe, await open_seller(stripe))
    await send(stripe, "/v1/refunds", payment_intent=other["id"], **BOTH)
    assert (await dispute(stripe, other, reason="credit_not_processed"))["amount"] == AMOUNT


async def test_of_a_partly_captured_payment_only_that_part_is_disputed(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/capture"
    await send(stripe, path, amount_to_capture=6_000, application_fee_amount=738)
    assert (await dispute(stripe, intent))["amount"] == 6_000


async def test_a_refund_under_way_fails_when_its_charge_is_disputed(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_pendingRefund")
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=2_000)
    opened = await dispute(stripe, intent)
    failed = await read(stripe, f"/v1/refunds/{refund['id']}")
    assert failed["status"] == "failed"
    assert failed["failure_reason"] == "charge_for_pending_refund_disputed"
    assert opened["amount"] == AMOUNT


async def test_several_disputes_never_take_more_than_was_paid(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    await dispute(stripe, intent, amount=6_000)
    body: Json = {"payment_intent": intent["id"]}
    assert "disputed already" in await control_refused(stripe, "disputes", amount=4_001, **body)
    await dispute(stripe, intent, amount=4_000)
    assert "disputed already" in await control_refused(stripe, "disputes", amount=1, **body)
    listed = (await read(stripe, "/v1/disputes", payment_intent=intent["id"]))["data"]
    assert [each["amount"] for each in listed] == [4_000, 6_000]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"amount": 0}, "took"),
        ({"amount": AMOUNT + 1}, "took"),
        ({"reason": "spite"}, "reason is one of"),
        ({"payment_intent": "pi_none"}, "No such payment_intent"),
        ({"colour": "red"}, "unknown field"),
    ],
)
async def test_a_dispute_fits_its_payment(
    stripe: httpx.AsyncClient, wrong: Json, word: str
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    message = await control_refused(stripe, "disputes", **{"payment_intent": intent["id"], **wrong})
    assert word in message
    assert (await read(stripe, "/v1/disputes"))["data"] == []


async def test_what_took_no_money_cannot_be_disputed(stripe: httpx.AsyncClient) -> None:
    held = await hold(stripe, await open_seller(stripe))
    assert "not been paid" in await control_refused(stripe, "disputes", payment_intent=held["id"])


@pytest.mark.parametrize(
    ("card", "reason", "status"),
    [
        ("pm_card_createDispute", "fraudulent", "needs_response"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received", "needs_response"),
        ("pm_card_createDisputeInquiry", "fraudulent", "warning_needs_response"),
    ],
)
async def test_test_cards_dispute_their_payments_themselves(
    stripe: httpx.AsyncClient, card: str, reason: str, status: str
) -> None:
    intent = await confirm(stripe, await create(stripe, await open_seller(stripe)), card)
    assert intent["status"] == "succeeded"
    (opened,) = (await read(stripe, "/v1/disputes", charge=intent["latest_charge"]))["data"]
    assert (opened["reason"], opened["status"]) == (reason, status)
    types = await event_types(stripe)
    assert types.index("application_fee.created") < types.index("charge.dispute.created")


async def test_a_disputing_card_waits_until_its_money_is_captured(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe), capture_method="manual")
    await confirm(stripe, intent, "pm_card_createDispute")
    assert (await read(stripe, "/v1/disputes"))["data"] == []
    await send(stripe, f"/v1/payment_intents/{intent['id']}/capture")
    assert len((await read(stripe, "/v1/disputes"))["data"]) == 1
