"""What the people of an order write to each other."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.orders.conversation import LONGEST, OrderMessage
from marketplace.paging import Page


class NewOrderMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A message about an order, to its other party."""

    body: Annotated[
        str, Meta(min_length=1, max_length=LONGEST, examples=["When does the mat arrive?"])
    ]


class OrderMessageAnswer(msgspec.Struct, kw_only=True):
    """One message. It can be neither changed nor taken back: it may be evidence later."""

    id: Annotated[str, Meta(examples=["omg_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str
    author: Annotated[str, Meta(description="buyer, seller or platform.", examples=["buyer"])]
    body: str
    written_at: datetime

    @classmethod
    def of(cls, message: OrderMessage) -> "OrderMessageAnswer":
        """As it was written."""
        return cls(**{name: getattr(message, name) for name in cls.__struct_fields__})


class OrderMessageList(msgspec.Struct, kw_only=True):
    """The messages of an order, the first one first."""

    data: list[OrderMessageAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[OrderMessage]) -> "OrderMessageList":
        """A page of them."""
        return cls(data=[OrderMessageAnswer.of(one) for one in page.data], has_more=page.has_more)
