"""A cart of several sellers: an order and a payment each, one card, and an honest word about the rest."""

from dataclasses import dataclass, field

import pytest

from marketplace.catalog.errors import OutOfStock
from marketplace.orders.checkout import Buyer, Wishes
from marketplace.orders.confirmation import Shown
from marketplace.orders.errors import (
    BoughtAlready,
    ChangeUnderWay,
    GroupAbandoned,
    GroupNotFound,
    GroupTotalsChanged,
    ListingRepeated,
    NoLines,
    OrderKeyReused,
    OwnListing,
    TooManySellers,
)
from marketplace.orders.group_payment import Progress
from marketplace.orders.groups import SELLERS_LIMIT, GroupView, next_for
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted
from marketplace.paging import PageRequest
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, value
from payments.errors import CardDeclined, CardNotFound, OutcomeUnknown
from payments.ids import new_id
from payments.money import Money
from tests.fakes import CHALLENGED, DEBIT
from tests.orders.shop import FakeCards, Shop, account, listing, stock_of

INSUFFICIENT = "pm_card_visa_chargeDeclinedInsufficientFunds"


@dataclass
class Trip:
    """A buyer with a mat of one shop, an hour of a coach, and a block of another shop."""

    shop: Shop
    buyer: Buyer
    mat: str
    hour: str
    block: str
    id: str = ""
    owners: list[str] = field(default_factory=list)

    async def see(self) -> GroupView:
        return await self.shop.groups.find(self.id, Actor(self.buyer.account_id))

    async def orders(self) -> list[str]:
        return [each.order.id for each in (await self.see()).orders]

    async def statuses(self) -> list[str]:
        return [each.order.status for each in (await self.see()).orders]

    async def begin(self, **wishes: bool) -> Progress:
        return await self.shop.group_payment.begin(
            self.id, self.buyer, self.shop.clock(), Wishes(**wishes)
        )

    async def confirm(self, card_id: str | None = None, **totals: int) -> Progress:
        """Confirm the totals of now, or others that the buyer was shown."""
        shown = totals or (await self.see()).totals
        return await self.shop.group_payment.confirm(
            self.id,
            self.buyer,
            [Shown(amount, currency) for currency, amount in shown.items()],
            self.shop.clock(),
            card_id=card_id,
        )

    async def abandon(self, *, give_back: bool = False) -> Progress:
        return await self.shop.group_payment.abandon(
            self.id, self.buyer, self.shop.clock(), give_back=give_back
        )

    async def card(self, payment_method_id: str = "pm_card_visa") -> str:
        cards = FakeCards()
        await cards.customer_of(self.buyer.account_id, "b@example.com", self.shop.clock())
        return await cards.keep(self.buyer.account_id, payment_method_id)


async def a_trip(shop: Shop) -> Trip:
    owners = [(await shop.a_seller())[0] for _ in range(3)]
    trip = Trip(
        shop,
        Buyer(await account(), "buyer@example.com"),
        mat=(await listing(owners[0])).id,
        hour=(await listing(owners[1], kind="session", unit_amount=6_000)).id,
        block=(await listing(owners[2], unit_amount=1_000, stock_on_hand=1)).id,
        owners=owners,
    )
    trip.id = await place(trip, (trip.mat, 2), (trip.hour, 1), (trip.block, 1))
    return trip


async def place(trip: Trip, *lines: tuple[str, int], key: str = "") -> str:
    wanted = [Wanted(listing_id, quantity) for listing_id, quantity in lines]
    grouped = await trip.shop.groups.place(
        trip.buyer.account_id, wanted, key or new_id("key"), trip.shop.clock()
    )
    return grouped.view.group.id


async def test_each_seller_gets_an_order_of_their_own(shop: Shop) -> None:
    trip = await a_trip(shop)
    view = await trip.see()
    assert [(each.order.total, each.order.capture_method) for each in view.orders] == [
        (5_000, "manual"),
        (6_000, "automatic"),
        (1_000, "manual"),
    ]
    assert {each.order.group_id for each in view.orders} == {trip.id}
    assert (view.state, view.totals) == ("open", {"eur": 12_000})


