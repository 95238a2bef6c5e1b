"""A seller's month: sales, a refund, payouts that arrive and come back, a statement that adds up, a trail."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from marketplace.books.months import Month
from payments.database import rows
from tests.stories.town import Person, Town


@pytest.fixture(autouse=True)
async def morning(town: Town, admin: Person) -> None:
    """Days go by in these stories, and a session lasts one."""
    await town.signs_in(admin)


def base(seller: Person) -> str:
    return f"/v1/sellers/{seller.seller_id}"


async def nights(town: Town, count: int, *people: Person) -> None:
    """Days go by one after the other; people sign in again, for a session lasts a day."""
    for _ in range(count):
        await town.passes(days=1)
    for person in people:
        await town.signs_in(person)


def this_month(town: Town) -> Month:
    return Month.named(f"{town.clock():%Y-%m}")


async def month_ends(town: Town, *people: Person) -> None:
    """The month goes by, and it is the next one's first morning."""
    left = this_month(town).until - town.clock() + timedelta(hours=9)
    await town.passes(seconds=left.total_seconds())
    for person in people:
        await town.signs_in(person)


async def eur(seller: Person) -> dict[str, int]:
    """The seller's balance in euros."""
    [found] = (await seller.get(f"{base(seller)}/balance"))["data"]
    assert found.pop("currency") == "eur"
    return dict(found)


async def held(seller: Person) -> int:
    """What our books hold for the seller."""
    [found] = await rows(
        "SELECT coalesce(sum(CASE $1 WHEN target THEN amount WHEN source THEN -amount END), 0)::int "
        "AS held FROM postings",
        f"seller:{seller.seller_id}",
    )
    return int(found["held"])


async def whole_statement(seller: Person, month: str) -> tuple[dict[str, Any], list[Any]]:
    """The statement in its only currency, and all of its movements, page by page."""
    path = f"{base(seller)}/statements/{month}"
    [found] = (await seller.get(path))["currencies"]
    movements: list[Any] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = await seller.get(f"{path}/movements", **query)
        movements += page["data"]
        if not page["has_more"]:
            return found, movements
        query["starting_after"] = movements[-1]["id"]


async def told(kind: str, subject_id: str) -> set[str]:
    """Who was written to, of this kind, about this."""
    found = await rows(
        "SELECT account_id FROM messages WHERE kind = $1 AND subject_id = $2", kind, subject_id
    )
    return {each["account_id"] for each in found}


