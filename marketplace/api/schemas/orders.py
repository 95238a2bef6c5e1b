"""What buyers ask for, and what the parties of an order are told. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.api.schemas.checkout import PendingChangeAnswer, ShippingSchema
from marketplace.api.schemas.fulfilment import SessionAnswer, ShipmentAnswer
from marketplace.api.schemas.refunds import RefundAnswer
from marketplace.api.schemas.wanted import LISTING_ID, ORDER_ID, WantedLine, told
from marketplace.orders import hold_stages
from marketplace.orders.order_states import Status
from marketplace.orders.reading import OrderView
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import StepRecord
from marketplace.orders.totals import CaptureMethod, Line, Wanted
from marketplace.paging import Page
from payments.declines import advice_on
from payments.gateway import Shipping
from payments.records import AttemptRecord
from payments.states import REQUIRES_CAPTURE

_FEE = {
    "schedule_id": "fsc_01k9zc3v5m8q2r4t6w8y0abcde",
    "schedule_version": 1,
    "inputs": {
        "seller_id": "sel_01k9zc3v5m8q2r4t6w8y0abcde",
        "currency": "eur",
        "lines": [
            {
                "listing_id": LISTING_ID,
                "category": "coaching",
                "kind": "session",
                "amount": 6_000,
            }
        ],
    },
    "parts": [
        {
            "rule_id": "sessions",
            "listing_ids": [LISTING_ID],
            "amount": 6_000,
            "basis_points": 1_500,
            "rate_amount": 900,
            "fixed": 0,
            "floor": 60,
            "cap": 30_000,
            "before_limits": 900,
            "after_floor": 900,
            "after_cap": 900,
            "fee": 900,
        }
    ],
    "total": 6_000,
    "fee": 900,
    "seller_amount": 5_100,
    "format": 1,
}


class NewOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to buy: of one seller, in one currency, sessions or products but not both."""

    lines: list[WantedLine]
    shipping: Annotated[
        ShippingSchema | None,
        Meta(description="For products; it may follow or change later."),
    ] = None

    def told(self) -> list[Wanted]:
        """In the words of orders."""
        return told(self.lines)

    def sent_to(self) -> Shipping | None:
        """The address in the words of payments."""
        return None if self.shipping is None else self.shipping.told()


class OrderPaymentAnswer(msgspec.Struct, kw_only=True):
    """How the money stands: `status` is Stripe's word for the order's latest PaymentIntent.

    The fee's figures are the seller's and the platform's to know.
    """

    status: Annotated[str, Meta(examples=["succeeded"])]
    amount_captured: int
    amount_refunded: int
    capture_before: Annotated[
        datetime | None, Meta(description="When the bank's hold ends, while there is one.")
    ]
    fee_captured: int | UnsetType = UNSET
    fee_refunded: int | UnsetType = UNSET


class OrderAnswer(msgspec.Struct, kw_only=True):
    """An order. `payment` is null before the first checkout."""

    id: Annotated[str, Meta(examples=[ORDER_ID])]
    status: Annotated[Status, Meta(examples=["paid"])]
    buyer_id: str
    seller_id: str
    currency: str
    total: int
    service_fee: Annotated[
        int,
        Meta(description="What the platform asks of the buyer, within the total.", examples=[0]),
    ]
    application_fee: Annotated[
        int | UnsetType, Meta(description="For the seller and the platform.")
    ] = UNSET
    capture_method: CaptureMethod
    lines: list[Line]
    payment: OrderPaymentAnswer | None
    created_at: datetime
    updated_at: datetime
    checkout_expires_at: datetime
    cart_version: Annotated[int, Meta(description="Counts the cart's changes.", examples=[1])]
    shipping: Annotated[
        ShippingSchema | None,
        Meta(description="For products. The seller is shown it once the money is held."),
    ]
    change: Annotated[
        PendingChangeAnswer | None,
        Meta(description="A change that waits for Stripe's answer.", examples=[None]),
    ]
    confirming: Annotated[
        bool, Meta(description="The buyer is paying: the cart stands still.", examples=[False])
    ]
    group_id: Annotated[
        str | None, Meta(description="The checkout of several sellers it is part of.")
    ]
    shipment: ShipmentAnswer | None
    session: SessionAnswer | None
    completes_at: Annotated[
        datetime | None, Meta(description="When it is completed if nobody says anything.")
    ]
    canceling: Annotated[
        bool, Meta(description="The refund of its cancellation is on its way.", examples=[False])
    ]
    prepare_by: Annotated[
        datetime | UnsetType | None,
        Meta(description="For the seller: when the hold is ended here, while there is one."),
    ] = UNSET
    held_reason: Annotated[
        str | UnsetType | None,
        Meta(
            description="For the seller: why nothing may be captured, shipped or completed.",
            examples=[None],
        ),
    ] = UNSET

    @classmethod
    def of(cls, view: OrderView, actor: Actor) -> "OrderAnswer":
        """As `view` stands, as far as it is `actor`'s to know."""
        order = view.order
        sells = actor.is_admin or actor.sells(order)
        return cls(
            id=order.id,
            status=order.status,
            buyer_id=order.buyer_id,
            seller_id=order.seller_id,
            currency=order.currency,
            total=order.total,
            service_fee=order.service_fee,
            application_fee=order.application_fee if sells else UNSET,
            capture_method=order.capture_method,
            lines=list(view.lines),
            payment=_payment(view, sells),
            created_at=order.created_at,
            updated_at=order.updated_at,
            checkout_expires_at=order.checkout_expires_at,
            cart_version=order.cart_version,
            shipping=_shipping(order, actor),
            change=PendingChangeAnswer.of(view.change) if view.change else None,
            confirming=order.status == "checkout" and order.frozen_at is not None,
            group_id=order.group_id,
            shipment=ShipmentAnswer.of(view.shipment) if view.shipment else None,
            session=_session(order),
            completes_at=order.completes_at if order.status in ("paid", "shipped") else None,
            canceling=view.canceling,
            prepare_by=_prepare_by(view) if sells else UNSET,
            held_reason=order.held_reason if sells else UNSET,
        )


