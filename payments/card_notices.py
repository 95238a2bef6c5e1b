"""Stripe's events about Customers, SetupIntents and saved cards: nudges to read, as all events are."""

from collections.abc import Sequence

import msgspec

from payments.card_setups import find_setup
from payments.cards import Cards
from payments.customers import buyer_of
from payments.database import value
from payments.errors import PaymentNotFound
from payments.inbox import Inbox, Notice


class _Object(msgspec.Struct):
    id: str = ""
    customer: str | None = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Payload(msgspec.Struct):
    data: _Data


class CardNotices:
    """Works on events of the platform's own saved cards; those of other programs are left alone."""

    def __init__(self, cards: Cards) -> None:
        self._cards = cards

    def register(self, inbox: Inbox) -> None:
        """Take over the families of events that are about cards."""
        inbox.register("setup_intent.", self.take_setups)
        inbox.register("payment_method.", self.take_cards)
        inbox.register("customer.deleted", self.take_customers)

    async def take_setups(self, notices: Sequence[Notice]) -> None:
        """A setup moved: read it, and the list of cards when it succeeded.

        Raises PaymentNotFound while a setup of ours is not known yet.
        """
        seen = _object(notices[0])
        setup_id = (seen.metadata or {}).get("setup_id")
        if notices[0].account is not None or setup_id is None:
            return
        setup = await find_setup(seen.id, setup_id)
        if setup is None:
            raise PaymentNotFound(setup_id)
        await self._cards.refresh_setup(setup.buyer_id, setup.id)

    async def take_cards(self, notices: Sequence[Notice]) -> None:
        """A card was attached, changed or detached: read its owner's list."""
        if notices[0].account is not None:
            return
        buyers = {await _owner(_object(notice)) for notice in notices}
        for buyer_id in buyers - {None}:
            await self._cards.refresh(buyer_id or "")

    async def take_customers(self, notices: Sequence[Notice]) -> None:
        """A Customer was deleted, in Stripe's Dashboard."""
        customer_id = _object(notices[0]).id
        buyer_id = await buyer_of(customer_id)
        if notices[0].account is None and buyer_id is not None:
            await self._cards.forget_if_deleted(buyer_id, customer_id)


def _object(notice: Notice) -> _Object:
    return msgspec.json.decode(notice.payload, type=_Payload).data.object


async def _owner(seen: _Object) -> str | None:
    """Whose card it is; one that was detached no longer names its Customer."""
    if seen.customer is not None:
        return await buyer_of(seen.customer)
    owner: str | None = await value(
        "SELECT buyer_id FROM cards WHERE payment_method_id = $1", seen.id
    )
    return owner
