"""Sums of fees are the recount's at every moment: while movements wait, half folded, and folded."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from marketplace.books.errors import FeeFilterRefused, FeesBeingCounted
from marketplace.books.fee_review import FeeReview
from marketplace.books.fees.contributions import FIGURES
from marketplace.books.fees.folding import spread_of
from marketplace.books.fees.loading import load
from marketplace.books.fees.totals import WAITING, GroupBy, SummaryFilter
from marketplace.fees.schedules import Schedules
from marketplace.invariants.check import broken
from marketplace.invariants.fee_review import FEE_REVIEW
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.totals import Wanted
from marketplace.paging import PageRequest
from payments.database import execute, rows, value
from payments.ids import new_id
from tests.benchmarks.ten_million_recount import compare
from tests.orders.shop import NOON, Shop, account, listing

ADMIN = Actor("acc_admin", is_admin=True)
GROUPS: tuple[GroupBy, ...] = ("day", "week", "month", "seller", "category", "rule", "currency")
CATEGORIES = ("yoga", "chess", "=tea")
review = FeeReview(Schedules(), lambda: NOON)

Sums = dict[tuple[str, str], tuple[int, ...]]


class Town:
    """Two sellers with things of three categories, and what happens to their orders."""

    def __init__(self, shop: Shop, chance: random.Random) -> None:
        self.shop, self.chance = shop, chance
        self.things: dict[str, list[str]] = {}
        self.owners: list[str] = []
        self.paid: list[str] = []

    async def open(self) -> None:
        for _ in range(2):
            owner, _ = await self.shop.a_seller()
            self.owners.append(owner)
            self.things[owner] = [
                (
                    await listing(
                        owner,
                        kind=kind,
                        category=category,
                        unit_amount=self.chance.randint(300, 9_999),
                        **({"stock_on_hand": 90} if kind == "product" else {}),
                    )
                ).id
                for kind in ("product", "session")
                for category in CATEGORIES
            ]

    async def sell(self) -> None:
        """An order of one to three lines; products are captured as far as they are ready."""
        owner = self.chance.choice(self.owners)
        products, sessions = self.things[owner][:3], self.things[owner][3:]
        some = self.chance.sample(
            self.chance.choice((products, sessions)), self.chance.randint(1, 3)
        )
        wanted = [(one, self.chance.randint(1, 3)) for one in some]
        order_id = await self.shop.place(await account(), *wanted)
        await self.shop.pay(order_id)
        if some[0] in products:
            ready = [Wanted(one, self.chance.randint(0, quantity)) for one, quantity in wanted]
            if not any(one.quantity for one in ready):
                return
            await self.shop.preparation.prepare(order_id, Actor(owner), self.shop.clock(), ready)
        self.paid.append(order_id)

    async def refund(self) -> None:
        """A part of something that was paid, or the rest of it."""
        if not self.paid:
            return
        order_id = self.chance.choice(self.paid)
        left: int = await value(
            "SELECT amount_captured - amount_refunded FROM payments WHERE order_id = $1", order_id
        )
        if left:
            wish = RefundWish(amount=self.chance.choice((left, self.chance.randint(1, left))))
            key = new_id("key")
            await self.shop.refunds.ask(
                order_id, ADMIN, wish, idempotency_key=key, now=self.shop.clock()
            )

    async def fold(self) -> None:
        """Some of what waits."""
        await review.folding.run_once(self.shop.clock(), self.chance.randint(1, 9))

    async def something_happens(self) -> None:
        self.shop.clock.move(days=self.chance.choice((0, 0, 1, 3, 20)))
        does = self.chance.choice((self.sell, self.sell, self.refund, self.fold, self.fold))
        await does()


async def summed(group_by: GroupBy, limit: int = 100, **wanted: Any) -> Sums:
    """Every page of a summary."""
    found: Sums = {}
    after: str | None = None
    while True:
        page = await review.summary(
            group_by, SummaryFilter(**wanted), PageRequest(limit=limit, starting_after=after)
        )
        for one in page.data:
            assert (one.key, one.currency) not in found
            found[one.key, one.currency] = tuple(getattr(one, name) for name in FIGURES)
        if not page.has_more:
            return found
        after = page.data[-1].id


async def recount(group_by: GroupBy, **wanted: Any) -> Sums:
    """The same from the postings, one by one, without any of the program's sums or SQL."""
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    spreads = await _spreads()
    for posting in await rows("SELECT * FROM postings WHERE payment_id IS NOT NULL"):
        day: date = posting["occurred_at"].date()
        figure = {
            "capture": "captured",
            "application_fee": "fee_taken",
            "processing_cost": "processing_cost",
            "refund": "refunded",
            "fee_refund": "fee_returned",
        }.get(posting["kind"])
        if figure is None or not _wanted(posting, day, wanted):
            continue
        for key, amount in _divided(group_by, posting, day, figure, spreads, wanted):
            sums = found[key, posting["currency"]]
            sums[FIGURES.index(figure)] += amount
            sums[0] += posting["kind"] == "capture"
    return {key: tuple(sums) for key, sums in found.items()}