async def test_one_seller_with_sessions_and_products_gets_two(shop: Shop) -> None:
    trip = await a_trip(shop)
    lesson = (await listing(trip.owners[0], kind="session")).id
    trip.id = await place(trip, (trip.mat, 1), (lesson, 1))
    assert [each.order.capture_method for each in (await trip.see()).orders] == [
        "manual",
        "automatic",
    ]


async def test_the_same_key_is_the_same_group(shop: Shop) -> None:
    trip = await a_trip(shop)
    first = await place(trip, (trip.mat, 1), (trip.hour, 1), key="once")
    assert await place(trip, (trip.mat, 1), (trip.hour, 1), key="once") == first
    with pytest.raises(OrderKeyReused):
        await place(trip, (trip.mat, 2), (trip.hour, 1), key="once")
    everything = await shop.groups.list(trip.buyer.account_id, PageRequest())
    assert {each.group.id for each in everything.data} == {trip.id, first}
    found = await shop.groups.list(trip.buyer.account_id, PageRequest(limit=1))
    assert (found.data, found.has_more) == (everything.data[:1], True)


async def test_what_cannot_be_a_group_makes_no_order_at_all(shop: Shop) -> None:
    trip = await a_trip(shop)
    own = (await listing((await shop.a_seller())[0])).id
    before = await value("SELECT count(*) FROM orders")
    await execute("UPDATE sellers SET account_id = $2 WHERE id = (SELECT seller_id FROM listings "
        "WHERE id = $1)", own, trip.buyer.account_id)  # fmt: skip
    for lines, refusal in (
        ((), NoLines),
        (((trip.mat, 1), (trip.mat, 1)), ListingRepeated),
        (((trip.mat, 1), (own, 1)), OwnListing),
    ):
        with pytest.raises(refusal):
            await place(trip, *lines)
    many = [(await listing((await shop.a_seller())[0])).id for _ in range(SELLERS_LIMIT + 1)]
    with pytest.raises(TooManySellers):
        await place(trip, *[(each, 1) for each in many])
    assert await value("SELECT count(*) FROM orders") == before


