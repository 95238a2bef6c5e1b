"""Commands about fee schedules: `fees list`, `lint`, `approve`, `retire`, `replay`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import click

from marketplace import settings
from marketplace.cli.beside import configured_beside_run
from marketplace.cli.outcomes import FAILED, Ended, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
    from marketplace.fees.drafts import Drafts
    from marketplace.fees.linting import Finding
    from marketplace.fees.replay_sums import Figure
    from marketplace.fees.replays import ReplayRecord, Replays
    from marketplace.fees.schedules import Schedules

_Answer = TypeVar("_Answer")

OPERATOR: Final = "operator"
"""The actor of what is decided at the terminal of the machine: the second person where there is one admin."""

_DAY = click.DateTime(["%Y-%m-%d"])
_SHOWN: Final = 10


@click.group()
def fees() -> None:
    """Fee schedules: look at them, approve one, retire one, try one on past orders."""


@fees.command("list")
def list_schedules() -> None:
    """The versions and where they stand, and drafts that wait for approval."""

    async def told(schedules: "Schedules", drafts: "Drafts") -> list[str]:
        from marketplace.paging import PAGE_LIMIT, PageRequest

        now, everything = datetime.now(UTC), PageRequest(limit=PAGE_LIMIT)
        current = await schedules.in_force_id(now)
        lines = [
            f"version {one.version:4}  {one.standing(current, now):10}  {one.id}  "
            f"from {one.effective_from:%Y-%m-%d %H:%M}, {len(one.rules)} rules"
            for one in (await schedules.list(everything)).data
        ]
        return lines + [
            f"draft         {draft.state:10}  {draft.id}  revision {draft.revision}: {draft.title}"
            for draft in (await drafts.list(everything, "submitted")).data
        ]

    for line in _run(told):
        click.echo(line)


@fees.command("lint")
@click.argument("id")
def lint_schedule(id: str) -> None:
    """Say what a draft or a version says without meaning to.

    Ends with 1 when a rule can never match.
    """

    async def found(schedules: "Schedules", drafts: "Drafts") -> "list[Finding]":
        from marketplace.fees.draft_checks import sellers_currencies
        from marketplace.fees.linting import lint
        from marketplace.fees.regions import span_of

        if id.startswith("fsd_"):
            return list(await drafts.lint(id, datetime.now(UTC)))
        version = await schedules.find(id)
        span = span_of(version.effective_from, version.effective_to)
        return lint(version.rules, span, await sellers_currencies())

    findings = _run(found)
    for finding in findings:
        click.echo(_finding(finding))
    click.echo(f"{len(findings)} findings.")
    if any(finding.weight == "error" for finding in findings):
        raise Ended(FAILED, "a rule can never match.")


@fees.command("approve")
@click.argument("draft_id")
@click.option("--revision", type=click.IntRange(1), required=True, help="The revision you read.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def approve_draft(draft_id: str, revision: int, reason: str) -> None:
    """Approve a submitted draft as the operator of this machine.

    The second person where the platform has one admin only.
    """

    async def approved(_: "Schedules", drafts: "Drafts") -> int:
        schedule = await drafts.approve(
            draft_id, revision=revision, actor=OPERATOR, reason=reason, now=datetime.now(UTC)
        )
        return schedule.version

    click.echo(f"{draft_id} is version {_run(approved)} now.")


@fees.command("retire")
@click.argument("schedule_id")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def retire_version(schedule_id: str, reason: str) -> None:
    """Approve that a version is retired, which an admin asked for, as the operator of this machine.

    The second person where the platform has one admin only.
    """

    async def retired(schedules: "Schedules", _: "Drafts") -> int:
        from marketplace.fees.retirements import RETIRE, Retirements
        from marketplace.oversight.approvals import Approvals

        approvals, now = Approvals(), datetime.now(UTC)
        Retirements(schedules, approvals)
        waiting = await approvals.waiting(RETIRE, schedule_id)
        if waiting is None:
            raise Ended(FAILED, f"nobody has asked to retire {schedule_id}.")
        await approvals.approve(waiting, by=OPERATOR, reason=reason, now=now)
        return (await schedules.find(schedule_id)).version

    click.echo(f"version {_run(retired)} is retired.")


@fees.command("replay")
@click.argument("id")
@click.option("--since", type=_DAY, help="Only orders placed from this day on, UTC.")
@click.option("--until", type=_DAY, help="Only orders placed before this day, UTC.")
@click.option("--priced-at", type=_DAY, help="As if every order had been placed that day.")
def replay(
    id: str, since: datetime | None, until: datetime | None, priced_at: datetime | None
) -> None:
    """Try a draft or a version on past orders and show the difference. Changes no order."""
    from marketplace.fees.replays import Replays, ReplayWanted

    wanted = ReplayWanted(
        draft_id=id if id.startswith("fsd_") else None,
        schedule_id=None if id.startswith("fsd_") else id,
        since=_utc(since),
        until=_utc(until),
        priced_at=_utc(priced_at),
    )

    async def done(schedules: "Schedules", _: "Drafts") -> "list[tuple[str, list[Figure]]]":
        replays = Replays(schedules)
        asked = await replays.ask(wanted, OPERATOR, datetime.now(UTC))
        await _go_on(replays, asked)
        return await _figures(replays, asked.id)

    for by, figures in _run(done):
        click.echo(f"\nby {by}" if by != "total" else "\nin all")
        for figure in figures:
            click.echo(_figure(figure))


async def _go_on(replays: "Replays", asked: "ReplayRecord") -> None:
    """Until it is done, by whoever does it; says how far it is after each slice."""
    while True:
        worked = await replays.go_on(datetime.now(UTC), asked.id)
        stands = await replays.find(asked.id)
        click.echo(f"{stands.orders_done} of {stands.orders_total or '?'} orders")
        if stands.concluded_at is not None:
            break
        if not worked:
            await asyncio.sleep(1)  # the worker has it
    if stands.state != "done":
        raise Ended(
            FAILED, f"the replay is {stands.state}: {stands.failure or 'somebody stopped it'}."
        )


async def _figures(replays: "Replays", replay_id: str) -> "list[tuple[str, list[Figure]]]":
    from marketplace.fees.replay_sums import DIMENSIONS
    from marketplace.paging import PageRequest

    found: list[tuple[str, list[Figure]]] = []
    for by in DIMENSIONS:
        page = await replays.figures(replay_id, by, PageRequest(limit=_SHOWN))
        found.append((by, [figure for _, figure in page.data]))
    return found


def _run(act: "Callable[[Schedules, Drafts], Awaitable[_Answer]]") -> _Answer:
    """Do it on the configured database; what is refused ends the command with its reason."""
    chosen = configured_beside_run(settings.DATABASE)
    require_migrated(chosen)
    with database_outcomes(chosen.database_shown()):
        return asyncio.run(_connected(chosen, act))


async def _connected(
    chosen: Settings, act: "Callable[[Schedules, Drafts], Awaitable[_Answer]]"
) -> _Answer:
    from marketplace.fees.drafts import Drafts
    from marketplace.fees.errors import FeeError
    from marketplace.fees.schedule import MalformedSchedule
    from marketplace.fees.schedules import Schedules
    from marketplace.oversight.approval_errors import ApprovalError
    from payments.database import engine

    await engine().start(chosen.database_url, pool_size=2)
    schedules = Schedules()
    try:
        return await act(schedules, Drafts(schedules))
    except MalformedSchedule as refused:
        told = "; ".join(f"{one.path}: {one.why}" for one in refused.problems)
        raise Ended(FAILED, f"the schedule is refused: {told}.") from None
    except (FeeError, ApprovalError) as error:
        facts = ", ".join(str(detail) for detail in error.args)
        raise Ended(FAILED, f"{type(error).__name__}: {facts}.") from None
    finally:
        await engine().stop()


def _finding(one: "Finding") -> str:
    others = f" ({', '.join(one.other_rule_ids)})" if one.other_rule_ids else ""
    silent = ", silently" if one.silent else ""
    paths = f": {', '.join(one.paths)}" if one.paths else ""
    example = one.example
    shown = (
        f"\n    for instance {example.amount} {example.currency} of {example.seller_id}, "
        f"{example.kind} in {example.category}, {example.placed_at:%Y-%m-%d %H:%M}"
        if example
        else ""
    )
    fees = "" if one.fee_before is None else f": fee {one.fee_before} becomes {one.fee_after}"
    return f"{one.weight:7}  {one.rule_id} {one.what}{paths}{silent}{others}{shown}{fees}"


def _figure(one: "Figure") -> str:
    return (
        f"  {one.key or 'all':34} {one.currency}  {one.orders:9} orders  {one.fee_before:14} -> "
        f"{one.fee_after:14}  {one.difference:+d}"
    )


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
