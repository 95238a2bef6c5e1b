"""Transfers, reversals and fee refunds of the sandbox that are not part of a refund."""

import httpx
import pytest

from tests.sandbox.money import (
    AMOUNT,
    DAY_SECONDS,
    FEE,
    PROCESSING,
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
    refused,
    send,
    set_transfers,
    total,
)


async def test_a_transfer_can_be_taken_back_in_parts(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller))
    path = f"/v1/transfers/{charge['transfer']}"
    first = await send(stripe, f"{path}/reversals", amount=2_500, metadata={"dispute": "dp_1"})
    assert (first["amount"], first["metadata"]) == (2_500, {"dispute": "dp_1"})
    error = await refused(stripe, f"{path}/reversals", amount=7_501)
    assert error["param"] == "amount"
    rest = await send(stripe, f"{path}/reversals")
    assert rest["amount"] == 7_500
    transfer = await read(stripe, path)
    assert (transfer["amount_reversed"], transfer["reversed"]) == (AMOUNT, True)
    assert [r["id"] for r in transfer["reversals"]["data"]] == [rest["id"], first["id"]]
    assert (await read(stripe, f"{path}/reversals", limit=1))["has_more"] is True
    assert await read(stripe, f"{path}/reversals/{first['id']}") == first
    assert "already been reversed" in (await refused(stripe, f"{path}/reversals"))["message"]
    assert total(await movements(stripe, seller)) == -FEE
    event = await newest_event(stripe, "transfer.reversed")
    assert event["data"]["previous_attributes"]["amount_reversed"] == 2_500


async def test_only_amounts_that_exist_in_the_currency_are_moved(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller, currency="kwd"))
    for path, whole, of in (
        (f"/v1/transfers/{charge['transfer']}/reversals", 100, {}),
        (f"/v1/application_fees/{charge['application_fee']}/refunds", 10, {}),
        ("/v1/refunds", 100, {"charge": charge["id"]}),
    ):
        error = await refused(stripe, path, amount=whole + 1, **of)
        assert (error["param"], "multiple of 10" in error["message"]) == ("amount", True)
        await send(stripe, path, amount=whole, **of)


async def test_a_reversal_can_bring_the_fee_back_in_proportion(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller))
    path = f"/v1/transfers/{charge['transfer']}/reversals"
    await send(stripe, path, amount=5_000, refund_application_fee=True)
    fee = await read(stripe, f"/v1/application_fees/{charge['application_fee']}")
    assert fee["amount_refunded"] == FEE // 2
    assert booked((await movements(stripe, seller))[1:]) == [
        ("payment_refund", "refund", -5_000, -FEE // 2)
    ]


async def test_a_refund_after_a_reversal_takes_only_what_is_left(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await pay(stripe, seller)
    charge = await charge_of(stripe, intent)
    await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals", amount=AMOUNT)
    refund = await send(stripe, "/v1/refunds", payment_intent=intent["id"], reverse_transfer=True)
    assert refund["transfer_reversal"] is None
    assert total(await movements(stripe, seller)) == -FEE


async def test_a_fee_can_be_given_back_by_itself(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller))
    path = f"/v1/application_fees/{charge['application_fee']}"
    first = await send(stripe, f"{path}/refunds", amount=200, metadata={"why": "goodwill"})
    assert first["metadata"] == {"why": "goodwill"}
    error = await refused(stripe, f"{path}/refunds", amount=FEE - 199)
    assert error["param"] == "amount"
    await send(stripe, f"{path}/refunds")
    fee = await read(stripe, path)
    assert (fee["amount_refunded"], fee["refunded"]) == (FEE, True)
    assert (await read(stripe, f"{path}/refunds"))["data"][-1] == first
    assert "already been refunded" in (await refused(stripe, f"{path}/refunds"))["message"]
    assert booked((await movements(stripe, seller))[1:]) == [
        ("adjustment", "fee", 200, 0),
        ("adjustment", "fee", FEE - 200, 0),
    ]
    assert total(await movements(stripe, seller)) == AMOUNT
    assert total(await movements(stripe)) == -PROCESSING


async def test_a_transfer_of_its_own_needs_money_that_is_available(
    stripe: httpx.AsyncClient,
) -> None:
    seller, other = await open_seller(stripe), await open_seller(stripe)
    await pay(stripe, seller)
    asked = {"amount": 500, "currency": "usd", "destination": other}
    error = await refused(stripe, "/v1/transfers", **asked)
    assert error["code"] == "balance_insufficient"
    await advance(stripe, 2 * DAY_SECONDS)
    transfer = await send(stripe, "/v1/transfers", transfer_group="order_ord_1", **asked)
    assert transfer["source_transaction"] is None
    assert booked(await movements(stripe, other)) == [("payment", "charge", 500, 0)]
    assert (await event_types(stripe))[-1] == "transfer.created"
    error = await refused(stripe, "/v1/transfers", **{**asked, "amount": 500})
    assert error["code"] == "balance_insufficient"
    listed = await read(stripe, "/v1/transfers", transfer_group="order_ord_1")
    newest, first = listed["data"]
    assert (newest["id"], first["destination"]) == (transfer["id"], seller)


async def test_a_transfer_out_of_a_charge_waits_for_the_charges_money(
    stripe: httpx.AsyncClient,
) -> None:
    other = await open_seller(stripe)
    plain = await send(stripe, "/v1/payment_intents", amount=AMOUNT, currency="usd")
    charge = await charge_of(stripe, await confirm(stripe, plain))
    asked = {"currency": "usd", "destination": other, "source_transaction": charge["id"]}
    transfer = await send(stripe, "/v1/transfers", amount=300, transfer_group="order_1", **asked)
    assert transfer["source_transaction"] == charge["id"]
    assert transfer["transfer_group"] == "order_1"
    (movement,) = await movements(stripe, other)
    assert movement["status"] == "pending"
    rest = await send(stripe, "/v1/transfers", **asked)
    assert rest["amount"] == AMOUNT - 300


async def test_transfers_of_a_charge_never_exceed_what_it_took(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller))
    asked = {"currency": "usd", "destination": seller, "source_transaction": charge["id"]}
    error = await refused(stripe, "/v1/transfers", amount=1, **asked)
    assert (error["param"], "must not exceed" in error["message"]) == ("amount", True)
    await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals", amount=400)
    error = await refused(stripe, "/v1/transfers", amount=401, **asked)
    assert error["param"] == "amount"
    again = await send(stripe, "/v1/transfers", amount=400, metadata={"refund": "rfd_1"}, **asked)
    assert (again["transfer_group"], again["metadata"]) == ("order_ord_1", {"refund": "rfd_1"})


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"currency": "eur"}, "currency"),
        ({"currency": "xxx"}, "currency"),
        ({"amount": 0}, "amount"),
        ({"transfer_group": "another"}, "transfer_group"),
        ({"source_transaction": "ch_none"}, "source_transaction"),
        ({"destination": "acct_none"}, "destination"),
    ],
)
async def test_a_transfer_out_of_a_charge_fits_the_charge(
    stripe: httpx.AsyncClient, wrong: dict[str, object], param: str
) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await pay(stripe, seller))
    await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals")
    asked = {"currency": "usd", "destination": seller, "source_transaction": charge["id"]}
    assert (await refused(stripe, "/v1/transfers", **{**asked, **wrong}))["param"] == param


