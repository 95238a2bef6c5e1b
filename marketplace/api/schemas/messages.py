"""What people were written."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.messages.reading import ReadMessage
from marketplace.messages.undelivered import PostedMessage, State
from marketplace.paging import Page


class MessageAnswer(msgspec.Struct, kw_only=True):
    """A message to you. `state` is `due` until it was sent, `dead` when it could not be."""

    id: Annotated[str, Meta(examples=["msg_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[str, Meta(examples=["order_shipped"])]
    subject_id: Annotated[
        str,
        Meta(
            description="What it is about: an order, a seller, a payout.",
            examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"],
        ),
    ]
    subject: Annotated[str, Meta(examples=["Your order from Ada's mats was shipped"])]
    paragraphs: Annotated[
        list[str], Meta(examples=[["On its way to you: 1 x A yoga mat.", "Carrier: DHL."]])
    ]
    link: Annotated[
        str | None,
        Meta(examples=["https://market.example/v1/orders/ord_01k9zc3v5m8q2r4t6w8y0abcde"]),
    ]
    state: Annotated[str, Meta(examples=["sent"])]
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, message: ReadMessage) -> "MessageAnswer":
        """As it was written."""
        facts = msgspec.structs.asdict(message)
        return cls(**{**facts, "paragraphs": list(message.paragraphs)})


class PostedMessageAnswer(msgspec.Struct, kw_only=True):
    """An e-mail to somebody, without what it says."""

    id: Annotated[str, Meta(examples=["msg_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[str, Meta(examples=["order_shipped"])]
    subject_id: Annotated[
        str,
        Meta(description="What it is about.", examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"]),
    ]
    account_id: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    email: Annotated[str, Meta(examples=["ada@example.com"])]
    state: Annotated[
        State,
        Meta(description="`dead`: given up.", examples=["dead"]),
    ]
    attempts: Annotated[int, Meta(examples=[1])]
    note: Annotated[
        str | None,
        Meta(description="What went wrong last.", examples=["550 no such mailbox"]),
    ]
    created_at: datetime
    due_at: Annotated[datetime | None, Meta(description="When it is tried next.", examples=[None])]
    concluded_at: datetime | None

    @classmethod
    def of(cls, message: PostedMessage) -> "PostedMessageAnswer":
        """As it stands."""
        return cls(**msgspec.structs.asdict(message))


class PostedMessageList(msgspec.Struct, kw_only=True):
    """E-mails, the newest first."""

    data: list[PostedMessageAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[PostedMessage]) -> "PostedMessageList":
        """One page."""
        return cls(data=[PostedMessageAnswer.of(one) for one in page.data], has_more=page.has_more)


class MessageList(msgspec.Struct, kw_only=True):
    """Messages, the newest first."""

    data: list[MessageAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[ReadMessage]) -> "MessageList":
        """One page."""
        return cls(data=[MessageAnswer.of(one) for one in page.data], has_more=page.has_more)
