"""What becomes of refunds in the sandbox: the Dashboard's, waiting, failing, canceled ones."""

import httpx
import pytest

from tests.sandbox.controls import control, control_refused
from tests.sandbox.money import (
    AMOUNT,
    DAY_SECONDS,
    FEE,
    PROCESSING,
    Json,
    advance,
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


async def again(stripe: httpx.AsyncClient, refund: Json) -> Json:
    return await read(stripe, f"/v1/refunds/{refund['id']}")


# ------------------------------------------------------------------------------ in the Dashboard


async def test_a_refund_of_the_dashboard_is_one_nobody_asked_the_api_for(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    made = await control(stripe, "refunds", payment_intent=intent["id"], amount=2_000, **BOTH)
    assert await again(stripe, made) == made
    assert made["metadata"] == {}
    assert total(await movements(stripe, seller)) == (AMOUNT - FEE) * 4 // 5
    event = await newest_event(stripe, "refund.created")
    assert event["request"] == {"id": None, "idempotency_key": None}
    rest = await control(stripe, "refunds", payment_intent=intent["id"], reason="duplicate")
    assert (rest["amount"], rest["reason"], rest["transfer_reversal"]) == (8_000, "duplicate", None)
    assert (await charge_of(stripe, intent))["refunded"] is True


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"amount": AMOUNT + 1}, "greater than unrefunded amount"),
        ({"amount": 0}, "greater than or equal to 1"),
        ({"payment_intent": "pi_none"}, "No such payment_intent"),
        ({"reason": "boredom"}, "reason is one of"),
        ({"refund_application_fee": True}, "requires reversing"),
    ],
)
async def test_the_dashboard_refunds_no_more_than_the_api_does(
    stripe: httpx.AsyncClient, wrong: Json, word: str
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    body = {"payment_intent": intent["id"], **wrong}
    assert word in await control_refused(stripe, "refunds", **body)
    assert (await read(stripe, "/v1/refunds"))["data"] == []


async def test_a_hold_is_not_refunded_in_the_dashboard(stripe: httpx.AsyncClient) -> None:
    held = await hold(stripe, await open_seller(stripe))
    why = await control_refused(stripe, "refunds", payment_intent=held["id"])
    assert "not been captured" in why


# ---------------------------------------------------------------------------------- their fates


async def test_any_refund_can_come_back_from_the_bank(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    failed = await control(
        stripe, f"refunds/{refund['id']}", status="failed", failure_reason="lost_or_stolen_card"
    )
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert (await charge_of(stripe, intent))["amount_refunded"] == 0
    assert total(await movements(stripe)) == AMOUNT - PROCESSING
    assert total(await movements(stripe, seller)) == 0
    assert (await event_types(stripe))[-3:] == [
        "refund.failed",
        "refund.updated",
        "charge.refund.updated",
    ]
    once_more = await send(stripe, "/v1/refunds", payment_intent=intent["id"], **BOTH)
    assert (once_more["amount"], once_more["transfer_reversal"]) == (AMOUNT, None)


async def test_a_pending_refund_can_be_canceled_in_the_dashboard(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent, "pm_card_pendingRefund")
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=700)
    before = total(await movements(stripe))
    canceled = await control(stripe, f"refunds/{refund['id']}", status="canceled")
    assert (canceled["status"], canceled["failure_reason"]) == ("canceled", "merchant_request")
    assert "pending_reason" not in canceled
    assert total(await movements(stripe)) == before + 700
    types = await event_types(stripe)
    assert types[-2:] == ["refund.updated", "charge.refund.updated"]
    assert "refund.failed" not in types
    await advance(stripe, DAY_SECONDS)
    assert await again(stripe, refund) == canceled


async def test_a_pending_refund_can_succeed_or_fail_early(stripe: httpx.AsyncClient) -> None:
    for status in ("succeeded", "failed"):
        intent = await create(stripe, await open_seller(stripe))
        await confirm(stripe, intent, "pm_card_pendingRefund")
        refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=700)
        await control(stripe, f"refunds/{refund['id']}", status=status)
        await advance(stripe, DAY_SECONDS)
        assert (await again(stripe, refund))["status"] == status


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"status": "succeeded"}, "has a status of succeeded"),
        ({"status": "canceled"}, "has a status of succeeded"),
        ({"status": "pending"}, "status is one of"),
        ({"status": "failed", "failure_reason": "moon"}, "failure_reason is one of"),
        ({"status": "canceled", "failure_reason": "declined"}, "only a refund that failed"),
    ],
)
async def test_a_refund_that_is_over_has_no_other_fate(
    stripe: httpx.AsyncClient, change: Json, word: str
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=700)
    assert word in await control_refused(stripe, f"refunds/{refund['id']}", **change)
    assert await again(stripe, refund) == refund
    assert "No such refund" in await control_refused(stripe, "refunds/re_1", status="failed")


