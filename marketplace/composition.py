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
from marketplace.services import Services
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
from payments.events import Clock
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
    gateway = StripePaymentGateway(stripe)
    operations = Operations(clock)
    accounts = Accounts(StripeAccounts(stripe), operations, clock, announce=account_news.react)
    late_money = LateMoney()
    announce = functools.partial(react, give_back=late_money.give_back)
    payments = Payments(gateway, operations, announce, clock)
    inbox = Inbox(payments, live=settings.live, clock=clock, announce=inbox_news.tell_given_up)
    inbox.register("v2.core.account", accounts.take_notices)
    payouts = Payouts(StripePayouts(stripe), seller_payouts.react, clock)
    inbox.register("payout.", payouts.take_notices)
    cards = Cards(StripeCards(stripe), operations, clock)
    CardNotices(cards).register(inbox)
    vouching, catalog, schedules = Vouching(accounts), Catalog(), Schedules()
    pricing = Pricing(catalog, schedules)
    checkout = Checkout(payments, vouching, catalog, cards)
    confirmation = Confirmation(
        payments, vouching, checkout, return_url=settings.pages_url + RETURN
    )
    transfers = Transfers(StripeTransfers(stripe), gateway, operations, announce, clock)
    inbox.register("transfer.reversed", transfers.take_notices)
    approvals = Approvals()
    disputes = Disputes(
        StripeDisputes(stripe),
        gateway,
        operations,
        DisputeAbsorption(transfers, react, clock, policy=settings.dispute_policy),
        clock,
    )
    inbox.register("charge.dispute.", disputes.take_notices)
    warnings = FraudWarnings(StripeDisputes(stripe), gateway, react, clock)
    inbox.register("radar.early_fraud_warning.", warnings.take_notices)
    refunds = OrderRefunds(
        Refunds(gateway, operations, announce, clock), RefundLimits(settings.refund_approvals)
    )
    cancellation = Cancellation(payments, refunds)
    late_money.use(payments, cancellation)
    preparation = Preparation(payments, vouching, schedules)
    return Services(
        settings=settings,
        clock=clock,
        people=People(clock, live=settings.live),
        sellers=Sellers(accounts),
        vouching=vouching,
        accounts=accounts,
        payouts=payouts,
        catalog=catalog,
        fees=schedules,
        fee_drafts=Drafts(schedules),
        fee_retirements=Retirements(schedules, approvals),
        fee_grants=Grants(approvals, settings.fee_credit_approvals),
        fee_replays=Replays(schedules),
        fee_review=FeeReview(schedules, clock),
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
        shipping=Shipping(Tracking(StripeTracking(stripe), operations, clock)),
        coach_sessions=CoachSessions(cancellation),
        completion=Completion(),
        refunds=refunds,
        transfers=transfers,
        unsent_transfers=UnsentTransfers(transfers),
        debts=SellerDebts(Debts(react), transfers, approvals),
        approvals=approvals,
        adjustments=Adjustments(approvals),
        papers=Issuing(schedules),
        freezes=Freezes(PayoutHolds(StripePayoutSchedules(stripe), operations, clock), approvals),
        operation_desk=OperationDesk(operations),
        reconciliation=Reconciliation(
            StripeChain(stripe),
            Healing(payments, disputes, transfers),
            PayoutReconciliation(StripePayouts(stripe), payouts),
            clock,
        ),
        gauges=Gauges(),
        retention=Retention(
            messages_days=settings.kept_messages_days,
            webhooks_days=settings.kept_webhooks_days,
            ignored_events_days=settings.kept_ignored_events_days,
        ),
        refund_approvals=RefundApprovals(refunds, approvals),
        event_catch_up=EventCatchUp(StripeEvents(stripe), inbox, inbox_news.tell_missed, clock),
        stripe_disputes=disputes,
        disputes=DisputeCases(disputes),
        fraud_warnings=warnings,
        conversation=Conversation(),
        cards=cards,
        payments=payments,
        operations=operations,
        gateway=gateway,
        inbox=inbox,
        receipt=Receipt(),
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