async def test_money_that_is_only_held_cannot_be_transferred(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    charge = await charge_of(stripe, await hold(stripe, seller))
    error = await refused(
        stripe,
        "/v1/transfers",
        currency="usd",
        destination=seller,
        source_transaction=charge["id"],
    )
    assert error["param"] == "source_transaction"
    error = await refused(stripe, "/v1/transfers", currency="usd", destination=seller)
    assert (error["code"], error["param"]) == ("parameter_missing", "amount")


async def test_only_a_destination_charges_transfer_is_reversed_below_zero(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    charge = await charge_of(stripe, intent)
    answer = await stripe.post("/_sandbox/payouts", json={"account": seller, "outcome": "paid"})
    assert answer.status_code == 200, answer.text
    await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals")
    assert total(await movements(stripe, seller)) == -AMOUNT

    again = await send(
        stripe, "/v1/transfers", amount=AMOUNT - 1, currency="usd", destination=seller
    )
    error = await refused(stripe, f"/v1/transfers/{again['id']}/reversals")
    assert error["code"] == "balance_insufficient"
    assert total(await movements(stripe, seller)) == -1


async def test_what_was_taken_back_can_be_transferred_again(stripe: httpx.AsyncClient) -> None:
    """After a refund that failed, say: the money is the platform's, and goes to the seller."""
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_refundFail")
    both = {"reverse_transfer": True, "refund_application_fee": True}
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], **both)
    await advance(stripe, 3 * DAY_SECONDS)
    again = await send(
        stripe,
        "/v1/transfers",
        amount=AMOUNT - FEE,
        currency="usd",
        destination=seller,
        transfer_group="order_ord_1",
        description="The refund came back",
    )
    assert total(await movements(stripe, seller)) == AMOUNT - FEE
    taken = await send(stripe, f"/v1/transfers/{again['id']}/reversals", amount=70)
    assert taken["amount"] == 70
    changed = await send(stripe, f"/v1/transfers/{again['id']}", metadata={"why": "mistake"})
    assert (changed["metadata"], changed["amount_reversed"]) == ({"why": "mistake"}, 70)


async def test_a_transfer_needs_a_destination_that_can_receive_it(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    await set_transfers(stripe, seller, "restricted")
    error = await refused(stripe, "/v1/transfers", amount=500, currency="usd", destination=seller)
    assert error["code"] == "insufficient_capabilities_for_transfer"


async def test_a_charge_can_be_told_where_its_goods_are(stripe: httpx.AsyncClient) -> None:
    charge = await charge_of(stripe, await pay(stripe, await open_seller(stripe)))
    path = f"/v1/charges/{charge['id']}"
    shipping = {
        "name": "Bea",
        "address": {"line1": "1 Main Street", "country": "US"},
        "carrier": "DHL",
        "tracking_number": "T1",
    }
    changed = await send(stripe, path, shipping=shipping, metadata={"shipped": "yes"})
    assert changed["shipping"]["tracking_number"] == "T1"
    assert changed["metadata"] == {"order_id": "ord_1", "shipped": "yes"}
    event = await newest_event(stripe, "charge.updated")
    assert event["data"]["previous_attributes"]["shipping"] is None
    before = len(await event_types(stripe))
    await send(stripe, path, metadata={"shipped": "yes"})
    assert len(await event_types(stripe)) == before