# --------------------------------------------------------------------- a platform without money


async def test_without_overdrafts_a_refund_waits_for_money(stripe: httpx.AsyncClient) -> None:
    await control(stripe, "balances", overdrafts=False)
    intent = await pay(stripe, await open_seller(stripe))
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=9_000)
    assert (refund["status"], refund["pending_reason"]) == ("pending", "insufficient_funds")
    assert refund["balance_transaction"] is None
    assert (await charge_of(stripe, intent))["amount_refunded"] == 9_000
    why = await control_refused(stripe, f"refunds/{refund['id']}", status="succeeded")
    assert "waits for money" in why
    plain = await send(stripe, "/v1/payment_intents", amount=AMOUNT, currency="usd")
    await confirm(stripe, plain, "pm_card_bypassPending")
    paid = await again(stripe, refund)
    assert (paid["status"], "pending_reason" in paid) == ("succeeded", False)
    assert paid["balance_transaction"].startswith("txn_")
    assert (await event_types(stripe))[-2:] == ["refund.updated", "charge.refund.updated"]


async def test_without_overdrafts_a_reversal_pays_for_the_refund(
    stripe: httpx.AsyncClient,
) -> None:
    await control(stripe, "balances", overdrafts=False)
    intent = await pay(stripe, await open_seller(stripe))
    target = {"payment_intent": intent["id"], "reverse_transfer": True}
    refund = await send(stripe, "/v1/refunds", amount=5_000, **target)
    assert refund["status"] == "succeeded"
    fee_too = await send(stripe, "/v1/refunds", **target, refund_application_fee=True)
    assert fee_too["status"] == "pending"  # the fee's own money is not available yet
    await advance(stripe, 2 * DAY_SECONDS)
    assert (await again(stripe, fee_too))["status"] == "succeeded"


async def test_a_waiting_refund_that_is_canceled_never_moved_anything(
    stripe: httpx.AsyncClient,
) -> None:
    await control(stripe, "balances", overdrafts=False)
    intent = await pay(stripe, await open_seller(stripe))
    before = await movements(stripe)
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"])
    canceled = await control(stripe, f"refunds/{refund['id']}", status="canceled")
    assert "failure_balance_transaction" not in canceled
    assert await movements(stripe) == before
    await control(stripe, "balances", overdrafts=True)
    assert (await again(stripe, refund))["status"] == "canceled"
    assert (await charge_of(stripe, intent))["amount_refunded"] == 0


async def test_a_wrong_balance_rule_is_refused(stripe: httpx.AsyncClient) -> None:
    assert "overdrafts" in await control_refused(stripe, "balances")
    assert "unknown field" in await control_refused(stripe, "balances", overdrafts=True, amount=100)


async def test_a_refund_with_a_key_of_its_own_is_refused_while_disputed(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    await control(stripe, "disputes", payment_intent=intent["id"])
    error = await refused(stripe, "/v1/refunds", charge=intent["latest_charge"])
    assert error["code"] == "charge_disputed"
    why = await control_refused(stripe, "refunds", payment_intent=intent["id"])
    assert "charged back" in why
