"""Buyers who change their minds: what tests of carts, confirmations and groups have in common."""

from msgspec import UNSET

from marketplace.orders.checkout import Buyer, Wishes
from marketplace.orders.confirmation import Shown
from marketplace.orders.reading import OrderView
from marketplace.orders.totals import Wanted
from payments.gateway import Address, Shipping
from payments.lifecycle import IntentForBuyer
from tests.orders.shop import FakeCards, Shop, account, listing

BERLIN = Shipping(
    name="Ada Example",
    phone="+49 30 1234567",
    address=Address(line1="Torstraße 1", city="Berlin", postal_code="10119", country="DE"),
)


class Basket:
    """An order of two mats (or sessions) at 25.00 each; the shop has a second thing at 10.00 too."""

    def __init__(self, shop: Shop, order_id: str, buyer: str, owner: str) -> None:
        self.shop, self.id = shop, order_id
        self.buyer, self.owner = Buyer(buyer, "buyer@example.com"), owner
        self.thing, self.other = "", ""

    async def change(self, *lines: tuple[str, int]) -> OrderView:
        wanted = [Wanted(listing_id, quantity) for listing_id, quantity in lines]
        return await self.shop.changes.change(
            self.id, self.buyer.account_id, wanted=wanted, shipping=UNSET, now=self.shop.clock()
        )

    async def send_to(self, shipping: Shipping | None) -> OrderView:
        return await self.shop.changes.change(
            self.id, self.buyer.account_id, wanted=None, shipping=shipping, now=self.shop.clock()
        )

    async def begin(self, **wishes: bool) -> IntentForBuyer:
        return await self.shop.checkout.begin(
            self.id, self.buyer, self.shop.clock(), Wishes(**wishes)
        )

    async def confirm(
        self, amount: int | None = None, card_id: str | None = None, **wishes: bool
    ) -> IntentForBuyer:
        """Confirm the total of now, or another that the buyer was shown."""
        total = (await self.shop.see(self.id)).order.total
        return await self.shop.confirmation.begin(
            self.id,
            self.buyer,
            Shown(total if amount is None else amount, "eur"),
            self.shop.clock(),
            card_id=card_id,
            wishes=Wishes(**wishes),
        )

    async def go_back(self) -> OrderView:
        return await self.shop.confirmation.end(self.id, self.buyer.account_id, self.shop.clock())

    async def again(self, *lines: tuple[str, int]) -> "Basket":
        """Another order of the same buyer and shop."""
        order_id = await self.shop.place(self.buyer.account_id, *(lines or ((self.thing, 2),)))
        other = Basket(self.shop, order_id, self.buyer.account_id, self.owner)
        other.thing, other.other = self.thing, self.other
        return other

    async def card(self, payment_method_id: str = "pm_card_visa") -> str:
        """The buyer has a saved card; answers its id."""
        cards, buyer_id = FakeCards(), self.buyer.account_id
        await cards.customer_of(buyer_id, self.buyer.email, self.shop.clock())
        return await cards.keep(buyer_id, payment_method_id)


async def a_basket(shop: Shop, kind: str = "product", stock: int = 10) -> Basket:
    owner, _ = await shop.a_seller()
    facts = {"stock_on_hand": stock} if kind == "product" else {}
    thing = (await listing(owner, kind=kind, **facts)).id
    other = (await listing(owner, kind=kind, title="Another", unit_amount=1_000, **facts)).id
    buyer = await account()
    basket = Basket(shop, await shop.place(buyer, (thing, 2)), buyer, owner)
    basket.thing, basket.other = thing, other
    return basket
