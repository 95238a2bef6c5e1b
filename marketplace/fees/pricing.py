"""What one rule charges for the lines that fell to it, with every integer on the way. Pure.

The amounts are added first. Then the rate is applied and rounded half up once (with tiers: each slice at its
own rate, the slices added exactly, and rounded once), the fixed parts are added, floor and cap hold, the
tax of the fee is added, all of it is kept within the amount, and the seller's credit is taken off. What
remains is split into fee and tax again, so that `fee_net + fee_tax = fee`.

Everything is a whole step of its currency, because prices are: the divisions leave nothing behind.
"""

from typing import Final

import msgspec

from marketplace.fees.schedule import FeeRule, Tier
from payments.currencies import currency as find_currency
from payments.money import BASIS_POINTS, cumulative_share, portion


class TierSlice(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the amount fell into one tier, and its rate."""

    amount_from: int
    amount: int
    basis_points: int


class FeePart(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's work over the lines that fell to it, with every integer on the way to `fee`."""

    rule_id: str
    listing_ids: tuple[str, ...]
    amount: int
    basis_points: int
    # Of `amount`, or of its slices, rounded half up to the currency's smallest step.
    rate_amount: int
    fixed: int
    floor: int
    cap: int | None
    # Rate and fixed parts; then not below the floor; then not above the cap.
    before_limits: int
    after_floor: int
    after_cap: int
    # What is left after tax, the amount as a limit, and credit; `fee_net + fee_tax`.
    fee: int
    units: int = 0
    tier_slices: tuple[TierSlice, ...] = ()
    fixed_per_unit: int = 0
    # For all units together.
    units_amount: int = 0
    tax_basis_points: int = 0
    # The tax of `after_cap`; both together; then within the amount; then less the credit.
    tax_amount: int = 0
    gross: int = 0
    within_amount: int = 0
    credit: int = 0
    fee_net: int = 0
    fee_tax: int = 0
    # The buyer's, on top of the amount.
    service_basis_points: int = 0
    service_rate_amount: int = 0
    service_fixed: int = 0
    service_fee: int = 0


_NO_LISTINGS: Final[tuple[str, ...]] = ()


def price(
    rule: FeeRule,
    *,
    currency: str,
    amount: int,
    units: int,
    credit: int = 0,
    listing_ids: tuple[str, ...] = _NO_LISTINGS,
) -> FeePart:
    """What `rule` charges for an amount of so many units. Minor units. Raises CurrencyUnknown."""
    step = find_currency(currency).step
    tiers = rule.tiers.get(currency, ())
    slices = _slices(tiers, amount)
    rate_amount = _sliced(slices, step) if tiers else _rate(amount, rule.basis_points, step)
    fixed, per_unit = rule.fixed.get(currency, 0), rule.fixed_per_unit.get(currency, 0)
    floor, cap = rule.floor.get(currency, 0), rule.cap.get(currency)
    before_limits = rate_amount + fixed + per_unit * units
    after_floor = max(before_limits, floor)
    after_cap = after_floor if cap is None else min(after_floor, cap)
    tax_amount = _rate(after_cap, rule.tax_basis_points, step)
    within_amount = min(after_cap + tax_amount, amount)
    taken_off = min(credit, within_amount)
    fee = within_amount - taken_off
    fee_net = _without_tax(fee, rule.tax_basis_points, step)
    service_rate = _rate(amount, rule.service_basis_points, step)
    service_fixed = rule.service_fixed.get(currency, 0)
    return FeePart(
        rule_id=rule.id,
        listing_ids=listing_ids,
        amount=amount,
        units=units,
        basis_points=rule.basis_points,
        tier_slices=slices,
        rate_amount=rate_amount,
        fixed=fixed,
        fixed_per_unit=per_unit,
        units_amount=per_unit * units,
        floor=floor,
        cap=cap,
        before_limits=before_limits,
        after_floor=after_floor,
        after_cap=after_cap,
        tax_basis_points=rule.tax_basis_points,
        tax_amount=tax_amount,
        gross=after_cap + tax_amount,
        within_amount=within_amount,
        credit=taken_off,
        fee=fee,
        fee_net=fee_net,
        fee_tax=fee - fee_net,
        service_basis_points=rule.service_basis_points,
        service_rate_amount=service_rate,
        service_fixed=service_fixed,
        service_fee=min(service_rate + service_fixed, amount),
    )


def _slices(tiers: tuple[Tier, ...], amount: int) -> tuple[TierSlice, ...]:
    ends = [tier.amount_from for tier in tiers[1:]]
    return tuple(
        TierSlice(
            amount_from=tier.amount_from,
            amount=(amount if end is None else min(amount, end)) - tier.amount_from,
            basis_points=tier.basis_points,
        )
        for tier, end in zip(tiers, [*ends, None], strict=False)
        if amount > tier.amount_from
    )


def _sliced(slices: tuple[TierSlice, ...], step: int) -> int:
    exact = sum(one.amount // step * one.basis_points for one in slices)
    return (2 * exact + BASIS_POINTS) // (2 * BASIS_POINTS) * step


def _rate(amount: int, basis_points: int, step: int) -> int:
    return portion(amount // step, basis_points) * step


def _without_tax(fee: int, tax_basis_points: int, step: int) -> int:
    """A fee without the tax that is in it: exactly what the tax was added to, where nothing was cut."""
    if not tax_basis_points:
        return fee
    return cumulative_share(fee // step, BASIS_POINTS, BASIS_POINTS + tax_basis_points) * step