async def test_a_kept_card_pays_them_all(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card()
    progress = await trip.confirm(card)
    assert (progress.refusals, progress.confirm_next) == ({}, None)
    assert progress.view.state == "paid"
    assert await trip.statuses() == ["authorized", "paid", "authorized"]
    assert progress.view.group.payment_method_id == "pm_card_visa"


async def test_the_card_given_for_the_first_pays_the_others(shop: Shop) -> None:
    trip = await a_trip(shop)
    begun = await trip.begin()
    assert begun.confirm_next is not None
    order_id, intent = begun.confirm_next
    drafts = [one.draft for one in shop.stripe.asked if one.method == "create_intent"]
    assert all(draft.save_card and draft.customer_id for draft in drafts)  # type: ignore[attr-defined]
    shown = await trip.confirm()
    assert shown.confirm_next is not None
    assert shown.confirm_next[0] == order_id == (await trip.orders())[0]
    assert shown.view.state == "paying"
    # The browser confirms, and its webhook is late.
    shop.stripe.pay(intent.intent_id)
    progress = await trip.confirm()
    assert (progress.view.state, progress.refusals) == ("paid", {})


async def test_no_card_is_kept_for_one_order_alone(shop: Shop) -> None:
    trip = await a_trip(shop)
    trip.id = await place(trip, (trip.mat, 1))
    progress = await trip.begin()
    assert progress.keeps_card is False
    [draft] = [one.draft for one in shop.stripe.asked if one.method == "create_intent"]
    assert draft.save_card is False  # type: ignore[attr-defined]


async def test_another_card_for_the_last_order_is_not_kept(shop: Shop) -> None:
    trip = await a_trip(shop)
    trip.id = await place(trip, (trip.mat, 1), (trip.hour, 1))
    begun = await trip.begin()
    assert begun.confirm_next is not None
    assert begun.keeps_card is True
    shop.stripe.pay(begun.confirm_next[1].intent_id)
    await shop.hear(begun.confirm_next[0])
    last = await trip.begin()
    assert last.confirm_next is not None
    assert last.keeps_card is False
    [draft] = [one.draft for one in shop.stripe.asked if one.method == "keep_card"]
    assert (draft.intent_id, draft.keep) == (last.confirm_next[1].intent_id, False)  # type: ignore[attr-defined]


async def test_all_stock_is_set_aside_before_anything_is_paid(shop: Shop) -> None:
    trip, rival = await a_trip(shop), await a_trip(shop)
    rival.id = await place(rival, (trip.block, 1), (trip.hour, 1))
    await rival.begin()
    begun = await trip.begin()
    last = (await trip.orders())[-1]
    assert isinstance(begun.refusals[last], OutOfStock)
    assert (await stock_of(trip.mat), await stock_of(trip.block)) == ((10, 2), (1, 1))
    assert shop.asked("confirm_intent") == 0


async def test_the_first_no_of_the_bank_stops_and_another_card_finishes(shop: Shop) -> None:
    trip = await a_trip(shop)
    poor, good = await trip.card(INSUFFICIENT), await trip.card()
    first = (await trip.orders())[0]
    progress = await trip.confirm(poor)
    assert [type(each) for each in progress.refusals.values()] == [CardDeclined]
    assert list(progress.refusals) == [first]
    assert shop.asked("confirm_intent") == 1, "the others were not tried with it"
    assert progress.view.state == "open"
    assert (await trip.confirm(good)).view.state == "paid"


async def test_partial_success_is_told_and_can_be_finished(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card()
    order_ids = await trip.orders()
    coach = (await trip.see()).orders[1].order.seller_id
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", coach, shop.clock())
    progress = await trip.confirm(card)
    assert progress.view.state == "partly_paid"
    assert {id: type(each) for id, each in progress.refusals.items()} == {
        order_ids[1]: SellerNotPayable
    }
    assert [next_for(each) for each in progress.view.orders] == ["nothing", "pay", "nothing"]
    await execute("UPDATE sellers SET suspended_at = NULL WHERE id = $1", coach)
    # The card that paid a part is known.
    assert (await trip.confirm()).view.state == "paid"
    assert shop.asked("confirm_intent") == 3


async def test_the_bank_wants_to_see_the_buyer_for_one_of_them(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card(CHALLENGED)
    for position in range(3):
        progress = await trip.confirm(card)
        assert progress.confirm_next is not None
        order_id, intent = progress.confirm_next
        assert (order_id, intent.status) == ((await trip.orders())[position], "requires_action")
        shop.stripe.pay(intent.intent_id, CHALLENGED)
    assert (await trip.confirm(card)).view.state == "paid"


async def test_a_debit_on_its_way_is_not_paid_again(shop: Shop) -> None:
    trip = await a_trip(shop)
    trip.id = await place(trip, (trip.hour, 1), (trip.mat, 1))
    begun = await trip.begin()
    assert begun.confirm_next is not None
    await trip.confirm()
    shop.stripe.pay(begun.confirm_next[1].intent_id, DEBIT)
    second = await trip.confirm()
    assert [next_for(each) for each in second.view.orders] == ["wait", "confirm"]
    assert second.confirm_next is not None
    shop.stripe.pay(second.confirm_next[1].intent_id)
    shop.stripe.settle_debit(begun.confirm_next[1].intent_id, succeeds=True)
    assert (await trip.confirm()).view.state == "paid"


async def test_silence_stops_and_the_attempt_is_the_same_when_asked_again(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card()
    await trip.begin()
    shop.stripe.lose_answer_after()
    progress = await trip.confirm(card)
    assert [type(each) for each in progress.refusals.values()] == [OutcomeUnknown]
    assert (await trip.confirm(card)).view.state == "paid"
    keys = {one.key for one in shop.stripe.asked if one.method == "confirm_intent"}
    assert len(keys) == 3


async def test_other_totals_than_those_shown_pay_nothing(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card()
    for totals in ({"eur": 11_999}, {"usd": 12_000}, {"eur": 12_000, "usd": 1}):
        with pytest.raises(GroupTotalsChanged) as refusal:
            await trip.confirm(card, **totals)
        assert refusal.value.totals == (Money(12_000, "eur"),)
    assert shop.stripe.asked == []


async def test_one_of_its_orders_may_still_change(shop: Shop) -> None:
    trip = await a_trip(shop)
    await trip.begin()
    first = (await trip.orders())[0]
    await shop.changes.change(
        first, trip.buyer.account_id, wanted=[Wanted(trip.mat, 1)], shipping=None, now=shop.clock()
    )
    with pytest.raises(GroupTotalsChanged):
        await trip.confirm(await trip.card(), eur=12_000)
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await shop.changes.change(
            first,
            trip.buyer.account_id,
            wanted=[Wanted(trip.mat, 3)],
            shipping=None,
            now=shop.clock(),
        )
    progress = await trip.confirm(await trip.card())
    assert isinstance(progress.refusals[first], ChangeUnderWay)
    assert progress.view.state == "partly_paid"


async def test_the_same_group_again_is_asked_about(shop: Shop) -> None:
    trip = await a_trip(shop)
    card = await trip.card()
    trip.id = await place(trip, (trip.mat, 2), (trip.hour, 1))
    await trip.confirm(card)
    trip.id = await place(trip, (trip.mat, 2), (trip.hour, 1))
    progress = await trip.confirm(card)
    assert {type(each) for each in progress.refusals.values()} == {BoughtAlready}
    assert (await trip.begin(again=True)).refusals == {}
    assert (await trip.confirm(card)).view.state == "paid"


async def test_given_up_what_is_unpaid_is_canceled_and_what_is_paid_stays(shop: Shop) -> None:
    trip = await a_trip(shop)
    begun = await trip.begin()
    assert begun.confirm_next is not None
    shop.stripe.pay(begun.confirm_next[1].intent_id)
    await shop.hear(begun.confirm_next[0])
    progress = await trip.abandon()
    assert progress.refusals == {}
    assert (progress.view.state, progress.view.totals) == ("partly_paid", {"eur": 5_000})
    assert await trip.statuses() == ["authorized", "canceled", "canceled"]
    assert await stock_of(trip.block) == (1, 0)
    for refused in (trip.begin, trip.confirm):
        with pytest.raises(GroupAbandoned):
            await refused()
    given = await trip.abandon(give_back=True)
    assert (given.view.state, await trip.statuses()) == ("abandoned", ["canceled"] * 3)


async def test_giving_up_without_an_answer_is_tried_again(shop: Shop) -> None:
    trip = await a_trip(shop)
    await trip.begin()
    shop.stripe.lose_answer_before()
    progress = await trip.abandon()
    assert [type(each) for each in progress.refusals.values()] == [OutcomeUnknown]
    assert (await trip.abandon()).refusals == {}
    assert await trip.statuses() == ["canceled"] * 3


async def test_a_group_is_its_buyers_alone(shop: Shop) -> None:
    trip = await a_trip(shop)
    stranger_card = await trip.card()
    trip.buyer = Buyer(await account(), "x@example.com")
    for refused in (trip.see, trip.begin, trip.abandon):
        with pytest.raises(GroupNotFound):
            await refused()
    with pytest.raises(GroupNotFound):
        await trip.confirm(eur=1)
    mine = await a_trip(shop)
    with pytest.raises(CardNotFound):
        await mine.confirm(stranger_card)


async def test_an_expired_group_is_begun_anew(shop: Shop) -> None:
    trip = await a_trip(shop)
    await trip.begin()
    await shop.expiry.expire_due(shop.clock.move(hours=24), limit=500)
    assert (await trip.see()).state == "ended"
    assert (await trip.confirm(await trip.card())).view.state == "paid"