async def _spreads() -> dict[str, Any]:
    """How each payment is spread: as it was when it was folded in, or would be now."""
    every = await rows("SELECT DISTINCT payment_id FROM postings WHERE payment_id IS NOT NULL")
    found: dict[str, Any] = {
        one.payment_id: spread_of(one)
        for one in await load([one["payment_id"] for one in every], Schedules())
    }
    return found | {one["payment_id"]: one for one in await rows("SELECT * FROM fee_reviews")}


def _wanted(posting: asyncpg.Record, day: date, wanted: dict[str, Any]) -> bool:
    return (
        wanted.get("seller_id") in (None, posting["seller_id"])
        and wanted.get("currency") in (None, posting["currency"])
        and (wanted.get("since") is None or day >= wanted["since"])
        and (wanted.get("until") is None or day < wanted["until"])
    )


def _divided(
    group_by: GroupBy,
    posting: asyncpg.Record,
    day: date,
    figure: str,
    spreads: dict[str, Any],
    wanted: dict[str, Any],
) -> Iterator[tuple[str, int]]:
    by = "rule" if group_by == "rule" or wanted.get("rule_id") else "category"
    only = wanted.get("category") or wanted.get("rule_id")
    if group_by not in ("category", "rule") and only is None:
        yield _key(group_by, posting, day), posting["amount"]
        return
    spread = spreads[posting["payment_id"]]
    keys = spread["categories" if by == "category" else "rule_ids"]
    weights = spread[f"{by}_fees" if figure in ("fee_taken", "fee_returned") else f"{by}_amounts"]
    before = 0
    for position, key in enumerate(keys):
        after = posting["amount"] * sum(weights[: position + 1]) // sum(weights)
        if only in (None, key):
            yield (key if group_by == by else _key(group_by, posting, day)), after - before
        before = after


def _key(group_by: GroupBy, posting: asyncpg.Record, day: date) -> str:
    keys: dict[GroupBy, Callable[[], str]] = {
        "day": lambda: day.isoformat(),
        "week": lambda: (day - timedelta(days=day.weekday())).isoformat(),
        "month": lambda: day.replace(day=1).isoformat(),
        "seller": lambda: str(posting["seller_id"]),
        "currency": lambda: str(posting["currency"]),
    }
    return keys[group_by]()


async def folded(at: datetime) -> None:
    while await review.folding.run_once(at, 1_000):
        pass


@pytest.mark.parametrize("seed", range(4))
async def test_sums_are_exact_at_every_moment(shop: Shop, seed: int, database_url: str) -> None:
    chance = random.Random(seed)
    shop.clock.moment = datetime(2026, 1, 25, 23, 50, tzinfo=NOON.tzinfo)
    town = Town(shop, chance)
    await town.open()
    for _ in range(25):
        await town.something_happens()
        group = chance.choice(GROUPS)
        assert await summed(group) == await recount(group)
    assert await broken(shop.clock(), rules=FEE_REVIEW) == []
    assert await different(database_url) == set()
    await folded(shop.clock())
    assert await value("SELECT count(*) FROM fee_movements") == 0
    for group in GROUPS:
        assert await summed(group, limit=chance.randint(1, 5)) == await recount(group)
    assert await broken(shop.clock(), rules=FEE_REVIEW) == []


