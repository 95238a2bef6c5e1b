"""The figures of fees: what moved, and what follows from it. Pure."""

import msgspec

from payments.money import BASIS_POINTS, cumulative_share


class FeeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What moved, in minor units of one currency."""

    currency: str
    captured: int
    refunded: int
    fee_taken: int
    fee_returned: int
    processing_cost: int

    @property
    def net(self) -> int:
        """What the platform has left of the fee: less what it returned and Stripe cost. May be negative."""
        return self.fee_taken - self.fee_returned - self.processing_cost

    @property
    def effective_rate_basis_points(self) -> int | None:
        """The fee taken as a share of what was captured, rounded half up; None where nothing was."""
        if not 0 <= self.fee_taken <= self.captured or self.captured == 0:
            return None
        return cumulative_share(BASIS_POINTS, self.fee_taken, self.captured)
