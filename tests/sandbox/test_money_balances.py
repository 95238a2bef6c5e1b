"""Where the money of a destination charge is, on the platform and on the seller's account."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from stripe_sandbox.amounts import share, written
from stripe_sandbox.balances import processing_fee
from stripe_sandbox.keeping import restore, save
from stripe_sandbox.server import RunningSandbox
from tests.sandbox.controls import control
from tests.sandbox.money import (
    AMOUNT,
    DAY_SECONDS,
    FEE,
    PROCESSING,
    Json,
    advance,
    booked,
    charge_of,
    confirm,
    create,
    movements,
    open_seller,
    pay,
    read,
    send,
    total,
)


async def test_a_destination_charge_is_booked_on_both_sides(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    await pay(stripe, seller)
    platform, sellers = await movements(stripe), await movements(stripe, seller)
    assert booked(platform) == [
        ("charge", "charge", AMOUNT, PROCESSING),
        ("application_fee", "platform_earning", FEE, 0),
        ("transfer", "transfer", -AMOUNT, 0),
    ]
    assert booked(sellers) == [("payment", "charge", AMOUNT, FEE)]
    assert total(platform) == FEE - PROCESSING
    assert total(sellers) == AMOUNT - FEE
    assert sum(t["fee"] for t in platform) == AMOUNT - total(platform) - total(sellers)


async def test_the_objects_of_a_destination_charge_name_each_other(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    labels = {"metadata": {"order_id": "ord_1"}, "payment_data": {"description": "A lesson"}}
    intent = await pay(stripe, seller, transfer_data={"destination": seller, **labels})
    charge = await charge_of(stripe, intent)
    transfer = await read(stripe, f"/v1/transfers/{charge['transfer']}")
    fee = await read(stripe, f"/v1/application_fees/{charge['application_fee']}")
    payment = await read(stripe, f"/v1/charges/{transfer['destination_payment']}", seller)
    assert transfer["source_transaction"] == fee["originating_transaction"] == charge["id"]
    assert (transfer["amount"], transfer["destination"]) == (AMOUNT, seller)
    assert transfer["transfer_group"] == charge["transfer_group"] == "order_ord_1"
    assert transfer["metadata"] == {"order_id": "ord_1"}
    assert (fee["amount"], fee["account"], fee["charge"]) == (FEE, seller, payment["id"])
    assert payment["id"].startswith("py_")
    assert payment["source_transfer"] == transfer["id"]
    assert (payment["amount"], payment["application_fee"]) == (AMOUNT, fee["id"])
    assert payment["description"] == "A lesson"
    sources = {t["source"] for t in await movements(stripe)}
    assert sources == {charge["id"], transfer["id"], fee["id"]}
    assert [t["source"] for t in await movements(stripe, seller)] == [payment["id"]]


async def test_everything_is_reached_by_expanding_the_payment(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    path = f"/v1/payment_intents/{intent['id']}"
    expand = [
        "latest_charge.balance_transaction",
        "latest_charge.refunds",
        "latest_charge.application_fee",
        "latest_charge.transfer.destination_payment",
        "payment_method",
    ]
    whole = await read(stripe, path, expand=expand)
    charge = whole["latest_charge"]
    assert charge["balance_transaction"]["net"] == AMOUNT - PROCESSING
    assert charge["refunds"]["data"] == []
    assert charge["application_fee"]["amount"] == FEE
    assert charge["transfer"]["destination_payment"]["object"] == "charge"
    assert whole["payment_method"]["card"]["brand"] == "visa"


async def test_a_payment_without_a_destination_stays_with_the_platform(
    stripe: httpx.AsyncClient,
) -> None:
    intent = await send(stripe, "/v1/payment_intents", amount=AMOUNT, currency="usd")
    paid = await confirm(stripe, intent)
    charge = await charge_of(stripe, paid)
    assert "transfer" not in charge
    assert charge["transfer_data"] is None
    assert booked(await movements(stripe)) == [("charge", "charge", AMOUNT, PROCESSING)]


async def test_a_transfer_amount_leaves_the_rest_with_the_platform_and_makes_no_fee(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    await confirm(
        stripe,
        await send(
            stripe,
            "/v1/payment_intents",
            amount=AMOUNT,
            currency="usd",
            transfer_data={"destination": seller, "amount": 8_770},
        ),
    )
    assert booked(await movements(stripe, seller)) == [("payment", "charge", 8_770, 0)]
    assert total(await movements(stripe)) == FEE - PROCESSING
    assert (await read(stripe, "/v1/application_fees"))["data"] == []


async def test_money_is_pending_for_two_days_and_then_available(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    await pay(stripe, seller)

    async def held(account: str | None = None) -> tuple[int, int]:
        balance = await read(stripe, "/v1/balance", account)
        (pending,), (available,) = balance["pending"], balance["available"]
        return pending["amount"], available["amount"]

    assert await held() == (FEE - PROCESSING, 0)
    assert await held(seller) == (AMOUNT - FEE, 0)
    await advance(stripe, 2 * DAY_SECONDS)
    assert await held() == (0, FEE - PROCESSING)
    assert await held(seller) == (0, AMOUNT - FEE)
    assert {t["status"] for t in await movements(stripe)} == {"available"}


async def test_one_test_card_brings_its_money_at_once(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    statuses = {t["status"] for t in await movements(stripe)}
    assert statuses == {"available"}


async def test_balance_transactions_are_filtered_and_paged(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    await pay(stripe, seller, currency="eur")
    every = await movements(stripe)

    async def listed(**params: Any) -> list[str]:
        answer = await read(stripe, "/v1/balance_transactions", limit=100, **params)
        return [t["id"] for t in reversed(answer["data"])]

    assert await listed(type="transfer") == [t["id"] for t in every if t["type"] == "transfer"]
    assert await listed(currency="eur") == [t["id"] for t in every if t["currency"] == "eur"]
    assert len(await listed(source=intent["latest_charge"])) == 1
    moment = every[0]["created"]
    assert await listed(created={"gte": moment}) == [t["id"] for t in every]
    assert await listed(created={"gt": moment + 60}) == []
    page = await read(stripe, "/v1/balance_transactions", limit=4)
    assert page["has_more"] is True
    rest = await listed(starting_after=page["data"][-1]["id"])
    assert rest == [t["id"] for t in every[:2]]


async def test_one_accounts_money_cannot_be_read_as_anothers(stripe: httpx.AsyncClient) -> None:
    first, second = await open_seller(stripe), await open_seller(stripe)
    await pay(stripe, first)
    assert await movements(stripe, second) == []
    (movement,) = await movements(stripe, first)
    path = f"/v1/balance_transactions/{movement['id']}"
    answer = await stripe.get(path, headers={"Stripe-Account": second})
    assert answer.status_code == 404
    assert (await stripe.get(path)).status_code == 404


async def test_what_each_account_holds_is_the_sum_of_its_movements(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """After payments, refunds, a dispute won in part, payouts, and one the bank refused."""
    first, second = await open_seller(stripe), await open_seller(stripe)
    both = {"reverse_transfer": True, "refund_application_fee": True}
    for number, seller in enumerate([first, second] * 3):
        currency = "eur" if number == 4 else "usd"
        card = "pm_card_visa" if number % 2 else "pm_card_bypassPending"
        paid = await confirm(stripe, await create(stripe, seller, currency=currency), card)
        await send(
            stripe, "/v1/refunds", payment_intent=paid["id"], amount=111 * number + 1, **both
        )
    disputed = await control(stripe, "disputes", payment_intent=paid["id"], amount=500)
    await control(stripe, f"disputes/{disputed['id']}", outcome="partial", amount=200)
    await advance(stripe, DAY_SECONDS)
    (payout,) = (await read(stripe, "/v1/payouts", first, limit=1))["data"]
    await control(stripe, f"payouts/{payout['id']}", outcome="failed")

    async def held() -> Json:
        shown: Json = (await stripe.get("/_sandbox/balances")).json()["balances"]
        return shown

    async def summed() -> Json:
        sums: Json = {}
        for owner in ("platform", first, second):
            txns = await movements(stripe, None if owner == "platform" else owner)
            sums[owner] = {
                currency: {
                    status: sum(
                        t["net"] for t in txns if (t["currency"], t["status"]) == (currency, status)
                    )
                    for status in ("available", "pending")
                }
                for currency in {t["currency"] for t in txns}
            }
        return sums

    assert await held() == await summed()
    before = await held()
    save(sandbox.sandbox, tmp_path / "state.json")
    sandbox.sandbox.reset()
    assert restore(sandbox.sandbox, tmp_path / "state.json")
    assert await held() == before
    await advance(stripe, 7 * DAY_SECONDS)
    assert await held() == await summed()
    assert (await held())[second]["usd"] == {"available": 0, "pending": 0}


@pytest.mark.parametrize(
    ("amount", "fee"), [(50, 31), (1_000, 59), (499, 44), (500, 45), (10_000, 320)]
)
def test_the_processing_fee_is_rounded_half_up(amount: int, fee: int) -> None:
    assert processing_fee(amount).amount == fee


@pytest.mark.parametrize(
    ("amount", "part", "whole", "shared"),
    [(1, 1, 2, 1), (1, 1, 3, 0), (1_230, 3_333, 10_000, 410), (5, 3, 10, 2), (0, 1, 7, 0)],
)
def test_a_share_is_rounded_half_up(amount: int, part: int, whole: int, shared: int) -> None:
    assert share(amount, part, whole) == shared


def test_amounts_are_written_in_the_decimals_of_their_currency() -> None:
    assert written(50, "usd") == "0.50 usd"
    assert written(50, "jpy") == "50 jpy"
    assert written(1_230, "kwd") == "1.230 kwd"
