"""Payouts of connected accounts: made by time or by hand, and what their banks say."""

from pathlib import Path

import httpx
import pytest

from stripe_sandbox.keeping import restore, save
from stripe_sandbox.server import RunningSandbox
from tests.sandbox.conftest import Receiver
from tests.sandbox.controls import control, control_refused
from tests.sandbox.money import (
    AMOUNT,
    DAY_SECONDS,
    FEE,
    Json,
    advance,
    booked,
    charge_of,
    confirm,
    create,
    form,
    movements,
    open_seller,
    pay,
    read,
    send,
    set_transfers,
    total,
)

NET = AMOUNT - FEE
HOUR_SECONDS = 3_600


async def until_midnight(stripe: httpx.AsyncClient, days: int = 0) -> int:
    """Move the clock to the next midnight, or `days` later; answers that moment."""
    now = (await stripe.get("/_sandbox/clock")).json()["now"]
    midnight: int = (now // DAY_SECONDS + 1 + days) * DAY_SECONDS
    await advance(stripe, midnight - now)
    return midnight


async def paid_seller(stripe: httpx.AsyncClient) -> str:
    """A connected account whose money is available at once."""
    seller = await open_seller(stripe)
    await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    return seller


async def payouts_of(stripe: httpx.AsyncClient, seller: str, **params: object) -> list[Json]:
    listed: list[Json] = (await read(stripe, "/v1/payouts", seller, **params))["data"]
    return listed


async def as_seller(
    stripe: httpx.AsyncClient, seller: str, path: str, **params: object
) -> tuple[int, Json]:
    answer = await stripe.post(path, data=form(params), headers={"Stripe-Account": seller})
    return answer.status_code, answer.json()


async def types_of(stripe: httpx.AsyncClient, seller: str) -> list[str]:
    listed = await read(stripe, "/v1/events", seller, limit=100)
    return [event["type"] for event in reversed(listed["data"])]


# ------------------------------------------------------------------------------- every midnight


async def test_what_is_available_is_paid_out_at_midnight_and_arrives_two_days_later(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    await pay(stripe, seller)
    await until_midnight(stripe, 1)
    assert await payouts_of(stripe, seller) == []  # still pending
    midnight = await until_midnight(stripe)
    (payout,) = await payouts_of(stripe, seller)
    assert (payout["amount"], payout["status"], payout["automatic"]) == (NET, "pending", True)
    assert payout["created"] == midnight
    assert payout["arrival_date"] == midnight + 2 * DAY_SECONDS
    assert total(await movements(stripe, seller)) == 0
    await advance(stripe, HOUR_SECONDS)
    (payout,) = await payouts_of(stripe, seller)
    assert (payout["status"], payout["reconciliation_status"]) == ("in_transit", "completed")
    await until_midnight(stripe, 1)
    assert [p["status"] for p in await payouts_of(stripe, seller)] == ["paid"]
    assert await types_of(stripe, seller) == [
        "balance.available",
        "payout.created",
        "payout.updated",
        "payout.reconciliation_completed",
        "payout.paid",
    ]


async def test_a_clock_moved_by_weeks_passes_every_midnight(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    await pay(stripe, seller, transfer_group="order_2")
    await advance(stripe, 20 * DAY_SECONDS)
    later, first = await payouts_of(stripe, seller)
    assert first["created"] < later["created"] < first["created"] + 4 * DAY_SECONDS
    assert {p["status"] for p in (first, later)} == {"paid"}
    assert (first["amount"], later["amount"]) == (NET, NET)


async def test_a_payout_knows_the_movements_it_pays_out(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    both = {"reverse_transfer": True, "refund_application_fee": True}
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], amount=4_000, **both)
    await until_midnight(stripe)
    (payout,) = await payouts_of(stripe, seller)
    paid = await read(stripe, "/v1/balance_transactions", seller, payout=payout["id"])
    kinds = booked(list(reversed(paid["data"])))
    assert [(kind, amount) for kind, _category, amount, _fee in kinds] == [
        ("payment", AMOUNT),
        ("payment", AMOUNT),
        ("payment_refund", -4_000),
        ("payout", -payout["amount"]),
    ]
    rest = [t["net"] for t in paid["data"] if t["source"] != payout["id"]]
    assert sum(rest) == payout["amount"]
    expanded = await read(
        stripe,
        f"/v1/payouts/{payout['id']}",
        seller,
        expand=["balance_transaction", "destination"],
    )
    assert expanded["balance_transaction"]["net"] == -payout["amount"]
    assert expanded["destination"]["currency"] == "usd"


async def test_each_currency_is_paid_out_by_itself(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    euros = await create(stripe, seller, currency="eur")
    await confirm(stripe, euros, "pm_card_bypassPending")
    await until_midnight(stripe)
    payouts = await payouts_of(stripe, seller)
    assert sorted((p["currency"], p["amount"]) for p in payouts) == [("eur", NET), ("usd", NET)]
    assert len({p["destination"] for p in payouts}) == 2


async def test_an_account_without_active_payouts_is_paid_out_once_it_has_them(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await paid_seller(stripe)
    change = {"payouts": "restricted"}
    assert (await stripe.post(f"/_sandbox/accounts/{seller}", json=change)).status_code == 200
    await until_midnight(stripe, 3)
    assert await payouts_of(stripe, seller) == []
    await set_transfers(stripe, seller, "active")
    await until_midnight(stripe)
    assert len(await payouts_of(stripe, seller)) == 1


async def test_an_account_below_zero_is_not_paid_out_until_it_has_earned_it_back(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    await until_midnight(stripe)
    charge = await charge_of(stripe, intent)
    await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals", amount=2_000)
    (available,) = (await read(stripe, "/v1/balance", seller))["available"]
    assert available["amount"] == -2_000
    await until_midnight(stripe, 1)
    assert len(await payouts_of(stripe, seller)) == 1
    await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    await until_midnight(stripe)
    newest, _first = await payouts_of(stripe, seller)
    assert newest["amount"] == NET - 2_000
    paid = await read(stripe, "/v1/balance_transactions", seller, payout=newest["id"])
    assert sorted(t["net"] for t in paid["data"]) == [-newest["amount"], -2_000, NET]


async def test_the_platform_is_told_of_its_sellers_payouts(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver
) -> None:
    seller = await paid_seller(stripe)
    await until_midnight(stripe, 3)
    assert await sandbox.sandbox.deliveries.settled(60)
    told = [e for e in listening.events("connect") if e["type"].startswith("payout.")]
    assert [e["type"] for e in told][-1] == "payout.paid"
    assert {e["account"] for e in told} == {seller}
    assert not [type for type in listening.types("platform") if type.startswith("payout.")]


async def test_the_platform_pays_itself_out_by_hand_only(stripe: httpx.AsyncClient) -> None:
    await paid_seller(stripe)
    await until_midnight(stripe, 3)
    assert (await read(stripe, "/v1/payouts"))["data"] == []
    payout = await send(stripe, "/v1/payouts", amount=100, currency="usd", metadata={"for": "rent"})
    assert (payout["automatic"], payout["reconciliation_status"]) == (False, "not_applicable")
    assert payout["metadata"] == {"for": "rent"}
    assert booked((await movements(stripe))[-1:]) == [("payout", "payout", -100, 0)]


async def test_planned_payouts_survive_a_restart(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    seller = await paid_seller(stripe)
    save(sandbox.sandbox, tmp_path / "state.json")
    sandbox.sandbox.reset()
    assert restore(sandbox.sandbox, tmp_path / "state.json")
    (available,) = (await read(stripe, "/v1/balance", seller))["available"]
    assert available["amount"] == NET
    await until_midnight(stripe, 2)
    assert [(p["amount"], p["status"]) for p in await payouts_of(stripe, seller)] == [(NET, "paid")]


# ------------------------------------------------------------------------------------- failures


async def test_a_payout_that_fails_gives_the_money_back_and_stops_the_next(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await paid_seller(stripe)
    await until_midnight(stripe)
    (payout,) = await payouts_of(stripe, seller)
    failed = await control(
        stripe, f"payouts/{payout['id']}", outcome="failed", failure_code="account_closed"
    )
    assert failed["failure_message"] == "The bank account has been closed."
    (last,) = (await movements(stripe, seller))[-1:]
    assert booked([last]) == [("payout_failure", "payout_reversal", NET, 0)]
    assert failed["failure_balance_transaction"] == last["id"]
    assert (await types_of(stripe, seller))[-1] == "payout.failed"
    await until_midnight(stripe, 3)
    assert [p["status"] for p in await payouts_of(stripe, seller)] == ["failed"]

    status, error = await as_seller(stripe, seller, "/v1/payouts", amount=5, currency="usd")
    assert (status, error["error"]["code"]) == (400, "payouts_not_allowed")
    await control(stripe, f"accounts/{seller}", new_bank_account=True)
    assert (await types_of(stripe, seller))[-1] == "account.external_account.created"
    await until_midnight(stripe)
    again, _failed = await payouts_of(stripe, seller)
    assert (again["amount"], again["destination"] == payout["destination"]) == (NET, False)


async def test_even_a_payout_that_seemed_paid_can_fail(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    paid = await control(stripe, "payouts", account=seller, amount=1_000, outcome="paid")
    assert paid["status"] == "paid"
    path = f"payouts/{paid['id']}"
    failed = await control(stripe, path, outcome="failed")
    assert failed["failure_code"] == "could_not_process"
    assert total(await movements(stripe, seller)) == NET
    assert "status of failed" in await control_refused(stripe, path, outcome="failed")
    assert (await control(stripe, path, outcome="paid"))["status"] == "failed"


# --------------------------------------------------------------------------------------- by hand


async def test_a_seller_can_be_paid_out_by_hand(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    status, payout = await as_seller(stripe, seller, "/v1/payouts", amount=500, currency="usd")
    assert (status, payout["status"], payout["automatic"]) == (200, "pending", False)
    path = f"/v1/payouts/{payout['id']}"
    status, noted = await as_seller(stripe, seller, path, metadata={"a": "b"})
    assert (status, noted["metadata"]) == (200, {"a": "b"})
    status, canceled = await as_seller(stripe, seller, f"{path}/cancel")
    assert (status, canceled["status"]) == (200, "canceled")
    assert total(await movements(stripe, seller)) == NET
    status, error = await as_seller(stripe, seller, f"{path}/cancel")
    assert (status, "while pending" in error["error"]["message"]) == (400, True)
    await advance(stripe, 5 * DAY_SECONDS)
    assert [p["status"] for p in await payouts_of(stripe, seller, status="canceled")] == [
        "canceled"
    ]
    error = (await stripe.get(path)).json()["error"]  # the platform has no such payout
    assert error["code"] == "resource_missing"


async def test_payouts_are_found_by_when_and_where_they_arrive(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    payout = await control(stripe, "payouts", account=seller, amount=10)
    arrival = payout["arrival_date"]
    assert len(await payouts_of(stripe, seller, arrival_date=arrival)) == 1
    assert len(await payouts_of(stripe, seller, arrival_date={"gte": arrival})) == 1
    assert await payouts_of(stripe, seller, arrival_date={"gt": arrival}) == []
    assert await payouts_of(stripe, seller, destination="ba_other") == []
    answer = await stripe.get(
        "/v1/balance_transactions",
        params={"payout": payout["id"]},
        headers={"Stripe-Account": seller},
    )
    assert "only be filtered on automatic" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"amount": NET + 1}, "balance_insufficient", None),
        ({"currency": "eur"}, "balance_insufficient", None),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"method": "instant"}, None, "method"),
        ({"destination": "ba_other"}, "resource_missing", "destination"),
    ],
)
async def test_a_payout_by_hand_fits_what_there_is(
    stripe: httpx.AsyncClient, wrong: Json, code: str | None, param: str | None
) -> None:
    seller = await paid_seller(stripe)
    asked = {"amount": 10, "currency": "usd", **wrong}
    status, answer = await as_seller(stripe, seller, "/v1/payouts", **asked)
    error = answer["error"]
    assert (status, error.get("code"), error.get("param")) == (400, code, param)
    assert await payouts_of(stripe, seller) == []


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"account": "acct_none"}, "No such account"),
        ({"outcome": "lost"}, "outcome is one of"),
        ({"outcome": "failed", "failure_code": "tired"}, "failure_code is one of"),
        ({"failure_code": "declined"}, "only a payout that failed"),
        ({"amount": NET + 1}, "insufficient funds"),
        ({"amount": -1}, "greater than or equal to 1"),
        ({"currency": "sek"}, "greater than or equal to 1"),
    ],
)
async def test_a_payout_control_is_checked(
    stripe: httpx.AsyncClient, wrong: Json, word: str
) -> None:
    seller = await paid_seller(stripe)
    assert word in await control_refused(stripe, "payouts", **{"account": seller, **wrong})
    assert await payouts_of(stripe, seller) == []


