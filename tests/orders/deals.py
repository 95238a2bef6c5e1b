"""Orders between two people, brought as far as a test needs."""

from marketplace.orders.records import Actor
from tests.orders.shop import Shop, account, listing

ADMIN = Actor("acc_admin", is_admin=True)


class Deal:
    """An order of two with its parties."""

    def __init__(self, order_id: str, thing: str, buyer: str, owner: str) -> None:
        self.id, self.thing = order_id, thing
        self.buyer, self.seller = Actor(buyer), Actor(owner)


async def a_deal(shop: Shop, kind: str = "product") -> Deal:
    owner, _ = await shop.a_seller()
    thing, buyer = (await listing(owner, kind=kind)).id, await account()
    return Deal(await shop.place(buyer, (thing, 2)), thing, buyer, owner)


async def a_held_deal(shop: Shop) -> Deal:
    deal = await a_deal(shop)
    await shop.pay(deal.id)
    return deal


async def a_paid_deal(shop: Shop) -> Deal:
    deal = await a_deal(shop, "session")
    await shop.pay(deal.id)
    return deal
