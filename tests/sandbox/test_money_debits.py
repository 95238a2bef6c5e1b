"""Bank debits of the sandbox: accepted at once, decided days later."""

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
    movements,
    newest_event,
    open_seller,
    read_intent,
    refused,
    send,
    set_transfers,
    total,
)

BANK = "pm_usBankAccount_success"
DEBIT_FEE = 80  # 0.8 %
PROCESSING = ["payment_intent.created", "payment_intent.processing", "charge.pending"]


async def test_a_debit_is_processing_for_days_and_then_pays_both_sides(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), BANK)
    assert (intent["status"], intent["amount_received"]) == ("processing", 0)
    charge = await charge_of(stripe, intent)
    assert (charge["status"], charge["paid"]) == ("pending", False)
    assert await movements(stripe) == []
    await advance(stripe, 4 * DAY_SECONDS)
    paid = await read_intent(stripe, intent)
    assert (paid["status"], paid["amount_received"]) == ("succeeded", AMOUNT)
    assert booked(await movements(stripe)) == [
        ("payment", "charge", AMOUNT, DEBIT_FEE),
        ("application_fee", "platform_earning", FEE, 0),
        ("transfer", "transfer", -AMOUNT, 0),
    ]
    assert total(await movements(stripe, seller)) == AMOUNT - FEE
    assert await event_types(stripe) == [
        *PROCESSING,
        "payment_intent.succeeded",
        "charge.succeeded",
        "transfer.created",
        "application_fee.created",
    ]


@pytest.mark.parametrize(
    ("bank", "code"),
    [
        ("pm_usBankAccount_insufficientFunds", "insufficient_funds"),
        ("pm_usBankAccount_accountClosed", "account_closed"),
        ("pm_usBankAccount_noAccount", "no_account"),
        ("pm_usBankAccount_debitNotAuthorized", "debit_not_authorized"),
    ],
)
async def test_a_debit_the_bank_refuses_leaves_the_payment_open(
    stripe: httpx.AsyncClient, bank: str, code: str
) -> None:
    intent = await confirm(stripe, await create(stripe, await open_seller(stripe)), bank)
    await advance(stripe, 4 * DAY_SECONDS)
    failed = await read_intent(stripe, intent)
    assert failed["status"] == "requires_payment_method"
    assert failed["last_payment_error"]["code"] == code
    assert (await charge_of(stripe, failed))["failure_code"] == code
    assert await movements(stripe) == []
    assert await event_types(stripe) == [
        *PROCESSING,
        "payment_intent.payment_failed",
        "charge.failed",
    ]
    assert (await confirm(stripe, failed))["status"] == "succeeded"


async def test_a_transfer_is_skipped_when_the_seller_lost_the_capability_meanwhile(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), BANK)
    await set_transfers(stripe, seller, "restricted")
    await advance(stripe, 4 * DAY_SECONDS)
    charge = await charge_of(stripe, intent)
    assert (charge["status"], charge["transfer_data"]) == ("succeeded", None)
    assert "transfer" not in charge
    assert await movements(stripe, seller) == []
    assert total(await movements(stripe)) == AMOUNT - DEBIT_FEE
    event = await newest_event(stripe, "charge.updated")
    assert event["data"]["previous_attributes"]["transfer_data"]["destination"] == seller


async def test_nothing_can_be_done_to_a_payment_while_its_bank_decides(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await confirm(stripe, await create(stripe, await open_seller(stripe)), BANK)
    path = f"/v1/payment_intents/{intent['id']}"
    for way in ("confirm", "capture", "cancel"):
        error = await refused(stripe, f"{path}/{way}")
        assert error["code"] == "payment_intent_unexpected_state"
    assert (await refused(stripe, path, amount=500))["param"] == "amount"
    error = await refused(stripe, "/v1/refunds", payment_intent=intent["id"])
    assert "successful charge" in error["message"]


async def test_a_paid_debit_is_refunded_as_a_payment(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), BANK)
    await advance(stripe, 4 * DAY_SECONDS)
    refund = await send(
        stripe,
        "/v1/refunds",
        payment_intent=intent["id"],
        reverse_transfer=True,
        refund_application_fee=True,
    )
    assert refund["id"].startswith("pyr_")
    assert booked((await movements(stripe))[3:4]) == [("payment_refund", "refund", -AMOUNT, 0)]
    assert total(await movements(stripe)) == -DEBIT_FEE
    assert total(await movements(stripe, seller)) == 0


async def test_a_bank_account_pays_in_dollars_only_and_cannot_be_held(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    for choice in ({"currency": "eur"}, {"capture_method": "manual"}):
        intent = await create(stripe, seller, **choice)
        assert intent["payment_method_types"] == ["card"]
        path = f"/v1/payment_intents/{intent['id']}/confirm"
        error = await refused(stripe, path, payment_method=BANK, return_url="http://platform.test/")
        assert error["code"] == "payment_intent_incompatible_payment_method"
    intent = await create(stripe, seller)
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    error = await refused(
        stripe,
        path,
        payment_method=BANK,
        return_url="http://platform.test/",
        capture_method="manual",
    )
    assert error["code"] == "payment_intent_incompatible_payment_method"
