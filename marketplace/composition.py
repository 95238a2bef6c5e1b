"""The composition: settings become gateways, gateways become use cases. The one place that knows all parts.

    composition = compose(settings)
    async with composition.running():
        ...  # the database pool is open, Stripe's connections are closed at the end

`app.py` puts HTTP in front of it, `worker.py` runs its sweeps; tests hand in a clock to move.
"""

import functools
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from connect.accounts import Accounts
from connect.payout_holds import PayoutHolds
from connect.payout_reconciliation import PayoutReconciliation
from connect.payouts import Payouts
from connect.stripe_accounts import StripeAccounts
from connect.stripe_payout_schedules import StripePayoutSchedules
from connect.stripe_payouts import StripePayouts
from marketplace.books.adjustments import Adjustments
from marketplace.books.fee_review import FeeReview
from marketplace.catalog.catalog import Catalog
from marketplace.disputes.cases import DisputeCases
from marketplace.fees.drafts import Drafts
from marketplace.fees.grants import Grants
from marketplace.fees.replays import Replays
from marketplace.fees.retirements import Retirements
from marketplace.fees.schedules import Schedules
from marketplace.messages.deliveries import Deliveries
from marketplace.messages.endpoints import WebhookEndpoints
from marketplace.messages.post import Mailbox, Post, Smtp
from marketplace.messages.reading import Messages
from marketplace.messages.sending import Sending
from marketplace.messages.webhook_sender import WebhookSender
from marketplace.orders.cancellation import Cancellation
from marketplace.orders.carts import Pricing
from marketplace.orders.changes import Changes
from marketplace.orders.checkout import Checkout
from marketplace.orders.completion import Completion
from marketplace.orders.confirmation import Confirmation
from marketplace.orders.conversation import Conversation
from marketplace.orders.deadlines import Deadlines
from marketplace.orders.expiry import Expiry
from marketplace.orders.group_cards import GroupCards
from marketplace.orders.group_payment import GroupPayment
from marketplace.orders.groups import Groups
from marketplace.orders.holds import Holds
from marketplace.orders.late_money import LateMoney
from marketplace.orders.orders import Orders
from marketplace.orders.preparation import Preparation
from marketplace.orders.reactions import react
from marketplace.orders.refund_approvals import RefundApprovals
from marketplace.orders.refund_limits import RefundLimits
from marketplace.orders.refunds import OrderRefunds
from marketplace.orders.sessions import CoachSessions
from marketplace.orders.shipping import Shipping
from marketplace.oversight import inbox_news
from marketplace.oversight.approvals import Approvals
from marketplace.oversight.gauges import Gauges
from marketplace.oversight.operation_desk import OperationDesk
from marketplace.oversight.reconciliation_work import Reconciliation
from marketplace.oversight.retention import Retention
from marketplace.oversight.unsent_transfers import UnsentTransfers
from marketplace.pages.signposts import RETURN
from marketplace.papers.issuing import Issuing
from marketplace.people.people import People
from marketplace.sellers import account_news
from marketplace.sellers import payouts as seller_payouts
from marketplace.sellers.debts import SellerDebts
from marketplace.sellers.freezes import Freezes
from marketplace.sellers.sellers import Sellers
from marketplace.sellers.vouching import Vouching
from marketplace.services import Money, Ordering, Overseeing, Selling, Services, Telling
from marketplace.settings import Settings, host_of
from marketplace.sweeps import sweeps_of
from marketplace.worker import Sweep
from payments.card_notices import CardNotices
from payments.cards import Cards
from payments.database import engine
from payments.debts import Debts
from payments.dispute_absorption import DisputeAbsorption
from payments.disputes import Disputes
from payments.event_catch_up import EventCatchUp
from payments.events import Announce, Clock
from payments.fraud_warnings import FraudWarnings
from payments.inbox import Inbox
from payments.lifecycle import Payments
from payments.operations import Operations
from payments.receipt import Receipt
from payments.reconciliation_healing import Healing
from payments.refunds import Refunds
from payments.stripe_cards import StripeCards
from payments.stripe_client import StripeApi
from payments.stripe_disputes import StripeDisputes
from payments.stripe_events import StripeEvents
from payments.stripe_gateway import StripePaymentGateway
from payments.stripe_reconciliation import StripeChain
from payments.stripe_tracking import StripeTracking
from payments.stripe_transfers import StripeTransfers
from payments.tracking import Tracking
from payments.transfers import Transfers


