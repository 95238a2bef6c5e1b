"""Held payments in the sandbox: captured in full or in part, canceled, or expired by time."""

import httpx
import pytest

from tests.sandbox.money import (
    AMOUNT,
    DAY_SECONDS,
    FEE,
    advance,
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
    read_intent,
    refused,
    send,
    set_transfers,
)

HELD = [
    "payment_intent.created",
    "payment_intent.amount_capturable_updated",
    "charge.succeeded",
]
CAPTURED = [
    "payment_intent.succeeded",
    "charge.captured",
    "charge.updated",
    "transfer.created",
    "application_fee.created",
]


async def test_a_held_payment_moves_nothing_until_it_is_captured(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await hold(stripe, seller)
    assert intent["status"] == "requires_capture"
    assert (intent["amount_capturable"], intent["amount_received"]) == (AMOUNT, 0)
    charge = await charge_of(stripe, intent)
    assert (charge["paid"], charge["captured"], charge["amount_captured"]) == (True, False, 0)
    card = charge["payment_method_details"]["card"]
    assert card["capture_before"] == charge["created"] + 7 * DAY_SECONDS
    assert await movements(stripe) == await movements(stripe, seller) == []
    assert await event_types(stripe) == HELD


async def test_a_capture_takes_everything_and_tells_it_in_order(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    captured = await send(stripe, f"/v1/payment_intents/{intent['id']}/capture")
    assert captured["status"] == "succeeded"
    assert (captured["amount_capturable"], captured["amount_received"]) == (0, AMOUNT)
    assert captured["application_fee_amount"] == FEE
    assert await event_types(stripe) == HELD + CAPTURED
    updated = await newest_event(stripe, "charge.updated")
    before = updated["data"]["previous_attributes"]
    assert (before["balance_transaction"], before["captured"]) == (None, False)
    assert (before["transfer"], before["application_fee"]) == (None, None)
    assert "amount_refunded" not in before, "only what changed"
    assert updated["data"]["object"]["balance_transaction"] is not None


async def test_a_partial_capture_takes_its_part_and_gives_the_rest_back(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await hold(stripe, seller)
    captured = await send(
        stripe,
        f"/v1/payment_intents/{intent['id']}/capture",
        amount_to_capture=6_000,
        application_fee_amount=738,
    )
    assert (captured["amount"], captured["amount_received"]) == (AMOUNT, 6_000)
    assert captured["application_fee_amount"] == 738
    charge = await charge_of(stripe, captured)
    assert (charge["amount_captured"], charge["amount_refunded"]) == (6_000, 4_000)
    assert charge["refunded"] is False
    assert booked(await movements(stripe)) == [
        ("charge", "charge", AMOUNT, 204),  # 2.9 % of 60.00 and 0.30
        ("refund", "partial_capture_reversal", -4_000, 0),
        ("application_fee", "platform_earning", 738, 0),
        ("transfer", "transfer", -6_000, 0),
    ]
    assert booked(await movements(stripe, seller)) == [("payment", "charge", 6_000, 738)]


@pytest.mark.parametrize(("part", "fee"), [(6_000, FEE), (1_000, 1_000)])
async def test_a_fee_not_sent_again_is_only_capped_at_what_is_captured(
    stripe: httpx.AsyncClient, part: int, fee: int
) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/capture"
    captured = await send(stripe, path, amount_to_capture=part)
    assert captured["application_fee_amount"] == fee
    assert (await read(stripe, "/v1/application_fees"))["data"][0]["amount"] == fee


async def test_a_capture_may_lower_the_fee_to_nothing(stripe: httpx.AsyncClient) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/capture"
    await send(stripe, path, amount_to_capture=60, application_fee_amount=0)
    assert (await read(stripe, "/v1/application_fees"))["data"] == []
    assert "application_fee.created" not in await event_types(stripe)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"amount_to_capture": AMOUNT + 1}, "amount_too_large"),
        ({"amount_to_capture": 0}, "parameter_invalid_integer"),
        ({"amount_to_capture": 500, "application_fee_amount": 501}, "amount_too_large"),
        ({"application_fee_amount": -1}, "parameter_invalid_integer"),
        ({"application_fee_amount": 1, "transfer_data": {"amount": 1}}, "parameters_exclusive"),
        ({"final_capture": False}, None),
    ],
)
async def test_a_capture_that_does_not_add_up_leaves_the_hold_as_it_was(
    stripe: httpx.AsyncClient, params: dict[str, object], code: str | None
) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    error = await refused(stripe, f"/v1/payment_intents/{intent['id']}/capture", **params)
    assert error.get("code") == code
    assert await read_intent(stripe, intent) == intent
    assert await event_types(stripe) == HELD


