"""The work of a reconciliation run: phase after phase, a page at a time, written down after each.

`read_until` is a minute before the run began, in whole seconds as Stripe's stamps are, so that its movements
are complete in Stripe's list; what moved within `PATIENCE` of it is too young to be called a difference.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from connect.payout_reconciliation import PayoutReconciliation
from marketplace.oversight import equation_cases, found_cases
from marketplace.oversight.balance_equation import Checkpoint, equations, snapshot
from marketplace.oversight.equation_cases import LEDGER, STRIPE
from marketplace.oversight.reconciliation_keeping import Step, Work, fail, put_off, write_down
from marketplace.oversight.reconciliation_runs import (
    LEASE,
    Equation,
    Phase,
    begin_day,
    covered_from,
)
from payments.database import LOST, row
from payments.errors import PaymentsUnavailable, StripeMisconfigured, StripeRejected
from payments.events import Clock
from payments.reconciliation_books import compare
from payments.reconciliation_chain import Chain, Slice, Verdict
from payments.reconciliation_findings import Finding
from payments.reconciliation_gateway import ChainGateway
from payments.reconciliation_healing import Healing
from payments.reconciliation_missing import missing
from payments.reconciliation_review import Review
from payments.reconciliation_touched import Touch, touched

SLICE_SECONDS: Final = 2.0
"""How long one worker goes on before the others of its sweeps have their turn."""
_SETTLED_AFTER: Final = timedelta(minutes=1)
_DISPUTES_BACK: Final = timedelta(days=120)
_PAYMENTS_AT_ONCE: Final = 200
_PAYMENTS_READ_AT_ONCE: Final = 20
_ACCOUNTS_AT_ONCE: Final = 10
_CASES_AT_ONCE: Final = 10
_AGAIN_AFTER: Final = timedelta(minutes=1)

_log = structlog.get_logger("marketplace.oversight")


class Reconciliation:
    """The sweep that begins the day's run and goes on with what is asked for."""

    def __init__(
        self,
        gateway: ChainGateway,
        healing: Healing,
        payouts: PayoutReconciliation,
        clock: Clock,
        *,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._gateway, self._healing, self._payouts = gateway, healing, payouts
        self._chain = Chain(gateway, healing, clock)
        self._review = Review(self._chain, healing)
        self._clock = clock
        self._slice_seconds = slice_seconds
        self._phases: dict[Phase, Callable[[Work], Awaitable[Step]]] = {
            "movements": self._movements,
            "intents": self._intents,
            "refunds": self._refunds,
            "disputes": self._disputes,
            "unexplained": self._unexplained,
            "payments": self._payments,
            "missing": self._missing,
            "payouts": self._of_accounts,
            "cases": self._cases,
            "equation": self._equation,
        }

    async def run_once(self, now: datetime, limit: int) -> int:
        """Begin today's run when it is due, go on with the oldest for a slice of time; 0: nothing to do."""
        await begin_day(now)
        return limit if await self.go_on(now) else 0

    async def go_on(self, now: datetime, run_id: str | None = None) -> bool:
        """Work on one run (None: the oldest) for a slice of time.

        Answers False when there was none, or another worker has it, or Stripe gives no answer now.
        """
        work = await self._claim(now, run_id)
        if work is None:
            return False
        try:
            await self._work(work)
        except (PaymentsUnavailable, StripeMisconfigured) as error:
            _log.warning("reconciliation waits for Stripe", run=work.id, error=type(error).__name__)
            await put_off(work.id, now + _AGAIN_AFTER)
            return False
        except LOST:
            raise  # it goes on from where it was written down, once its lease is over
        except Exception as error:
            await fail(work.id, type(error).__name__, now)
            raise
        return True

    async def _claim(self, now: datetime, run_id: str | None) -> Work | None:
        found = await row(
            "UPDATE reconciliation_runs SET state = 'running', leased_until = $2, "
            "started_at = coalesce(started_at, $1), read_until = coalesce(read_until, $4) WHERE id = ("
            "  SELECT id FROM reconciliation_runs WHERE concluded_at IS NULL "
            "  AND ($3::text IS NULL OR id = $3) AND (leased_until IS NULL OR leased_until <= $1) "
            "  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) "
            "RETURNING id, since, until, read_until, phase, cursor, checkpoint",
            now,
            now + LEASE,
            run_id,
            (now - _SETTLED_AFTER).replace(microsecond=0),
        )
        if found is None:
            return None
        told = dict(found.items())
        written = told.pop("checkpoint")
        checkpoint = msgspec.json.decode(written, type=Checkpoint) if written else Checkpoint()
        return Work(**told, checkpoint=checkpoint)

    async def _work(self, work: Work) -> None:
        """Slice after slice until the time or the run is over, or somebody canceled it."""
        until = time.monotonic() + self._slice_seconds
        while True:
            step = await self._phases[work.phase](work)
            if not await write_down(work, step, self._clock()):
                return
            if time.monotonic() >= until:
                await put_off(work.id, None)
                return

    async def _movements(self, work: Work) -> Step:
        if work.cursor is None:
            await snapshot(
                self._gateway, work.id, work.read_until, work.checkpoint, work.span.since
            )
        return _read(await self._chain.movements(work.span, work.cursor))

    async def _intents(self, work: Work) -> Step:
        return _read(await self._chain.intents(work.made(), work.cursor, work.settled_before))

    async def _refunds(self, work: Work) -> Step:
        return _read(await self._chain.refunds(work.made(), work.cursor, work.settled_before))

    async def _disputes(self, work: Work) -> Step:
        span = work.made(_DISPUTES_BACK)
        return _read(await self._chain.disputes(span, work.cursor, work.settled_before))

    async def _unexplained(self, work: Work) -> Step:
        return _read(
            await self._chain.unexplained(
                work.span.since,
                work.until,
                work.cursor or "",
                work.settled_before,
                _PAYMENTS_AT_ONCE,
            ),
            counted=False,
        )

    async def _payments(self, work: Work) -> Step:
        after = msgspec.json.decode(work.cursor, type=Touch) if work.cursor else None
        found = await touched(work.since, work.until, after, _PAYMENTS_AT_ONCE)
        if not found:
            return Step()
        done = await compare(
            self._healing,
            [one.payment_id for one in found],
            covered_from=await covered_from(work.id, work.since),
            settled_before=work.settled_before,
        )
        work.checkpoint.add(done.ours, done.theirs)
        for currency, payment_ids in done.uneven.items():
            work.checkpoint.add_uneven(currency, payment_ids)
        cursor = msgspec.json.encode(found[-1]).decode()
        return Step(verdicts=done.verdicts, compared=done.payments, cursor=cursor)

    async def _missing(self, work: Work) -> Step:
        """What Stripe was found not to know, by this run too: whenever that was since the range began."""
        return _read(await missing(self._healing, work.since, work.cursor, _PAYMENTS_READ_AT_ONCE))

    async def _of_accounts(self, work: Work) -> Step:
        accounts = await self._payouts.accounts(work.cursor or "", _ACCOUNTS_AT_ONCE)
        read, verdicts = 0, []
        for account in accounts:
            try:
                count, found = await self._payouts.compare(
                    account, work.since, work.until, work.settled_before
                )
            except StripeRejected as no:
                # An account that was taken away from us must not keep the others from being compared.
                _log.warning("payouts not compared", account=account, code=no.code)
                continue
            read += count
            verdicts += found
        return Step(verdicts=verdicts, read=read, cursor=accounts[-1] if accounts else None)

    async def _cases(self, work: Work) -> Step:
        """Look again at what is left of earlier runs, whatever this one's range; equations come last."""
        found = await found_cases.unresolved(work.id, work.cursor or "", _CASES_AT_ONCE)
        gone = [one.id for one in found if not await self._remains(one.finding, work)]
        return Step(gone=gone, cursor=found[-1].id if found else None)

    async def _remains(self, found: Finding, work: Work) -> bool:
        if found.kind == "balance":
            return True
        try:
            if found.word == "payout":
                return await self._payouts.remains(found)
            return await self._review.remains(found, work.settled_before)
        except StripeRejected as no:
            _log.warning("a case could not be looked at again", key=found.key, code=no.code)
            return True

    async def _equation(self, work: Work) -> Step:
        found = await equations(work.checkpoint, work.read_until)
        broken = {(what, one.currency) for one in found for what, _, _ in _breaches(one)}
        gone = await equation_cases.gone(work, broken)
        breaches = [
            Verdict(
                Finding(
                    kind="balance",
                    what=what,
                    currency=one.currency,
                    ours=ours,
                    theirs=theirs,
                ),
                "case",
            )
            for one in found
            for what, ours, theirs in _breaches(one)
        ]
        return Step(verdicts=breaches, equations=found, gone=gone)


def _breaches(one: Equation) -> list[tuple[str, int, int]]:
    breaches = []
    if one.ledger != one.stripe:
        breaches.append((LEDGER, one.ledger, one.stripe))
    if one.opening is not None and one.closing is not None:
        expected = one.opening + one.moved
        if expected != one.closing:
            breaches.append((STRIPE, expected, one.closing))
    return breaches


def _read(found: Slice, *, counted: bool = True) -> Step:
    return Step(verdicts=found.verdicts, read=found.read if counted else 0, cursor=found.after)
