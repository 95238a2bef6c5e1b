"""Freezing a seller's money: the platform's no at once, Stripe's payouts as soon as Stripe hears of it."""

from typing import Any

import pytest
from litestar import Litestar

from connect.payout_hold_gateway import MANUAL, PayoutSchedule, PayoutScheduleDraft
from connect.payout_holds import PayoutHolds
from marketplace.composition import Composition
from marketplace.messages.admin_texts import ACTS
from marketplace.oversight.approvals import Approvals
from marketplace.oversight.errors import FrozenAlready, NotFrozen
from marketplace.sellers import records
from marketplace.sellers.errors import OwnSellerDecision, ReasonRequired, SellerNotFound
from marketplace.sellers.freezes import Freezes
from marketplace.sellers.profile import NewSeller, SellerProfile
from payments.database import execute, row, value
from payments.errors import OutcomeUnknown, StripeRejected
from payments.ids import ConnectedAccountId, IdempotencyKey, SellerId, new_id
from payments.operations import Operations
from tests.api.harness import Browser, a_person
from tests.clocks import MovedClock

WEEKLY = PayoutSchedule(interval="weekly", weekly_payout_days=("monday", "thursday"))
WHY = "A court has asked for it"


class Schedules:
    """Stripe's payout schedules in memory; `fails` happen before, `lost` after a change was made."""

    def __init__(self, *, fails: int = 0, lost: int = 0) -> None:
        self.shown = WEEKLY
        self.fails, self.lost = fails, lost
        self.refuses = False
        self.asked: list[tuple[str, str]] = []

    async def payout_schedule(self, account_id: ConnectedAccountId) -> PayoutSchedule:
        return self.shown

    async def change_payout_schedule(
        self, draft: PayoutScheduleDraft, key: IdempotencyKey
    ) -> PayoutSchedule:
        self.asked.append((draft.wanted.interval, key))
        if self.refuses:
            raise StripeRejected("platform_account_required")
        if self.fails:
            self.fails -= 1
            raise OutcomeUnknown("timeout")
        self.shown = draft.wanted
        if self.lost:
            self.lost -= 1
            raise OutcomeUnknown("reset")
        return self.shown


class Desk:
    """Freezes over schedules in memory, with two admins and a seller who has an account."""

    def __init__(self, clock: MovedClock, stripe: Schedules, admins: tuple[str, str]) -> None:
        self.clock, self.stripe = clock, stripe
        self.first, self.second = admins
        self.operations = Operations(clock)
        self.approvals = Approvals()
        self.holds = PayoutHolds(stripe, self.operations, clock)
        self.freezes = Freezes(self.holds, self.approvals)

    async def freeze(self, seller: SellerProfile, **changes: Any) -> SellerProfile:
        facts: dict[str, Any] = {"actor": self.first, "reason": WHY, "now": self.clock()}
        return await self.freezes.freeze(seller.id, **(facts | changes))

    async def unfreeze(self, seller: SellerProfile) -> None:
        asked = await self.freezes.ask_unfreeze(
            seller.id, actor=self.first, reason="over", now=self.clock()
        )
        await self.approvals.approve(asked.id, by=self.second, reason="yes", now=self.clock())

    async def sweep(self, **later: float) -> int:
        self.clock.move(**later)
        await self.operations.resume_due(self.clock(), 10)
        return await self.freezes.hold_due(self.clock(), 10)


@pytest.fixture
async def seller(app: Litestar, composition: Any, clock: MovedClock) -> SellerProfile:
    person = await a_person(app, f"{new_id('p')}@example.com")
    profile: SellerProfile = await composition.services.sellers.open_profile(
        person.account["id"],
        NewSeller(display_name="Ada", country="DE", currency="eur"),
        clock(),
    )
    await execute(
        "INSERT INTO connected_accounts (account_id, seller_id, country, transfers_status, "
        "payouts_status, status_details, requirements, closed, checked_at, state, nudges, "
        "nudges_absorbed, refresh_at, created_at) VALUES ($1, $2, 'DE', 'active', 'active', '{}', '{}', "
        "false, $3, 'ready', 0, 0, $3, $3)",
        new_id("acct"),
        profile.id,
        clock(),
    )
    return profile


