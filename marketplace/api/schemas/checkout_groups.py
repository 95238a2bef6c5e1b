"""Carts with several sellers over HTTP: what is asked for, and how far each order got. Minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from marketplace.api.problems import problem_of
from marketplace.api.schemas.checkout import CheckoutAnswer, ShippingSchema
from marketplace.api.schemas.orders import OrderAnswer
from marketplace.api.schemas.wanted import WantedLine, told
from marketplace.orders.checkout import Wishes
from marketplace.orders.confirmation import Shown
from marketplace.orders.group_payment import Progress
from marketplace.orders.group_states import GroupState, Next
from marketplace.orders.groups import GroupView, next_for
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted
from marketplace.paging import Page
from payments.gateway import Shipping

_CardId = Annotated[str, Meta(max_length=64, examples=["crd_01k9zc3v5m8q2r4t6w8y0abcde"])] | None
_Again = Annotated[
    bool, Meta(description="You know that you just bought the same, and want it once more.")
]
_SaveCard = Annotated[
    bool,
    Meta(description="Whether the card stays kept once all is paid. Absent: as you said before."),
]


class NewCheckoutGroup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to buy of several sellers: one order, and one payment, becomes of each."""

    lines: list[WantedLine]
    shipping: Annotated[
        ShippingSchema | None,
        Meta(description="Where all products go; it may follow or change later."),
    ] = None

    def wanted(self) -> list[Wanted]:
        """In the words of orders."""
        return told(self.lines)

    def sent_to(self) -> Shipping | None:
        """The address in the words of payments."""
        return None if self.shipping is None else self.shipping.told()


class GroupCheckoutRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Nothing has to be said to begin."""

    again: _Again = False
    save_card: _SaveCard | None = None

    def wishes(self) -> Wishes:
        """In the words of orders."""
        return Wishes(again=self.again, save_card=self.save_card)


class TotalSchema(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a cart comes to in one currency."""

    currency: Annotated[str, Meta(pattern="^[a-z]{3}$", examples=["eur"])]
    amount: Annotated[int, Meta(gt=0, examples=[8_500])]


class GroupConfirmationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The totals you showed the buyer, what is paid already included."""

    totals: Annotated[list[TotalSchema], Meta(max_length=20)]
    card_id: _CardId = None
    again: _Again = False
    save_card: _SaveCard | None = None

    def wishes(self) -> Wishes:
        """In the words of orders."""
        return Wishes(again=self.again, save_card=self.save_card)

    def shown(self) -> list[Shown]:
        """What the buyer saw."""
        return [Shown(total.amount, total.currency) for total in self.totals]


class GroupAbandonment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What becomes of the orders that are paid: unpaid ones are canceled in any case."""

    paid: Literal["keep", "give_back"] = "keep"

    @property
    def give_back(self) -> bool:
        """Whether they are canceled too."""
        return self.paid == "give_back"


class RefusalAnswer(msgspec.Struct, kw_only=True):
    """Why one order got no further: as the problem that paying it alone would have been."""

    status: Annotated[int, Meta(examples=[402])]
    code: Annotated[str, Meta(examples=["insufficient_funds"])]
    title: Annotated[str, Meta(examples=["The payment was declined"])]
    detail: Annotated[str, Meta(examples=["The card has not enough funds. Use another card."])]
    data: dict[str, Any]

    @classmethod
    def of(cls, refusal: Exception) -> "RefusalAnswer":
        """In the words of problem documents."""
        told = problem_of(refusal)
        return cls(
            status=told.status, code=told.code, title=told.title, detail=told.detail, data=told.data
        )


class GroupedOrderAnswer(msgspec.Struct, kw_only=True):
    """One order of the cart, what the buyer can do about it, and why it got no further just now."""

    order: OrderAnswer
    next: Annotated[Next, Meta(examples=["pay"])]
    refusal: RefusalAnswer | None


class CheckoutGroupAnswer(msgspec.Struct, kw_only=True):
    """A cart with several sellers. Its state is what its orders say; `partly_paid` can be finished
    by another confirmation, or given up."""

    id: Annotated[str, Meta(examples=["grp_01k9zc3v5m8q2r4t6w8y0abcde"])]
    state: Annotated[GroupState, Meta(examples=["partly_paid"])]
    totals: list[TotalSchema]
    orders: list[GroupedOrderAnswer]
    confirm_next: Annotated[
        CheckoutAnswer | None,
        Meta(description="What the buyer's browser confirms next, if anything.", examples=[None]),
    ]
    keeps_card: Annotated[
        bool,
        Meta(description="The card given to confirm it is kept, to pay the other orders: say so."),
    ]
    created_at: datetime
    abandoned_at: datetime | None

    @classmethod
    def of(
        cls,
        view: GroupView,
        refusals: dict[str, Exception] | None = None,
        *,
        reader: Actor | None = None,
    ) -> "CheckoutGroupAnswer":
        """For its buyer, where nobody else is named."""
        reader, why = reader or Actor(view.group.buyer_id), refusals or {}
        return cls(
            id=view.group.id,
            state=view.state,
            totals=[TotalSchema(currency=c, amount=a) for c, a in view.totals.items()],
            orders=[
                GroupedOrderAnswer(
                    order=OrderAnswer.of(each, reader),
                    next=next_for(each),
                    refusal=RefusalAnswer.of(why[each.order.id]) if each.order.id in why else None,
                )
                for each in view.orders
            ],
            confirm_next=None,
            keeps_card=False,
            created_at=view.group.created_at,
            abandoned_at=view.group.abandoned_at,
        )

    @classmethod
    def after(cls, progress: Progress, publishable_key: str) -> "CheckoutGroupAnswer":
        """How far it got, with what the buyer's browser needs to go on."""
        answer = cls.of(progress.view, progress.refusals)
        if progress.confirm_next is not None:
            order_id, intent = progress.confirm_next
            answer.confirm_next = CheckoutAnswer.of(order_id, intent, publishable_key)
            answer.keeps_card = progress.keeps_card
        return answer


class CheckoutGroupList(msgspec.Struct, kw_only=True):
    """Checkout groups, the newest first."""

    data: list[CheckoutGroupAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[GroupView]) -> "CheckoutGroupList":
        """A page of the buyer's own."""
        groups: Sequence[GroupView] = page.data
        return cls(data=[CheckoutGroupAnswer.of(each) for each in groups], has_more=page.has_more)