def wall_clock() -> datetime:
    """Now. The only clock of the running program."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Composition:
    """The program without a way in: its use cases, its sweeps, and what must be opened and closed."""

    services: Services
    sweeps: tuple[Sweep, ...]
    stripe: StripeApi

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the database's pool; close it and Stripe's connections at the end.

        Raises payments.errors.DatabaseUnavailable.
        """
        settings = self.services.settings
        # What was loaded until now lives as long as the process: without it in the collector's sight, a full
        # collection takes a millisecond instead of stopping every request for a hundred.
        gc.collect()
        gc.freeze()
        await engine().start(settings.database_url, pool_size=settings.database_pool)
        try:
            yield
        finally:
            self.services.people.close()
            await self.stripe.close()
            await self.services.deliveries.close()
            await engine().stop()


def compose(settings: Settings, clock: Clock = wall_clock) -> Composition:
    """Build everything from the settings. Nothing is opened and nobody is called yet."""
    stripe = StripeApi(
        settings.stripe_secret_key,
        base_address=settings.stripe_api_base,
        transport=settings.stripe_transport,
    )
    services = _services(settings, clock, stripe)
    return Composition(services=services, sweeps=sweeps_of(services), stripe=stripe)


def _services(settings: Settings, clock: Clock, stripe: StripeApi) -> Services:
    approvals, late_money = Approvals(), LateMoney()
    announce = functools.partial(react, give_back=late_money.give_back)
    money = _money(settings, clock, stripe, announce)
    selling = _selling(settings, clock, stripe, money, approvals)
    ordering = _ordering(settings, clock, stripe, money, selling, approvals, announce)
    late_money.use(money.payments, ordering.cancellation)
    areas = (
        money,
        selling,
        ordering,
        _overseeing(settings, clock, stripe, money, selling, approvals),
        _telling(settings, clock),
    )
    return Services(
        settings=settings,
        clock=clock,
        people=People(clock, live=settings.live),
        **{name: part for area in areas for name, part in vars(area).items()},
    )


def _money(settings: Settings, clock: Clock, stripe: StripeApi, announce: Announce) -> Money:
    gateway, operations = StripePaymentGateway(stripe), Operations(clock)
    payments = Payments(gateway, operations, announce, clock)
    cards = Cards(StripeCards(stripe), operations, clock)
    transfers = Transfers(StripeTransfers(stripe), gateway, operations, announce, clock)
    absorption = DisputeAbsorption(transfers, react, clock, policy=settings.dispute_policy)
    disputes = Disputes(StripeDisputes(stripe), gateway, operations, absorption, clock)
    warnings = FraudWarnings(StripeDisputes(stripe), gateway, react, clock)
    inbox = Inbox(payments, live=settings.live, clock=clock, announce=inbox_news.tell_given_up)
    CardNotices(cards).register(inbox)
    inbox.register("transfer.reversed", transfers.take_notices)
    inbox.register("charge.dispute.", disputes.take_notices)
    inbox.register("radar.early_fraud_warning.", warnings.take_notices)
    return Money(
        gateway=gateway,
        operations=operations,
        payments=payments,
        cards=cards,
        transfers=transfers,
        stripe_disputes=disputes,
        fraud_warnings=warnings,
        inbox=inbox,
        receipt=Receipt(),
        event_catch_up=EventCatchUp(StripeEvents(stripe), inbox, inbox_news.tell_missed, clock),
    )