@pytest.fixture
def desk(app: Litestar, admin: Browser, second: Browser, clock: MovedClock) -> Desk:
    return Desk(clock, Schedules(), (admin.account["id"], second.account["id"]))


async def paused(seller: SellerProfile) -> bool:
    return bool(
        await value(
            "SELECT payouts_paused_at IS NOT NULL FROM connected_accounts WHERE seller_id = $1",
            seller.id,
        )
    )


async def test_a_freeze_holds_payouts_and_its_end_puts_the_schedule_back(
    desk: Desk, seller: SellerProfile
) -> None:
    frozen = await desk.freeze(seller)
    assert (frozen.frozen_at, frozen.freeze_reason) == (desk.clock(), WHY)
    assert frozen.standing.frozen
    assert desk.stripe.shown == MANUAL
    assert await paused(seller)
    await desk.unfreeze(seller)
    assert not (await records.require(seller.id)).standing.frozen
    assert await desk.sweep() == 1
    assert desk.stripe.shown == WEEKLY
    assert not await paused(seller)
    assert await desk.sweep() == 0
    assert [interval for interval, _ in desk.stripe.asked] == ["manual", "weekly"]
    assert len({key for _, key in desk.stripe.asked}) == 2


async def test_a_lost_answer_does_not_make_us_forget_the_schedule(
    app: Litestar, admin: Browser, second: Browser, clock: MovedClock, seller: SellerProfile
) -> None:
    desk = Desk(clock, Schedules(lost=1), (admin.account["id"], second.account["id"]))
    await desk.freeze(seller)
    assert (desk.stripe.shown, await paused(seller)) == (MANUAL, False)
    await desk.sweep(minutes=1)
    assert await paused(seller)
    assert len({key for _, key in desk.stripe.asked}) == 1
    await desk.unfreeze(seller)
    await desk.sweep(minutes=1)
    assert desk.stripe.shown == WEEKLY


async def test_unfrozen_before_stripe_answered_ends_with_the_schedule_as_it_was(
    app: Litestar, admin: Browser, second: Browser, clock: MovedClock, seller: SellerProfile
) -> None:
    desk = Desk(clock, Schedules(fails=1), (admin.account["id"], second.account["id"]))
    await desk.freeze(seller)
    await desk.unfreeze(seller)
    for _ in range(3):
        await desk.sweep(minutes=1)
    assert (desk.stripe.shown, await paused(seller)) == (WEEKLY, False)


async def test_after_a_definite_no_stripe_is_asked_once_an_hour(
    desk: Desk, seller: SellerProfile
) -> None:
    desk.stripe.refuses = True
    frozen = await desk.freeze(seller)
    assert frozen.frozen_at is not None
    for _ in range(5):
        await desk.sweep(minutes=1)
    assert len(desk.stripe.asked) == 1
    desk.stripe.refuses = False
    await desk.sweep(hours=1)
    assert [interval for interval, _ in desk.stripe.asked] == ["manual", "manual"]
    assert len({key for _, key in desk.stripe.asked}) == 2
    assert await paused(seller)


async def test_an_account_opened_later_is_held_by_the_sweep(
    desk: Desk, seller: SellerProfile
) -> None:
    account = await row(
        "DELETE FROM connected_accounts WHERE seller_id = $1 RETURNING *", seller.id
    )
    assert account is not None
    await desk.freeze(seller)
    assert desk.stripe.asked == []
    names = ", ".join(account.keys())
    places = ", ".join(f"${place + 1}" for place in range(len(account)))
    await execute(f"INSERT INTO connected_accounts ({names}) VALUES ({places})", *account.values())
    assert await desk.sweep() == 1
    assert desk.stripe.shown == MANUAL


