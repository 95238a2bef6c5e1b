"""Rules tried on past orders: to the cent, resumable, and shown on the way."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from marketplace.fees.draft_records import DraftContent
from marketplace.fees.drafts import Drafts
from marketplace.fees.errors import (
    DraftNotFound,
    FeeScheduleNotFound,
    ReplayNotFound,
    ReplayStepRefused,
)
from marketplace.fees.replay_sums import By, Figure
from marketplace.fees.replays import KEPT_FOR, Replays, ReplayWanted
from marketplace.fees.rules import FeeQuote, quote
from marketplace.fees.schedule import FeeRule, Schedule
from marketplace.fees.schedules import Schedules
from marketplace.paging import PageRequest
from payments.database import execute, value
from tests.fees import chance as by_chance
from tests.fees import past
from tests.orders.shop import account, listing, seller

START = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
COUNTED = ("paid", "completed", "shipped", "authorized")
ADMIN = "acc_admin"
EVERYTHING = PageRequest(limit=100)


class Past:
    """Past orders and rules to try on them."""

    def __init__(self, schedules: Schedules, orders: list[dict[str, Any]], draft_id: str) -> None:
        self.schedules = schedules
        self.counted = [one["quote"] for one in orders if one["status"] in COUNTED]
        self.draft_id = draft_id

    def replays(self, orders_per_page: int = 40, slice_seconds: float = 60) -> Replays:
        return Replays(self.schedules, orders_per_page=orders_per_page, slice_seconds=slice_seconds)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(database: None) -> AsyncIterator[Past]:
    chance = random.Random(4)
    schedules = Schedules()
    await schedules.ensure_first(START)
    owner = await account()
    sellers = [await seller(owner)] + [await seller(await account()) for _ in range(4)]
    listings = [(await listing(owner)).id for _ in range(5)]
    under = await schedules.current(START)
    orders = past.past_orders(chance, under, sellers, 300, START)
    await past.write(orders, await account(), under.id, listings)
    # Of by chance's sellers none is one of these.
    rules = tuple(
        msgspec.structs.replace(
            rule, when=msgspec.structs.replace(rule.when, seller_ids=tuple(sellers[:2]))
        )
        if rule.when.seller_ids
        else rule
        for rule in by_chance.rules(random.Random(10), 8)
    )
    draft = await Drafts(schedules).create(DraftContent(title="Dearer", rules=rules), ADMIN, START)
    yield Past(schedules, orders, draft.id)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def no_replays(database: None) -> AsyncIterator[None]:
    yield
    await execute("DELETE FROM fee_replay_figures")
    await execute("DELETE FROM fee_replays")


async def finished(replays: Replays, wanted: ReplayWanted) -> str:
    replay = await replays.ask(wanted, ADMIN, NOW)
    while await replays.run_once(NOW, 1):
        pass
    assert (await replays.find(replay.id)).state == "done"
    return replay.id


async def told(replays: Replays, replay_id: str, by: By) -> dict[tuple[str, str], Figure]:
    page = await replays.figures(replay_id, by, EVERYTHING)
    assert not page.has_more
    return {(figure.key, figure.currency): figure for _, figure in page.data}


def expected(
    placed: list[FeeQuote], rules: tuple[FeeRule, ...], at: datetime | None = None
) -> dict[str, dict[tuple[str, str], list[int]]]:
    """The sums, order by order, by what prices orders when they are placed."""
    under = Schedule(id="tried", version=1, rules=rules)
    sums: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0, 0, 0])
    )
    for old in placed:
        inputs = msgspec.structs.replace(old.inputs, credit=0, placed_at=at or old.inputs.placed_at)
        new = quote(under, inputs)
        assert old.inputs.placed_at is not None
        for by, key in (
            ("total", ""),
            ("seller", old.inputs.seller_id),
            ("period", old.inputs.placed_at.strftime("%Y-%m")),
        ):
            one = sums[by][key, old.inputs.currency]
            for place, amount in enumerate((1, old.inputs.total, old.fee + old.credit, new.fee)):
                one[place] += amount
    return sums


def flat(figures: dict[tuple[str, str], Figure]) -> dict[tuple[str, str], list[int]]:
    return {
        key: [one.orders, one.amount, one.fee_before, one.fee_after] for key, one in figures.items()
    }


@pytest.mark.parametrize("orders_per_page", [7, 1_000])
async def test_a_replay_says_what_each_order_would_have_cost(
    world: Past, orders_per_page: int
) -> None:
    replays = world.replays(orders_per_page)
    replay_id = await finished(replays, ReplayWanted(draft_id=world.draft_id))
    rules = (await Drafts(world.schedules).find(world.draft_id)).rules
    sums = expected(world.counted, rules)
    for by in ("total", "seller", "period"):
        assert flat(await told(replays, replay_id, by)) == sums[by]  # type: ignore[arg-type]
    replay = await replays.find(replay_id)
    assert replay.orders_total == replay.orders_done == len(world.counted)


async def test_categories_and_rules_add_up_to_the_total(world: Past) -> None:
    replays = world.replays()
    replay_id = await finished(replays, ReplayWanted(draft_id=world.draft_id))
    totals = await told(replays, replay_id, "total")
    for by in ("category", "rule"):
        parts = await told(replays, replay_id, by)  # type: ignore[arg-type]
        assert len({key for key, _ in parts}) > 2
        for (_, currency), total in totals.items():
            mine = [one for one in parts.values() if one.currency == currency]
            assert sum(one.amount for one in mine) == total.amount
            assert sum(one.fee_before for one in mine) == total.fee_before
            assert sum(one.fee_after for one in mine) == total.fee_after


async def test_the_rules_in_force_make_no_difference(world: Past) -> None:
    replays = world.replays()
    schedule_id = await world.schedules.in_force_id(NOW)
    replay_id = await finished(replays, ReplayWanted(schedule_id=schedule_id))
    for by in ("total", "seller", "category", "period"):
        figures = await told(replays, replay_id, by)  # type: ignore[arg-type]
        assert figures
        assert all(one.difference == 0 for one in figures.values())


async def test_a_replay_may_be_of_a_time_and_as_if_at_another(world: Past) -> None:
    replays = world.replays()
    since, until, at = START + timedelta(days=20), START + timedelta(days=50), by_chance.TIMES[1]
    replay_id = await finished(
        replays,
        ReplayWanted(draft_id=world.draft_id, since=since, until=until, priced_at=at),
    )
    placed = [
        old
        for old in world.counted
        if old.inputs.placed_at is not None and since <= old.inputs.placed_at < until
    ]
    rules = (await Drafts(world.schedules).find(world.draft_id)).rules
    assert flat(await told(replays, replay_id, "total")) == expected(placed, rules, at)["total"]


async def test_another_worker_goes_on_where_one_was_stopped(world: Past) -> None:
    in_slices = world.replays(orders_per_page=30, slice_seconds=0)
    replay = await in_slices.ask(ReplayWanted(draft_id=world.draft_id), ADMIN, NOW)
    assert await in_slices.run_once(NOW, 1) == 1
    half = await in_slices.find(replay.id)
    assert (half.state, half.orders_done, half.orders_total) == ("running", 30, len(world.counted))
    # A worker that took it and was killed: its lease ends, and what it had not written down is done again.
    lease = NOW + timedelta(minutes=2)
    await execute("UPDATE fee_replays SET leased_until = $2 WHERE id = $1", replay.id, lease)
    other = world.replays()
    assert await other.run_once(NOW, 1) == 0
    while await other.run_once(lease, 1):
        pass
    rules = (await Drafts(world.schedules).find(world.draft_id)).rules
    assert flat(await told(other, replay.id, "total")) == expected(world.counted, rules)["total"]


async def test_what_is_edited_meanwhile_is_not_what_is_tried(world: Past) -> None:
    replays = world.replays()
    drafts = Drafts(world.schedules)
    rules = (FeeRule(id="none", basis_points=0),)
    draft = await drafts.create(DraftContent(title="Free", rules=rules), ADMIN, NOW)
    replay = await replays.ask(ReplayWanted(draft_id=draft.id), ADMIN, NOW)
    await drafts.discard(draft.id, revision=1, actor=ADMIN, reason=None, now=NOW)
    while await replays.run_once(NOW, 1):
        pass
    assert all(one.fee_after == 0 for one in (await told(replays, replay.id, "seller")).values())


async def test_a_canceled_replay_stops_and_keeps_nothing(world: Past) -> None:
    replays = world.replays(orders_per_page=30, slice_seconds=0)
    replay = await replays.ask(ReplayWanted(draft_id=world.draft_id), ADMIN, NOW)
    await replays.run_once(NOW, 1)
    canceled = await replays.cancel(replay.id, ADMIN, NOW)
    assert canceled.state == "canceled"
    assert await replays.run_once(NOW, 1) == 0
    assert (await replays.figures(replay.id, "total", EVERYTHING)).data == []
    with pytest.raises(ReplayStepRefused):
        await replays.cancel(replay.id, ADMIN, NOW)
    actions = await value(
        "SELECT count(*) FROM audit_log WHERE subject = $1 AND action IN "
        "('fee_replay.asked', 'fee_replay.canceled')",
        replay.id,
    )
    assert actions == 2


async def test_rules_that_cannot_be_read_fail_the_replay_and_say_so(world: Past) -> None:
    replays = world.replays()
    replay = await replays.ask(ReplayWanted(draft_id=world.draft_id), ADMIN, NOW)
    await execute("UPDATE fee_replays SET rules = '[]' WHERE id = $1", replay.id)
    with pytest.raises(Exception, match="no_catch_all"):
        await replays.run_once(NOW, 1)
    failed = await replays.find(replay.id)
    assert (failed.state, failed.failure) == ("failed", "MalformedSchedule")


async def test_figures_are_paged_by_their_difference(world: Past) -> None:
    replays = world.replays()
    replay_id = await finished(replays, ReplayWanted(draft_id=world.draft_id))
    everything = (await replays.figures(replay_id, "seller", EVERYTHING)).data
    sizes = [abs(figure.difference) for _, figure in everything]
    assert sizes == sorted(sizes, reverse=True)
    first = await replays.figures(replay_id, "seller", PageRequest(limit=2))
    rest = await replays.figures(
        replay_id, "seller", PageRequest(limit=100, starting_after=first.data[-1][0])
    )
    assert first.has_more
    assert first.data + rest.data == everything


async def test_what_was_found_long_ago_is_forgotten(world: Past) -> None:
    replays = world.replays()
    replay_id = await finished(replays, ReplayWanted(draft_id=world.draft_id))
    waiting = await replays.ask(ReplayWanted(draft_id=world.draft_id), ADMIN, NOW)
    assert await replays.forget_old(NOW + KEPT_FOR, 50) == 0
    assert await replays.forget_old(NOW + KEPT_FOR + timedelta(seconds=1), 50) == 1
    with pytest.raises(ReplayNotFound):
        await replays.find(replay_id)
    assert await value("SELECT count(*) FROM fee_replay_figures") == 0
    assert (await replays.find(waiting.id)).state == "waiting"


async def test_only_what_exists_is_replayed(world: Past) -> None:
    replays = world.replays()
    with pytest.raises(DraftNotFound):
        await replays.ask(ReplayWanted(draft_id="fsd_unknown"), ADMIN, NOW)
    with pytest.raises(FeeScheduleNotFound):
        await replays.ask(ReplayWanted(schedule_id="fsc_unknown"), ADMIN, NOW)
    with pytest.raises(ReplayNotFound):
        await replays.figures("frp_unknown", "total", EVERYTHING)
    listed = await replays.list(EVERYTHING)
    assert listed.data == []
