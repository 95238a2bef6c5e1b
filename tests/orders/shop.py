"""A small marketplace in the database: accounts, sellers and listings, written as plain rows."""

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from connect.accounts import Accounts
from marketplace.catalog.catalog import Catalog
from marketplace.catalog.listings import ListingRecord, NewListing
from marketplace.fees.schedules import Schedules
from marketplace.orders.cancellation import Cancellation
from marketplace.orders.carts import Pricing
from marketplace.orders.changes import Changes
from marketplace.orders.checkout import Buyer, Checkout
from marketplace.orders.completion import Completion
from marketplace.orders.confirmation import Confirmation
from marketplace.orders.deadlines import Deadlines
from marketplace.orders.expiry import Expiry
from marketplace.orders.group_payment import GroupPayment
from marketplace.orders.groups import Groups
from marketplace.orders.holds import Holds
from marketplace.orders.late_money import LateMoney
from marketplace.orders.orders import Orders
from marketplace.orders.preparation import Preparation
from marketplace.orders.reactions import GiveBack, react
from marketplace.orders.reading import OrderView
from marketplace.orders.records import Actor
from marketplace.orders.refunds import OrderRefunds
from marketplace.orders.sessions import CoachSessions
from marketplace.orders.shipping import Shipping
from marketplace.orders.totals import Wanted
from marketplace.sellers.vouching import Vouching
from payments.database import engine, execute, row, value
from payments.gateway import CancelDraft, CaptureDraft
from payments.ids import IntentId, OperationId, PaymentId, SellerId, new_id
from payments.lifecycle import IntentForBuyer, Payments
from payments.operations import Operations
from payments.refunds import Refunds
from payments.tracking import Tracking
from payments.transfers import Transfers
from tests.clocks import MovedClock
from tests.connect.fakes import FakeAccountGateway
from tests.fake_tracking import FakeTracking
from tests.fakes import FakeGateway
from tests.payments.fake_transfers import FakeTransfers

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    """The engine, started on this module's own database with room for fifty at once."""
    await engine().start(database_url, pool_size=50)
    yield
    await engine().stop()


async def account() -> str:
    """A person; answers the account's id."""
    account_id = new_id("acc")
    await execute(
        "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
        "VALUES ($1, $2, 'Somebody', 'no password', false, $3)",
        account_id,
        f"{account_id}@example.com",
        NOON,
    )
    return account_id


async def seller(account_id: str, currency: str = "eur") -> str:
    """An approved seller profile; answers its id."""
    seller_id = new_id("sel")
    await execute(
        "INSERT INTO sellers (id, account_id, display_name, country, currency, approval, created_at) "
        "VALUES ($1, $2, 'A shop', 'DE', $3, 'approved', $4)",
        seller_id,
        account_id,
        currency,
        NOON,
    )
    return seller_id


def new_listing(**changes: object) -> NewListing:
    facts: dict[str, object] = {
        "kind": "product",
        "title": "A yoga mat",
        "description": "Rolls up.",
        "category": "yoga",
        "unit_amount": 2_500,
        "currency": "eur",
        "stock_on_hand": 10,
    }
    if changes.get("kind") == "session":
        facts["stock_on_hand"] = None
    return NewListing(**{**facts, **changes})  # type: ignore[arg-type]


async def listing(owner_id: str, **changes: object) -> ListingRecord:
    """Something on offer by the account's seller."""
    return await Catalog().create(owner_id, new_listing(**changes), NOON)


async def place_bare(buyer_id: str, seller_id: str, order_id: str | None = None) -> str:
    """An order row that stock can be reserved for; answers its id."""
    order_id = order_id or new_id("ord")
    schedule_id = new_id("fsc")
    await execute(
        "INSERT INTO fee_schedules (id, version, rules, effective_from, created_at, created_by) "
        "SELECT $1, coalesce(max(version), 0) + 1, '[]', $2, $2, 'test' FROM fee_schedules",
        schedule_id,
        NOON,
    )
    await execute(
        "INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, "
        "application_fee, fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, "
        "created_at, updated_at, checkout_expires_at) "
        "VALUES ($1, $2, $3, 'eur', 'checkout', 2500, 'manual', 0, $4, 'none', '{}', 0, $1, $5, $5, $5)",
        order_id,
        buyer_id,
        seller_id,
        schedule_id,
        NOON,
    )
    return order_id


