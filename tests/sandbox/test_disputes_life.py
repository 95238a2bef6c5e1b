"""How disputes and inquiries of the sandbox go on: evidence, deadlines, decisions."""

import httpx
import pytest

from stripe_sandbox.disputes import FEE_MINOR
from tests.sandbox.controls import control, control_refused, dispute
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
    movements,
    newest_event,
    open_seller,
    pay,
    read,
    refused,
    send,
    total,
)


async def disputed(stripe: httpx.AsyncClient, **body: object) -> Json:
    return await dispute(stripe, await pay(stripe, await open_seller(stripe)), **body)


async def again(stripe: httpx.AsyncClient, one: Json) -> Json:
    return await read(stripe, f"/v1/disputes/{one['id']}")


async def wait_until_due(stripe: httpx.AsyncClient, one: Json) -> None:
    now = (await stripe.get("/_sandbox/clock")).json()["now"]
    await advance(stripe, one["evidence_details"]["due_by"] - now + 1)


# --------------------------------------------------------------------------------- evidence


async def test_evidence_is_staged_until_it_is_submitted(stripe: httpx.AsyncClient) -> None:
    opened = await disputed(stripe)
    path = f"/v1/disputes/{opened['id']}"
    evidence = {"shipping_carrier": "DHL", "product_description": "A lesson"}
    staged = await send(stripe, path, evidence=evidence, submit=False, metadata={"by": "adm_1"})
    assert (staged["status"], staged["metadata"]) == ("needs_response", {"by": "adm_1"})
    assert staged["evidence_details"]["has_evidence"] is True
    assert staged["evidence_details"]["submission_count"] == 0
    staged = await send(stripe, path, evidence={"shipping_carrier": "UPS"}, submit=False)
    assert staged["evidence"]["shipping_carrier"] == "UPS"
    sent = await send(stripe, path, evidence={"shipping_tracking_number": "T1"})
    assert sent["status"] == "under_review"
    assert sent["evidence"]["product_description"] == "A lesson"
    assert sent["evidence_details"]["submission_count"] == 1
    event = await newest_event(stripe, "charge.dispute.updated")
    assert event["data"]["previous_attributes"]["status"] == "needs_response"
    error = await refused(stripe, path, evidence={"service_date": "2026-10-01"})
    assert "already submitted" in error["message"]
    noted = await send(stripe, path, metadata={"by": ""})
    assert (noted["metadata"], noted["status"]) == ({}, "under_review")


async def test_staged_evidence_is_submitted_by_itself(stripe: httpx.AsyncClient) -> None:
    path = f"/v1/disputes/{(await disputed(stripe))['id']}"
    await send(stripe, path, evidence={"customer_name": "Bea"}, submit=False)
    assert (await send(stripe, path, submit=True))["status"] == "under_review"


@pytest.mark.parametrize(
    ("evidence", "param"),
    [
        ({"receipt": "file_1"}, "evidence[receipt]"),
        ({"uncategorized_text": "x" * 20_001}, "evidence[uncategorized_text]"),
        ({"service_date": "x" * 5_001}, "evidence[service_date]"),
        ({"service_date": ""}, "evidence[service_date]"),
        ({"weather": "rain"}, "evidence[weather]"),
    ],
)
async def test_evidence_that_stripe_does_not_take_is_refused(
    stripe: httpx.AsyncClient, evidence: Json, param: str
) -> None:
    opened = await disputed(stripe)
    error = await refused(stripe, f"/v1/disputes/{opened['id']}", evidence=evidence)
    assert error["param"] == param
    assert await again(stripe, opened) == opened


async def test_all_evidence_together_has_a_limit(stripe: httpx.AsyncClient) -> None:
    opened = await disputed(stripe)
    names = (
        "access_activity_log",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "duplicate_charge_explanation",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "uncategorized_text",
    )
    evidence = dict.fromkeys(names, "x" * 19_000)
    error = await refused(stripe, f"/v1/disputes/{opened['id']}", evidence=evidence)
    assert "150000 characters" in error["message"]


async def test_the_text_of_the_evidence_decides(stripe: httpx.AsyncClient) -> None:
    outcomes = {"winning_evidence": "won", "losing_evidence": "lost", "anything": "under_review"}
    for text, status in outcomes.items():
        opened = await disputed(stripe)
        evidence = {"uncategorized_text": text}
        sent = await send(stripe, f"/v1/disputes/{opened['id']}", evidence=evidence)
        assert sent["status"] == "under_review"
        assert (await again(stripe, opened))["status"] == status
    assert total(await movements(stripe)) == 3 * (FEE - PROCESSING) - 2 * (AMOUNT + FEE_MINOR)


