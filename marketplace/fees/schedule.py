"""Versioned fee schedules: ordered rules, of which the first that matches decides. Pure.

Amounts are minor units, each beside its currency; rates are basis points (1500 is 15 %).
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from marketplace.catalog.listings import Kind

RULES_LIMIT: Final = 200

FeeOnRefund = Literal["return", "keep"]
"""What becomes of the fee when a buyer is refunded: it is returned in proportion, or kept."""

Moment = Annotated[datetime, Meta(tz=True)]
"""A time that says its zone."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a schedule: where (`rules[2].cap.eur`), and a stable word that says why."""

    path: str
    why: str
    rule_id: str | None = None


class MalformedSchedule(Exception):
    """A schedule that cannot price every order as it says, with everything that is wrong with it.

    `path`, `why` and `rule_id` are those of the first problem.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        self.path, self.why, self.rule_id = problems[0].path, problems[0].why, problems[0].rule_id
        super().__init__(*problems)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rule applies. An empty list means any; every condition that is given must hold.

    `amount_from` and `amount_below` look at what the order's lines come to, so that splitting an order into
    lines changes nothing; they need `currencies`, because an amount without one says nothing.
    `placed_from` and `placed_before` look at when the order was priced: its cart, not its payment.
    """

    seller_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    currencies: tuple[str, ...] = ()
    amount_from: int | None = None
    amount_below: int | None = None
    placed_from: Moment | None = None
    placed_before: Moment | None = None

    @property
    def any_order(self) -> bool:
        """Whether these conditions hold for every order there can be."""
        return self == Conditions()


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `amount_from` on, up to the next tier, the rate is this: of that slice, not of the whole."""

    amount_from: int
    basis_points: int


class FeeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the seller is charged, and what the buyer pays on top.

    The rate (`basis_points`, or the currency's `tiers`), a `fixed` part for the order and one per unit, not
    below `floor` and not above `cap`; on that the tax of `tax_basis_points`. The service fee is the
    buyer's. A currency that `fixed`, `fixed_per_unit`, `floor` or `service_fixed` does not name has none
    (zero); one that `cap` does not name is not capped; one without `tiers` has the one rate.
    """

    id: str
    basis_points: int
    when: Conditions = Conditions()
    fixed: dict[str, int] = {}
    fixed_per_unit: dict[str, int] = {}
    floor: dict[str, int] = {}
    cap: dict[str, int] = {}
    tiers: dict[str, tuple[Tier, ...]] = {}
    tax_basis_points: int = 0
    service_basis_points: int = 0
    service_fixed: dict[str, int] = {}

    @property
    def terms(self) -> "FeeRule":
        """What it charges, apart from its name and from when it applies."""
        return msgspec.structs.replace(self, id="", when=Conditions())


AMOUNTS: Final = ("fixed", "fixed_per_unit", "floor", "cap", "tiers", "service_fixed")
"""What a rule says by currency."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of the platform's fee rules."""

    id: str
    version: int
    rules: tuple[FeeRule, ...]
    fee_on_refund: FeeOnRefund = "return"