async def test_payouts_that_somebody_let_go_at_stripe_are_held_again(
    desk: Desk, seller: SellerProfile
) -> None:
    await desk.freeze(seller)
    await desk.freezes.keep_held(desk.clock(), 10)
    assert len(desk.stripe.asked) == 1
    desk.stripe.shown = PayoutSchedule(interval="daily")
    await desk.freezes.keep_held(desk.clock(), 10)
    assert (desk.stripe.shown, await paused(seller)) == (MANUAL, True)
    # In the end it is as it was before the freeze, not as somebody made it meanwhile.
    await desk.unfreeze(seller)
    await desk.sweep()
    assert desk.stripe.shown == WEEKLY


async def test_what_cannot_be_frozen_or_unfrozen_is_refused(
    desk: Desk, seller: SellerProfile
) -> None:
    with pytest.raises(NotFrozen):
        await desk.unfreeze(seller)
    with pytest.raises(SellerNotFound):
        await desk.freezes.freeze("sel_nothing", actor=desk.first, reason=WHY, now=desk.clock())
    with pytest.raises(ReasonRequired):
        await desk.freeze(seller, reason="  ")
    with pytest.raises(OwnSellerDecision):
        await desk.freeze(seller, actor=seller.account_id)
    await desk.freeze(seller)
    with pytest.raises(FrozenAlready):
        await desk.freeze(seller, actor=desk.second)
    with pytest.raises(OwnSellerDecision):
        await desk.freezes.ask_unfreeze(
            seller.id, actor=seller.account_id, reason="mine", now=desk.clock()
        )


async def test_nobody_approves_the_end_of_their_own_freeze(
    desk: Desk, seller: SellerProfile
) -> None:
    """An admin who is the seller cannot be the second of the two: nothing is decided."""
    await desk.freeze(seller)
    asked = await desk.freezes.ask_unfreeze(
        seller.id, actor=desk.first, reason="over", now=desk.clock()
    )
    with pytest.raises(OwnSellerDecision):
        await desk.approvals.approve(asked.id, by=seller.account_id, reason="yes", now=desk.clock())
    assert (await desk.approvals.require(asked.id)).state == "asked"
    assert (await records.require(seller.id)).standing.frozen


async def test_payouts_are_held_for_nobody_without_an_account(desk: Desk) -> None:
    assert await desk.holds.bring_about(SellerId("sel_nothing"), held=True)


async def test_freezing_over_http(
    admin: Browser, second: Browser, seller: SellerProfile, app: Litestar
) -> None:
    path = f"/v1/admin/sellers/{seller.id}"
    # Stripe is not there: the freeze stands all the same.
    frozen = await admin.post(f"{path}/freeze", {"reason": WHY})
    assert (frozen.status_code, frozen.json()["freeze_reason"]) == (200, WHY)
    again = await admin.post(f"{path}/freeze", {"reason": WHY})
    assert (again.status_code, again.json()["code"]) == (409, "seller_frozen_already")
    asked = await admin.post(f"{path}/unfreezing", {"reason": "over"})
    assert (asked.status_code, asked.json()["action"]) == (202, "seller.unfreeze")
    twice = await second.post(f"{path}/unfreezing", {"reason": "over"})
    assert (twice.status_code, twice.json()["code"]) == (409, "approval_asked")
    approval = f"/v1/admin/approvals/{asked.json()['id']}/approval"
    own = await admin.post(approval, {"reason": "yes"})
    assert own.json()["code"] == "own_approval"
    assert (await second.post(approval, {"reason": "yes"})).status_code == 200
    over = await admin.post(f"{path}/unfreezing", {"reason": "over"})
    assert (over.status_code, over.json()["code"]) == (409, "seller_not_frozen")
    for body in ({}, {"reason": ""}, {"reason": WHY, "until": "tomorrow"}):
        assert (await admin.post(f"{path}/freeze", body)).status_code == 400
    missing = await admin.post("/v1/admin/sellers/sel_nothing/freeze", {"reason": WHY})
    assert missing.json()["code"] == "seller_not_found"
    buyer = await a_person(app, "freezing.buyer@example.com")
    assert (await buyer.post(f"{path}/freeze", {"reason": WHY})).status_code == 403


def test_every_act_that_needs_two_is_asked_for_in_words(composition: Composition) -> None:
    assert composition.services.approvals.actions == set(ACTS)
