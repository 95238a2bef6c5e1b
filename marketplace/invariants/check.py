"""Asking every rule: by the worker about what is recent, by `marketplace check` about everything."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from marketplace.invariants.books import BOOKS
from marketplace.invariants.fee_credits import FEE_CREDITS
from marketplace.invariants.fee_review import FEE_REVIEW
from marketplace.invariants.liveness import LIVENESS
from marketplace.invariants.money import MONEY
from marketplace.invariants.once import ONCE
from marketplace.invariants.rule import Rule
from marketplace.invariants.states import STATES
from marketplace.invariants.stock import STOCK
from payments.database import rows
from payments.ids import id_floor

RULES: Final[tuple[Rule, ...]] = (
    *MONEY,
    *ONCE,
    *STATES,
    *BOOKS,
    *FEE_REVIEW,
    *FEE_CREDITS,
    *STOCK,
    *LIVENESS,
)
RECENT: Final = timedelta(days=10)
"""How far back the worker looks: longer than a hold lasts."""
SHOWN: Final = 20
"""How many rows are named for a rule that is broken."""

_log = structlog.get_logger("marketplace.invariants")


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken, and the first rows that break it."""

    rule: Rule
    ids: tuple[str, ...]


async def broken(
    now: datetime, *, since: datetime | None = None, rules: Sequence[Rule] = RULES
) -> list[Broken]:
    """The rules that are broken by rows made since then; None looks at all there are."""
    floor = "" if since is None else id_floor(since)
    found = []
    for rule in rules:
        asked = (floor, now) if "$2" in rule.query else (floor,)
        breaking = await rows(f"SELECT * FROM ({rule.query}) AS broken LIMIT {SHOWN}", *asked)
        if breaking:
            found.append(Broken(rule=rule, ids=tuple(str(record[0]) for record in breaking)))
    return found


async def check_recent(now: datetime, limit: int) -> int:
    """The sweep: rings the alarm for each rule that is broken; answers nothing to do next."""
    for one in await broken(now, since=now - RECENT):
        _log.error(
            "an invariant is broken",
            code=one.rule.code,
            rule=one.rule.name,
            ids=list(one.ids[:limit]),
            alarm=True,
        )
    return 0
