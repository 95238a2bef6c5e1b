"""A seller's books written line by line, under a schedule with tax on the fee and a service fee."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedule import FeeRule, Schedule
from marketplace.fees.schedules import Schedules
from marketplace.papers import issuer
from marketplace.papers.issuer import Issuer
from marketplace.papers.issuing import Issuing
from payments import ledger
from payments.database import execute, transaction, value
from payments.ids import new_id
from payments.ledger_chain import POSTINGS, seal
from tests.orders.shop import account
from tests.orders.shop import seller as a_seller

MARKETPLACE = Issuer(
    legal_name="Marketplace GmbH",
    line1="Torstraße 1",
    postal_code="10119",
    city="Berlin",
    country="DE",
)
OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 12, 9, tzinfo=UTC) for month in (10, 11, 12))
RULES = (FeeRule(id="all", basis_points=1000, tax_basis_points=1900, service_basis_points=200),)


def issuing() -> Issuing:
    """A worker of its own."""
    return Issuing(Schedules())


async def sealed(now: datetime) -> None:
    """Everything that was written is sealed."""
    while await seal(POSTINGS, now, 10_000):
        pass


async def named(papers_from: str = "2026-10") -> None:
    """Somebody issues papers."""
    await issuer.name(MARKETPLACE, papers_from=papers_from, actor="acc_1", now=DECEMBER)


async def runs(now: datetime, limit: int = 100) -> None:
    """The worker goes on until nothing is left to issue."""
    await sealed(now)
    worker = issuing()
    while await worker.run_once(now, limit):
        pass


async def schedule(rules: tuple[FeeRule, ...] = RULES) -> Schedule:
    """A fee schedule of its own."""
    schedule_id = new_id("fsc")
    version: int = await value(
        "INSERT INTO fee_schedules (id, version, rules, effective_from, created_at, created_by) "
        "SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $3, 'test' FROM fee_schedules "
        "RETURNING version",
        schedule_id,
        msgspec.json.encode(rules).decode(),
        datetime(2020, 1, 1, tzinfo=UTC),
    )
    return Schedule(id=schedule_id, version=version, rules=rules)


@dataclass
class Bookkeeper:
    """Writes a seller's books."""

    seller_id: str
    account_id: str
    schedule: Schedule
    currency: str = "eur"
    sales: list["Sale"] = field(default_factory=list)

    @classmethod
    async def new(cls, currency: str = "eur") -> "Bookkeeper":
        """A seller who has sold nothing yet."""
        account_id = await account()
        return cls(await a_seller(account_id, currency), account_id, await schedule(), currency)

    async def sale(self, amount: int, at: datetime, *, kind: str = "product") -> "Sale":
        """An order that was paid, with its fee."""
        sale = await self.placed(amount, at, kind=kind)
        own = ledger.seller_account(self.seller_id)
        await sale.book("capture", ledger.BUYERS, own, sale.quote.total, at)
        await sale.book("application_fee", own, ledger.FEES, sale.quote.fee, at)
        return sale

    async def placed(self, amount: int, at: datetime, *, kind: str = "product") -> "Sale":
        """An order of which nothing is in the books."""
        line = PricedLine(listing_id="lst_1", category="yoga", kind=kind, amount=amount)  # type: ignore[arg-type]
        inputs = FeeInputs(seller_id=self.seller_id, currency=self.currency, lines=(line,))
        sale = Sale(self, new_id("ord"), new_id("pay"), quote(self.schedule, inputs))
        await sale.placed(kind, at)
        self.sales.append(sale)
        return sale

    async def payout(self, amount: int, at: datetime) -> None:
        """Money that went to the bank."""
        own = ledger.seller_account(self.seller_id)
        await self.post(new_id("po"), "payout", own, ledger.BANKS, amount, at, at)

    async def post(
        self,
        cause: str,
        kind: str,
        source: str,
        target: str,
        amount: int,
        at: datetime,
        recorded_at: datetime,
        sale: "Sale | None" = None,
    ) -> None:
        """A posting, of a sale or of the seller only."""
        subject = ledger.Subject(
            payment_id=sale.payment_id if sale else None,
            order_id=sale.order_id if sale else None,
            seller_id=self.seller_id,
            currency=self.currency,
        )
        entry = ledger.Entry(
            cause=f"{cause}:{new_id('cause')}",
            kind=kind,
            source=source,
            target=target,
            amount=amount,
            occurred_at=at,
        )
        async with transaction():
            await ledger.post(subject, [entry], recorded_at)


@dataclass
class Sale:
    """An order with money."""

    books: Bookkeeper
    order_id: str
    payment_id: str
    quote: FeeQuote
    refunded: int = 0
    returned: int = 0

    async def placed(self, kind: str, at: datetime) -> None:
        """The rows that books point to."""
        books, total, fee = self.books, self.quote.total, self.quote.fee
        amount = self.quote.inputs.total
        buyer_id = await account()
        await execute(
            "INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, "
            "application_fee, service_fee, fee_schedule_id, fee_rule_id, fee_working, generation, "
            "idempotency_key, created_at, updated_at, checkout_expires_at) VALUES ($1, $2, $3, $4, "
            "'paid', $5, 'automatic', $6, $7, $8, 'all', $9, 1, $1, $10, $10, $10)",
            self.order_id,
            buyer_id,
            books.seller_id,
            books.currency,
            total,
            fee,
            self.quote.service_fee,
            self.quote.schedule_id,
            msgspec.json.encode(self.quote).decode(),
            at,
        )
        await execute(
            "WITH listed AS (INSERT INTO listings (id, seller_id, kind, title, description, category, "
            "unit_amount, currency, stock_on_hand, stock_reserved, created_at, updated_at, status) "
            "VALUES ($6, $7, $3::text, 'A thing', '', 'yoga', $4, $5, "
            "CASE $3::text WHEN 'product' THEN 9 END, 0, $8, $8, 'active') RETURNING id) "
            "INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, "
            "unit_amount, quantity, amount) SELECT $1, $2, 0, id, $3::text, 'A thing', 'yoga', $4, 1, $4 "
            "FROM listed",
            new_id("oln"),
            self.order_id,
            kind,
            amount,
            books.currency,
            new_id("lst"),
            books.seller_id,
            at,
        )
        await execute(
            "INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, "
            "application_fee, capture_method, destination, status, amount_capturable, "
            "amount_captured, fee_captured, amount_refunded, fee_refunded, processing_cost, "
            "created_at, updated_at, checked_at) VALUES ($1, $2, $3, 1, true, $7, $4, $5, "
            "'automatic', 'acct_x', 'succeeded', 0, $4, $5, 0, 0, 0, $6, $6, $6)",
            self.payment_id,
            self.order_id,
            books.seller_id,
            total,
            fee,
            at,
            books.currency,
        )

    async def book(
        self,
        kind: str,
        source: str,
        target: str,
        amount: int,
        at: datetime,
        recorded_at: datetime | None = None,
    ) -> None:
        """A posting of this sale."""
        await self.books.post(
            self.payment_id, kind, source, target, amount, at, recorded_at or at, self
        )

    async def refund(self, amount: int, fee: int, at: datetime) -> None:
        """A refund, with so much of the fee returned."""
        own = ledger.seller_account(self.books.seller_id)
        await self.book("refund", own, ledger.BUYERS, amount, at)
        self.refunded, self.returned = self.refunded + amount, self.returned + fee
        if fee:
            await self.book("fee_refund", ledger.FEES, own, fee, at)