def _selling(
    settings: Settings, clock: Clock, stripe: StripeApi, money: Money, approvals: Approvals
) -> Selling:
    operations, schedules = money.operations, Schedules()
    accounts = Accounts(StripeAccounts(stripe), operations, clock, announce=account_news.react)
    payouts = Payouts(StripePayouts(stripe), seller_payouts.react, clock)
    money.inbox.register("v2.core.account", accounts.take_notices)
    money.inbox.register("payout.", payouts.take_notices)
    return Selling(
        accounts=accounts,
        vouching=Vouching(accounts),
        sellers=Sellers(accounts),
        payouts=payouts,
        debts=SellerDebts(Debts(react), money.transfers, approvals),
        freezes=Freezes(PayoutHolds(StripePayoutSchedules(stripe), operations, clock), approvals),
        catalog=Catalog(),
        fees=schedules,
        fee_drafts=Drafts(schedules),
        fee_retirements=Retirements(schedules, approvals),
        fee_grants=Grants(approvals, settings.fee_credit_approvals),
        fee_replays=Replays(schedules),
        fee_review=FeeReview(schedules, clock),
    )


def _ordering(
    settings: Settings,
    clock: Clock,
    stripe: StripeApi,
    money: Money,
    selling: Selling,
    approvals: Approvals,
    announce: Announce,
) -> Ordering:
    payments, cards, vouching = money.payments, money.cards, selling.vouching
    pricing = Pricing(selling.catalog, selling.fees)
    checkout = Checkout(payments, vouching, selling.catalog, cards)
    confirmation = Confirmation(
        payments, vouching, checkout, return_url=settings.pages_url + RETURN
    )
    refunds = OrderRefunds(
        Refunds(money.gateway, money.operations, announce, clock),
        RefundLimits(settings.refund_approvals),
    )
    cancellation = Cancellation(payments, refunds)
    preparation = Preparation(payments, vouching, selling.fees)
    return Ordering(
        orders=Orders(pricing),
        changes=Changes(payments, pricing),
        checkout=checkout,
        confirmation=confirmation,
        groups=Groups(pricing),
        group_payment=GroupPayment(checkout, confirmation, cancellation, cards),
        group_cards=GroupCards(cards),
        expiry=Expiry(payments, vouching),
        holds=Holds(),
        cancellation=cancellation,
        preparation=preparation,
        deadlines=Deadlines(payments, preparation, vouching),
        shipping=Shipping(Tracking(StripeTracking(stripe), money.operations, clock)),
        coach_sessions=CoachSessions(cancellation),
        completion=Completion(),
        refunds=refunds,
        refund_approvals=RefundApprovals(refunds, approvals),
        disputes=DisputeCases(money.stripe_disputes),
        conversation=Conversation(),
    )


def _overseeing(
    settings: Settings,
    clock: Clock,
    stripe: StripeApi,
    money: Money,
    selling: Selling,
    approvals: Approvals,
) -> Overseeing:
    return Overseeing(
        approvals=approvals,
        adjustments=Adjustments(approvals),
        papers=Issuing(selling.fees),
        operation_desk=OperationDesk(money.operations),
        reconciliation=Reconciliation(
            StripeChain(stripe),
            Healing(money.payments, money.stripe_disputes, money.transfers),
            PayoutReconciliation(StripePayouts(stripe), selling.payouts),
            clock,
        ),
        unsent_transfers=UnsentTransfers(money.transfers),
        gauges=Gauges(),
        retention=Retention(
            messages_days=settings.kept_messages_days,
            webhooks_days=settings.kept_webhooks_days,
            ignored_events_days=settings.kept_ignored_events_days,
        ),
    )


def _telling(settings: Settings, clock: Clock) -> Telling:
    return Telling(
        messages=Messages(settings.pages_url),
        sending=Sending(_post(settings), pages_url=settings.pages_url, clock=clock),
        webhook_endpoints=WebhookEndpoints(loopback_allowed=settings.sandboxed),
        deliveries=Deliveries(WebhookSender(loopback_allowed=settings.sandboxed), clock),
    )


def _post(settings: Settings) -> Post:
    """Where e-mails go: to the configured server, else into a folder of this machine."""
    sender, host = settings.mail_from, host_of(settings.public_url)
    if settings.mailbox is None:
        return Smtp(settings.smtp_url, sender=sender, host=host)
    return Mailbox(settings.mailbox, sender=sender, host=host)