async def test_a_month_adds_up_to_the_unit(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    if this_month(town).until - town.clock() < timedelta(days=8):
        await month_ends(town, coach, buyer)  # the sales and their payout belong to one month
    month = this_month(town)
    listing = await town.lists(coach, unit_amount=6000)
    first = await buyer.pays(listing)
    await coach.post(f"/v1/orders/{first}/refunds", {"amount": 1999})
    await (await town.arrives("buyer")).pays(listing)
    await town.settle()

    earned = await coach.get(f"{base(coach)}/earnings")
    assert [(one["order_id"] == first, one["net"]) for one in earned["data"]] == [
        (False, 5100),
        (True, 5100 - 1999 + 300),
    ]
    [total] = earned["totals"]
    assert total["net"] == total["gross"] - total["fee"] - total["refunded"] + total["fee_returned"]
    assert (total["orders"], total["net"], total["adjustments"]) == (2, 8501, 0)
    balance = await eur(coach)
    assert balance["available"] + balance["pending"] == 8501 == await held(coach)

    await nights(town, 6, coach)
    [payout] = (await coach.get(f"{base(coach)}/payouts"))["data"]
    assert (payout["amount"], payout["status"], payout["failure_code"]) == (8501, "paid", None)
    assert await told("payout_paid", payout["id"]) == {coach.account_id}
    carried = await coach.get(f"{base(coach)}/payouts/{payout['id']}/movements")
    assert sum(one["net"] for one in carried["data"]) == 8501
    assert {one["order_id"] for one in carried["data"]} == {
        one["order_id"] for one in earned["data"]
    }
    assert await held(coach) == 0

    # The month is closed, and what happens now is on the next statement.
    await month_ends(town, coach, buyer)
    closed, movements = await whole_statement(coach, month.name)
    assert closed["opening"] + sum(one["amount"] for one in movements) == closed["closing"] == 0
    assert closed["movements"] == len(movements) == 7
    assert (await coach.get(f"{base(coach)}/statements/{month.name}"))["closed"]
    await coach.post(f"/v1/orders/{first}/refunds", {"amount": 1})
    await town.settle()
    assert (closed, movements) == await whole_statement(coach, month.name)
    following = this_month(town)
    opened, later = await whole_statement(coach, following.name)
    assert (opened["opening"], opened["closing"]) == (0, sum(one["amount"] for one in later))
    months = (await coach.get(f"{base(coach)}/statements"))["data"]
    assert [(one["month"], one["closed"]) for one in months] == [
        (following.name, False),
        (month.name, True),
    ]


async def test_the_statement_can_be_opened_in_a_spreadsheet_and_printed(
    town: Town, admin: Person, buyer: Person
) -> None:
    seller = await town.seller("shop", admin=admin)
    name = '=HYPERLINK("https://evil.example")<script>alert(1)</script>'
    await seller.call("PATCH", base(seller), {"display_name": name})
    await buyer.pays(await town.lists(seller, unit_amount=6000))
    month = this_month(town).name

    file = await seller.http.get(f"{base(seller)}/statements/{month}/csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"statement-{month}.csv" in file.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(file.text)))
    assert [one["kind"] for one in lines] == [
        "opening_balance",
        "capture",
        "application_fee",
        "closing_balance",
    ]
    assert [one["balance"] for one in lines] == ["0.00", "60.00", "51.00", "51.00"]
    assert [one["amount_minor_units"] for one in lines] == ["0", "6000", "-900", "0"]

    page = await seller.http.get(f"{base(seller)}/statements/{month}/print")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert page.text.endswith("</html>\n")
    stranger = await town.arrives("stranger")
    for what in ("", "/csv", "/print", "/movements"):
        path = f"{base(seller)}/statements/{month}{what}"
        assert await stranger.refused("GET", path) == (404, "seller_not_found")


async def test_a_payout_came_back_and_was_made_again(
    town: Town, admin: Person, buyer: Person
) -> None:
    """The bank account was closed: the seller and the admins hear why, the money is there and goes again."""
    seller = await town.seller("shop", admin=admin)
    order_id = await buyer.pays(await town.lists(seller, unit_amount=6000))
    await nights(town, 3, seller)
    [payout] = (await seller.get(f"{base(seller)}/payouts"))["data"]
    assert (payout["status"], (await eur(seller))["on_the_way"]) == ("in_transit", 5100)

    await town.stripe(
        "POST",
        f"/_sandbox/payouts/{payout['id']}",
        json={"outcome": "failed", "failure_code": "account_closed"},
    )
    await town.settle()
    failed = await seller.get(f"{base(seller)}/payouts/{payout['id']}")
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert "closed" in failed["failure_explanation"]
    assert "another bank account" in failed["what_to_do"]
    assert await told("payout_failed", payout["id"]) == {seller.account_id}
    assert admin.account_id in await told("seller_payout_failed", payout["id"])
    [event] = await rows("SELECT * FROM seller_events WHERE subject_id = $1", payout["id"])
    assert (event["seller_id"], event["type"]) == (seller.seller_id, "payout.failed")
    balance = await eur(seller)
    assert (balance["available"], balance["on_the_way"]) == (5100, 0)
    assert await held(seller) == 5100

    account = await town.account_of(seller)
    await town.stripe("POST", f"/_sandbox/accounts/{account}", json={"new_bank_account": True})
    await nights(town, 4, seller, admin)
    again, before = (await seller.get(f"{base(seller)}/payouts"))["data"]
    assert (again["status"], again["amount"], before["status"]) == ("paid", 5100, "failed")
    assert await held(seller) == 0
    story = (await seller.get(f"/v1/orders/{order_id}/trail"))["data"]
    assert [
        (one["event"], one["stripe_ids"]["payout"], one["amount"])
        for one in story
        if one["event"].startswith("payout.")
    ] == [
        ("payout.made", before["id"], 5100),
        ("payout.failed", before["id"], 5100),
        ("payout.made", again["id"], 5100),
        ("payout.paid", again["id"], 5100),
    ]


async def test_a_refund_after_the_payout_made_the_next_one_larger_than_the_balance(
    town: Town, admin: Person, buyer: Person
) -> None:
    """A refund came after its sale was paid out: the next payout must be smaller by it, and by it once."""
    seller = await town.seller("shop", admin=admin)
    listing = await town.lists(seller, unit_amount=6000)
    first = await buyer.pays(listing)
    await nights(town, 6, seller)
    await seller.post(f"/v1/orders/{first}/refunds", {"amount": 6000})
    await town.settle()
    assert await held(seller) == -5100 == (await eur(seller))["available"]
    await (await town.arrives("buyer")).pays(listing)
    await (await town.arrives("buyer")).pays(listing)
    await nights(town, 6, seller)
    amounts = [one["amount"] for one in (await seller.get(f"{base(seller)}/payouts"))["data"]]
    assert amounts == [5100, 5100]
    assert await held(seller) == 0
    [total] = (await seller.get(f"{base(seller)}/earnings"))["totals"]
    assert total["net"] == sum(amounts)


async def test_every_webhook_about_payouts_was_lost(
    town: Town, admin: Person, buyer: Person
) -> None:
    seller = await town.seller("shop", admin=admin)
    await buyer.pays(await town.lists(seller, unit_amount=6000))
    await town.fault(fault="drop", event="payout.*", times=100)
    await nights(town, 7, seller)
    [payout] = (await seller.get(f"{base(seller)}/payouts"))["data"]
    assert (payout["amount"], payout["status"]) == (5100, "paid")
    assert await held(seller) == 0
    await town.stripe("DELETE", "/_sandbox/faults")


async def test_stripe_is_away_and_no_balance_is_made_up(
    town: Town, admin: Person, coach: Person
) -> None:
    await town.signs_in(coach)
    await town.fault(fault="lost_before", path="/v1/balance", times=9)
    status, code = await coach.refused("GET", f"{base(coach)}/balance")
    await town.stripe("DELETE", "/_sandbox/faults")
    assert (status, code) == (503, "payments_unavailable")


async def test_each_audience_reads_its_own_story(town: Town, admin: Person, buyer: Person) -> None:
    seller = await town.seller("shop", admin=admin)
    thing = await town.lists(seller, unit_amount=6000)
    order = await buyer.order((thing, 1))
    checkout = await buyer.checkout(order["id"])
    await town.confirm(checkout, "pm_card_visa_chargeDeclinedInsufficientFunds")
    await town.settle()
    await town.confirm(checkout, "pm_card_visa")
    await town.settle()
    await seller.post(f"/v1/orders/{order['id']}/refunds", {"amount": 2000})
    await nights(town, 6, seller, buyer, admin)

    path = f"/v1/orders/{order['id']}/trail"
    bought, sold = await buyer.get(path), await seller.get(path)
    whole = await admin.get(f"/v1/admin/orders/{order['id']}/trail")
    assert [one["audience"] for one in (bought, sold, whole)] == ["buyer", "seller", "admin"]
    assert [one["event"] for one in bought["data"]] == [
        "order.placed",
        "order.checkout_begun",
        "attempt.declined",
        "attempt.captured",
        "books.capture",
        "order.captured",
        "refund.asked",
        "refund.succeeded",
    ]
    assert bought["data"][2]["facts"]["reason"] == "insufficient_funds"
    assert bought["data"][2]["facts"]["advice"]
    assert [(one["event"], one["amount"]) for one in sold["data"] if one["amount"]] == [
        ("payment.planned", 6000),
        ("books.capture", 6000),
        ("books.application_fee", -900),
        ("refund.asked", 2000),
        ("books.refund", -2000),
        ("books.fee_refund", 300),
        ("refund.succeeded", 2000),
        ("payout.made", 3400),
        ("payout.paid", 3400),
    ]
    events = [one["event"] for one in whole["data"]]
    assert events.index("order.placed") < events.index("stripe.create_intent")
    assert events.index("attempt.declined") < events.index("books.capture")
    assert events.index("books.capture") < events.index("stripe.create_refund")
    assert events.index("stripe.create_refund") < events.index("books.refund")
    assert events[-1] == "webhook.payout.paid"
    assert whole["data"] == (await admin.get(path))["data"]
    await _keeps_secrets(bought, sold, whole)


async def _keeps_secrets(bought: Any, sold: Any, whole: Any) -> None:
    """What is the platform's is in the admin's story only."""
    texts = [str(one["data"]) for one in (bought, sold, whole)]
    for word in ("idempotency_key", "webhook.", "processing_cost", "pi_", "req_", "fee_working"):
        assert [word in text for text in texts] == [False, False, True], word
    for word in ("application_fee", "payout", "tr_"):
        assert [word in text for text in texts] == [False, True, True], word
    assert ["4242" in text for text in texts] == [True, False, True]
    assert not any("client_secret" in text or "_secret_" in text for text in texts)
