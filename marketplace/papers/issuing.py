"""Issuing: the sweep that gives a closed month its papers, and what an admin asks for by hand.

Everything a paper says is read and computed first, for many sellers at once; it cannot change any more. Then
one short transaction takes the month's lock and the numbers, and writes the papers with them: numbers that
are rolled back are taken by the next, so there is no gap, and no paper of a seller and month twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog
from asyncpg import IntegrityConstraintViolationError

from marketplace.books.fees.loading import load
from marketplace.books.months import Month
from marketplace.fees.schedules import Schedules
from marketplace.oversight import audit
from marketplace.papers import covering, drafting, issuer, months, waiting
from marketplace.papers.covering import FeeHistory, FeePosting
from marketplace.papers.drafting import Draft
from marketplace.papers.errors import PaperMonthRefused
from marketplace.papers.issuer import IssuerRecord
from marketplace.papers.months import ISSUED_AFTER, PaperMonth
from marketplace.papers.splitting import Working, working_of
from marketplace.papers.waiting import Waiting
from marketplace.papers.writing import batched, write
from payments.database import LOST, execute, rows, transaction, value

_PIECE: Final = 500
_WAITING_AT_ONCE: Final = 5
_POSTINGS_AT_ONCE: Final = 50_000
_log = structlog.get_logger("marketplace.papers")


class Issuing:
    """The use cases of issuing."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def run_once(self, now: datetime, limit: int) -> int:
        """The sweep: issue papers for the next sellers, at most `limit`, of the month that is due; answers
        how many were looked at, and `limit` while there may be more. Nothing without an issuer, and not
        before the month is over for two days, unless an admin closed it."""
        named = await issuer.current()
        if named is None:
            return 0
        await self._try_again(named, now)
        month = await self._due(named, now)
        if month is None:
            return 0
        sellers, full = await _next_sellers(month, limit)
        await self._issue_next(named, month, sellers, now)
        return limit if full else len(sellers)

    async def close_month(self, name: str, *, actor: str, now: datetime) -> PaperMonth:
        """Let the worker issue all papers of a month now, as an admin. Raises PaperMonthRefused."""
        named = await _require_issuer(name)
        return await months.close(Month.named(name), named, now, actor=actor)

    async def issue_of(self, seller_id: str, name: str, *, actor: str, now: datetime) -> list[str]:
        """Issue one seller's papers of a month now, as an admin; answers their ids, and those there were.

        Raises PaperMonthRefused.
        """
        named = await _require_issuer(name)
        month = await months.close(Month.named(name), named, now, actor=actor)
        await self._issue_by_hand(named, month, seller_id, now, actor)
        found = await rows(
            "SELECT id FROM papers WHERE seller_id = $1 AND month = $2 ORDER BY id", seller_id, name
        )
        if not found:
            raise PaperMonthRefused(name, "no_movement")
        return [each["id"] for each in found]

    async def _due(self, named: IssuerRecord, now: datetime) -> PaperMonth | None:
        span = await months.next_month(named)
        known = await months.find(span.name)
        if known is not None or now < span.until + ISSUED_AFTER:
            return known
        try:
            return await months.close(span, named, now)
        except PaperMonthRefused as refusal:
            _log.warning("papers wait", month=span.name, why=refusal.why)
            return None

    async def _issue_by_hand(
        self, named: IssuerRecord, month: PaperMonth, seller_id: str, now: datetime, actor: str
    ) -> None:
        if await waiting.behind([seller_id], month.month):
            raise PaperMonthRefused(month.month, "earlier_month_open")
        one = await waiting.find(seller_id, month.month)
        try:
            if one is None:
                await self._issue(named, month, [seller_id], now, actor=actor)
            else:
                await self._issue_waiting(named, one, now, actor=actor)
        except Exception as error:
            if isinstance(error, LOST) and not isinstance(error, IntegrityConstraintViolationError):
                raise
            _alarm(seller_id, month.month, error)
            raise PaperMonthRefused(month.month, "cannot_be_computed") from error

    async def _issue_next(
        self, named: IssuerRecord, month: PaperMonth, sellers: Sequence[str], now: datetime
    ) -> None:
        """Issue these sellers' papers together; where that fails, one by one: only those wait that fail."""
        try:
            await self._issue(named, month, sellers, now, goes_on=True)
        except Exception as error:
            if not sellers or await waiting.count_of(month.month) >= waiting.MOST:
                raise
            if len(sellers) == 1:
                await _let_wait(month, sellers, error, now)
                return
            for seller_id in sellers:
                await self._issue_next(named, month, [seller_id], now)
                month = msgspec.structs.replace(month, seller_after=seller_id)

    async def _try_again(self, named: IssuerRecord, now: datetime) -> None:
        """Issue what waited, at a few sellers' a time."""
        for one in await waiting.due(now, _WAITING_AT_ONCE):
            try:
                await self._issue_waiting(named, one, now)
            except Exception as error:  # noqa: BLE001 - one seller must not keep the others waiting
                _alarm(one.seller_id, one.month, error)
                await waiting.put(one.month, [one.seller_id], type(error).__name__, now)

    async def _issue_waiting(
        self, named: IssuerRecord, one: Waiting, now: datetime, *, actor: str | None = None
    ) -> None:
        month = await months.find(one.month)
        assert month is not None
        drafts = await self._drafts(month, [one.seller_id])
        async with transaction():
            if not await waiting.take(one.seller_id, one.month):
                return  # Another worker was here.
            fresh = await _not_yet(drafts, month)
            await write(named, month, fresh, now)
            if fresh and actor is not None:
                await _record(actor, one.seller_id, month, now)

    async def _issue(
        self,
        named: IssuerRecord,
        month: PaperMonth,
        sellers: Sequence[str],
        now: datetime,
        *,
        goes_on: bool = False,
        actor: str | None = None,
    ) -> None:
        behind = await waiting.behind(sellers, month.month)
        wanted = [seller_id for seller_id in sellers if seller_id not in behind]
        drafts = await self._drafts(month, await _without_papers(wanted, month))
        async with transaction():
            place = await value(
                "SELECT coalesce(seller_after, '') FROM paper_months WHERE month = $1 "
                "AND concluded_at IS NULL FOR UPDATE",
                month.month,
            )
            if place is None or (goes_on and place != (month.seller_after or "")):
                return  # Another worker was here, or it is all done.
            fresh = await _not_yet(drafts, month)
            await write(named, month, fresh, now)
            if goes_on:
                await waiting.put(month.month, behind, waiting.BEHIND, now)
                await _go_on(month, sellers, now)
            if fresh and actor is not None:
                await _record(actor, sellers[0], month, now)

    async def _drafts(self, month: PaperMonth, sellers: Sequence[str]) -> list[Draft]:
        moved = await covering.sums(sellers, month)
        accounts = sorted({(one.seller_id, one.currency) for one in moved})
        drafts = drafting.statements(moved, await covering.openings(accounts, month))
        fees = await covering.fees(sellers, month)
        histories, workings = await self._known_of(fees, month)
        drafts += drafting.fee_papers(fees, histories, workings)
        return sorted(drafts, key=lambda draft: draft.key)

    async def _known_of(
        self, fees: Sequence[FeePosting], month: PaperMonth
    ) -> tuple[dict[str, FeeHistory], dict[str, Working]]:
        """What came before of each payment's fee, and how it is divided: some payments at a time."""
        postings: dict[str, list[str]] = {}
        for one in fees:
            postings.setdefault(one.payment_id, []).append(one.id)
        histories: dict[str, FeeHistory] = {}
        workings: dict[str, Working] = {}
        for payments in batched(sorted(postings), _PIECE):
            covered = [each for payment_id in payments for each in postings[payment_id]]
            histories |= await covering.histories(payments, covered, month)
            for loaded in await load(payments, self._schedules):
                workings[loaded.payment_id] = working_of(loaded.facts, loaded.schedule)
        return histories, workings


