"""A seller's balance: what Stripe holds for them, what is on its way to their bank, and what they owe.

Stripe's figures are Stripe's, asked for now; without its answer there is no balance, never an old or a
guessed one. The others are ours, and beside Stripe's: nothing is added to or taken from them.
"""

import msgspec

from connect.payout_gateway import Funds
from connect.payouts import Payouts
from payments.database import rows
from payments.ledger import reserve_account


class SellerBalance(msgspec.Struct, frozen=True, kw_only=True):
    """One currency, in minor units.

    `available` and `pending` may be below zero; `on_the_way` left them already and is not at the bank
    yet; `reserved` is Stripe's balance too, set aside for open disputes; `owed` is what the seller owes
    the platform.
    """

    currency: str
    available: int
    pending: int
    on_the_way: int
    reserved: int
    owed: int


_OURS = """
SELECT currency, sum(on_the_way)::bigint AS on_the_way, sum(reserved)::bigint AS reserved,
       sum(owed)::bigint AS owed
FROM (
    SELECT currency, amount AS on_the_way, 0 AS reserved, 0 AS owed FROM payouts
    WHERE seller_id = $1 AND status IN ('pending', 'in_transit')
    UNION ALL
    SELECT currency, 0, CASE $2 WHEN target THEN amount ELSE -amount END, 0 FROM postings
    WHERE seller_id = $1 AND kind IN ('reserve', 'reserve_released') AND $2 IN (source, target)
    UNION ALL
    SELECT currency, 0, 0, amount - amount_settled - amount_written_off FROM debts
    WHERE seller_id = $1 AND closed_at IS NULL
) AS parts GROUP BY currency
"""


async def balance(payouts: Payouts, seller_id: str) -> list[SellerBalance]:
    """What the seller has, by currency; empty where there is nothing of any kind.

    Raises connect.errors.BalanceUnreadable, and payments' NotSent, OutcomeUnknown or
    StripeMisconfigured when Stripe does not say.
    """
    at_stripe = {one.currency: one for one in await payouts.balance(seller_id)}
    found = await rows(_OURS, seller_id, reserve_account(seller_id))
    ours = {record["currency"]: record for record in found}
    return [
        _balance(
            at_stripe.get(currency) or Funds(currency=currency, available=0, pending=0),
            dict(ours.get(currency, {})),
        )
        for currency in sorted(at_stripe.keys() | ours.keys())
    ]


def _balance(funds: Funds, ours: dict[str, int]) -> SellerBalance:
    return SellerBalance(
        currency=funds.currency,
        available=funds.available,
        pending=funds.pending,
        on_the_way=ours.get("on_the_way", 0),
        reserved=ours.get("reserved", 0),
        owed=ours.get("owed", 0),
    )