class Stripe(FakeGateway):
    """Stripe in memory, whose ids are new in every test of a module's database."""

    def _id(self, prefix: str) -> str:
        return new_id(prefix)

    def end(self, intent_id: str, reason: str) -> None:
        """Stripe, or somebody at its Dashboard, cancels a PaymentIntent."""
        self._cancel(
            CancelDraft(
                operation_id=OperationId(""),
                payment_id=PaymentId(""),
                intent_id=IntentId(intent_id),
                reason=reason,  # type: ignore[arg-type]
            )
        )

    def capture(self, intent_id: str, amount: int, fee: int) -> None:
        """Somebody captures at the Dashboard."""
        self._capture(
            CaptureDraft(
                operation_id=OperationId(""),
                payment_id=PaymentId(""),
                intent_id=IntentId(intent_id),
                amount=amount,
                application_fee=fee,
            )
        )


class FakeCards:
    """Stripe's Customers and the cards they keep, in memory: what a payment saved is kept when read."""

    async def customer_of(self, buyer_id: str, email: str, now: datetime) -> str:
        customer_id = f"cus_{buyer_id}"
        await execute(
            "INSERT INTO buyer_customers (buyer_id, customer_id, created_at) VALUES ($1, $2, $3) "
            "ON CONFLICT DO NOTHING",
            buyer_id,
            customer_id,
            now,
        )
        return customer_id

    async def refresh(self, buyer_id: str) -> None:
        paid = await value(
            "SELECT p.payment_method_id FROM payments p JOIN orders o ON o.id = p.order_id "
            "WHERE o.buyer_id = $1 AND p.status IN ('requires_capture', 'succeeded') LIMIT 1",
            buyer_id,
        )
        if paid is not None:
            await self.keep(buyer_id, paid)

    async def let_go(self, buyer_id: str, card_id: str, now: datetime) -> None:
        await execute("UPDATE cards SET removed_at = $2 WHERE id = $1", card_id, now)

    async def keep(self, buyer_id: str, payment_method_id: str) -> str:
        """The buyer has this card from now on; answers its id."""
        # Stripe's name of a test card is one for all buyers: it decides what the bank says.
        await execute("DELETE FROM cards WHERE payment_method_id = $1", payment_method_id)
        card_id = new_id("crd")
        await execute(
            "INSERT INTO cards (id, buyer_id, payment_method_id, is_default, created_at) "
            "VALUES ($1, $2, $3, false, $4)",
            card_id,
            buyer_id,
            payment_method_id,
            NOON,
        )
        return card_id


@dataclass
class Shop:
    """The whole domain over a real database, with Stripe in memory and time in hand."""

    clock: MovedClock
    stripe: Stripe
    stripe_transfers: FakeTransfers
    stripe_accounts: FakeAccountGateway
    transfers: Transfers
    accounts: Accounts
    operations: Operations
    give_back: GiveBack
    vouching: Vouching
    payments: Payments
    refunds: OrderRefunds
    orders: Orders
    changes: Changes
    checkout: Checkout
    confirmation: Confirmation
    groups: Groups
    group_payment: GroupPayment
    expiry: Expiry
    holds: Holds
    cancellation: Cancellation
    preparation: Preparation
    deadlines: Deadlines
    shipping: Shipping
    stripe_tracking: FakeTracking
    coach_sessions: CoachSessions
    completion: Completion
    schedules: Schedules
    catalog: Catalog

    async def a_seller(self) -> tuple[str, str]:
        """An approved seller whose connected account is ready; answers (account, seller)."""
        owner = await account()
        seller_id = SellerId(await seller(owner))
        destination = await self.accounts.open_account(
            seller_id, country="DE", currency="eur", email="s@example.com", display_name="A shop"
        )
        self.stripe_accounts.onboard(destination)
        await self.accounts.refresh(destination)
        return owner, seller_id

    async def place(self, buyer_id: str, *lines: tuple[str, int]) -> str:
        """An order of (listing, quantity) pairs; answers its id."""
        wanted = [Wanted(listing_id, quantity) for listing_id, quantity in lines]
        placed = await self.orders.place(buyer_id, wanted, new_id("key"), self.clock())
        return placed.view.order.id

    async def begin(self, order_id: str) -> IntentForBuyer:
        """The order's buyer opens the checkout."""
        order = (await self.see(order_id)).order
        buyer = Buyer(order.buyer_id, "buyer@example.com")
        return await self.checkout.begin(order_id, buyer, self.clock())

    async def pay(self, order_id: str, card: str = "pm_card_visa") -> None:
        """The buyer confirms at Stripe, and its webhook makes us read the PaymentIntent."""
        intent = await self.begin(order_id)
        self.stripe.pay(intent.intent_id, card)
        await self.hear(order_id)

    async def hear(self, order_id: str) -> None:
        """What a webhook leads to."""
        await self.payments.refresh(order_id)

    async def resume(self) -> None:
        """Whatever waits for Stripe is carried out, as the sweep does when its pause is over."""
        for _ in range(5):
            self.clock.move(seconds=60)
            await self.operations.resume_due(self.clock())

    async def intent_of(self, order_id: str) -> str:
        """Stripe's id of the order's live PaymentIntent."""
        payment = await self.payments.find_live(order_id)
        assert payment is not None
        assert payment.intent_id is not None
        return payment.intent_id

    async def see(self, order_id: str) -> OrderView:
        """The order as an admin sees it."""
        return await self.orders.find(order_id, Actor("acc_admin", is_admin=True))

    async def status(self, order_id: str) -> str:
        return (await self.see(order_id)).order.status

    async def steps(self, order_id: str) -> list[str]:
        """The names of the order's steps."""
        told = await self.orders.history(order_id, Actor("acc_admin", is_admin=True))
        return [step.step for step in told]

    def asked(self, method: str) -> int:
        """How many such requests reached Stripe."""
        return sum(one.method == method for one in self.stripe.asked)


