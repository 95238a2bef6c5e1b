"""Fee schedules at the terminal, where the operator is the second person."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from marketplace.fees.draft_records import DraftContent
from marketplace.fees.drafts import Drafts
from marketplace.fees.retirements import Retirements
from marketplace.fees.schedule import Conditions, FeeRule
from marketplace.fees.schedules import Schedules
from marketplace.oversight.approvals import Approvals
from tests.fees.publishing import AUTHOR, authors, publish
from tests.orders.shop import NOON
from tests.running.processes import marketplace

YOGA = Conditions(categories=("yoga",))
RULES = (
    FeeRule(id="yoga", basis_points=500, when=YOGA),
    FeeRule(id="rest", basis_points=1_200),
)


@pytest.fixture
def at(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url}


async def drafted(rules: tuple[FeeRule, ...], *, submit: bool) -> str:
    schedules = Schedules()
    await schedules.ensure_first(NOON)
    await authors()
    drafts = Drafts(schedules)
    draft = await drafts.create(DraftContent(title="Prices", rules=rules), AUTHOR, NOON)
    if submit:
        await drafts.submit(draft.id, revision=1, actor=AUTHOR, reason="r", now=NOON)
    return draft.id


async def run(*arguments: str, at: dict[str, str]) -> tuple[int, str]:
    answer = await asyncio.to_thread(marketplace, "fees", *arguments, **at)
    assert "Traceback" not in answer.stderr
    return answer.returncode, answer.stdout + answer.stderr


async def test_the_operator_approves_what_the_only_admin_submitted(
    database: None, at: dict[str, str]
) -> None:
    draft_id = await drafted(RULES, submit=True)
    code, said = await run("list", at=at)
    assert code == 0
    assert f"{draft_id}  revision 1: Prices" in said
    approve = ("approve", draft_id, "--reason", "Agreed")
    code, said = await run(*approve, "--revision", "2", at=at)
    assert (code, "DraftChanged" in said) == (1, True)
    code, said = await run(*approve, "--revision", "1", at=at)
    assert (code, said) == (0, f"{draft_id} is version 2 now.\n")
    kept = await Drafts(Schedules()).find(draft_id)
    assert (kept.state, kept.decided_by) == ("approved", "operator")
    code, said = await run("list", at=at)
    assert "version    2  in_force" in said
    assert draft_id not in said


async def test_the_operator_retires_what_the_only_admin_asked_to(
    database: None, at: dict[str, str]
) -> None:
    schedules, approvals = Schedules(), Approvals()
    await schedules.ensure_first(NOON)
    version = await publish(schedules, RULES, NOON)
    retire = ("retire", version.id, "--reason", "Agreed")
    assert await run(*retire, at=at) == (1, f"error: nobody has asked to retire {version.id}.\n")
    # The terminal has the wall's clock, and who asked for something is waited with for a week only.
    await Retirements(schedules, approvals).ask(
        version.id, actor=AUTHOR, reason="r", now=datetime.now(UTC)
    )
    assert await run(*retire, at=at) == (0, f"version {version.version} is retired.\n")
    assert (await schedules.find(version.id)).retired_by == AUTHOR


async def test_a_draft_is_linted_at_the_terminal(database: None, at: dict[str, str]) -> None:
    again = msgspec.structs.replace(RULES[0], id="again")
    draft_id = await drafted((RULES[0], again, RULES[1]), submit=False)
    code, said = await run("lint", draft_id, at=at)
    assert code == 1
    assert "again never_matches (yoga)" in said
    version_id = await Schedules().in_force_id(NOON)
    assert version_id is not None
    code, said = await run("lint", version_id, at=at)
    assert (code, said) == (0, "0 findings.\n")
    code, said = await run("lint", "fsd_unknown", at=at)
    assert (code, "DraftNotFound: fsd_unknown" in said) == (1, True)


async def test_a_draft_is_replayed_at_the_terminal(database: None, at: dict[str, str]) -> None:
    draft_id = await drafted(RULES, submit=False)
    code, said = await run("replay", draft_id, "--since", "2026-01-01", at=at)
    assert code == 0, said
    assert "0 of 0 orders" in said or "0 of ? orders" in said
    assert "in all" in said
    code, said = await run("replay", "fsc_unknown", at=at)
    assert (code, "FeeScheduleNotFound" in said) == (1, True)
