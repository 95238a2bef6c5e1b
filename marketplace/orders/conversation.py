"""What buyer and seller write to each other about an order. Append-only: it may be evidence later."""

from datetime import datetime
from typing import Final

import msgspec

from marketplace.messages import outbox
from marketplace.messages.outbox import Told
from marketplace.orders import records
from marketplace.orders.errors import MessageRefused
from marketplace.orders.records import Actor, OrderRecord
from marketplace.paging import Page, PageRequest
from payments.database import execute, rows, transaction
from payments.ids import new_id

LONGEST: Final = 4_000
"""Characters of one message."""
_COLUMNS: Final = "m.id, m.order_id, m.author_id, m.body, m.written_at"


class OrderMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: `author` is `buyer`, `seller` or `platform`."""

    id: str
    order_id: str
    author_id: str
    author: str
    body: str
    written_at: datetime


class Conversation:
    """Use cases of the messages between the people of an order."""

    async def write(self, order_id: str, actor: Actor, body: str, now: datetime) -> OrderMessage:
        """Say something about the order; whoever of it did not write is told.

        Raises OrderNotFound, MessageRefused.
        """
        text = body.strip()
        if not text or len(text) > LONGEST:
            raise MessageRefused(len(text), LONGEST)
        order = await records.require(order_id, actor)
        message = OrderMessage(
            id=new_id("omg"),
            order_id=order.id,
            author_id=actor.account_id,
            author=_author(actor.account_id, order.buyer_id, order.owner_id),
            body=text,
            written_at=now,
        )
        async with transaction():
            await execute(
                "INSERT INTO order_messages (id, order_id, author_id, body, written_at) "
                "VALUES ($1, $2, $3, $4, $5)",
                message.id,
                message.order_id,
                message.author_id,
                message.body,
                message.written_at,
            )
            await _tell_the_others(order, message)
        return message

    async def list(self, order_id: str, actor: Actor, page: PageRequest) -> Page[OrderMessage]:
        """The messages of the order, the first one first. Raises OrderNotFound."""
        order = await records.require(order_id, actor)
        found = await rows(
            f"SELECT {_COLUMNS} FROM order_messages m WHERE m.order_id = $1 "
            "AND ($2::text IS NULL OR m.id > $2) ORDER BY m.id LIMIT $3",
            order.id,
            page.starting_after,
            page.fetched,
        )
        messages = [
            OrderMessage(
                **record, author=_author(record["author_id"], order.buyer_id, order.owner_id)
            )
            for record in found
        ]
        return Page.cut(messages, page)


async def _tell_the_others(order: OrderRecord, message: OrderMessage) -> None:
    others = [one for one in (order.buyer_id, order.owner_id) if one != message.author_id]
    facts = {
        "order_id": order.id,
        "author": f"The {message.author}",
        "excerpt": message.body,
    }
    told = [
        Told(
            account_id=one,
            kind="order_message",
            subject_id=order.id,
            cause=message.id,
            facts=facts,
        )
        for one in others
    ]
    await outbox.tell_all(told, message.written_at)


def _author(account_id: str, buyer_id: str, owner_id: str) -> str:
    if account_id == buyer_id:
        return "buyer"
    return "seller" if account_id == owner_id else "platform"
