"""Fee schedules are written by one admin, approved by another, in force in time, and never changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from asyncpg import CheckViolationError, IntegrityConstraintViolationError

from marketplace.fees.draft_records import DraftChanges, DraftContent, DraftRecord
from marketplace.fees.drafts import Drafts
from marketplace.fees.errors import (
    DraftChanged,
    DraftNotFound,
    DraftStepRefused,
    FeeScheduleKept,
    FeeScheduleNotFound,
    NoFeeSchedule,
    OwnFeeScheduleDecision,
)
from marketplace.fees.retirements import Retirements
from marketplace.fees.schedule import Conditions, FeeRule, MalformedSchedule
from marketplace.fees.schedules import Schedules
from marketplace.oversight.approval_errors import OwnApproval
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.paging import PageRequest
from payments.database import execute, rows, value
from tests.fees.publishing import APPROVER, AUTHOR, authors, publish
from tests.orders.shop import NOON, account, seller

LATER = NOON + timedelta(days=30)
DAY = timedelta(days=1)
HALF = (FeeRule(id="half", basis_points=5_000),)


@pytest.fixture
def schedules() -> Schedules:
    return Schedules()


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def first(database: None, schedules: Schedules) -> AsyncIterator[None]:
    """Each test begins with the first schedule alone."""
    await schedules.ensure_first(NOON)
    await authors()
    yield
    await execute("ALTER TABLE fee_schedules DISABLE TRIGGER ALL")
    await execute("ALTER TABLE fee_schedule_retirements DISABLE TRIGGER ALL")
    await execute("DELETE FROM fee_schedule_retirements")
    await execute("DELETE FROM fee_schedules")
    await execute("DELETE FROM fee_schedule_drafts")
    await execute("ALTER TABLE fee_schedules ENABLE TRIGGER ALL")
    await execute("ALTER TABLE fee_schedule_retirements ENABLE TRIGGER ALL")


class Asking:
    """Two admins who take versions out of force."""

    def __init__(self, schedules: Schedules) -> None:
        self._approvals = Approvals()
        self._retirements = Retirements(schedules, self._approvals)

    async def ask(self, schedule_id: str, now: datetime) -> ApprovalRecord:
        return await self._retirements.ask(schedule_id, actor=AUTHOR, reason="Wrong rate", now=now)

    async def approve(self, approval: ApprovalRecord, by: str, now: datetime) -> None:
        await self._approvals.approve(approval.id, by=by, reason="Yes", now=now)


async def drafted(schedules: Schedules, *rules: FeeRule, **facts: Any) -> DraftRecord:
    content = DraftContent(title="The prices of 2027", rules=rules or HALF, **facts)
    return await Drafts(schedules).create(content, AUTHOR, NOON)


async def submitted(schedules: Schedules, **facts: Any) -> DraftRecord:
    draft = await drafted(schedules, **facts)
    return await Drafts(schedules).submit(
        draft.id, revision=1, actor=AUTHOR, reason="Costs rose", now=NOON
    )


async def approve(schedules: Schedules, draft_id: str, now: datetime = NOON) -> str:
    schedule = await Drafts(schedules).approve(
        draft_id, revision=1, actor=APPROVER, reason="Agreed", now=now
    )
    return schedule.id


async def test_a_draft_prices_nothing_until_another_admin_approves_it(schedules: Schedules) -> None:
    before = await schedules.current(NOON)
    draft = await submitted(schedules)
    assert await schedules.current(NOON) == before
    schedule = await Drafts(schedules).approve(
        draft.id, revision=1, actor=APPROVER, reason="Agreed", now=NOON
    )
    assert (await schedules.current(NOON)).id == schedule.id
    assert (schedule.version, schedule.created_by, schedule.approved_by) == (2, AUTHOR, APPROVER)
    kept = await Drafts(schedules).find(draft.id)
    assert (kept.state, kept.schedule_id, kept.decision_reason) == (
        "approved",
        schedule.id,
        "Agreed",
    )
    noted = await rows(
        "SELECT action, actor, reason FROM audit_log WHERE subject = ANY($1) ORDER BY id",
        [draft.id, schedule.id],
    )
    assert sorted(tuple(one) for one in noted) == [
        ("fee_schedule.published", APPROVER, "Agreed"),
        ("fee_schedule_draft.approved", APPROVER, "Agreed"),
        ("fee_schedule_draft.created", AUTHOR, None),
        ("fee_schedule_draft.submitted", AUTHOR, "Costs rose"),
    ]


async def test_nobody_approves_what_they_submitted_or_edited_last(schedules: Schedules) -> None:
    draft = await drafted(schedules)
    drafts = Drafts(schedules)
    await drafts.edit(
        draft.id, DraftChanges(title="Other prices"), revision=1, actor="acc_editor", now=NOON
    )
    await drafts.submit(draft.id, revision=2, actor=AUTHOR, reason="r", now=NOON)
    for own in (AUTHOR, "acc_editor"):
        with pytest.raises(OwnFeeScheduleDecision):
            await drafts.approve(draft.id, revision=2, actor=own, reason="r", now=NOON)
    # Nor does the database let anybody.
    with pytest.raises(CheckViolationError):
        await execute(
            "UPDATE fee_schedule_drafts SET state = 'approved', decided_by = $2, decided_at = $3, "
            "schedule_id = 'fsc' WHERE id = $1",
            draft.id,
            AUTHOR,
            NOON,
        )
    await drafts.approve(draft.id, revision=2, actor=APPROVER, reason="r", now=NOON)


async def test_what_is_approved_is_what_was_read(schedules: Schedules) -> None:
    draft = await submitted(schedules)
    drafts = Drafts(schedules)
    await drafts.withdraw(draft.id, revision=1, actor=AUTHOR, reason="A mistake", now=NOON)
    edited = await drafts.edit(
        draft.id,
        DraftChanges(rules=(FeeRule(id="all", basis_points=10_000),)),
        revision=1,
        actor=AUTHOR,
        now=NOON,
    )
    assert (edited.revision, edited.state, edited.submitted_by) == (2, "draft", None)
    await drafts.submit(draft.id, revision=2, actor=AUTHOR, reason="r", now=NOON)
    with pytest.raises(DraftChanged) as changed:
        await approve(schedules, draft.id)
    assert changed.value.revision == 2


async def test_a_refused_draft_is_edited_and_asked_for_again(schedules: Schedules) -> None:
    draft = await submitted(schedules)
    drafts = Drafts(schedules)
    refused = await drafts.refuse(draft.id, revision=1, actor=APPROVER, reason="Too much", now=NOON)
    assert (refused.state, refused.decision_reason) == ("refused", "Too much")
    edited = await drafts.edit(
        draft.id, DraftChanges(title="Less"), revision=1, actor=AUTHOR, now=NOON
    )
    assert (edited.state, edited.decided_by) == ("draft", None)
    await drafts.discard(draft.id, revision=2, actor=AUTHOR, reason=None, now=NOON)
    with pytest.raises(DraftStepRefused) as refusal:
        await drafts.submit(draft.id, revision=2, actor=AUTHOR, reason="r", now=NOON)
    assert (refusal.value.state, refusal.value.step) == ("discarded", "submit")


@pytest.mark.parametrize("step", ["edit", "submit", "withdraw", "approve", "refuse", "discard"])
async def test_an_approved_draft_is_done_with(schedules: Schedules, step: str) -> None:
    draft = await submitted(schedules)
    await approve(schedules, draft.id)
    drafts = Drafts(schedules)
    act = getattr(drafts, step)
    given: dict[str, Any] = {"revision": 1, "actor": APPROVER, "reason": "r", "now": NOON}
    if step == "edit":
        given = {**given, "changes": DraftChanges(title="x")}
        del given["reason"]
    with pytest.raises(DraftStepRefused):
        await act(draft.id, **given)


async def test_an_unknown_draft_is_not_found(schedules: Schedules) -> None:
    with pytest.raises(DraftNotFound):
        await Drafts(schedules).find("fsd_unknown")
    with pytest.raises(FeeScheduleNotFound):
        await schedules.require("fsc_unknown")


@pytest.mark.parametrize(
    ("facts", "path", "why"),
    [
        ({"effective_from": NOON - DAY}, "effective_from", "in_the_past"),
        ({"effective_to": NOON}, "effective_to", "in_the_past"),
        (
            {"effective_from": LATER, "effective_to": LATER},
            "effective_to",
            "not_after_effective_from",
        ),
        (
            {
                "rules": (
                    FeeRule(id="a", basis_points=1, when=Conditions(seller_ids=("sel_x",))),
                    *HALF,
                )
            },
            "rules[0].when.seller_ids[0]",
            "seller_unknown",
        ),
    ],
)
async def test_a_draft_that_cannot_be_is_refused_with_where_and_why(
    schedules: Schedules, facts: dict[str, Any], path: str, why: str
) -> None:
    with pytest.raises(MalformedSchedule) as refusal:
        await drafted(schedules, *facts.pop("rules", HALF), **facts)
    assert (refusal.value.path, refusal.value.why) == (path, why)


async def test_a_rule_for_a_seller_we_know_is_taken(schedules: Schedules) -> None:
    seller_id = await seller(await account())
    rule = FeeRule(id="friend", basis_points=1, when=Conditions(seller_ids=(seller_id,)))
    assert (await drafted(schedules, rule, *HALF)).rules[0] == rule


async def test_rules_that_never_match_are_not_submitted(schedules: Schedules) -> None:
    yoga = Conditions(categories=("yoga",))
    draft = await drafted(
        schedules,
        FeeRule(id="a", basis_points=1, when=yoga),
        FeeRule(id="b", basis_points=2, when=yoga),
        *HALF,
    )
    with pytest.raises(MalformedSchedule) as refusal:
        await Drafts(schedules).submit(draft.id, revision=1, actor=AUTHOR, reason="r", now=NOON)
    assert (refusal.value.path, refusal.value.why) == ("rules[1].when", "never_matches")


async def test_a_start_that_has_passed_is_not_approved(schedules: Schedules) -> None:
    draft = await submitted(schedules, effective_from=LATER)
    with pytest.raises(MalformedSchedule) as refusal:
        await approve(schedules, draft.id, LATER + DAY)
    assert (refusal.value.path, refusal.value.why) == ("effective_from", "in_the_past")


async def test_a_season_comes_into_force_and_gives_way_again(schedules: Schedules) -> None:
    first = (await schedules.current(NOON)).id
    season = await publish(
        schedules, HALF, NOON, effective_from=LATER, effective_to=LATER + 7 * DAY
    )
    instant = timedelta(microseconds=1)
    for at, expected in (
        (LATER - instant, first),
        (LATER, season.id),
        (LATER + 7 * DAY - instant, season.id),
        (LATER + 7 * DAY, first),
    ):
        assert (await schedules.current(at)).id == expected
    assert season.standing(first, NOON) == "scheduled"
    assert season.standing(season.id, LATER) == "in_force"
    assert season.standing(first, LATER + 8 * DAY) == "ended"


async def test_a_version_made_later_for_now_does_not_undo_one_for_later(
    schedules: Schedules,
) -> None:
    new_year = await publish(schedules, HALF, NOON, effective_from=LATER)
    fix = await publish(schedules, [FeeRule(id="fix", basis_points=900)], NOON + DAY)
    assert (await schedules.current(NOON + DAY)).id == fix.id
    assert (await schedules.current(LATER)).id == new_year.id
    assert (await schedules.find(fix.id)).standing(new_year.id, LATER) == "superseded"


async def test_a_retired_version_gives_way_at_once(schedules: Schedules) -> None:
    first = (await schedules.current(NOON)).id
    wrong = await publish(schedules, HALF, NOON)
    asking = Asking(schedules)
    approval = await asking.ask(wrong.id, NOON)
    with pytest.raises(OwnApproval):
        await asking.approve(approval, AUTHOR, NOON + DAY)
    assert (await schedules.current(NOON + DAY)).id == wrong.id
    await asking.approve(approval, APPROVER, NOON + DAY)
    retired = await schedules.find(wrong.id)
    assert (retired.retired_by, retired.retired_because) == (AUTHOR, "Wrong rate")
    assert (await schedules.current(NOON)).id == wrong.id
    assert (await schedules.current(NOON + DAY)).id == first
    assert (await schedules.require(wrong.id)).rules == HALF
    with pytest.raises(FeeScheduleKept) as kept:
        await asking.ask(wrong.id, NOON + DAY)
    assert kept.value.why == "retired"
    assert await value("SELECT count(*) FROM audit_log WHERE action = 'fee_schedule.retired'") >= 1


async def test_something_without_an_end_is_always_left_in_force(schedules: Schedules) -> None:
    first = (await schedules.current(NOON)).id
    season = await publish(schedules, HALF, NOON, effective_to=LATER)
    with pytest.raises(FeeScheduleKept) as kept:
        await Asking(schedules).ask(first, NOON)
    assert kept.value.why == "last_one"
    with pytest.raises(FeeScheduleKept) as over:
        await Asking(schedules).ask(season.id, LATER)
    assert over.value.why == "over"


async def test_two_retirements_at_once_leave_something_in_force(schedules: Schedules) -> None:
    """Each alone may go; whoever is second is told that nothing would be left."""
    first = (await schedules.current(NOON)).id
    second = await publish(schedules, HALF, NOON)
    asking = Asking(schedules)
    asked = [await asking.ask(each, NOON) for each in (first, second.id)]
    done = await asyncio.gather(
        *(asking.approve(approval, APPROVER, NOON) for approval in asked), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in done) == ["FeeScheduleKept", "NoneType"]
    assert (await schedules.current(NOON)).id in (first, second.id)


async def test_what_orders_refer_to_cannot_be_changed(schedules: Schedules) -> None:
    schedule = await publish(schedules, HALF, NOON)
    for statement in (
        "UPDATE fee_schedules SET rules = '[]' WHERE id = $1",
        "DELETE FROM fee_schedules WHERE id = $1",
    ):
        with pytest.raises(IntegrityConstraintViolationError):
            await execute(statement, schedule.id)


async def test_two_approvals_at_once_make_two_versions_and_of_one_draft_one(
    schedules: Schedules,
) -> None:
    one, other = await submitted(schedules), await submitted(schedules)
    outcomes = await asyncio.gather(
        *(approve(schedules, draft_id) for draft_id in (one.id, other.id, one.id, other.id)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, DraftStepRefused) for outcome in outcomes) == 2
    listed = (await schedules.list(PageRequest())).data
    assert [schedule.version for schedule in listed] == [3, 2, 1]


async def test_a_draft_is_compared_with_what_is_in_force_when_it_starts(
    schedules: Schedules,
) -> None:
    draft = await drafted(
        schedules,
        FeeRule(id="yoga", basis_points=0, when=Conditions(categories=("yoga",))),
        *(await schedules.current(NOON)).rules,
    )
    findings = await Drafts(schedules).lint(draft.id, NOON)
    assert {(one.what, one.rule_id, one.silent) for one in findings} == {
        ("narrowed", "sessions", True),
        ("narrowed", "everything-else", True),
        ("overlap", "yoga", False),
    }


async def test_drafts_are_listed_by_state(schedules: Schedules) -> None:
    waiting, other = await submitted(schedules), await drafted(schedules)
    listed = await Drafts(schedules).list(PageRequest(), "submitted")
    assert [draft.id for draft in listed.data] == [waiting.id]
    everything = await Drafts(schedules).list(PageRequest(limit=1))
    assert ([draft.id for draft in everything.data], everything.has_more) == ([other.id], True)


async def test_without_any_schedule_nothing_is_in_force(schedules: Schedules) -> None:
    with pytest.raises(NoFeeSchedule):
        await schedules.current(datetime(1999, 1, 1, tzinfo=NOON.tzinfo))


async def test_both_admins_are_told(schedules: Schedules) -> None:
    draft = await submitted(schedules)
    await approve(schedules, draft.id)
    told = await rows(
        "SELECT DISTINCT account_id, kind FROM messages WHERE subject_id = $1 ORDER BY kind",
        draft.id,
    )
    assert ("acc_author", "fee_draft_decided") in [tuple(one) for one in told]
    assert (APPROVER, "fee_draft_submitted") in [tuple(one) for one in told]