class OrderList(msgspec.Struct, kw_only=True):
    """Orders, the newest first."""

    data: list[OrderAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[OrderView], actor: Actor) -> "OrderList":
        """A page as far as it is `actor`'s to know."""
        return cls(data=[OrderAnswer.of(view, actor) for view in page.data], has_more=page.has_more)


class AttemptAnswer(msgspec.Struct, kw_only=True):
    """What a bank said once. `reason` is our stable code for a decline, `advice` what to do about it."""

    id: Annotated[str, Meta(examples=["att_01k9zc3v5m8q2r4t6w8y0abcde"])]
    outcome: Annotated[str, Meta(examples=["declined"])]
    reason: Annotated[str | None, Meta(examples=["insufficient_funds"])]
    advice: Annotated[
        str | None,
        Meta(
            description="What the buyer can do, ready to be shown.",
            examples=["The card has not enough funds. Use another card."],
        ),
    ]
    same_card: Annotated[
        bool | None, Meta(description="Whether the same card is worth another try.")
    ]
    card_brand: str | None
    card_last4: str | None
    occurred_at: datetime

    @classmethod
    def of(cls, attempt: AttemptRecord) -> "AttemptAnswer":
        """As it was kept, with our advice."""
        advice = advice_on(attempt.reason) if attempt.reason else None
        return cls(
            id=attempt.id,
            outcome=attempt.outcome,
            reason=attempt.reason,
            advice=advice.text if advice else None,
            same_card=advice.same_card if advice else None,
            card_brand=attempt.card_brand,
            card_last4=attempt.card_last4,
            occurred_at=attempt.occurred_at,
        )


class AttemptList(msgspec.Struct, kw_only=True):
    """Attempts to pay, the first one first."""

    data: list[AttemptAnswer]
    has_more: bool

    @classmethod
    def of(cls, attempts: Sequence[AttemptRecord], *, has_more: bool = False) -> "AttemptList":
        """These, and whether more follow."""
        return cls(data=[AttemptAnswer.of(attempt) for attempt in attempts], has_more=has_more)


class StepAnswer(msgspec.Struct, kw_only=True):
    """One step of an order's history.

    `actor` is `buyer`, `seller`, `admin`, `platform` or `stripe`; admins read the account instead.
    """

    id: Annotated[str, Meta(examples=["stp_01k9zc3v5m8q2r4t6w8y0abcde"])]
    step: Annotated[str, Meta(examples=["prepared"])]
    from_status: Annotated[str | None, Meta(examples=["authorized"])]
    to_status: Annotated[str, Meta(examples=["paid"])]
    actor: Annotated[str, Meta(examples=["seller"])]
    reason: Annotated[str | None, Meta(examples=[None])]
    occurred_at: datetime

    @classmethod
    def of(cls, step: StepRecord) -> "StepAnswer":
        """As it was written."""
        return cls(**_facts(cls, step))


class StepList(msgspec.Struct, kw_only=True):
    """What happened to the order, the first step first."""

    data: list[StepAnswer]
    has_more: bool

    @classmethod
    def of(cls, steps: Sequence[StepRecord], *, has_more: bool = False) -> "StepList":
        """These, and whether more follow."""
        return cls(data=[StepAnswer.of(step) for step in steps], has_more=has_more)


class FulfilmentRelease(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why an order may go on though its money did not match it."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, examples=["The buyer agreed to the difference."])
    ]


class AdminOrderAnswer(msgspec.Struct, kw_only=True):
    """An order with everything that happened to it, and how its fee came about."""

    order: OrderAnswer
    payment_intent: str | None
    processing_cost: int
    fee: Annotated[
        dict[str, Any],
        Meta(description="The fee's inputs, rules and every integer on the way.", examples=[_FEE]),
    ]
    steps: list[StepAnswer]
    attempts: list[AttemptAnswer]
    refunds: list[RefundAnswer]


def _session(order: OrderRecord) -> SessionAnswer | None:
    if order.session_at is None or order.session_ends_at is None:
        return None
    return SessionAnswer(starts_at=order.session_at, ends_at=order.session_ends_at)


def _prepare_by(view: OrderView) -> datetime | None:
    """Never later than the hold is really ended: it began after the order was placed."""
    before = view.payment.capture_before if view.payment else None
    if before is None or view.order.status != "authorized":
        return None
    return hold_stages.moments(view.order.created_at, before)[-1]


def _shipping(order: OrderRecord, actor: Actor) -> ShippingSchema | None:
    """Where a buyer lives is the seller's to know when there is something to send."""
    ends = order.status in ("checkout", "canceled", "expired")
    if order.shipping is None or (ends and actor.account_id == order.owner_id):
        return None
    return msgspec.json.decode(order.shipping, type=ShippingSchema)


def _payment(view: OrderView, sells: bool) -> OrderPaymentAnswer | None:
    payment = view.payment
    if payment is None:
        return None
    return OrderPaymentAnswer(
        status=payment.status,
        amount_captured=payment.amount_captured,
        amount_refunded=payment.amount_refunded,
        capture_before=payment.capture_before if payment.status == REQUIRES_CAPTURE else None,
        fee_captured=payment.fee_captured if sells else UNSET,
        fee_refunded=payment.fee_refunded if sells else UNSET,
    )


def _facts(answer: type[msgspec.Struct], record: object) -> dict[str, Any]:
    return {name: getattr(record, name) for name in answer.__struct_fields__}
