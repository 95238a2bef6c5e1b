"""The exact requests about payouts and balances, and what is made of the answers."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connect.payout_gateway import Funds, PayoutSnapshot
from connect.stripe_payouts import StripePayouts
from payments.errors import OutcomeUnknown, SellerCannotReceive, StripeRejected
from payments.ids import ConnectedAccountId
from payments.stripe_client import StripeApi

STRIPE = "https://api.stripe.com"
ACCOUNT_ID = ConnectedAccountId("acct_1Connect")
CREATED = 1_795_262_400
PAYOUT: dict[str, Any] = {
    "id": "po_1",
    "object": "payout",
    "amount": 5_100,
    "arrival_date": CREATED + 172_800,
    "automatic": True,
    "balance_transaction": "txn_1",
    "created": CREATED,
    "currency": "eur",
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "livemode": False,
    "reconciliation_status": "in_progress",
    "status": "in_transit",
}


def a_movement(id: str, source: Any, net: int = 100, **changes: Any) -> dict[str, Any]:
    facts = {
        "id": id,
        "object": "balance_transaction",
        "type": "payment",
        "reporting_category": "charge",
        "amount": net,
        "fee": 0,
        "net": net,
        "currency": "eur",
        "created": CREATED,
        "source": source,
    }
    return facts | changes


@pytest.fixture
def stripe() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=STRIPE) as router:
        yield router


@pytest.fixture
async def payouts() -> AsyncIterator[StripePayouts]:
    api = StripeApi("sk_test_payouts", transport="httpx")
    yield StripePayouts(api)
    await api.close()


def answer(data: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=data, headers={"request-id": "req_1"})


def a_page(*data: Any, more: bool = False) -> httpx.Response:
    return answer({"object": "list", "data": list(data), "has_more": more})


async def test_a_payout_is_read_on_its_account(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    route = stripe.get("/v1/payouts/po_1").mock(return_value=answer(PAYOUT))
    seen = await payouts.retrieve_payout(ACCOUNT_ID, "po_1")
    request = route.calls.last.request
    assert request.headers["stripe-account"] == ACCOUNT_ID
    assert request.url.params["expand[0]"] == "failure_balance_transaction"
    assert seen == PayoutSnapshot(
        id="po_1",
        account_id=ACCOUNT_ID,
        amount=5_100,
        currency="eur",
        status="in_transit",
        automatic=True,
        items_known=False,
        arrival_at=datetime.fromtimestamp(CREATED + 172_800, UTC),
        failure_code=None,
        failure_message=None,
        returned_at=None,
        created_at=datetime.fromtimestamp(CREATED, UTC),
    )


async def test_a_failed_one_says_why_and_when_the_money_came_back(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    failed = PAYOUT | {
        "status": "failed",
        "failure_code": "no_account",
        "failure_message": "No such account.",
        "failure_balance_transaction": {"id": "txn_2", "created": CREATED + 99},
        "reconciliation_status": "completed",
    }
    stripe.get("/v1/payouts/po_1").mock(return_value=answer(failed))
    seen = await payouts.retrieve_payout(ACCOUNT_ID, "po_1")
    assert (seen.failure_code, seen.returned_at) == (
        "no_account",
        datetime.fromtimestamp(CREATED + 99, UTC),
    )
    assert seen.items_known


async def test_only_automatic_payouts_say_what_they_carried(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    by_hand = PAYOUT | {"automatic": False, "reconciliation_status": "not_applicable"}
    stripe.get("/v1/payouts/po_1").mock(return_value=answer(by_hand))
    assert not (await payouts.retrieve_payout(ACCOUNT_ID, "po_1")).items_known


async def test_every_page_of_a_list_is_read(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    route = stripe.get("/v1/payouts").mock(
        side_effect=[a_page(PAYOUT, more=True), a_page(PAYOUT | {"id": "po_0"})]
    )
    since = datetime.fromtimestamp(CREATED + 0.7, UTC)
    found = [one.id async for one in payouts.payouts(ACCOUNT_ID, since=since)]
    assert found == ["po_1", "po_0"]
    first, second = (call.request.url.params for call in route.calls)
    assert (first["created[gte]"], first["limit"]) == (str(CREATED), "100")
    assert "starting_after" not in first
    assert second["starting_after"] == "po_1"
    assert {call.request.headers["stripe-account"] for call in route.calls} == {ACCOUNT_ID}


async def test_what_was_carried_leads_to_the_transfers(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    """A refund names the seller's payment; one that was paid out earlier is asked for."""
    payment = {"id": "py_1", "object": "charge", "source_transfer": "tr_1"}
    refund = {"id": "pyr_1", "object": "refund", "charge": "py_1"}
    late = {"id": "pyr_2", "object": "refund", "charge": "py_0"}
    listed = stripe.get("/v1/balance_transactions").mock(
        return_value=a_page(
            a_movement("txn_5", {"id": "po_1", "object": "payout"}, -100),
            a_movement("txn_4", {"id": "po_0", "object": "payout"}, 70),
            a_movement("txn_3", late, -10),
            a_movement("txn_2", refund, -20),
            a_movement("txn_1", payment, 50, amount=60, fee=10),
            a_movement("txn_0", None, 10, reporting_category="fee"),
        )
    )
    asked = stripe.get("/v1/charges/py_0").mock(
        return_value=answer({"id": "py_0", "object": "charge", "source_transfer": "tr_0"})
    )
    found = await payouts.items(ACCOUNT_ID, "po_1")
    assert [(one.id, one.source_id, one.transfer_id, one.net) for one in found] == [
        ("txn_4", "po_0", None, 70),
        ("txn_3", "pyr_2", "tr_0", -10),
        ("txn_2", "pyr_1", "tr_1", -20),
        ("txn_1", "py_1", "tr_1", 50),
        ("txn_0", None, None, 10),
    ]
    assert sum(one.net for one in found) == 100
    params = listed.calls.last.request.url.params
    assert (params["payout"], params["expand[0]"]) == ("po_1", "data.source")
    assert asked.call_count == 1
    assert asked.calls.last.request.headers["stripe-account"] == ACCOUNT_ID


async def test_a_balance_is_summed_by_currency(
    stripe: respx.MockRouter, payouts: StripePayouts
) -> None:
    balance = {
        "object": "balance",
        "available": [{"amount": -200, "currency": "eur"}, {"amount": 5, "currency": "usd"}],
        "pending": [{"amount": 900, "currency": "eur"}, {"amount": 1, "currency": "jpy"}],
    }
    route = stripe.get("/v1/balance").mock(return_value=answer(balance))
    assert await payouts.balance(ACCOUNT_ID) == (
        Funds(currency="eur", available=-200, pending=900),
        Funds(currency="jpy", available=0, pending=1),
        Funds(currency="usd", available=5, pending=0),
    )
    assert route.calls.last.request.headers["stripe-account"] == ACCOUNT_ID


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (answer({"object": "balance", "available": "much"}), OutcomeUnknown),
        (answer({"error": {"code": "account_invalid", "type": "x"}}, 403), SellerCannotReceive),
        (answer({"error": {"code": "resource_missing", "type": "x"}}, 404), StripeRejected),
        (answer({}, 500), OutcomeUnknown),
    ],
)
async def test_what_is_no_answer_is_no_balance(
    stripe: respx.MockRouter, payouts: StripePayouts, told: httpx.Response, error: type[Exception]
) -> None:
    stripe.get("/v1/balance").mock(return_value=told)
    with pytest.raises(error):
        await payouts.balance(ACCOUNT_ID)