async def test_who_gives_up_has_lost(stripe: httpx.AsyncClient) -> None:
    opened = await disputed(stripe)
    closed = await send(stripe, f"/v1/disputes/{opened['id']}/close")
    assert closed["status"] == "lost"
    assert (await event_types(stripe))[-1] == "charge.dispute.closed"
    error = await refused(stripe, f"/v1/disputes/{opened['id']}/close")
    assert "already closed" in error["message"]
    error = await refused(stripe, f"/v1/disputes/{opened['id']}", submit=True)
    assert "already closed" in error["message"]
    for outcome in ("won", "lost", "closed", "escalated"):
        why = await control_refused(stripe, f"disputes/{opened['id']}", outcome=outcome)
        assert "already closed" in why


# ------------------------------------------------------------------------------------- time


async def test_a_dispute_nobody_answers_is_lost_the_second_it_is_due(
    stripe: httpx.AsyncClient,
) -> None:
    opened = await disputed(stripe)
    due = opened["evidence_details"]["due_by"]
    assert 9 * DAY_SECONDS <= due - opened["created"] < 10 * DAY_SECONDS
    await send(
        stripe, f"/v1/disputes/{opened['id']}", evidence={"customer_name": "B"}, submit=False
    )
    await wait_until_due(stripe, opened)
    late = await again(stripe, opened)
    assert (late["status"], late["evidence_details"]["past_due"]) == ("lost", True)
    event = await newest_event(stripe, "charge.dispute.closed")
    assert event["created"] == due + 1


async def test_a_dispute_that_was_answered_is_not_lost_by_time(stripe: httpx.AsyncClient) -> None:
    opened = await disputed(stripe)
    await send(stripe, f"/v1/disputes/{opened['id']}", evidence={"service_date": "2026-10-01"})
    await wait_until_due(stripe, opened)
    assert (await again(stripe, opened))["status"] == "under_review"


# --------------------------------------------------------------------------------- inquiries


