"""A card kept to pay the other orders of a cart goes when the cart is over, unless its owner wants it."""

from collections.abc import Awaitable, Callable

import pytest

from marketplace.orders.cancellation import Cancellation
from marketplace.orders.checkout import NO_WISHES, Buyer, Checkout, Wishes
from marketplace.orders.confirmation import Confirmation, Shown
from marketplace.orders.group_cards import GroupCards
from marketplace.orders.group_payment import GroupPayment
from marketplace.orders.totals import Wanted
from payments.cards import Cards
from payments.database import value
from payments.ids import new_id
from tests.fake_cards import FakeCards
from tests.orders.shop import Shop, account, listing

KEPT = Wishes(save_card=True)


class Cart:
    """Two shops' things, one buyer, and Stripe's own list of their cards."""

    def __init__(self, shop: Shop, buyer: Buyer) -> None:
        self.shop, self.buyer = shop, buyer
        self.stripe = FakeCards(shop.clock)
        self.cards = Cards(self.stripe, shop.operations, shop.clock)
        checkout = Checkout(shop.payments, shop.vouching, shop.catalog, self.cards)
        self.confirmation = Confirmation(
            shop.payments, shop.vouching, checkout, return_url="https://shop.test"
        )
        self.payment = GroupPayment(
            checkout, self.confirmation, Cancellation(shop.payments, shop.refunds), self.cards
        )
        self.letting_go = GroupCards(self.cards)
        self.id = ""

    async def place(self) -> None:
        things = [(await listing((await self.shop.a_seller())[0])).id for _ in range(2)]
        placed = await self.shop.groups.place(
            self.buyer.account_id,
            [Wanted(thing, 1) for thing in things],
            new_id("key"),
            self.shop.clock(),
        )
        self.id = placed.view.group.id

    async def confirm(self, card_id: str | None = None, wishes: Wishes = NO_WISHES) -> None:
        shown = [Shown(5_000, "eur")]
        await self.payment.confirm(
            self.id, self.buyer, shown, self.shop.clock(), card_id=card_id, wishes=wishes
        )

    async def pay_first(self, wishes: Wishes = NO_WISHES) -> str:
        """The browser pays the first order, and Stripe keeps the card; answers its PaymentMethod."""
        begun = await self.payment.begin(self.id, self.buyer, self.shop.clock(), wishes)
        assert begun.confirm_next is not None
        await self.confirm()
        self.shop.clock.move(seconds=5)
        card = self.stripe.attach(
            await self.cards.customer_of(self.buyer.account_id, "b@x.com", self.shop.clock())
        )
        self.shop.stripe.pay(begun.confirm_next[1].intent_id, card.payment_method_id)
        await self.shop.hear(begun.confirm_next[0])
        return card.payment_method_id

    async def later(self) -> list[str]:
        """What Stripe keeps of the buyer after every sweep has had its time."""
        for _ in range(2):
            await self.letting_go.let_go_due(self.shop.clock.move(minutes=11))
        await self.shop.resume()
        await self.letting_go.let_go_due(self.shop.clock.move(hours=2))
        customer_id = await self.cards.customer_of(self.buyer.account_id, "", self.shop.clock())
        return [card.payment_method_id for card in await self.stripe.cards_of(customer_id)]


@pytest.fixture
async def cart(shop: Shop) -> Cart:
    cart = Cart(shop, Buyer(await account(), "buyer@example.com"))
    await cart.place()
    return cart


async def _paid(cart: Cart) -> None:
    await cart.confirm()


async def _given_up(cart: Cart) -> None:
    await cart.payment.abandon(cart.id, cart.buyer, cart.shop.clock(), give_back=True)


async def _forgotten(cart: Cart) -> None:
    await cart.shop.expiry.expire_due(cart.shop.clock.move(hours=24), limit=500)


@pytest.mark.parametrize("ends", [_paid, _given_up, _forgotten])
async def test_the_card_is_kept_as_long_as_the_group(
    cart: Cart, ends: Callable[[Cart], Awaitable[None]]
) -> None:
    kept = await cart.pay_first()
    assert await cart.later() == [kept], "the other order is still to be paid with it"
    await ends(cart)
    assert await cart.later() == []
    assert await cart.cards.list(cart.buyer.account_id) == []
    due = await value("SELECT card_due_at FROM checkout_groups WHERE id = $1", cart.id)
    assert due is None, "nobody looks again"


async def test_an_answer_that_got_lost_leaves_no_card(cart: Cart) -> None:
    """Neither where Stripe never heard of it, nor where it detached and nobody was told."""
    for lose in (cart.stripe.lose_answer_before, cart.stripe.lose_answer_after):
        await cart.pay_first()
        await cart.confirm()
        lose()
        assert await cart.later() == []
        assert await cart.cards.list(cart.buyer.account_id) == []
        await cart.place()


@pytest.mark.parametrize("when", ["checkout", "confirmation", "one order"])
async def test_a_card_that_its_owner_wants_kept_stays(cart: Cart, when: str) -> None:
    kept = await cart.pay_first(KEPT if when == "checkout" else NO_WISHES)
    if when == "one order":
        view = await cart.payment.begin(cart.id, cart.buyer, cart.shop.clock())
        order = view.view.unpaid[0].order
        await cart.confirmation.begin(
            order.id, cart.buyer, Shown(order.total), cart.shop.clock(), wishes=KEPT
        )
    await cart.confirm(wishes=KEPT if when == "confirmation" else NO_WISHES)
    await cart.payment.abandon(cart.id, cart.buyer, cart.shop.clock(), give_back=False)
    assert await cart.later() == [kept]


async def test_a_card_that_the_buyer_had_before_stays_theirs(cart: Cart) -> None:
    customer_id = await cart.cards.customer_of(cart.buyer.account_id, "b@x.com", cart.shop.clock())
    mine = cart.stripe.attach(customer_id)
    await cart.cards.refresh(cart.buyer.account_id)
    [card] = await cart.cards.list(cart.buyer.account_id)
    await cart.payment.begin(cart.id, cart.buyer, cart.shop.clock())
    await cart.confirm(card.id)
    assert await cart.later() == [mine.payment_method_id]


async def test_the_same_number_saved_before_is_not_taken_away_with_it(cart: Cart) -> None:
    customer_id = await cart.cards.customer_of(cart.buyer.account_id, "b@x.com", cart.shop.clock())
    mine = cart.stripe.attach(customer_id, fingerprint="fp_same")
    cart.stripe._id = lambda prefix: "fp_same" if prefix == "fp" else new_id(prefix)  # type: ignore[method-assign]
    await cart.pay_first()
    await cart.confirm()
    assert await cart.later() == [mine.payment_method_id]
