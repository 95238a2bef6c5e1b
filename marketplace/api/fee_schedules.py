"""Fee schedules over HTTP, for admins: written, approved by another, questioned."""

import asyncio
from datetime import datetime
from typing import Annotated, TypedDict

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.fee_schedules import (
    CartToExplain,
    DraftFindingList,
    ExplanationAnswer,
    FeeDraftAnswer,
    FeeDraftList,
    FeeDraftPatch,
    FeeDraftStep,
    FindingList,
    NewFeeDraft,
    OrderFeeAnswer,
    RetirementReason,
    ScheduleAnswer,
    ScheduleList,
)
from marketplace.fees.draft_checks import sellers_currencies
from marketplace.fees.draft_records import State
from marketplace.fees.explaining import explain
from marketplace.fees.linting import lint
from marketplace.fees.regions import span_of
from marketplace.fees.schedules import PublishedSchedule
from marketplace.orders.records import Actor
from marketplace.paging import PageRequest
from marketplace.sellers.profile import checked_reason
from marketplace.services import Services

_State = Annotated[State | None, QueryParameter(name="state")]
_SCHEDULES = "/v1/admin/fee-schedules"
_DRAFTS = f"{_SCHEDULES}/drafts"
_DRAFT = f"{_DRAFTS}/{{draft_id:str}}"
_Revision = Annotated[int, QueryParameter(ge=1, description="The revision that was read.")]


class _Step(TypedDict):
    revision: int
    actor: str
    reason: str
    now: datetime


@get(_SCHEDULES, **admin("fees:read"), summary="Fee schedules")
async def list_fee_schedules(
    services: NamedDependency[Services], page: NamedDependency[PageRequest]
) -> ScheduleList:
    """Every version there ever was, the newest first, and where it stands now."""
    found, now = await services.fees.list(page), services.clock()
    current = await services.fees.in_force_id(now)
    answers = [ScheduleAnswer.of(schedule, current, now) for schedule in found.data]
    return ScheduleList(data=answers, has_more=found.has_more)


@get(f"{_SCHEDULES}/{{schedule_id:str}}", **admin("fees:read"), summary="One version")
async def read_fee_schedule(
    schedule_id: FromPath[str], services: NamedDependency[Services]
) -> ScheduleAnswer:
    """Its rules, who wrote and approved them, and where it stands now."""
    return await _shown(services, await services.fees.find(schedule_id))


@get(
    f"{_SCHEDULES}/{{schedule_id:str}}/findings",
    **admin("fees:read"),
    summary="What a version says without meaning to",
)
async def lint_fee_schedule(
    schedule_id: FromPath[str], services: NamedDependency[Services]
) -> FindingList:
    """Rules that never match, and rules that overlap: the earlier one wins."""
    schedule = await services.fees.find(schedule_id)
    span = span_of(schedule.effective_from, schedule.effective_to)
    currencies = await sellers_currencies()
    return FindingList.of(await asyncio.to_thread(lint, schedule.rules, span, currencies))


