"""Paying a checkout group in one go: the card is given once, and what could not be paid is told.

Without a kept card the first order is confirmed in the buyer's browser, which keeps the card; the others are
confirmed with it by our server. Each payment succeeds or fails by itself: nothing is rolled back that a bank
said yes to, so the outcome may be partial. It can be finished, with this card or another, or given up.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.catalog.errors import CatalogError
from marketplace.orders import group_cards, groups
from marketplace.orders.cancellation import Cancellation
from marketplace.orders.checkout import NO_WISHES, Buyer, Checkout, Wishes
from marketplace.orders.confirmation import Confirmation, Shown
from marketplace.orders.errors import GroupAbandoned, GroupTotalsChanged, OrderError
from marketplace.orders.group_cards import KeptCards
from marketplace.orders.group_states import next_of
from marketplace.orders.groups import GroupView, standing_of
from marketplace.orders.records import Actor
from marketplace.oversight.errors import SwitchedOff
from marketplace.sellers.errors import SellerError
from payments.card_records import CardRecord, find_card
from payments.database import execute, row
from payments.errors import (
    CardDeclined,
    CardNotToBeRetried,
    PaymentError,
    PaymentsUnavailable,
)
from payments.lifecycle import IntentForBuyer
from payments.money import Money

_REFUSALS: Final = (OrderError, CatalogError, SellerError, SwitchedOff, PaymentError)
"""What stops one order of a group and not the others."""
_STOPS: Final = (CardDeclined, CardNotToBeRetried, PaymentsUnavailable)
"""What would meet the next order just the same: the card is not tried on all of them."""
_CHALLENGED: Final = "requires_action"


class Progress(msgspec.Struct, frozen=True):
    """A group after something was tried: what stopped which order, and what the browser confirms next."""

    view: GroupView
    refusals: dict[str, Exception]
    confirm_next: tuple[str, IntentForBuyer] | None = None

    @property
    def keeps_card(self) -> bool:
        """Whether the card that the browser is given now will be kept: to pay the others, or as was asked."""
        return self.confirm_next is not None and _keeping(self.view)


class GroupPayment:
    """Use cases of paying a checkout group, and of giving it up."""

    def __init__(
        self,
        checkout: Checkout,
        confirmation: Confirmation,
        cancellation: Cancellation,
        cards: KeptCards,
    ) -> None:
        self._checkout = checkout
        self._confirmation = confirmation
        self._cancellation = cancellation
        self._cards = cards

    async def begin(
        self, group_id: str, buyer: Buyer, now: datetime, wishes: Wishes = NO_WISHES
    ) -> Progress:
        """A PaymentIntent for each unpaid order, with its stock set aside, before any is paid.

        What cannot be paid is told for each order; the first that can is what the browser confirms. Its
        card is kept until the group is paid, and for good where `wishes` say so. Raises GroupNotFound,
        GroupAbandoned, TooManyTries.
        """
        view = await _require_open(group_id, buyer)
        view = await _note_wish(view, wishes, now)
        refusals: dict[str, Exception] = {}
        first: tuple[str, IntentForBuyer] | None = None
        wishes = _as_group(view, wishes)
        for each in view.unpaid:
            try:
                intent = await self._checkout.begin(each.order.id, buyer, now, wishes)
            except _REFUSALS as refusal:
                refusals[each.order.id] = refusal
            else:
                first = first or (each.order.id, intent)
        return Progress(await groups.find(group_id, buyer.account_id), refusals, first)

    async def confirm(
        self,
        group_id: str,
        buyer: Buyer,
        shown: Sequence[Shown],
        now: datetime,
        *,
        card_id: str | None = None,
        wishes: Wishes = NO_WISHES,
    ) -> Progress:
        """Pay what is unpaid of the totals that were shown, with one card.

        With `card_id`, or a card that has paid a part of it, our server confirms one after the other and
        stops at the bank's first no, or where the bank wants to see the buyer; asked again it goes on.
        Else the browser confirms the first. Raises GroupNotFound, GroupAbandoned, GroupTotalsChanged,
        CardNotFound, TooManyTries.
        """
        view = await self._heard(await _require_open(group_id, buyer), buyer)
        _require_same(view, shown)
        view = await _note_wish(view, wishes, now)
        card = await self._card(view, card_id)
        # What is on its way is waited for, not paid again.
        unpaid = [each for each in view.unpaid if next_of(standing_of(each)) != "wait"]
        kept = None if card is None else card.id
        if card is not None:
            await _remember(group_id, card)
        wishes = _as_group(view, wishes)
        refusals: dict[str, Exception] = {}
        goes_on: tuple[str, IntentForBuyer] | None = None
        for each in unpaid if kept is not None else unpaid[:1]:
            total = Shown(each.order.total, each.order.currency)
            try:
                intent = await self._confirmation.begin(
                    each.order.id, buyer, total, now, card_id=kept, wishes=wishes
                )
            except _REFUSALS as refusal:
                refusals[each.order.id] = refusal
                if isinstance(refusal, _STOPS):
                    break
                continue
            if kept is None or intent.status == _CHALLENGED:
                goes_on = (each.order.id, intent)
                break
        await group_cards.look_now_if_over(group_id, now)
        return Progress(await groups.find(group_id, buyer.account_id), refusals, goes_on)

    async def abandon(
        self, group_id: str, buyer: Buyer, now: datetime, *, give_back: bool
    ) -> Progress:
        """Cancel what is unpaid; with `give_back` what was paid too, as far as its seller's terms allow.

        What could not be canceled is told for each order, and asking again tries it again. Raises
        GroupNotFound.
        """
        view = await groups.find(group_id, buyer.account_id)
        await execute(
            "UPDATE checkout_groups SET abandoned_at = $2 WHERE id = $1 AND abandoned_at IS NULL",
            group_id,
            now,
        )
        refusals: dict[str, Exception] = {}
        for each in view.orders:
            standing = standing_of(each)
            if standing.status != "checkout" and not (standing.paid and give_back):
                continue
            try:
                await self._cancellation.cancel(
                    each.order.id, Actor(buyer.account_id), now, "the whole cart was given up"
                )
            except _REFUSALS as refusal:
                refusals[each.order.id] = refusal
        await group_cards.look_now_if_over(group_id, now)
        return Progress(await groups.find(group_id, buyer.account_id), refusals)

    async def _heard(self, view: GroupView, buyer: Buyer) -> GroupView:
        """The group after asking Stripe about what the browser may have paid meanwhile."""
        paying = [
            each
            for each in view.unpaid
            if next_of(standing_of(each)) in ("confirm", "authenticate", "wait")
        ]
        for each in paying:
            await self._checkout.refresh(each.order.id, Actor(buyer.account_id))
        return await groups.find(view.group.id, buyer.account_id) if paying else view

    async def _card(self, view: GroupView, card_id: str | None) -> CardRecord | None:
        """The card that was named, else the one that has paid a part; None when there is none yet."""
        buyer_id = view.group.buyer_id
        if card_id is not None:
            return await find_card(buyer_id, card_id)
        paid = [each.order.id for each in view.orders if standing_of(each).paid]
        known = await _card_that_paid(view, paid)
        if known is None and paid:
            await self._cards.refresh(buyer_id)
            known = await _card_that_paid(view, paid)
        return None if known is None else await find_card(buyer_id, known)


async def _require_open(group_id: str, buyer: Buyer) -> GroupView:
    view = await groups.find(group_id, buyer.account_id)
    if view.group.abandoned_at is not None:
        raise GroupAbandoned(group_id)
    return view


def _require_same(view: GroupView, shown: Sequence[Shown]) -> None:
    said = {each.currency: each.amount for each in shown}
    if len(said) != len(shown) or said != view.totals:
        totals = [Money(amount, currency) for currency, amount in view.totals.items()]
        raise GroupTotalsChanged(view.group.id, totals)


def _keeping(view: GroupView) -> bool:
    """Whether the card that pays one order is kept: to pay others with it, or because its owner wants it."""
    return len(view.unpaid) > 1 or bool(view.group.card_wanted)


def _as_group(view: GroupView, wishes: Wishes) -> Wishes:
    """What is asked of each order's own checkout."""
    return Wishes(again=wishes.again, save_card=_keeping(view), of_group=True)


