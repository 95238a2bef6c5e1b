"""Runs and cases over HTTP and in the worker's hands: killed, put off, canceled, failed, gone on with."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar

from connect.payout_reconciliation import PayoutReconciliation
from connect.stripe_payouts import StripePayouts
from marketplace.composition import Composition
from marketplace.oversight import cases, found_cases, reconciliation_runs
from marketplace.oversight.reconciliation_work import Reconciliation
from payments.database import execute, rows, transaction, value
from payments.errors import OutcomeUnknown, StripeRejected
from payments.gateway import BalanceTransaction
from payments.reconciliation_findings import Finding
from payments.reconciliation_gateway import (
    ChargeSeen,
    DisputeSeen,
    IntentSeen,
    Listed,
    RefundSeen,
    Span,
)
from payments.reconciliation_healing import Healing
from tests.api.harness import Browser, a_person
from tests.clocks import MovedClock

RUNS, CASES = "/v1/admin/reconciliation-runs", "/v1/admin/cases"
PAGE = 2


class Killed(BaseException):
    """The process is gone in the midst of a request."""


class Ledgerless:
    """A Stripe that holds movements only, newest first, `PAGE` to a page; it can be made to fail once."""

    def __init__(self) -> None:
        self.moved: list[BalanceTransaction] = []
        self.held: dict[str, int] = {}
        self.began_before = False
        self.asked_after: list[str | None] = []
        self.fails: dict[int, BaseException] = {}
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def move(self, id: str, at: datetime, **facts: Any) -> None:
        told: dict[str, Any] = {
            "type": "charge",
            "reporting_category": "charge",
            "amount": 100,
            "fee": 0,
            "net": 100,
            "currency": "eur",
            "source_id": None,
            "charge_id": None,
        }
        self.moved.insert(0, BalanceTransaction(id=id, created_at=at, **told | facts))
        self.held["eur"] = self.held.get("eur", 0) + self.moved[0].net

    async def movements(self, span: Span, after: str | None) -> Listed[BalanceTransaction]:
        if span.until is None and span.since < self.moved[0].created_at:
            self.asked_after.append(after)
            error = self.fails.pop(len(self.asked_after), None)
            if error is not None:
                raise error
            if self.meanwhile is not None:
                await self.meanwhile()
        found = [one for one in self.moved if one.created_at >= span.since]
        begins = next((i + 1 for i, one in enumerate(found) if one.id == after), 0)
        page = found[begins : begins + PAGE]
        more = begins + PAGE < len(found)
        return Listed(tuple(page), page[-1].id if more else None)

    async def intents(self, span: Span, after: str | None) -> Listed[IntentSeen]:
        return Listed((), None)

    async def refunds(self, span: Span, after: str | None) -> Listed[RefundSeen]:
        return Listed((), None)

    async def disputes(self, span: Span, after: str | None) -> Listed[DisputeSeen]:
        return Listed((), None)

    async def intent(self, intent_id: str) -> IntentSeen:
        raise StripeRejected("resource_missing")

    async def refund(self, stripe_refund_id: str) -> RefundSeen:
        raise StripeRejected("resource_missing")

    async def dispute(self, stripe_dispute_id: str) -> DisputeSeen:
        raise StripeRejected("resource_missing")

    async def charge(self, charge_id: str) -> ChargeSeen:
        raise StripeRejected("resource_missing")

    async def moved_before(self, moment: datetime) -> bool:
        return self.began_before

    async def balance(self) -> dict[str, int]:
        return dict(self.held)


@pytest.fixture
async def stripe(app: Litestar, clock: MovedClock) -> Ledgerless:
    """Six movements of an hour ago; nothing of other tests."""
    for table in ("reconciliation_differences", "case_notes", "cases", "reconciliation_runs"):
        await execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await execute(f"DELETE FROM {table}")
        await execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    await execute("DELETE FROM balance_transactions")
    made = Ledgerless()
    clock.move(days=1)
    for at in range(6):
        made.move(f"txn_{at}", clock() - timedelta(hours=1), reporting_category="payout")
    return made


@pytest.fixture
def worker(composition: Composition, clock: MovedClock, stripe: Ledgerless) -> Reconciliation:
    services = composition.services
    return Reconciliation(
        stripe,
        Healing(services.payments, services.stripe_disputes, services.transfers),
        PayoutReconciliation(StripePayouts(composition.stripe), services.payouts),
        clock,
    )


async def asked(admin: Browser, clock: MovedClock, **body: Any) -> Any:
    since = (clock() - timedelta(hours=2)).isoformat()
    answer = await admin.post(RUNS, {"since": since} | body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def shown(admin: Browser, run: Any) -> Any:
    answer = await admin.get(f"{RUNS}/{run['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_run_whose_worker_was_killed_goes_on_where_it_was(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    run = await asked(admin, clock)
    stripe.fails[2] = Killed()
    with pytest.raises(Killed):
        await worker.go_on(clock())
    half = await shown(admin, run)
    assert (half["state"], half["phase"], half["read"]) == ("running", "movements", PAGE)
    assert not await worker.go_on(clock()), "the dead worker's lease"
    clock.move(minutes=6)
    assert await worker.go_on(clock())
    done = await shown(admin, run)
    assert (done["state"], done["read"], done["cases"]) == ("done", 6, 0)
    assert await value("SELECT count(*) FROM balance_transactions") == 6
    # The first page was asked for once; the page that was lost, again.
    assert stripe.asked_after == [None, "txn_4", "txn_4", "txn_2"]
    assert not await worker.go_on(clock())


async def test_two_workers_share_no_run(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    await asked(admin, clock)
    second: list[bool] = []

    async def another() -> None:
        second.append(await worker.go_on(clock()))

    stripe.meanwhile = another
    assert await worker.go_on(clock())
    assert second == [False] * 3


async def test_a_run_waits_while_stripe_gives_no_answer(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    run = await asked(admin, clock)
    stripe.fails[1] = OutcomeUnknown("timeout")
    assert not await worker.go_on(clock())
    assert (await shown(admin, run))["state"] == "running"
    assert not await worker.go_on(clock())
    clock.move(minutes=1, seconds=1)
    assert await worker.go_on(clock())
    assert (await shown(admin, run))["state"] == "done"


async def test_a_run_that_stripe_refuses_has_failed_and_says_so(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    run = await asked(admin, clock)
    stripe.fails[1] = StripeRejected("permission")
    with pytest.raises(StripeRejected):
        await worker.go_on(clock())
    failed = await shown(admin, run)
    assert (failed["state"], failed["failure"]) == ("failed", "StripeRejected")


async def test_a_run_can_be_stopped_while_it_is_worked_on(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    run = await asked(admin, clock)

    async def stop() -> None:
        stripe.meanwhile = None
        answer = await admin.post(f"{RUNS}/{run['id']}/cancellation")
        assert (answer.status_code, answer.json()["state"]) == (200, "canceled")

    stripe.meanwhile = stop
    await worker.go_on(clock())
    assert len(stripe.asked_after) == 1
    after = await shown(admin, run)
    assert (after["state"], after["read"]) == ("canceled", 0)
    again = await admin.post(f"{RUNS}/{run['id']}/cancellation")
    assert (again.status_code, again.json()["code"]) == (409, "reconciliation_run_over")
    log = await rows("SELECT action FROM audit_log WHERE subject = $1 ORDER BY id", run["id"])
    assert [one["action"] for one in log] == ["reconciliation.asked", "reconciliation.canceled"]


async def test_movements_that_nobody_explains_are_cases_and_told_once(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    at = clock() - timedelta(hours=1)
    stripe.move("txn_foreign", at, charge_id="ch_foreign")
    stripe.move("txn_new", at, type="tax", reporting_category="tax", amount=-7, net=-7)
    stripe.move("txn_hand", at, type="transfer", reporting_category="transfer", amount=-9, net=-9)
    stripe.move("txn_late", clock(), charge_id="ch_late")
    run = await asked(admin, clock)
    await worker.go_on(clock())
    found = (await admin.get(f"{RUNS}/{run['id']}/differences")).json()["data"]
    assert sorted(
        (one["kind"], one["stripe_id"], one["theirs"], one["state"]) for one in found
    ) == [
        ("missing_here", "ch_foreign", 100, "case"),
        ("missing_here", "txn_hand", -9, "case"),
        ("unknown_type", "txn_new", -7, "case"),
    ]
    told = await rows("SELECT kind FROM messages WHERE subject_id = $1", run["id"])
    assert {one["kind"] for one in told} == {"cases_opened"}
    only = (await admin.get(CASES, kind="unknown_type", run_id=run["id"])).json()["data"]
    assert [one["stripe_id"] for one in only] == ["txn_new"]
    first = await admin.get(CASES, limit=2)
    rest = await admin.get(CASES, limit=2, starting_after=first.json()["data"][-1]["id"])
    assert (first.json()["has_more"], rest.json()["has_more"]) == (True, False)
    assert len(first.json()["data"] + rest.json()["data"]) == 3
    narrowed = (
        await admin.get(f"{RUNS}/{run['id']}/differences", state="case", kind="missing_here")
    ).json()
    assert len(narrowed["data"]) == 2


async def test_a_balance_that_is_not_the_sum_of_its_movements_is_a_case(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    stripe.held["eur"] += 50
    run = await asked(admin, clock)
    await worker.go_on(clock())
    done = await shown(admin, run)
    [equation] = done["equations"]
    assert not equation["holds"]
    assert (equation["opening"], equation["moved"], equation["closing"]) == (0, 600, 650)
    [case] = (await admin.get(CASES)).json()["data"]
    assert (case["kind"], case["what"]) == ("balance", "equation.stripe")
    assert (case["currency"], case["ours"], case["theirs"]) == ("eur", 600, 650)
    # A later hour that adds up says nothing of this one: the case waits until all of it adds up.
    assert await _next_hour(admin, clock, worker) == (True, "open")
    stripe.move("txn_late", clock() + timedelta(minutes=30), reporting_category="payout", net=50)
    stripe.held["eur"] -= 50
    assert await _next_hour(admin, clock, worker) == (False, "open")
    assert await _next_hour(admin, clock, worker) == (True, "resolved")


async def _next_hour(admin: Browser, clock: MovedClock, worker: Reconciliation) -> tuple[bool, str]:
    """A run that begins within the one before: whether its equation holds, and how the case stands."""
    clock.move(hours=1)
    since = (clock() - timedelta(minutes=62)).isoformat()
    run = (await admin.post(RUNS, {"since": since})).json()
    while await worker.go_on(clock()):
        pass
    [equation] = (await shown(admin, run))["equations"]
    [case] = (await admin.get(CASES)).json()["data"]
    return equation["holds"], case["state"]


async def test_the_equation_goes_on_from_the_run_before(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    """Where Stripe's list does not begin with the run, an earlier run's balance is what it begins with."""
    stripe.began_before = True
    stripe.held["eur"] += 1_000
    first = await asked(admin, clock)
    await worker.go_on(clock())
    [unknown] = (await shown(admin, first))["equations"]
    assert (unknown["opening"], unknown["closing"], unknown["holds"]) == (None, 1_600, True)
    clock.move(hours=1)
    stripe.move("txn_after", clock() - timedelta(minutes=30), reporting_category="payout")
    second = await asked(admin, clock)
    await worker.go_on(clock())
    [known] = (await shown(admin, second))["equations"]
    assert (known["opening"], known["moved"], known["closing"]) == (1_600, 100, 1_700)
    assert known["holds"]


async def test_there_is_one_run_a_day(
    clock: MovedClock, stripe: Ledgerless, worker: Reconciliation, admin: Browser
) -> None:
    """None before the first payment, then one a day, each reaching into the one before."""
    assert not await reconciliation_runs.begin_day(clock())
    await execute(
        "INSERT INTO reconciliation_runs (id, day, since, until, read_until, asked_by, asked_at, state, "
        "phase, read, compared, concluded_at) VALUES ('rec_0', $1, $2, $3, $3, 'system:daily', $3, "
        "'done', 'equation', 0, 0, $3)",
        clock().date() - timedelta(days=1),
        clock() - timedelta(days=2),
        clock() - timedelta(days=1),
    )
    assert await worker.run_once(clock(), 1) == 1
    assert await worker.run_once(clock(), 1) == 0
    [today, _] = (await admin.get(RUNS)).json()["data"]
    assert (today["day"], today["asked_by"]) == (clock().date().isoformat(), "system:daily")
    assert datetime.fromisoformat(today["since"]) == clock() - timedelta(days=1, hours=1)


async def test_a_run_begins_by_itself_where_the_last_day_ended(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, worker: Reconciliation
) -> None:
    first = (await admin.post(RUNS, {})).json()
    assert datetime.fromisoformat(first["since"]) == clock() - timedelta(days=1)
    while await worker.go_on(clock()):
        pass
    ended = clock() - timedelta(hours=7)
    await execute(
        "INSERT INTO reconciliation_runs (id, day, since, until, read_until, asked_by, asked_at, state, "
        "phase, read, compared, concluded_at) VALUES ('rec_0', $1, $2, $3, $3, 'system:daily', $3, "
        "'done', 'equation', 0, 0, $3)",
        ended.date(),
        ended - timedelta(days=1),
        ended,
    )
    # What an admin asked for says nothing of what lies before it.
    second = (await admin.post(RUNS, {})).json()
    assert datetime.fromisoformat(second["since"]) == ended - timedelta(hours=1)
    future = await admin.post(RUNS, {"since": (clock() + timedelta(hours=1)).isoformat()})
    assert (future.json()["field"], future.json()["why"]) == ("since", "in_the_future")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"since": 7}, 400, "invalid_request"),
        ({"since": "yesterday"}, 400, "invalid_request"),
        ({"since": "2026-01-01T00:00:00"}, 400, "invalid_request"),
        ({"since": "2026-01-01T00:00:00Z", "until": 7}, 400, "invalid_request"),
        ({"since": "2026-01-01T00:00:00Z", "mode": "all"}, 400, "invalid_request"),
        (
            {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            422,
            "reconciliation_refused",
        ),
        ({"since": "2999-01-01T00:00:00Z"}, 422, "reconciliation_refused"),
        (
            {"since": "2026-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"},
            422,
            "reconciliation_refused",
        ),
        ({"since": "0001-01-01T00:00:00Z"}, 422, "reconciliation_refused"),
    ],
)
async def test_a_range_that_cannot_be_compared_is_refused(
    admin: Browser, stripe: Ledgerless, body: Any, status: int, code: str
) -> None:
    answer = await admin.post(RUNS, body)
    assert answer.status_code == status, answer.text
    assert status == 400 or answer.json()["code"] == code
    assert await value("SELECT count(*) FROM reconciliation_runs") == 0


async def a_case(clock: MovedClock) -> str:
    run = await reconciliation_runs.ask(
        clock() - timedelta(hours=1), None, actor="acc_1", now=clock()
    )
    finding = Finding(kind="fee", what="fee_earned", payment_id="pay_1", ours=1, theirs=2)
    async with transaction():
        return await found_cases.found(finding, run.id, clock())


async def test_a_case_is_given_to_admins_only(
    app: Litestar, admin: Browser, second: Browser, clock: MovedClock, stripe: Ledgerless
) -> None:
    path = f"{CASES}/{await a_case(clock)}"
    nobody = await a_person(app, "nobody@example.com")
    for owner in (nobody.account["id"], "acc_unknown"):
        answer = await admin.post(f"{path}/assignment", {"owner": owner})
        assert (answer.status_code, answer.json()["code"]) == (422, "case_owner_refused")
    taken = await admin.post(f"{path}/assignment", {"owner": second.account["id"]})
    assert (taken.json()["state"], taken.json()["owner"]) == ("taken", second.account["id"])
    mine = (await admin.get(CASES, owner=second.account["id"], state="taken")).json()["data"]
    assert len(mine) == 1
    left = await second.post(f"{path}/assignment", {"owner": None})
    assert (left.json()["state"], left.json()["owner"]) == ("open", None)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("assignment", {}, 400),
        ("assignment", {"owner": 7}, 400),
        ("assignment", {"owner": ""}, 400),
        ("notes", {"text": ""}, 400),
        ("notes", {"text": "   "}, 422),
        ("notes", {"text": "x" * 10_000}, 400),
        ("resolution", {}, 400),
        ("resolution", {"resolution": "\u0007"}, 422),
        ("resolution", {"resolution": "done", "state": "resolved"}, 400),
    ],
)
async def test_what_says_nothing_is_refused(
    admin: Browser, clock: MovedClock, stripe: Ledgerless, path: str, body: Any, status: int
) -> None:
    case = f"{CASES}/{await a_case(clock)}"
    answer = await admin.post(f"{case}/{path}", body)
    assert answer.status_code == status, answer.text
    details = (await admin.get(case)).json()
    assert (details["case"]["state"], details["notes"]) == ("open", [])


async def test_what_is_not_there_is_not_found(admin: Browser, stripe: Ledgerless) -> None:
    run, case = (404, "reconciliation_run_not_found"), (404, "case_not_found")
    for path, expected in (
        (f"{RUNS}/rec_0", run),
        (f"{RUNS}/rec_0/differences", run),
        (f"{CASES}/cas_0", case),
    ):
        answer = await admin.get(path)
        assert (answer.status_code, answer.json()["code"]) == expected
    for path, body, expected in (
        (f"{RUNS}/rec_0/cancellation", None, run),
        (f"{CASES}/cas_0/assignment", {"owner": None}, case),
        (f"{CASES}/cas_0/notes", {"text": "hm"}, case),
        (f"{CASES}/cas_0/resolution", {"resolution": "hm"}, case),
    ):
        answer = await admin.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == expected
    assert (await admin.get(CASES, state="closed")).status_code == 400
    assert (await admin.get(CASES, kind="odd")).status_code == 400


async def test_the_same_difference_is_one_case_and_comes_back(
    clock: MovedClock, stripe: Ledgerless
) -> None:
    case_id = await a_case(clock)
    assert await a_case(clock) == case_id
    await cases.resolve(case_id, "Booked back", actor="acc_1", now=clock())
    assert await a_case(clock) == case_id
    found = await cases.find(case_id)
    assert (found.state, found.times_found, found.reopened) == ("open", 3, 1)
    assert (found.resolution, found.ours, found.theirs) == (None, 1, 2)
    assert found.found_at <= found.last_found_at <= datetime.now(UTC) + timedelta(days=3_650)