async def test_sums_are_filtered_and_cut_to_days(shop: Shop) -> None:
    chance = random.Random(77)
    shop.clock.moment = datetime(2026, 1, 2, tzinfo=NOON.tzinfo)
    town = Town(shop, chance)
    await town.open()
    for number in range(40):
        await town.something_happens()
        if number == 30:
            await folded(shop.clock())
    seller_id = await value("SELECT seller_id FROM postings WHERE payment_id IS NOT NULL LIMIT 1")
    for _ in range(30):
        since = date(2026, 1, 1) + timedelta(days=chance.randint(0, 150))
        period: dict[str, Any] = {
            "since": chance.choice((None, since)),
            "until": since + timedelta(days=chance.randint(1, 120)),
        }
        for only in (
            {},
            {"seller_id": seller_id},
            {"category": "=tea"},
            {"rule_id": "sessions"},
            {"currency": "usd"},
        ):
            group = chance.choice(GROUPS[:3])
            assert await summed(group, **period, **only) == await recount(group, **period, **only)
        group = chance.choice(GROUPS)
        assert await summed(group, 3, **period) == await recount(group, **period)
    everything = await summed("currency", seller_id=seller_id)
    assert everything == await recount("currency", seller_id=seller_id)
    assert set(everything) == {("eur", "eur")}


@pytest.mark.parametrize(
    ("group", "wanted", "path"),
    [
        ("seller", {"category": "yoga"}, "category"),
        ("day", {"seller_id": "sel_1", "rule_id": "sessions"}, "rule_id"),
        ("category", {"rule_id": "sessions"}, "rule_id"),
    ],
)
@pytest.mark.usefixtures("database")
async def test_sums_that_are_not_kept_are_refused(
    group: GroupBy, wanted: dict[str, Any], path: str
) -> None:
    with pytest.raises(FeeFilterRefused) as refused:
        await summed(group, **wanted)
    assert (refused.value.path, refused.value.why) == (path, "one_filter_only")


@pytest.mark.usefixtures("database")
async def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(FeeFilterRefused) as refused:
        await summed("day", since=date(2026, 2, 1), until=date(2026, 2, 1))
    assert (refused.value.path, refused.value.why) == ("to", "ends_before_it_begins")


@pytest.mark.parametrize(
    "cursor", ["!", "x:eur", ":", "2026-99-01:eur", "2026-W01-1:eur", "9999-12-31:eur"]
)
@pytest.mark.usefixtures("database")
async def test_a_strange_cursor_is_no_error(cursor: str) -> None:
    for group in GROUPS:
        page = PageRequest(starting_after=cursor)
        await review.summary(group, SummaryFilter(), page)


async def test_two_folds_at_once_count_nothing_twice(shop: Shop) -> None:
    town = Town(shop, random.Random(5))
    await town.open()
    for _ in range(4):
        await town.sell()
    together = await asyncio.gather(
        *(review.folding.run_once(shop.clock(), 3) for _ in range(8)),
        *(summed("category") for _ in range(8)),
    )
    assert together[8:] == [together[8]] * 8, "whatever was folded meanwhile"
    await folded(shop.clock())
    assert await broken(shop.clock(), rules=FEE_REVIEW) == []


async def test_sums_are_refused_while_too_much_waits(shop: Shop) -> None:
    """After books were filled from elsewhere: not a statement that is given up after five seconds."""
    await execute(
        "INSERT INTO fee_movements (payment_id) SELECT 'pay_none' FROM generate_series(1, $1)",
        WAITING,
    )
    with pytest.raises(FeesBeingCounted) as refused:
        await summed("day")
    assert refused.value.waiting == WAITING
    await execute("DELETE FROM fee_movements WHERE payment_id = 'pay_none'")
    await summed("day")


async def test_a_sum_that_drifted_is_found(shop: Shop, database_url: str) -> None:
    """By the rules that are asked, and by the recount posting by posting of the benchmark."""
    town = Town(shop, random.Random(6))
    await town.open()
    while not town.paid:
        await town.sell()
    await folded(shop.clock())
    assert await different(database_url) == set()
    await execute("UPDATE fee_totals SET fee_taken = fee_taken + 1 WHERE dimension = 'category'")
    assert [one.rule.code for one in await broken(shop.clock(), rules=FEE_REVIEW)] == ["F2"]
    assert await different(database_url) == {"category"}
    await execute("UPDATE fee_totals SET fee_taken = fee_taken - 1 WHERE dimension = 'category'")
    await execute("UPDATE fee_reviews SET refunded = refunded + 1")
    assert [one.rule.code for one in await broken(shop.clock(), rules=FEE_REVIEW)] == ["F1"]
    await execute("UPDATE fee_reviews SET refunded = refunded - 1")


async def different(database_url: str) -> set[str]:
    """In which dimensions a sum is not what the benchmark's recount comes to."""
    connection = await asyncpg.connect(database_url)
    try:
        compared = await compare(connection, print)
    finally:
        await connection.close()
    return {place[0] for place in compared.different}
