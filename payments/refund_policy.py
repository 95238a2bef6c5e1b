"""Who bears a refund, and how it is taken from them: whole numbers for every sequence of refunds. Pure.

The seller bears it unless an admin says otherwise: their transfer is reversed. Of the application fee they
are given back `round_half_up(fee * refunded / captured)` in total, in whole steps of the currency, less what
was given back so far, so that any sequence of partial refunds adds up exactly. Stripe's own proportion is
only asked for where it cannot differ from that.
"""

from typing import Literal

import msgspec

from payments.money import whole_share

Bearer = Literal["seller", "platform"]
FeeOnRefund = Literal["return", "keep"]


class RefundPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays for a refund, and whether the platform gives its fee back with it.

    A fee is only returned to a seller who bears the refund: where the platform does, it bears all of it.
    """

    bearer: Bearer = "seller"
    fee: FeeOnRefund = "return"

    @property
    def returns_fee(self) -> bool:
        """Whether the seller gets their part of the fee back."""
        return self.bearer == "seller" and self.fee == "return"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a payment stands before another refund. Minor units.

    `counted` and `given` are what refunds with their fee returned have refunded and given back so far (those
    that failed are in neither); `fee_left` is what Stripe can still return; `transfer_left` what the
    order's own transfer still holds; `transferred` whether there was a transfer at all. `undisturbed` is
    False once a refund failed or kept the fee: Stripe's proportion may count what ours does not.
    """

    currency: str
    captured: int
    fee: int
    counted: int
    given: int
    fee_left: int
    transfer_left: int
    transferred: bool
    undisturbed: bool


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How one refund is taken. Minor units.

    `fee` is the seller's part of the fee. Stripe does it by itself where `with_transfer` and `with_fee` are
    set; `reversal` and `fee_return` are what is asked for separately, with our own numbers.
    """

    seller_bears: bool
    fee: int = 0
    with_transfer: bool = False
    with_fee: bool = False
    reversal: int = 0
    fee_return: int = 0


def shares(amount: int, policy: RefundPolicy, standing: Standing) -> Shares:
    """How a refund of `amount` is taken, which fits into what was captured."""
    if policy.bearer == "platform" or not standing.transferred:
        return Shares(seller_bears=False)
    fee = fee_due(amount, standing) if policy.returns_fee else 0
    returnable = min(fee, standing.fee_left)
    # What Stripe has returned already (with a refund that failed) stays with the seller this time.
    taken = amount - (fee - returnable)
    if taken < amount or standing.transfer_left < amount:
        return Shares(seller_bears=True, fee=fee, reversal=taken, fee_return=returnable)
    if returnable and _proportional(amount, fee, standing):
        return Shares(seller_bears=True, fee=fee, with_transfer=True, with_fee=True)
    return Shares(seller_bears=True, fee=fee, with_transfer=True, fee_return=returnable)


def fee_due(amount: int, standing: Standing) -> int:
    """The part of the fee that belongs to this refund by the cumulative-difference rule."""
    if standing.fee == 0:
        return 0
    counted = min(standing.counted + amount, standing.captured)
    target = whole_share(standing.fee, counted, standing.captured, standing.currency)
    return max(0, min(target - standing.given, amount))


def _proportional(amount: int, fee: int, standing: Standing) -> bool:
    """Whether `fee * amount / captured` is a whole number and all earlier ones were: then Stripe's
    proportion is ours, whichever way it rounds and whatever it counts.
    """
    exact = fee * standing.captured == standing.fee * amount
    exact_before = standing.given * standing.captured == standing.fee * standing.counted
    return exact and exact_before and standing.undisturbed
