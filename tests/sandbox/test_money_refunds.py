"""Refunds in the sandbox: who gets what back, in proportion and to the last cent."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_sandbox.application_fees import part_of
from tests.sandbox.money import (
    AMOUNT,
    FEE,
    PROCESSING,
    Json,
    advance,
    booked,
    charge_of,
    confirm,
    create,
    event_types,
    hold,
    movements,
    open_seller,
    pay,
    read,
    refused,
    send,
    total,
)

BOTH = {"reverse_transfer": True, "refund_application_fee": True}
HOUR_SECONDS = 3_600


async def test_a_full_refund_undoes_everything_but_stripes_own_fee(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    metadata = {"refund_id": "rfd_1"}
    refund = await send(
        stripe,
        "/v1/refunds",
        payment_intent=intent["id"],
        reason="requested_by_customer",
        metadata=metadata,
        **BOTH,
    )
    assert (refund["amount"], refund["status"]) == (AMOUNT, "succeeded")
    assert (refund["metadata"], refund["reason"]) == (metadata, "requested_by_customer")
    assert booked((await movements(stripe))[3:]) == [
        ("refund", "refund", -AMOUNT, 0),
        ("transfer_refund", "transfer_reversal", AMOUNT, 0),
        ("application_fee_refund", "platform_earning_refund", -FEE, 0),
    ]
    assert booked((await movements(stripe, seller))[1:]) == [
        ("payment_refund", "refund", -AMOUNT, -FEE)
    ]
    assert total(await movements(stripe)) == -PROCESSING
    assert total(await movements(stripe, seller)) == 0
    charge = await charge_of(stripe, intent)
    assert (charge["amount_refunded"], charge["refunded"]) == (AMOUNT, True)


async def _told(stripe: httpx.AsyncClient, type: str) -> list[Json]:
    """What the events of a type carry, newest first."""
    return [event["data"] for event in (await read(stripe, "/v1/events", type=type))["data"]]


async def test_a_refund_is_told_in_order(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    before = len(await event_types(stripe))
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=1, **BOTH)
    assert (await event_types(stripe))[before:] == [
        "refund.created",
        "charge.refunded",
        "transfer.reversed",
    ]
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    assert (await event_types(stripe))[before + 3 :] == [
        "refund.created",
        "charge.refunded",
        "transfer.reversed",
        "application_fee.refunded",
    ]
    last, first = await _told(stripe, "charge.refunded")
    assert first["previous_attributes"] == {"amount_refunded": 0}
    assert last["previous_attributes"] == {"amount_refunded": 1, "refunded": False}
    assert last["object"]["amount_refunded"] == AMOUNT
    last, first = await _told(stripe, "transfer.reversed")
    assert first["previous_attributes"] == {
        "amount_reversed": 0,
        "reversals": {"data": []},
    }
    assert last["previous_attributes"]["reversals"] == {
        "data": first["object"]["reversals"]["data"]
    }
    assert refund["transfer_reversal"].startswith("trr_")


async def test_partial_refunds_bring_back_parts_that_add_up_exactly(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller, application_fee_amount=1_001)
    parts = [3_333, 1, 1, 2_222, 7, 4_436]
    assert sum(parts) == AMOUNT
    returned: list[int] = []
    for part in parts:
        await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=part, **BOTH)
        (fee,) = (await read(stripe, "/v1/application_fees"))["data"]
        returned.append(fee["amount_refunded"])
    so_far = [sum(parts[: i + 1]) for i in range(len(parts))]
    assert returned == [(2 * 1_001 * s + AMOUNT) // (2 * AMOUNT) for s in so_far]
    assert (returned[-1], fee["refunded"]) == (1_001, True)
    (transfer,) = (await read(stripe, "/v1/transfers"))["data"]
    assert (transfer["amount_reversed"], transfer["reversed"]) == (AMOUNT, True)
    assert total(await movements(stripe, seller)) == 0
    assert total(await movements(stripe)) == -PROCESSING


@given(
    fee=st.integers(0, 10_000),
    parts=st.lists(st.integers(1, 5_000), min_size=1, max_size=12),
)
def test_however_a_charge_is_refunded_the_fee_comes_back_once(fee: int, parts: list[int]) -> None:
    charged = sum(parts)
    kept = {"amount": min(fee, charged), "amount_refunded": 0, "_reversed": 0, "_returned": 0}
    for part in parts:
        back = part_of(kept, part, charged)
        assert back >= 0
        kept["_reversed"] += part
        kept["_returned"] += back
        kept["amount_refunded"] += back
    assert kept["amount_refunded"] == kept["amount"]


async def test_a_refund_that_keeps_the_fee_costs_the_seller_the_fee(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], reverse_transfer=True)
    assert total(await movements(stripe, seller)) == -FEE
    assert total(await movements(stripe)) == FEE - PROCESSING


async def test_a_refund_without_reversal_is_paid_by_the_platform(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    refund = await send(stripe, "/v1/refunds", charge=intent["latest_charge"])
    assert refund["transfer_reversal"] is None
    assert total(await movements(stripe, seller)) == AMOUNT - FEE
    assert total(await movements(stripe)) == FEE - PROCESSING - AMOUNT


async def test_a_partly_captured_payment_is_refunded_up_to_what_was_captured(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await hold(stripe, seller)
    path = f"/v1/payment_intents/{intent['id']}/capture"
    await send(stripe, path, amount_to_capture=6_000, application_fee_amount=738)
    error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"], amount=6_001, **BOTH)
    assert error["param"] == "amount"
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=3_000, **BOTH)
    last = await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    assert last["amount"] == 3_000
    assert total(await movements(stripe, seller)) == 0
    charge = await charge_of(stripe, intent)
    assert (charge["amount_refunded"], charge["refunded"]) == (AMOUNT, True)


async def test_more_than_was_paid_is_never_refunded(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    target = {"payment_intent": intent["id"], **BOTH}
    error = await refused(stripe, "/v1/refunds", amount=AMOUNT + 1, **target)
    assert (error.get("code"), error["param"]) == (None, "amount")
    assert "greater than unrefunded amount" in error["message"]
    await send(stripe, "/v1/refunds", amount=AMOUNT - 1, **target)
    error = await refused(stripe, "/v1/refunds", amount=2, **target)
    assert error["param"] == "amount"
    await send(stripe, "/v1/refunds", amount=1, **target)
    error = await refused(stripe, "/v1/refunds", amount=1, **target)
    assert error["code"] == "charge_already_refunded"
    assert len((await read(stripe, "/v1/refunds", payment_intent=intent["id"]))["data"]) == 2


@pytest.mark.parametrize("amount", [0, -1])
async def test_a_refund_of_nothing_or_less_is_refused(
    stripe: httpx.AsyncClient, amount: int
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"], amount=amount)
    assert error["code"] == "parameter_invalid_integer"


async def test_what_was_never_captured_cannot_be_refunded(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    held, open_ = await hold(stripe, seller), await create(stripe, seller)
    for intent, word in ((held, "not been captured"), (open_, "does not have a successful")):
        error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"])
        assert word in error["message"]
    error = await refused(stripe, "/v1/refunds", payment_intent="pi_nothing")
    assert error["code"] == "resource_missing"
    assert "payment_intent or charge" in (await refused(stripe, "/v1/refunds"))["message"]
    assert (await read(stripe, "/v1/refunds"))["data"] == []


async def test_the_fee_comes_back_only_together_with_the_transfer(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    error = await refused(
        stripe, "/v1/refunds", payment_intent=intent["id"], refund_application_fee=True
    )
    assert error["param"] == "refund_application_fee"
    plain = await confirm(
        stripe, await send(stripe, "/v1/payment_intents", amount=AMOUNT, currency="usd")
    )
    error = await refused(stripe, "/v1/refunds", payment_intent=plain["id"], reverse_transfer=True)
    assert error["param"] == "reverse_transfer"


async def test_the_same_key_refunds_once(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    body = {"payment_intent": intent["id"], "amount": "100"}
    keyed = {"Idempotency-Key": "refund:rfd_1"}
    first = await stripe.post("/v1/refunds", data=body, headers=keyed)
    again = await stripe.post("/v1/refunds", data=body, headers=keyed)
    assert first.json() == again.json()
    assert (await charge_of(stripe, intent))["amount_refunded"] == 100


# ---------------------------------------------------------------------------- what comes later


async def test_a_pending_refund_succeeds_later(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_pendingRefund")
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    assert (refund["status"], refund["pending_reason"]) == ("pending", "processing")
    await advance(stripe, HOUR_SECONDS)
    later = await read(stripe, f"/v1/refunds/{refund['id']}")
    assert later["status"] == "succeeded"
    assert "pending_reason" not in later
    assert (await event_types(stripe))[-2:] == ["refund.updated", "charge.refund.updated"]


async def test_a_failed_refund_returns_to_the_platform_and_stays_reversed(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_refundFail")
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    assert refund["status"] == "succeeded"
    await advance(stripe, HOUR_SECONDS)
    later = await read(stripe, f"/v1/refunds/{refund['id']}")
    assert later["status"] == "failed"
    assert later["failure_reason"] == "expired_or_canceled_card"
    last = (await movements(stripe))[-1]
    assert booked([last]) == [("refund_failure", "refund_failure", AMOUNT, 0)]
    assert later["failure_balance_transaction"] == last["id"]
    assert total(await movements(stripe)) == AMOUNT - PROCESSING
    assert total(await movements(stripe, seller)) == 0
    charge = await charge_of(stripe, intent)
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    (transfer,) = (await read(stripe, "/v1/transfers"))["data"]
    assert transfer["reversed"] is True
    assert "refund.failed" in await event_types(stripe)


async def test_a_card_refund_can_be_noted_but_not_canceled(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=100)
    path = f"/v1/refunds/{refund['id']}"
    assert (await send(stripe, path, metadata={"a": "b"}))["metadata"] == {"a": "b"}
    error = await refused(stripe, f"{path}/cancel")
    assert "requires_action" in error["message"]
