"""The use cases a handler may call, gathered by the composition (`composition.py`)."""

from dataclasses import dataclass

from connect.accounts import Accounts
from connect.payouts import Payouts
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
from marketplace.messages.reading import Messages
from marketplace.messages.sending import Sending
from marketplace.orders.cancellation import Cancellation
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
from marketplace.orders.orders import Orders
from marketplace.orders.preparation import Preparation
from marketplace.orders.refund_approvals import RefundApprovals
from marketplace.orders.refunds import OrderRefunds
from marketplace.orders.sessions import CoachSessions
from marketplace.orders.shipping import Shipping
from marketplace.oversight.approvals import Approvals
from marketplace.oversight.gauges import Gauges
from marketplace.oversight.operation_desk import OperationDesk
from marketplace.oversight.reconciliation_work import Reconciliation
from marketplace.oversight.retention import Retention
from marketplace.oversight.unsent_transfers import UnsentTransfers
from marketplace.papers.issuing import Issuing
from marketplace.people.people import People
from marketplace.sellers.debts import SellerDebts
from marketplace.sellers.freezes import Freezes
from marketplace.sellers.sellers import Sellers
from marketplace.sellers.vouching import Vouching
from marketplace.settings import Settings
from payments.cards import Cards
from payments.disputes import Disputes
from payments.event_catch_up import EventCatchUp
from payments.events import Clock
from payments.fraud_warnings import FraudWarnings
from payments.gateway import PaymentGateway
from payments.inbox import Inbox
from payments.lifecycle import Payments
from payments.operations import Operations
from payments.receipt import Receipt
from payments.transfers import Transfers


@dataclass(frozen=True, kw_only=True)
class Money:
    """What payments does: asks Stripe, hears of it, and keeps it."""

    gateway: PaymentGateway
    operations: Operations
    payments: Payments
    cards: Cards
    transfers: Transfers
    stripe_disputes: Disputes
    fraud_warnings: FraudWarnings
    inbox: Inbox
    receipt: Receipt
    event_catch_up: EventCatchUp


@dataclass(frozen=True, kw_only=True)
class Selling:
    """Sellers and what they sell: who may be paid, for what, and what the platform takes of it."""

    accounts: Accounts
    vouching: Vouching
    sellers: Sellers
    payouts: Payouts
    debts: SellerDebts
    freezes: Freezes
    catalog: Catalog
    fees: Schedules
    fee_drafts: Drafts
    fee_retirements: Retirements
    fee_grants: Grants
    fee_replays: Replays
    fee_review: FeeReview


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """An order's life: from the cart to completion, or back."""

    orders: Orders
    changes: Changes
    checkout: Checkout
    confirmation: Confirmation
    groups: Groups
    group_payment: GroupPayment
    group_cards: GroupCards
    expiry: Expiry
    holds: Holds
    cancellation: Cancellation
    preparation: Preparation
    deadlines: Deadlines
    shipping: Shipping
    coach_sessions: CoachSessions
    completion: Completion
    refunds: OrderRefunds
    refund_approvals: RefundApprovals
    disputes: DisputeCases
    conversation: Conversation


@dataclass(frozen=True, kw_only=True)
class Overseeing:
    """What admins see to."""

    approvals: Approvals
    adjustments: Adjustments
    papers: Issuing
    operation_desk: OperationDesk
    reconciliation: Reconciliation
    unsent_transfers: UnsentTransfers
    gauges: Gauges
    retention: Retention


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What people and sellers' programs are told."""

    messages: Messages
    sending: Sending
    webhook_endpoints: WebhookEndpoints
    deliveries: Deliveries


@dataclass(frozen=True, kw_only=True)
class Services(Money, Selling, Ordering, Overseeing, Telling):
    """Everything the HTTP layer and the worker need; built once, held by nobody else."""

    settings: Settings
    clock: Clock
    people: People
