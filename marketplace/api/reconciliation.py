"""Our books against Stripe's over HTTP, for admins: runs, what they found, and the cases that are left."""

from typing import Annotated, Literal

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.reconciliation import (
    CaseAnswer,
    CaseAssignment,
    CaseDetailsAnswer,
    CaseList,
    CaseNoteAnswer,
    CaseResolution,
    DifferenceList,
    NewCaseNote,
    NewReconciliationRun,
    ReconciliationRunAnswer,
    ReconciliationRunList,
)
from marketplace.oversight import cases, reconciliation_runs
from marketplace.oversight.cases import CaseFilter
from marketplace.oversight.cases import State as CaseState
from marketplace.paging import PageRequest
from marketplace.services import Services
from payments.reconciliation_findings import Kind

_RUNS = "/v1/admin/reconciliation-runs"
_RUN = f"{_RUNS}/{{run_id:str}}"
_CASES = "/v1/admin/cases"
_CASE = f"{_CASES}/{{case_id:str}}"
_Word = Annotated[str | None, QueryParameter(max_length=80)]


@get(_RUNS, **admin("admin:read"), summary="Reconciliation runs")
async def list_reconciliation_runs(page: NamedDependency[PageRequest]) -> ReconciliationRunList:
    """The daily ones and those that were asked for, the newest first."""
    return ReconciliationRunList.of(await reconciliation_runs.page(page))


@post(_RUNS, **admin("admin:write"), status_code=202, summary="Reconcile now")
async def ask_for_reconciliation(
    data: JSONBody[NewReconciliationRun],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ReconciliationRunAnswer:
    """The worker reads Stripe, compares, reads again what differs, and opens cases for what stays."""
    run = await reconciliation_runs.ask(
        data.since, data.until, actor=principal.account_id, now=services.clock()
    )
    return ReconciliationRunAnswer.of(run)


@get(_RUN, **admin("admin:read"), summary="How far a run is")
async def read_reconciliation_run(run_id: FromPath[str]) -> ReconciliationRunAnswer:
    """Its phase, what was read and compared, what differs, and whether the balance equation holds."""
    return ReconciliationRunAnswer.of(await reconciliation_runs.find(run_id))


@get(f"{_RUN}/differences", **admin("admin:read"), summary="What a run found")
async def list_reconciliation_differences(
    run_id: FromPath[str],
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    difference_state: Annotated[
        Literal["timing", "healed", "case"] | None, QueryParameter(name="state")
    ] = None,
    kind: FromQuery[Kind | None] = None,
) -> DifferenceList:
    """Each with a stable word: healed, too young, or a case."""
    found = await reconciliation_runs.differences(run_id, difference_state, kind, page)
    return DifferenceList.of(found)


@post(f"{_RUN}/cancellation", **admin("admin:write"), status_code=200, summary="Stop a run")
async def cancel_reconciliation_run(
    run_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ReconciliationRunAnswer:
    """What it found so far stays."""
    run = await reconciliation_runs.cancel(run_id, actor=principal.account_id, now=services.clock())
    return ReconciliationRunAnswer.of(run)


@get(_CASES, **admin("admin:read"), summary="Cases")
async def list_cases(
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    case_state: Annotated[CaseState | None, QueryParameter(name="state")] = None,
    kind: FromQuery[Kind | None] = None,
    owner: _Word = None,
    order_id: _Word = None,
    payment_id: _Word = None,
    stripe_id: _Word = None,
    run_id: _Word = None,
) -> CaseList:
    """Differences that reading Stripe again did not heal, the newest first."""
    wanted = CaseFilter(
        state=case_state,
        kind=kind,
        owner=owner,
        order_id=order_id,
        payment_id=payment_id,
        stripe_id=stripe_id,
        run_id=run_id,
    )
    return CaseList.of(await cases.page(wanted, page))


@get(_CASE, **admin("admin:read"), summary="One case")
async def read_case(case_id: FromPath[str]) -> CaseDetailsAnswer:
    """What differs, who looks after it, and what was found out."""
    return CaseDetailsAnswer.of(await cases.find(case_id), await cases.notes(case_id))


@post(
    f"{_CASE}/assignment",
    **admin("admin:write"),
    status_code=200,
    summary="Give a case to an admin",
)
async def assign_case(
    case_id: FromPath[str],
    data: JSONBody[CaseAssignment],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CaseAnswer:
    """Or, with null, to nobody."""
    case = await cases.assign(case_id, data.owner, actor=principal.account_id, now=services.clock())
    return CaseAnswer.of(case)


@post(
    f"{_CASE}/another-try",
    **admin("admin:write"),
    status_code=200,
    summary="Try again to send a seller their money",
)
async def try_case_again(
    case_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CaseAnswer:
    """Of a case that Stripe's no to a transfer is; once it is sent, the case is resolved."""
    case = await services.unsent_transfers.try_again(
        case_id, actor=principal.account_id, now=services.clock()
    )
    return CaseAnswer.of(case)


@post(f"{_CASE}/notes", **admin("admin:write"), summary="Write down what you found out")
async def note_case(
    case_id: FromPath[str],
    data: JSONBody[NewCaseNote],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CaseNoteAnswer:
    """Notes are never changed."""
    note = await cases.note(case_id, data.text, actor=principal.account_id, now=services.clock())
    return CaseNoteAnswer.of(note)


@post(f"{_CASE}/resolution", **admin("admin:write"), status_code=200, summary="Resolve a case")
async def resolve_case(
    case_id: FromPath[str],
    data: JSONBody[CaseResolution],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CaseAnswer:
    """It is opened again when the same difference is found again."""
    case = await cases.resolve(
        case_id, data.resolution, actor=principal.account_id, now=services.clock()
    )
    return CaseAnswer.of(case)


ROUTES: list[HTTPRouteHandler] = [
    list_reconciliation_runs,
    ask_for_reconciliation,
    read_reconciliation_run,
    list_reconciliation_differences,
    cancel_reconciliation_run,
    list_cases,
    read_case,
    assign_case,
    try_case_again,
    note_case,
    resolve_case,
]