@post(
    f"{_SCHEDULES}/{{schedule_id:str}}/retirement",
    **admin("admin:write"),
    status_code=202,
    summary="Ask to take a version out of force",
)
async def retire_fee_schedule(
    schedule_id: FromPath[str],
    data: JSONBody[RetirementReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """When another admin approves; the version it covered is in force again then.

    Orders keep what they were placed under.
    """
    approval = await services.fee_retirements.ask(
        schedule_id,
        actor=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return ApprovalAnswer.of(approval)


@post(
    f"{_SCHEDULES}/explanation",
    **admin("fees:read"),
    status_code=200,
    summary="Explain the fee of a cart",
)
async def explain_cart(
    data: JSONBody[CartToExplain], services: NamedDependency[Services]
) -> ExplanationAnswer:
    """Any made-up cart at any time, under the rules in force then, or a version's, or a draft's."""
    inputs = data.told(services.clock())
    schedule = await services.fee_drafts.rules_for(inputs, data.schedule_id, data.draft_id)
    return ExplanationAnswer.of(explain(schedule, inputs), data.draft_id)


@get("/v1/admin/orders/{order_id:str}/fee", **admin("fees:read"), summary="Explain an order's fee")
async def explain_order_fee(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderFeeAnswer:
    """Which rule matched, why those before it did not, and every integer on the way."""
    # The policy let an admin in: `fees:read` is enough, without the scope for everything of an order's.
    kept = await services.orders.fee_quote(order_id, Actor(principal.account_id, is_admin=True))
    schedule = await services.fees.require(kept.schedule_id)
    return OrderFeeAnswer.of_order(kept, explain(schedule, kept.inputs))


@get(_DRAFTS, **admin("fees:read"), summary="Drafts")
async def list_fee_drafts(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    in_state: _State = None,
) -> FeeDraftList:
    """Schedules in the making, the newest first; `state=submitted` are those that wait for approval."""
    found = await services.fee_drafts.list(page, in_state)
    return FeeDraftList(
        data=[FeeDraftAnswer.of(draft) for draft in found.data], has_more=found.has_more
    )


@post(_DRAFTS, **admin("admin:write"), summary="Begin a draft")
async def create_fee_draft(
    data: JSONBody[NewFeeDraft],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """It prices nothing until another admin approves it."""
    draft = await services.fee_drafts.create(data.told(), principal.account_id, services.clock())
    return FeeDraftAnswer.of(draft)


@get(_DRAFT, **admin("fees:read"), summary="One draft")
async def read_fee_draft(
    draft_id: FromPath[str], services: NamedDependency[Services]
) -> FeeDraftAnswer:
    """As it stands, in whatever state."""
    return FeeDraftAnswer.of(await services.fee_drafts.find(draft_id))


@patch(_DRAFT, **admin("admin:write"), summary="Edit a draft")
async def edit_fee_draft(
    draft_id: FromPath[str],
    data: JSONBody[FeeDraftPatch],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """What is left out stays. A refused draft is a draft again."""
    draft = await services.fee_drafts.edit(
        draft_id,
        data.told(),
        revision=data.revision,
        actor=principal.account_id,
        now=services.clock(),
    )
    return FeeDraftAnswer.of(draft)


@delete(_DRAFT, **admin("admin:write"), status_code=200, summary="Discard a draft")
async def discard_fee_draft(
    draft_id: FromPath[str],
    revision: _Revision,
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """It can still be read, and nothing else."""
    draft = await services.fee_drafts.discard(
        draft_id,
        revision=revision,
        actor=principal.account_id,
        reason=None,
        now=services.clock(),
    )
    return FeeDraftAnswer.of(draft)


@get(f"{_DRAFT}/findings", **admin("fees:read"), summary="What a draft says without meaning to")
async def lint_fee_draft(
    draft_id: FromPath[str], services: NamedDependency[Services]
) -> DraftFindingList:
    """Rules that never match or overlap, what it moves from one rule of those in force to another, and which
    version would be in force when."""
    drafts, now = services.fee_drafts, services.clock()
    findings, reigns = await drafts.lint(draft_id, now), await drafts.reigns(draft_id, now)
    draft = await drafts.find(draft_id)
    return DraftFindingList.of_draft(findings, reigns, draft, await drafts.replaced(draft, now))


@post(f"{_DRAFT}/submission", **admin("admin:write"), status_code=200, summary="Ask for approval")
async def submit_fee_draft(
    draft_id: FromPath[str],
    data: JSONBody[FeeDraftStep],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """From another admin. Rules that can never match are refused here."""
    draft = await services.fee_drafts.submit(draft_id, **_step(data, services, principal))
    return FeeDraftAnswer.of(draft)


@post(
    f"{_DRAFT}/withdrawal",
    **admin("admin:write"),
    status_code=200,
    summary="Take a submitted draft back",
)
async def withdraw_fee_draft(
    draft_id: FromPath[str],
    data: JSONBody[FeeDraftStep],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """To edit it."""
    draft = await services.fee_drafts.withdraw(draft_id, **_step(data, services, principal))
    return FeeDraftAnswer.of(draft)


@post(f"{_DRAFT}/refusal", **admin("admin:write"), status_code=200, summary="Refuse a draft")
async def refuse_fee_draft(
    draft_id: FromPath[str],
    data: JSONBody[FeeDraftStep],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeDraftAnswer:
    """It may be edited and submitted again."""
    draft = await services.fee_drafts.refuse(draft_id, **_step(data, services, principal))
    return FeeDraftAnswer.of(draft)


@post(f"{_DRAFT}/approval", **admin("admin:write"), summary="Approve a draft")
async def approve_fee_draft(
    draft_id: FromPath[str],
    data: JSONBody[FeeDraftStep],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ScheduleAnswer:
    """It becomes the next version, in force from its start. Never by who submitted or last edited it."""
    schedule = await services.fee_drafts.approve(draft_id, **_step(data, services, principal))
    return await _shown(services, schedule)


async def _shown(services: Services, schedule: PublishedSchedule) -> ScheduleAnswer:
    now = services.clock()
    return ScheduleAnswer.of(schedule, await services.fees.in_force_id(now), now)


def _step(data: FeeDraftStep, services: Services, principal: Principal) -> _Step:
    return {
        "revision": data.revision,
        "actor": principal.account_id,
        "reason": checked_reason(data.reason),
        "now": services.clock(),
    }


ROUTES: list[HTTPRouteHandler] = [
    list_fee_schedules,
    explain_cart,
    list_fee_drafts,
    create_fee_draft,
    read_fee_draft,
    edit_fee_draft,
    discard_fee_draft,
    lint_fee_draft,
    submit_fee_draft,
    withdraw_fee_draft,
    refuse_fee_draft,
    approve_fee_draft,
    read_fee_schedule,
    lint_fee_schedule,
    retire_fee_schedule,
    explain_order_fee,
]