async def _note_wish(view: GroupView, wishes: Wishes, now: datetime) -> GroupView:
    """Write down, before any card is kept, whether it stays when the group is over."""
    if wishes.save_card is not None:
        await group_cards.note_wish(view.group.id, wishes.save_card)
    if len(view.unpaid) > 1:
        await group_cards.look_later(view.group.id, now)
    return await groups.find(view.group.id, view.group.buyer_id)


async def _card_that_paid(view: GroupView, paid: Sequence[str]) -> str | None:
    """The buyer's kept card that paid one of these orders, or that the group was last paid with."""
    found = await row(
        "SELECT c.id FROM cards c WHERE c.buyer_id = $1 AND c.removed_at IS NULL "
        "AND (c.payment_method_id = $2 OR c.payment_method_id IN (SELECT p.payment_method_id "
        "FROM payments p WHERE p.order_id = ANY($3::text[]) AND p.live)) "
        "ORDER BY c.payment_method_id = $2 DESC NULLS LAST LIMIT 1",
        view.group.buyer_id,
        view.group.payment_method_id,
        list(paid),
    )
    return None if found is None else str(found["id"])


async def _remember(group_id: str, card: CardRecord) -> None:
    await execute(
        "UPDATE checkout_groups SET payment_method_id = $2 WHERE id = $1",
        group_id,
        card.payment_method_id,
    )
