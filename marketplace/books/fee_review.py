"""The fee review, as admins ask for it: every fee, their sums, what is odd about them.

A list first folds in what is waiting, up to a limit: an admin sees the payment they just made. Sums need
no fold, because they read what is waiting too.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from marketplace.books.fees import fee_csv, listing, totals
from marketplace.books.fees.folding import Folding
from marketplace.books.fees.listing import THE_NEWEST_FIRST, FeeFilter, FeeSort, ReviewedFee
from marketplace.books.fees.totals import FeeSummary, GroupBy, SummaryFilter
from marketplace.fees.schedules import Schedules
from marketplace.paging import Page, PageRequest
from payments.database import value
from payments.events import Clock

CAUGHT_UP: Final = 500
"""How many movements a list folds in before it is read; the worker's sweep does the rest."""


class FeeReview:
    """Reads what the platform took of each payment."""

    def __init__(self, schedules: Schedules, clock: Clock) -> None:
        self._schedules, self._clock = schedules, clock
        self.folding = Folding(schedules)

    async def list(
        self, wanted: FeeFilter, page: PageRequest, sort: FeeSort = THE_NEWEST_FIRST
    ) -> Page[ReviewedFee]:
        """A page of fees. Raises FeeFilterRefused."""
        listing.require_answerable(wanted, sort)
        await self._catch_up()
        return await listing.fees(wanted, sort, page)

    async def find(self, payment_id: str) -> ReviewedFee:
        """The fee of one payment. Raises FeeReviewNotFound."""
        await self._catch_up()
        return await listing.find(payment_id)

    async def every(
        self, wanted: FeeFilter, sort: FeeSort = THE_NEWEST_FIRST
    ) -> AsyncIterator[Sequence[str]]:
        """All of them, as lines of an export. Raises FeeFilterRefused before the first piece."""
        listing.require_answerable(wanted, sort)
        await self._catch_up()
        return listing.every_fee(wanted, sort, fee_csv.LINE)

    async def summary(
        self, group_by: GroupBy, wanted: SummaryFilter, page: PageRequest
    ) -> Page[FeeSummary]:
        """A page of sums, as a full recount would have them. Raises FeeFilterRefused,
        FeesBeingCounted."""
        return await totals.summary(group_by, wanted, page, self._schedules)

    async def _catch_up(self) -> None:
        if await value("SELECT EXISTS (SELECT FROM fee_movements)"):
            await self.folding.run_once(self._clock(), CAUGHT_UP)
