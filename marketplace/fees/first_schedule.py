"""The rules a new platform starts with, until an admin publishes its own. Pure data.

Sessions cost 15 %, everything else 10 % and a fixed part, both within a floor and a cap. Fixed amounts
are worth about the same in each currency; a currency that is not named pays the rate alone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.fees.schedule import Conditions, FeeRule

# About 0.30, in the steps of each currency. Minor units.
_FIXED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "aud": 50,
        "cad": 45,
        "chf": 30,
        "czk": 700,
        "dkk": 200,
        "eur": 30,
        "gbp": 25,
        "huf": 12_000,
        "isk": 4_500,
        "jpy": 45,
        "kwd": 90,
        "nok": 350,
        "nzd": 50,
        "pln": 130,
        "sek": 350,
        "sgd": 40,
        "usd": 35,
    }
)


def _times(factor: int) -> dict[str, int]:
    return {currency: amount * factor for currency, amount in _FIXED.items()}


FIRST_RULES: Final[tuple[FeeRule, ...]] = (
    FeeRule(
        id="sessions",
        basis_points=1_500,
        when=Conditions(kinds=("session",)),
        floor=_times(2),
        cap=_times(1_000),
    ),
    FeeRule(
        id="everything-else",
        basis_points=1_000,
        fixed=_times(1),
        floor=_times(2),
        cap=_times(1_000),
    ),
)