async def test_who_never_had_money_is_not_paid_out(stripe: httpx.AsyncClient) -> None:
    seller = await open_seller(stripe)
    assert "never had any money" in await control_refused(stripe, "payouts", account=seller)
    assert "No such payout" in await control_refused(stripe, "payouts/po_1", outcome="paid")


# ------------------------------------------------------------------------------- the dashboard


async def test_the_express_dashboard_shows_balance_and_payouts(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    seller = await paid_seller(stripe)
    await control(
        stripe, "payouts", account=seller, amount=1_234, outcome="failed", failure_code="declined"
    )
    link = await send(stripe, f"/v1/accounts/{seller}/login_links")
    page = await browser.get(link["url"])
    assert page.status_code == 200
    assert "87.70 usd" in page.text
    assert "12.34 usd, failed" in page.text
    assert "The bank has declined this transfer." in page.text
    assert (await browser.get(link["url"])).status_code == 404
    assert (await browser.post(link["url"])).status_code == 405


async def test_a_debt_is_written_with_its_sign(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    seller = await open_seller(stripe)
    intent = await confirm(stripe, await create(stripe, seller), "pm_card_bypassPending")
    await send(stripe, "/v1/refunds", payment_intent=intent["id"], reverse_transfer=True)
    link = await send(stripe, f"/v1/accounts/{seller}/login_links")
    page = await browser.get(link["url"])
    assert "-12.30 usd" in page.text
    assert "None yet." in page.text