async def stock_of(listing_id: str) -> tuple[int, int]:
    """On hand and reserved."""
    found = await row(
        "SELECT stock_on_hand, stock_reserved FROM listings WHERE id = $1", listing_id
    )
    assert found is not None
    return found["stock_on_hand"], found["stock_reserved"]


def assembled(clock: MovedClock) -> Shop:
    """A program of its own, with Stripe in memory."""
    stripe, stripe_accounts = Stripe(clock), FakeAccountGateway()
    operations = Operations(clock)
    accounts = Accounts(stripe_accounts, operations, clock)
    late_money = LateMoney()
    announce = functools.partial(react, give_back=late_money.give_back)
    payments = Payments(stripe, operations, announce, clock)
    refunds = OrderRefunds(Refunds(stripe, operations, announce, clock))
    stripe_transfers = FakeTransfers(stripe)
    transfers = Transfers(stripe_transfers, stripe, operations, announce, clock)
    vouching = Vouching(accounts)
    catalog, schedules = Catalog(), Schedules()
    pricing, cards = Pricing(catalog, schedules), FakeCards()
    checkout = Checkout(payments, vouching, catalog, cards)
    confirmation = Confirmation(payments, vouching, checkout, return_url="https://shop.test")
    cancellation = Cancellation(payments, refunds)
    late_money.use(payments, cancellation)
    preparation = Preparation(payments, vouching, schedules)
    tracking = FakeTracking()
    return Shop(
        clock=clock,
        stripe=stripe,
        stripe_transfers=stripe_transfers,
        stripe_accounts=stripe_accounts,
        transfers=transfers,
        accounts=accounts,
        operations=operations,
        give_back=late_money.give_back,
        vouching=vouching,
        payments=payments,
        refunds=refunds,
        orders=Orders(pricing),
        changes=Changes(payments, pricing),
        checkout=checkout,
        confirmation=confirmation,
        groups=Groups(pricing),
        group_payment=GroupPayment(checkout, confirmation, cancellation, cards),
        expiry=Expiry(payments, vouching),
        holds=Holds(),
        cancellation=cancellation,
        preparation=preparation,
        deadlines=Deadlines(payments, preparation, vouching),
        shipping=Shipping(Tracking(tracking, operations, clock)),
        stripe_tracking=tracking,
        coach_sessions=CoachSessions(cancellation),
        completion=Completion(),
        schedules=schedules,
        catalog=catalog,
    )


@pytest.fixture
async def shop(database: None) -> Shop:
    """A program on the module's database, with the first fee schedule in force."""
    shop = assembled(MovedClock(NOON))
    await shop.schedules.ensure_first(NOON)
    return shop