async def _record(actor: str, seller_id: str, month: PaperMonth, now: datetime) -> None:
    await audit.record(
        actor=actor,
        action="papers.issued",
        subject=seller_id,
        after={"month": month.month},
        now=now,
    )


def _alarm(seller_id: str, month: str, error: Exception) -> None:
    _log.error(
        "a seller's papers could not be issued",
        seller_id=seller_id,
        month=month,
        exc_info=error,
        alarm=True,
    )


async def _let_wait(
    month: PaperMonth, sellers: Sequence[str], error: Exception, now: datetime
) -> None:
    """Go on without this one, unless another worker has gone on meanwhile."""
    async with transaction():
        place = await value(
            "SELECT coalesce(seller_after, '') FROM paper_months WHERE month = $1 "
            "AND concluded_at IS NULL FOR UPDATE",
            month.month,
        )
        if place != (month.seller_after or ""):
            return
        await waiting.put(month.month, sellers, type(error).__name__, now)
        await _go_on(month, sellers, now)
    _alarm(sellers[0], month.month, error)


async def _require_issuer(month: str) -> IssuerRecord:
    named = await issuer.current()
    if named is None:
        raise PaperMonthRefused(month, "no_issuer")
    return named


async def _next_sellers(month: PaperMonth, limit: int) -> tuple[list[str], bool]:
    """Whose papers are next, at most `limit` and as many as have about `_POSTINGS_AT_ONCE` postings together,
    so that no query takes too long; and whether there may be more of them."""
    found = await rows(
        "SELECT id, sum(postings) OVER (ORDER BY id) - postings AS before FROM ("
        "  SELECT s.id, (SELECT count(*) FROM postings p WHERE p.seller_id = s.id "
        "    AND p.recorded_at >= $3 AND p.recorded_at < $4) AS postings "
        "  FROM sellers s WHERE ($1::text IS NULL OR s.id > $1) ORDER BY s.id LIMIT $2"
        ") AS next ORDER BY id",
        month.seller_after,
        limit,
        month.span.first,
        month.span.until,
    )
    sellers = [each["id"] for each in found if each["before"] < _POSTINGS_AT_ONCE]
    return sellers, len(found) == limit or len(sellers) < len(found)


async def _without_papers(sellers: Sequence[str], month: PaperMonth) -> list[str]:
    """Those of the sellers whose papers nobody has issued by hand."""
    found = await rows(
        "SELECT s.id FROM unnest($1::text[]) AS s (id) WHERE NOT EXISTS (SELECT FROM papers p "
        "WHERE p.seller_id = s.id AND p.month = $2) ORDER BY s.id",
        list(sellers),
        month.month,
    )
    return [each["id"] for each in found]


async def _not_yet(drafts: Sequence[Draft], month: PaperMonth) -> list[Draft]:
    """Without those that were issued by hand."""
    found = await rows(
        "SELECT seller_id, currency, kind FROM papers WHERE month = $1 "
        "AND seller_id = ANY($2::text[])",
        month.month,
        sorted({draft.seller_id for draft in drafts}),
    )
    issued = {(each["seller_id"], each["currency"], each["kind"]) for each in found}
    return [draft for draft in drafts if draft.key not in issued]


async def _go_on(month: PaperMonth, sellers: Sequence[str], now: datetime) -> None:
    await execute(
        "UPDATE paper_months SET seller_after = $2, concluded_at = $3 WHERE month = $1",
        month.month,
        sellers[-1] if sellers else None,
        None if sellers else now,
    )