async def test_an_inquiry_takes_nothing_and_leaves_the_charge_refundable(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    before = await movements(stripe)
    asked = await dispute(stripe, intent, inquiry=True)
    assert (asked["status"], asked["balance_transactions"]) == ("warning_needs_response", [])
    assert asked["is_charge_refundable"] is True
    assert asked["payment_method_details"]["card"]["case_type"] == "inquiry"
    assert await movements(stripe) == before
    assert (await charge_of(stripe, intent))["disputed"] is True
    target = {"payment_intent": intent["id"], "reverse_transfer": True}
    await send(stripe, "/v1/refunds", amount=1, **target)
    assert (await again(stripe, asked))["status"] == "warning_needs_response"
    await send(stripe, "/v1/refunds", **target)
    assert (await again(stripe, asked))["status"] == "warning_closed"
    assert "charge.dispute.funds_withdrawn" not in await event_types(stripe)


@pytest.mark.parametrize("way", ["control", "evidence"])
async def test_an_inquiry_that_escalates_takes_the_money(
    stripe: httpx.AsyncClient, way: str
) -> None:
    asked = await disputed(stripe, inquiry=True)
    await advance(stripe, DAY_SECONDS)
    if way == "control":
        await control(stripe, f"disputes/{asked['id']}", outcome="escalated")
    else:
        evidence = {"uncategorized_text": "escalate_inquiry_evidence"}
        sent = await send(stripe, f"/v1/disputes/{asked['id']}", evidence=evidence)
        assert sent["status"] == "warning_under_review"
    taken = await again(stripe, asked)
    assert (taken["status"], len(taken["balance_transactions"])) == ("needs_response", 1)
    assert taken["evidence_details"]["due_by"] > asked["evidence_details"]["due_by"]
    assert taken["evidence_details"]["submission_count"] == 0
    assert taken["payment_method_details"]["card"]["case_type"] == "chargeback"
    assert (await event_types(stripe))[-1] == "charge.dispute.funds_withdrawn"
    await wait_until_due(stripe, asked)
    assert (await again(stripe, asked))["status"] == "needs_response"
    await wait_until_due(stripe, taken)
    assert (await again(stripe, asked))["status"] == "lost"


async def test_an_inquiry_can_be_convinced_closed_or_forgotten(stripe: httpx.AsyncClient) -> None:
    convinced, closed, forgotten = [await disputed(stripe, inquiry=True) for _ in range(3)]
    evidence = {"uncategorized_text": "winning_evidence"}
    await send(stripe, f"/v1/disputes/{convinced['id']}", evidence=evidence)
    await control(stripe, f"disputes/{closed['id']}", outcome="closed")
    assert (await again(stripe, convinced))["status"] == "warning_closed"
    assert (await again(stripe, closed))["status"] == "warning_closed"
    await wait_until_due(stripe, forgotten)
    late = await again(stripe, forgotten)
    assert (late["status"], late["evidence_details"]["past_due"]) == (
        "warning_needs_response",
        True,
    )
    error = await refused(stripe, f"/v1/disputes/{late['id']}", evidence={"service_date": "x"})
    assert "is over" in error["message"]
    await advance(stripe, 120 * DAY_SECONDS)
    assert (await again(stripe, forgotten))["status"] == "warning_closed"


@pytest.mark.parametrize(
    ("outcome", "inquiry", "word"),
    [
        ({"outcome": "won"}, True, "is an inquiry"),
        ({"outcome": "partial", "amount": 1}, True, "is an inquiry"),
        ({"outcome": "closed"}, False, "is not an inquiry"),
        ({"outcome": "escalated"}, False, "is not an inquiry"),
        ({"outcome": "partial"}, False, "takes an amount"),
        ({"outcome": "won", "amount": 5}, False, "takes an amount"),
        ({"outcome": "draw"}, False, "outcome is one of"),
    ],
)
async def test_a_decision_fits_the_case(
    stripe: httpx.AsyncClient, outcome: Json, inquiry: bool, word: str
) -> None:
    opened = await disputed(stripe, inquiry=inquiry)
    assert word in await control_refused(stripe, f"disputes/{opened['id']}", **outcome)
    assert await again(stripe, opened) == opened


async def test_an_unknown_dispute_is_missing(stripe: httpx.AsyncClient) -> None:
    assert (await refused(stripe, "/v1/disputes/du_none"))["code"] == "resource_missing"
    assert "No such dispute" in await control_refused(stripe, "disputes/du_1", outcome="won")


# ----------------------------------------------------------------------------------- warnings


async def test_an_early_warning_is_actionable_until_the_charge_is_refunded(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    warned = await control(stripe, "early-fraud-warnings", payment_intent=intent["id"])
    assert (warned["actionable"], warned["charge"]) == (True, intent["latest_charge"])
    assert (await event_types(stripe))[-1] == "radar.early_fraud_warning.created"
    path = "/v1/radar/early_fraud_warnings"
    for found in ({"charge": intent["latest_charge"]}, {"payment_intent": intent["id"]}):
        assert (await read(stripe, path, **found))["data"] == [warned]
    assert (await read(stripe, path, charge="ch_other"))["data"] == []
    target = {"payment_intent": intent["id"], "reverse_transfer": True}
    await send(stripe, "/v1/refunds", amount=5_000, **target)
    assert (await read(stripe, f"{path}/{warned['id']}"))["actionable"] is True
    await send(stripe, "/v1/refunds", **target)
    assert (await read(stripe, f"{path}/{warned['id']}"))["actionable"] is False
    assert (await event_types(stripe))[-1] == "radar.early_fraud_warning.updated"


async def test_a_dispute_after_a_warning_ends_it(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    body = {"payment_intent": intent["id"], "fraud_type": "misc"}
    warned = await control(stripe, "early-fraud-warnings", **body)
    await dispute(stripe, intent)
    path = f"/v1/radar/early_fraud_warnings/{warned['id']}"
    assert (await read(stripe, path))["actionable"] is False
    late = await control(stripe, "early-fraud-warnings", **body)
    assert late["actionable"] is False


async def test_one_test_card_brings_a_warning(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent, "pm_card_createIssuerFraudRecord")
    listed = await read(stripe, "/v1/radar/early_fraud_warnings", payment_intent=intent["id"])
    assert len(listed["data"]) == 1
    body = {"payment_intent": intent["id"], "fraud_type": "bad_mood"}
    assert "fraud_type is one of" in await control_refused(stripe, "early-fraud-warnings", **body)
