"""What becomes of a captured order: refunds by amount and by lines, then perhaps a dispute, by chance.

The money is counted as Stripe would, in three purses; every request is the one that payments would make.
"""

import random
from types import SimpleNamespace
from typing import cast

from marketplace.fees.rules import FeeQuote
from payments.currencies import CURRENCIES
from payments.dispute_shares import seller_share
from payments.money import whole_share
from payments.records import PaymentRecord
from payments.refund_policy import RefundPolicy, Standing, shares

RETURN, KEEP = RefundPolicy(), RefundPolicy(fee="keep")
PLATFORM = RefundPolicy(bearer="platform", fee="keep")


class Purses:
    """Who holds what of one captured order; minor units."""

    def __init__(self, captured: FeeQuote) -> None:
        self.quote, self.currency = captured, captured.inputs.currency
        self.step = CURRENCIES[self.currency].step
        self.captured, self.fee = captured.total, captured.fee
        self.seller, self.platform, self.buyer = captured.seller_amount, captured.fee, 0
        self.counted = self.given = self.reversed = self.returned = 0
        self.by_the_book = True

    @property
    def left(self) -> int:
        """What may still be refunded."""
        return self.captured - self.buyer

    def refund(self, amount: int, policy: RefundPolicy) -> None:
        """As payments asks for it; Stripe's own proportion is taken at its word."""
        parts = shares(amount, policy, self._standing())
        reversal = amount if parts.with_transfer else parts.reversal
        returned = parts.fee if parts.with_fee else parts.fee_return
        if parts.with_fee:
            # Whichever way Stripe rounds.
            assert self.fee * amount % self.captured == 0
        for moved in (amount, reversal, returned):
            assert moved % self.step == 0, "Stripe would refuse it"
        self.buyer += amount
        self.platform += reversal - returned - amount
        self.seller += returned - reversal
        self.reversed, self.returned = self.reversed + reversal, self.returned + returned
        if policy.returns_fee:
            self.counted += amount
        self.given += parts.fee
        self.by_the_book = self.by_the_book and policy.returns_fee
        self._check()

    def dispute(self, amount: int) -> None:
        """The bank takes `amount` back: the seller's share of it is reversed, the fee's is the platform's."""
        about = SimpleNamespace(
            amount_captured=self.captured,
            amount_refunded=self.buyer,
            fee_captured=self.fee,
            currency=self.currency,
        )
        # A bank may ask for more than is left; the seller never had more than their share of that.
        beyond = max(0, amount - self.left)
        share = seller_share(cast(PaymentRecord, about), amount)
        assert share % self.step == 0
        assert 0 <= share <= amount
        self.buyer += amount - beyond
        self.platform += share - (amount - beyond)
        self.seller -= share
        self._check()

    def _standing(self) -> Standing:
        return Standing(
            currency=self.currency,
            captured=self.captured,
            fee=self.fee,
            counted=self.counted,
            given=self.given,
            fee_left=self.fee - self.returned,
            transfer_left=self.captured - self.reversed,
            transferred=True,
            undisturbed=self.counted == self.buyer,
        )

    def _check(self) -> None:
        assert self.seller + self.platform == self.captured - self.buyer
        # A fee that the platform keeps is the seller's to pay, from what they have of other orders.
        assert self.seller >= -self.fee
        if self.by_the_book:
            fee = self.fee - whole_share(self.fee, self.buyer, self.captured, self.currency)
            assert (self.platform, self.seller) == (fee, self.captured - self.buyer - fee)
            assert fee >= 0
            assert self.seller >= 0


def live_through(chance: random.Random, captured: FeeQuote) -> None:
    """Refund and dispute one captured order until nothing is left, or nobody asks for more."""
    purses = Purses(captured)
    mixed = chance.random() < 0.2
    if chance.random() < 0.3:
        _by_lines(chance, purses)
    while purses.left and chance.random() < 0.9:
        steps = purses.left // purses.step
        amount = chance.choice((steps, chance.randint(1, steps), 1)) * purses.step
        if not mixed and chance.random() < 0.1:
            purses.dispute(chance.choice((amount, purses.captured)))
            break
        purses.refund(amount, chance.choice((RETURN, KEEP, PLATFORM)) if mixed else RETURN)


def _by_lines(chance: random.Random, purses: Purses) -> None:
    """Line by line, each with its part of the service fee: all of them are worth what was captured."""
    quote = purses.quote
    lines = list(quote.inputs.lines)
    chance.shuffle(lines)
    reached = 0
    for line in lines[: chance.randint(1, len(lines))]:
        reached += line.amount
        service = whole_share(quote.service_fee, reached, quote.inputs.total, purses.currency)
        purses.refund(reached + service - purses.buyer, RETURN)
    assert reached < quote.inputs.total or purses.left == 0
