"""Sellers hear what becomes of their account and of the platform's decisions, once for each change."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from connect.accounts import Accounts
from connect.capability import AccountState
from connect.snapshot import CapabilitySeen, Requirement
from marketplace.sellers import account_news
from marketplace.sellers.account_news import news_of
from marketplace.sellers.profile import NewSeller
from marketplace.sellers.sellers import Sellers
from payments.database import engine, execute, rows
from payments.ids import ConnectedAccountId, new_id
from payments.operations import Operations
from tests.clocks import MovedClock
from tests.connect.fakes import FakeAccountGateway

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class World:
    """Sellers and their accounts, with Stripe in memory."""

    def __init__(self) -> None:
        self.clock = MovedClock(NOW)
        self.stripe = FakeAccountGateway()
        self.accounts = Accounts(
            self.stripe, Operations(self.clock), self.clock, announce=account_news.react
        )
        self.sellers = Sellers(self.accounts)

    async def person(self, *, is_admin: bool = False) -> str:
        account_id = new_id("acc")
        await execute(
            "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
            "VALUES ($1, $2, 'Somebody', '-', $3, $4)",
            account_id,
            f"{account_id}@example.com",
            is_admin,
            NOW,
        )
        return account_id

    async def seller(self) -> tuple[str, str, ConnectedAccountId]:
        """A person with a shop whose account was opened; answers person, seller and account."""
        owner = await self.person()
        new = NewSeller(display_name="Mats", country="DE", currency="eur")
        seller = await self.sellers.open_profile(owner, new, self.clock())
        account_id = await self.accounts.open_account(
            seller.id, country="DE", currency="eur", email="s@example.com", display_name="Mats"
        )
        return owner, seller.id, account_id

    async def stripe_says(self, account_id: ConnectedAccountId, **facts: Any) -> None:
        """Stripe changes its mind, and is read a second later."""
        now = self.stripe.accounts[account_id]
        self.stripe.accounts[account_id] = msgspec.structs.replace(now, **facts)
        await self.hear(account_id)

    async def hear(self, account_id: ConnectedAccountId) -> None:
        self.clock.move(seconds=1)
        await self.accounts.refresh(account_id)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    await engine().start(database_url)
    yield
    await engine().stop()


@pytest.fixture
def world(database: None) -> World:
    return World()


async def heard(account_id: str) -> list[tuple[str, dict[str, Any]]]:
    found = await rows(
        "SELECT kind, facts FROM messages WHERE account_id = $1 ORDER BY created_at, id", account_id
    )
    return [(one["kind"], json.loads(one["facts"])) for one in found]


async def states_published(seller_id: str) -> list[str]:
    found = await rows(
        "SELECT type, data FROM seller_events WHERE seller_id = $1 ORDER BY created_at, id",
        seller_id,
    )
    assert {one["type"] for one in found} <= {"seller.capability_changed"}
    return [json.loads(one["data"])["state"] for one in found]


async def test_a_seller_hears_of_each_change_once_however_often_it_is_read(world: World) -> None:
    owner, seller_id, account_id = await world.seller()
    world.stripe.onboard(account_id)
    for _ in range(3):
        await world.hear(account_id)
    assert [kind for kind, _ in await heard(owner)] == ["onboarding_needed", "account_ready"]
    assert (await states_published(seller_id))[-1] == "ready"
    assert (await states_published(seller_id)).count("ready") == 1


async def test_a_restriction_is_told_to_the_seller_and_to_admins(world: World) -> None:
    admin = await world.person(is_admin=True)
    owner, seller_id, account_id = await world.seller()
    world.stripe.onboard(account_id)
    await world.hear(account_id)
    await world.stripe_says(account_id, transfers=CapabilitySeen("restricted"))
    await world.hear(account_id)
    kind, facts = (await heard(owner))[-1]
    assert (kind, facts["state"], facts["seller_id"]) == (
        "account_restricted",
        "restricted",
        seller_id,
    )
    kinds = [kind for kind, facts in await heard(admin) if facts["seller_id"] == seller_id]
    assert kinds == ["seller_restricted"]
    assert (await states_published(seller_id))[-2:] == ["ready", "restricted"]
    await execute("UPDATE accounts SET is_admin = false WHERE id = $1", admin)


async def test_a_deadline_is_told_and_told_again_when_it_moves(world: World) -> None:
    owner, _, account_id = await world.seller()
    world.stripe.onboard(account_id)
    await world.hear(account_id)
    passport = Requirement(
        description="A passport", awaiting_action_from="user", deadline_status="currently_due"
    )
    for days in (30, 30, 7):
        await world.stripe_says(
            account_id,
            requirements=(passport,),
            deadline=NOW + timedelta(days=days),
            deadline_status="currently_due",
        )
    told = [facts for kind, facts in await heard(owner) if kind == "requirements_due"]
    assert [one["deadline_at"] for one in told] == ["2026-12-21T12:00:00Z", "2026-11-28T12:00:00Z"]
    assert told[0]["missing"] == ["A passport"]


async def test_an_older_snapshot_says_nothing(world: World) -> None:
    owner, _, account_id = await world.seller()
    world.stripe.onboard(account_id)
    await world.hear(account_id)
    before = await heard(owner)
    world.stripe.accounts[account_id] = msgspec.structs.replace(
        world.stripe.accounts[account_id], transfers=CapabilitySeen("restricted")
    )
    world.clock.move(seconds=-60)
    await world.accounts.refresh(account_id)
    assert await heard(owner) == before


async def test_who_listens_and_fails_undoes_the_absorbing(world: World) -> None:
    owner, _, account_id = await world.seller()

    async def fail(_: object) -> None:
        raise ArithmeticError

    deaf = Accounts(world.stripe, Operations(world.clock), world.clock, announce=fail)
    world.stripe.onboard(account_id)
    world.clock.move(seconds=1)
    with pytest.raises(ArithmeticError):
        await deaf.refresh(account_id)
    await world.hear(account_id)
    assert [kind for kind, _ in await heard(owner)][-1] == "account_ready"


async def test_every_decision_of_the_platform_is_told_with_its_reason(world: World) -> None:
    owner, seller_id, _ = await world.seller()
    admin = await world.person()

    def after_a_second() -> datetime:
        return world.clock.move(seconds=1)

    sellers = world.sellers
    await sellers.decide(
        seller_id, "reject", actor=admin, reason="No imprint.", now=after_a_second()
    )
    await sellers.decide(seller_id, "approve", actor=admin, reason="Fine.", now=after_a_second())
    for reason in ("Complaints.", "More complaints."):
        await sellers.suspend(seller_id, actor=admin, reason=reason, now=after_a_second())
        await sellers.reinstate(seller_id, actor=admin, reason="Solved.", now=after_a_second())
    told = [(kind, facts["reason"]) for kind, facts in await heard(owner)]
    assert told == [
        ("onboarding_needed", None),
        ("seller_rejected", "No imprint."),
        ("seller_approved", "Fine."),
        ("seller_suspended", "Complaints."),
        ("seller_reinstated", "Solved."),
        ("seller_suspended", "More complaints."),
        ("seller_reinstated", "Solved."),
    ]


def test_every_pair_of_states_is_news_or_is_not() -> None:
    """The whole table: nobody who could be paid stops being able to without hearing of it."""
    ready = {AccountState.READY, AccountState.READY_WITH_DEADLINE}
    for before in (None, *AccountState):
        for after in AccountState:
            kind = news_of(before, after)
            if before in ready and after not in ready:
                assert kind == "account_restricted"
            if before is after and after is not AccountState.READY_WITH_DEADLINE:
                assert kind is None
            if before not in ready and after is AccountState.READY:
                assert kind == "account_ready"
