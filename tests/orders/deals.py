"""Orders between two people, brought as far as a test needs."""

from marketplace.orders.records import Actor
from payments.database import execute, value
from payments.ids import new_id
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


async def doubts(destination: str) -> int:
    """How often somebody noted that the connected account may have changed, unread so far."""
    found: int = await value(
        "SELECT nudges FROM connected_accounts WHERE account_id = $1", destination
    )
    return found


async def a_dispute(shop: Shop, deal: Deal, amount: int, *, lost: bool) -> None:
    """The buyer's bank took so much of the order's money: for good where the dispute was lost."""
    await execute(
        "INSERT INTO disputes (id, stripe_dispute_id, payment_id, order_id, seller_id, currency, amount, "
        "reason, status, inquiry, amount_withdrawn, amount_reinstated, cost, cost_returned, policy, "
        "refundable, opened_at, closed_at, checked_at, updated_at) "
        "SELECT $1, $1, id, order_id, seller_id, currency, $3, 'fraudulent', $4, false, "
        "$3, 0, 0, 0, 'reverse', $5, $6::timestamptz, $7, $6, $6 "
        "FROM payments WHERE order_id = $2 AND live",
        new_id("dsp"),
        deal.id,
        amount,
        "lost" if lost else "needs_response",
        lost,
        shop.clock(),
        shop.clock() if lost else None,
    )
