"""Balance, payouts, earnings and statements over HTTP, from books written here line by line."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connect.accounts import Accounts
from connect.payout_gateway import Funds
from connect.payouts import Payouts
from marketplace.app import app_of
from marketplace.composition import compose
from marketplace.sellers import payouts as seller_payouts
from payments import ledger
from payments.database import execute, transaction
from payments.errors import NotSent, OutcomeUnknown, StripeRejected
from payments.ids import ConnectedAccountId, SellerId, new_id
from payments.operations import Operations
from tests.api.harness import Browser, new_admin, serving, settings_for
from tests.clocks import MovedClock
from tests.connect.fakes import FakeAccountGateway
from tests.connect.payout_fakes import FakePayoutGateway
from tests.orders.shop import account, place_bare

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORDS = (
    "Taken back for a refund",
    "Taken back for a disputed payment",
    "Taken back for a debt",
)


@dataclass
class Office:
    """The served program with payouts in memory, and who uses it."""

    browsers: Any
    admin: Browser
    accounts: Accounts
    payouts: Payouts
    stripe: FakePayoutGateway
    clock: MovedClock

    async def seller(self, currency: str = "eur") -> "Seller":
        browser: Browser = await self.browsers()
        body = {"display_name": "Ada's shop", "country": "DE", "currency": currency}
        seller_id = (await browser.post("/v1/sellers", body)).json()["id"]
        account_id = await self.accounts.open_account(
            SellerId(seller_id), country="DE", currency=currency, email="a@b.c", display_name="A"
        )
        return Seller(self, browser, seller_id, account_id)


@dataclass
class Seller:
    """A seller, and the books about them."""

    office: Office
    browser: Browser
    id: str
    stripe_account: ConnectedAccountId

    async def ask(self, path: str, *, by: Browser | None = None, **query: Any) -> httpx.Response:
        return await (by or self.browser).get(f"/v1/sellers/{self.id}/{path}", **query)

    async def read(self, path: str, **query: Any) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def sale(self, amount: int, fee: int, at: datetime = NOVEMBER) -> "Sale":
        """An order that was paid; booked as it happened."""
        order_id = await place_bare(await account(), self.id)
        payment_id = new_id("pay")
        await execute(
            "INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, "
            "application_fee, capture_method, destination, status, amount_capturable, "
            "amount_captured, fee_captured, amount_refunded, fee_refunded, processing_cost, "
            "created_at, updated_at, checked_at) VALUES ($1, $2, $3, 1, true, 'eur', $4, $5, "
            "'automatic', 'acct_x', 'succeeded', 0, $4, $5, 0, 0, 0, $6, $6, $6)",
            payment_id,
            order_id,
            self.id,
            amount,
            fee,
            at,
        )
        sale = Sale(self, order_id, payment_id)
        own = ledger.seller_account(self.id)
        await sale.book("capture", ledger.BUYERS, own, amount, at)
        await sale.book("application_fee", own, ledger.FEES, fee, at)
        return sale


@dataclass
class Sale:
    """An order with money."""

    seller: Seller
    order_id: str
    payment_id: str

    async def book(
        self,
        kind: str,
        source: str,
        target: str,
        amount: int,
        at: datetime,
        recorded_at: datetime | None = None,
        *,
        of: str | None = None,
    ) -> None:
        subject = ledger.Subject(
            payment_id=self.payment_id,
            order_id=self.order_id,
            seller_id=self.seller.id,
            currency="eur",
        )
        entry = ledger.Entry(
            cause=f"{of or self.payment_id}:{new_id('cause')}",
            kind=kind,
            source=source,
            target=target,
            amount=amount,
            occurred_at=at,
        )
        async with transaction():
            await ledger.post(subject, [entry], recorded_at or at)

    async def taken_back(self, amount: int, because: str) -> None:
        movement_id = new_id("mvt")
        await execute(
            "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, "
            "amount, cause, status, created_at, updated_at) "
            "VALUES ($1, $2, $3, $4, 'eur', 'reversal', $5, $6, 'succeeded', $7, $7)",
            movement_id,
            self.payment_id,
            self.order_id,
            self.seller.id,
            amount,
            because,
            NOVEMBER,
        )
        own = ledger.seller_account(self.seller.id)
        await self.book(
            "transfer_reversal", own, ledger.RECOVERED, amount, NOVEMBER, of=movement_id
        )

    async def refund(self, amount: int, fee: int, at: datetime = NOVEMBER) -> None:
        own = ledger.seller_account(self.seller.id)
        await self.book("refund", own, ledger.BUYERS, amount, at)
        await self.book("fee_refund", ledger.FEES, own, fee, at)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(database_url: str) -> AsyncIterator[Office]:
    clock = MovedClock(datetime(2026, 12, 10, tzinfo=UTC))
    composition = compose(settings_for(database_url), clock)
    stripe = FakePayoutGateway(clock)
    accounts = Accounts(FakeAccountGateway(), Operations(clock), clock)
    payouts = Payouts(stripe, seller_payouts.react, clock)
    services = replace(composition.services, payouts=payouts, accounts=accounts)
    async with serving(app_of(replace(composition, services=services))) as app:
        people = iter(range(1, 250))

        async def someone() -> Browser:
            browser = Browser(app, ip=f"198.51.100.{next(people)}")
            return await browser.sign_up(f"{new_id('x')}@example.com")

        admin = await new_admin(app, clock)
        yield Office(someone, admin, accounts, payouts, stripe, clock)


@pytest.fixture
async def seller(office: Office) -> Seller:
    office.stripe.trouble = None
    return await office.seller()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Balance


async def test_a_balance_is_stripes_beside_what_is_ours(office: Office, seller: Seller) -> None:
    sale, own = await seller.sale(6_000, 900), ledger.seller_account(seller.id)
    await sale.book("reserve", own, ledger.reserve_account(seller.id), 700, NOVEMBER)
    await execute(
        "INSERT INTO debts (id, seller_id, order_id, payment_id, currency, amount, amount_settled, "
        "amount_written_off, cause, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, 'usd', 500, 120, 30, $1, $5, $5)",
        new_id("dbt"),
        seller.id,
        sale.order_id,
        sale.payment_id,
        NOVEMBER,
    )
    payout_id = office.stripe.pay_out(seller.stripe_account, 1_000, status="in_transit")
    await office.payouts.refresh(seller.stripe_account, payout_id)
    office.stripe.funds[seller.stripe_account] = (
        Funds(currency="eur", available=-40, pending=4_140),
    )
    found = {one.pop("currency"): one for one in (await seller.read("balance"))["data"]}
    assert found == {
        "eur": {
            "available": -40,
            "pending": 4_140,
            "on_the_way": 1_000,
            "reserved": 700,
            "owed": 0,
        },
        "usd": {"available": 0, "pending": 0, "on_the_way": 0, "reserved": 0, "owed": 350},
    }


async def test_no_answer_is_no_balance(office: Office, seller: Seller) -> None:
    for trouble, told in (
        (OutcomeUnknown("timeout"), (503, "payments_unavailable")),
        (NotSent("rate_limit"), (503, "payments_busy")),
        (StripeRejected("account_invalid", http_status=403), (409, "balance_unreadable")),
    ):
        office.stripe.trouble = trouble
        answer = await seller.ask("balance")
        assert code(answer) == told
    office.stripe.trouble = None


# Payouts


async def test_a_failed_payout_says_why_and_what_to_do(office: Office, seller: Seller) -> None:
    payout_id = office.stripe.pay_out(seller.stripe_account, 5_100)
    office.stripe.fail(payout_id, "no_account")
    await office.payouts.refresh(seller.stripe_account, payout_id)
    found = await seller.read(f"payouts/{payout_id}")
    assert (found["status"], found["failure_code"]) == ("failed", "no_account")
    assert found["failure_explanation"] == "The bank knows no such account."
    assert found["what_to_do"].startswith("Correct the bank account")


async def test_payouts_are_listed_the_newest_first(office: Office, seller: Seller) -> None:
    made = []
    for _ in range(3):
        office.clock.move(seconds=1)
        made.append(office.stripe.pay_out(seller.stripe_account, 100))
        await office.payouts.refresh(seller.stripe_account, made[-1])
    first = await seller.read("payouts", limit=2)
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (made[:0:-1], True)
    second = await seller.read("payouts", limit=2, starting_after=made[1])
    assert ([one["id"] for one in second["data"]], second["has_more"]) == ([made[0]], False)


async def test_what_a_payout_carried_leads_to_the_orders(office: Office, seller: Seller) -> None:
    sale = await seller.sale(6_000, 900)
    transfer_id = new_id("tr")
    await execute(
        "UPDATE payments SET transfer_id = $2 WHERE id = $1", sale.payment_id, transfer_id
    )
    payout_id = office.stripe.pay_out(
        seller.stripe_account, 5_100, transfer_id, new_id("tr"), new_id("tr")
    )
    await office.payouts.refresh(seller.stripe_account, payout_id)
    found = await seller.read(f"payouts/{payout_id}/movements")
    assert sorted(str(one["order_id"]) for one in found["data"]) == ["None", "None", sale.order_id]


async def test_anothers_payout_is_not_found(office: Office, seller: Seller) -> None:
    other = await office.seller()
    payout_id = office.stripe.pay_out(other.stripe_account, 100)
    await office.payouts.refresh(other.stripe_account, payout_id)
    for path in (f"payouts/{payout_id}", f"payouts/{payout_id}/movements"):
        assert code(await seller.ask(path)) == (404, "payout_not_found")
        assert code(await seller.ask(path, by=other.browser)) == (404, "seller_not_found")


# Earnings


async def test_each_order_says_what_was_earned_with_it(seller: Seller) -> None:
    plain, refunded = await seller.sale(6_000, 900), await seller.sale(4_000, 601)
    await refunded.refund(1_000, 150)
    await refunded.book("refund", ledger.REFUNDS_BORNE, ledger.BUYERS, 500, NOVEMBER)
    own = ledger.seller_account(seller.id)
    await refunded.book("transfer_reversal", own, ledger.RECOVERED, 49, NOVEMBER)
    found = await seller.read("earnings")
    figures = {
        one["order_id"]: [
            one[name] for name in ("gross", "fee", "refunded", "fee_returned", "adjustments", "net")
        ]
        for one in found["data"]
    }
    assert figures == {
        plain.order_id: [6_000, 900, 0, 0, 0, 5_100],
        refunded.order_id: [4_000, 601, 1_000, 150, -49, 2_500],
    }
    [total] = found["totals"]
    assert (total["orders"], total["gross"], total["net"]) == (2, 10_000, 7_600)


async def test_earnings_of_the_days_add_up_to_those_of_the_month(seller: Seller) -> None:
    sale = await seller.sale(6_000, 900, NOVEMBER)
    await sale.refund(1_000, 150, NOVEMBER + timedelta(days=3))
    nets = []
    for days in ({"to": "2026-11-22"}, {"from": "2026-11-22"}, {}):
        [total] = (await seller.read("earnings", **days))["totals"]
        nets.append(total["net"])
    assert nets == [5_100, -850, 4_250]
    assert (await seller.read("earnings", currency="usd"))["totals"] == []


async def test_earnings_of_no_time_at_all_are_refused(seller: Seller) -> None:
    for ends in ("2026-11-10", "2026-11-20"):
        days: dict[str, Any] = {"from": "2026-11-20", "to": ends}
        answer = await seller.ask("earnings", **days)
        assert (answer.status_code, answer.json()["code"]) == (422, "range_refused")


async def test_earnings_come_in_pages_and_totals_count_all(seller: Seller) -> None:
    sales = [(await seller.sale(1_000, 100)).order_id for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = await seller.read("earnings", **query)
        assert page["totals"][0]["orders"] == 5
        seen += [one["order_id"] for one in page["data"]]
        if not page["has_more"]:
            break
        query["starting_after"] = seen[-1]
    assert seen == sorted(sales, reverse=True)


# Statements


async def test_what_is_learned_late_is_on_the_next_statement(seller: Seller) -> None:
    sale = await seller.sale(6_000, 900)
    before = await seller.read("statements/2026-11")
    own = ledger.seller_account(seller.id)
    december = datetime(2026, 12, 2, tzinfo=UTC)
    await sale.book("refund", own, ledger.BUYERS, 1_000, NOVEMBER, recorded_at=december)
    assert await seller.read("statements/2026-11") == before
    assert before["closed"]
    late = await seller.read("statements/2026-12")
    [found] = late["currencies"]
    assert (found["opening"], found["moved"], found["closing"]) == (5_100, -1_000, 4_100)
    assert not late["closed"]
    [movement] = (await seller.read("statements/2026-12/movements"))["data"]
    assert movement["occurred_at"].startswith("2026-11-20")
    assert movement["recorded_at"].startswith("2026-12-02")
    months = (await seller.read("statements"))["data"]
    assert [(one["month"], one["closed"]) for one in months] == [
        ("2026-12", False),
        ("2026-11", True),
    ]
    [older] = (await seller.read("statements", starting_after="2026-12"))["data"]
    assert older["month"] == "2026-11"


async def test_a_quiet_month_goes_on_with_what_there_was(seller: Seller) -> None:
    await seller.sale(6_000, 900, NOVEMBER - timedelta(days=60))
    [found] = (await seller.read("statements/2026-11"))["currencies"]
    assert (found["opening"], found["movements"], found["closing"]) == (5_100, 0, 5_100)
    assert (await seller.read("statements/2026-01"))["currencies"] == []


@pytest.mark.parametrize("month", ["2027-01", "2026-13", "november", "2026-11.csv"])
async def test_a_month_that_is_none_has_no_statement(seller: Seller, month: str) -> None:
    for what in ("", "/movements", "/csv", "/print"):
        assert code(await seller.ask(f"statements/{month}{what}")) == (404, "statement_not_found")


async def test_a_long_month_is_sent_whole(seller: Seller) -> None:
    sale, own = await seller.sale(600_000, 900), ledger.seller_account(seller.id)
    subject = ledger.Subject(
        payment_id=sale.payment_id, order_id=sale.order_id, seller_id=seller.id, currency="eur"
    )
    entries = [
        ledger.Entry(
            cause=f"{new_id('rfd')}:refunded",
            kind="refund",
            source=own,
            target=ledger.BUYERS,
            amount=1 + number,
            occurred_at=NOVEMBER,
        )
        for number in range(333)
    ]
    async with transaction():
        # All in one moment: pages must not lose or repeat what shares a time.
        await ledger.post(subject, entries, NOVEMBER + timedelta(hours=1))
    file = (await seller.ask("statements/2026-11/csv")).text
    lines = list(csv.DictReader(io.StringIO(file)))
    assert len({one["posting_id"] for one in lines[1:-1]}) == len(lines) - 2 == 335
    [found] = (await seller.read("statements/2026-11"))["currencies"]
    assert int(lines[-1]["balance_minor_units"]) == found["closing"]
    assert found["closing"] == 600_000 - 900 - sum(range(334))
    page = (await seller.ask("statements/2026-11/print")).text
    assert page.count("<tr><td") > 335
    assert page.rstrip().endswith("</html>")


PATHS = ["balance", "payouts", "earnings", "statements", "statements/2026-11"]
PATHS += [f"statements/2026-11/{what}" for what in ("movements", "csv", "print")]


@pytest.mark.parametrize("path", PATHS)
async def test_money_is_shown_to_its_seller_and_to_admins_only(
    office: Office, seller: Seller, path: str
) -> None:
    assert (await seller.ask(path)).status_code == 200
    assert (await seller.ask(path, by=office.admin)).status_code == 200
    stranger = await office.browsers()
    assert code(await seller.ask(path, by=stranger)) == (404, "seller_not_found")


async def test_a_statement_says_what_money_was_taken_back_for(seller: Seller) -> None:
    sale = await seller.sale(6_000, 900)
    await sale.taken_back(1_000, f"refund:{new_id('rfd')}")
    await sale.taken_back(2_000, f"dispute:{new_id('dsp')}")
    await sale.taken_back(300, f"debt:{new_id('dbt')}:{sale.payment_id}")
    path = "statements/2026-11"
    told = [
        one["description"]
        for one in (await seller.read(f"{path}/movements"))["data"]
        if one["kind"] == "transfer_reversal"
    ]
    assert sorted(told) == sorted(WORDS)
    file = list(csv.DictReader(io.StringIO((await seller.ask(f"{path}/csv")).text)))
    assert set(WORDS) < {one["description"] for one in file}
    page = (await seller.ask(f"{path}/print")).text
    assert all(words in page for words in WORDS)