async def test_only_a_held_payment_can_be_captured(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    for intent in (await create(stripe, seller), await pay(stripe, seller)):
        error = await refused(stripe, f"/v1/payment_intents/{intent['id']}/capture")
        assert error["code"] == "payment_intent_unexpected_state"
        assert error["payment_intent"]["status"] == intent["status"]


async def test_a_seller_who_lost_transfers_refuses_the_capture_and_may_regain_them(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await hold(stripe, seller)
    path = f"/v1/payment_intents/{intent['id']}/capture"
    await set_transfers(stripe, seller, "restricted")
    error = await refused(stripe, path)
    assert error["code"] == "insufficient_capabilities_for_transfer"
    assert await read_intent(stripe, intent) == intent
    await set_transfers(stripe, seller, "active")
    assert (await send(stripe, path))["status"] == "succeeded"


# --------------------------------------------------------------------------- canceled and expired


async def test_an_unconfirmed_payment_is_canceled_for_good(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}"
    canceled = await send(stripe, f"{path}/cancel", cancellation_reason="abandoned")
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["canceled_at"] >= intent["created"]
    assert await event_types(stripe) == ["payment_intent.created", "payment_intent.canceled"]
    for way in ("confirm", "capture", "cancel"):
        error = await refused(stripe, f"{path}/{way}")
        assert error["code"] == "payment_intent_unexpected_state"
        assert error["payment_intent"]["status"] == "canceled"


async def test_canceling_a_hold_releases_it_without_a_movement(stripe: httpx.AsyncClient) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    path = f"/v1/payment_intents/{intent['id']}/cancel"
    canceled = await send(stripe, path, cancellation_reason="requested_by_customer")
    assert (canceled["status"], canceled["amount_capturable"]) == ("canceled", 0)
    charge = await charge_of(stripe, canceled)
    assert (charge["refunded"], charge["amount_refunded"]) == (True, AMOUNT)
    assert charge["captured"] is False
    assert await movements(stripe) == []
    assert await event_types(stripe) == [*HELD, "payment_intent.canceled", "charge.refunded"]


async def test_a_challenge_under_way_can_be_canceled(stripe: httpx.AsyncClient) -> None:
    intent = await create(stripe, await open_seller(stripe))
    await confirm(stripe, intent, "pm_card_authenticationRequired")
    canceled = await send(stripe, f"/v1/payment_intents/{intent['id']}/cancel")
    assert (canceled["status"], canceled["next_action"]) == ("canceled", None)
    assert canceled["cancellation_reason"] is None


async def test_a_paid_payment_cannot_be_canceled(stripe: httpx.AsyncClient) -> None:
    intent = await pay(stripe, await open_seller(stripe))
    error = await refused(stripe, f"/v1/payment_intents/{intent['id']}/cancel")
    assert error["code"] == "payment_intent_unexpected_state"
    assert error["payment_intent"]["status"] == "succeeded"


async def test_a_hold_lasts_seven_days_and_then_expires(stripe: httpx.AsyncClient) -> None:
    intent = await hold(stripe, await open_seller(stripe))
    await advance(stripe, 7 * DAY_SECONDS - 60)
    assert (await read_intent(stripe, intent))["status"] == "requires_capture"
    await advance(stripe, 120)
    expired = await read_intent(stripe, intent)
    assert (expired["status"], expired["cancellation_reason"]) == ("canceled", "automatic")
    assert expired["amount_capturable"] == 0
    assert await event_types(stripe) == [*HELD, "charge.expired", "payment_intent.canceled"]
    assert await movements(stripe) == []
    error = await refused(stripe, f"/v1/payment_intents/{intent['id']}/capture")
    assert error["code"] == "capture_charge_authorization_expired"


async def test_what_was_captured_or_canceled_in_time_does_not_expire(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    captured, canceled = await hold(stripe, seller), await hold(stripe, seller)
    await send(stripe, f"/v1/payment_intents/{captured['id']}/capture")
    await send(stripe, f"/v1/payment_intents/{canceled['id']}/cancel")
    before = [await read_intent(stripe, intent) for intent in (captured, canceled)]
    await advance(stripe, 8 * DAY_SECONDS)
    assert [await read_intent(stripe, intent) for intent in (captured, canceled)] == before
    assert "charge.expired" not in await event_types(stripe)
