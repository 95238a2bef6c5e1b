"""Payouts: what Stripe sends from sellers' balances to their banks, read again whenever it may have moved.

A webhook is a nudge: the payout it names is read at Stripe, on the account it is of, and merged in by
the rank of its status (a payout that was paid can still fail). Two sweeps make lost events good: one
asks about payouts on their way, one lists every account's payouts once a day.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from connect import payout_records, records
from connect.errors import BalanceUnreadable
from connect.events import AnnouncePayout, PayoutFailed, PayoutPaid
from connect.payout_gateway import Funds, PayoutGateway, PayoutSnapshot
from connect.payout_records import RETURNED, Merged, PayoutRecord
from payments import ledger
from payments.account_days import held
from payments.database import transaction
from payments.errors import PaymentsUnavailable, StripeMisconfigured, StripeRejected
from payments.events import Clock
from payments.ids import ConnectedAccountId
from payments.inbox import Notice

LEASE = timedelta(minutes=10)
"""Longer than any list of payouts takes; what failed is tried again after it."""

_log = structlog.get_logger("connect.payouts")


class Payouts:
    """What sellers' banks received, are about to, or sent back."""

    def __init__(self, gateway: PayoutGateway, announce: AnnouncePayout, clock: Clock) -> None:
        self._gateway, self._announce, self._clock = gateway, announce, clock

    async def balance(self, seller_id: str) -> tuple[Funds, ...]:
        """What the seller holds at Stripe now, by currency; nothing before an account was opened.

        Raises BalanceUnreadable after Stripe's definite no, NotSent or OutcomeUnknown without an
        answer: a balance is never guessed.
        """
        stored = await records.find_of_seller(seller_id)
        if stored is None:
            return ()
        try:
            return await self._gateway.balance(stored.known.snapshot.id)
        except StripeRejected as no:
            raise BalanceUnreadable(no.code) from no

    async def refresh(self, account_id: ConnectedAccountId, payout_id: str) -> None:
        """Ask Stripe how a payout stands, and take the answer in. An account that is not ours is none
        of our business. Raises the errors of `payments.errors`."""
        if await payout_records.seller_of(account_id) is not None:
            await self._absorb(await self._gateway.retrieve_payout(account_id, payout_id))

    async def take_notices(self, notices: Sequence[Notice]) -> None:
        """The inbox's handler of `payout.*`, for notices about one payout.

        Those without an account are of the platform's own payouts, which the reports show.
        """
        first = notices[0]
        if first.account is not None and first.object_id is not None:
            await self.refresh(ConnectedAccountId(first.account), first.object_id)

    async def refresh_due(self, now: datetime, limit: int = 20) -> int:
        """The sweep: ask about payouts on their way, or that may still come back."""
        claimed = await payout_records.claim_due(now, limit, LEASE)
        for one in claimed:
            await _one_of_many(self.refresh(one.account_id, one.id), one.account_id)
        return len(claimed)

    async def import_due(self, now: datetime, limit: int = 20) -> int:
        """The sweep: list the payouts of accounts, so that one whose events were lost is known too."""
        claimed = await payout_records.claim_accounts(now, limit, LEASE)
        for one in claimed:
            await _one_of_many(self._import(one.account_id, one.seller_id), one.account_id)
        return len(claimed)

    async def _import(self, account_id: ConnectedAccountId, seller_id: str) -> None:
        since = await payout_records.latest_payout_at(account_id)
        async for seen in self._gateway.payouts(account_id, since=since):
            await self._absorb(seen)
        await self._compare(account_id, seller_id)
        await payout_records.listed(account_id, self._clock())

    async def _compare(self, account_id: ConnectedAccountId, seller_id: str) -> None:
        """Ring when the books owe a seller more than Stripe holds for them: it could not be paid out."""
        before = await held(ledger.seller_account(seller_id))
        funds = {one.currency: one for one in await self._gateway.balance(account_id)}
        for currency, owed in (await held(ledger.seller_account(seller_id))).items():
            there = funds.get(currency)
            total = 0 if there is None else there.available + there.pending
            # What moved while Stripe was asked is compared the next time.
            if owed > max(total, 0) and before.get(currency) == owed:
                _log.error(
                    "books exceed a seller's Stripe balance",
                    seller_id=seller_id,
                    currency=currency,
                    books=owed,
                    stripe=total,
                    alarm=True,
                )

    async def _absorb(self, seen: PayoutSnapshot) -> None:
        """Merge, post and tell in one transaction; what it carried is asked for once it is known."""
        now = self._clock()
        async with transaction():
            merged = await self._merged(seen, now)
        items_missing = seen.automatic and not await payout_records.has_items(seen.id)
        if items_missing and seen.items_known:
            await self._take_items(merged.record)
            items_missing = False
        await payout_records.plan_refresh(
            seen.id,
            payout_records.refresh_again_at(merged.record, now, items_missing=items_missing),
        )

    async def _merged(self, seen: PayoutSnapshot, now: datetime) -> Merged:
        owner = await payout_records.seller_of(seen.account_id)
        assert owner is not None, seen.account_id
        merged = await payout_records.merge(seen, owner["seller_id"], now)
        await ledger.post(_subject(merged.record), _entries(merged.record, seen, now), now)
        if merged.record.status != merged.status_before:
            await self._tell(merged.record, closed=owner["closed"], now=now)
        return merged

    async def _tell(self, payout: PayoutRecord, *, closed: bool, now: datetime) -> None:
        about = {
            "payout_id": payout.id,
            "account_id": payout.account_id,
            "seller_id": payout.seller_id,
            "amount": payout.amount,
            "currency": payout.currency,
            "arrival_at": payout.arrival_at,
            "occurred_at": now,
        }
        if payout.status == "paid":
            await self._announce(msgspec.convert(about, PayoutPaid))
        elif payout.status == "failed":
            # Stripe may have restricted the account along with it.
            await records.nudge(ConnectedAccountId(payout.account_id))
            failed = {"failure_code": payout.failure_code, "account_closed": closed}
            await self._announce(msgspec.convert(about | failed, PayoutFailed))

    async def _take_items(self, payout: PayoutRecord) -> None:
        items = await self._gateway.items(ConnectedAccountId(payout.account_id), payout.id)
        if sum(one.net for one in items) != payout.amount:
            _log.error(
                "payout is not the sum of what it carried",
                payout=payout.id,
                amount=payout.amount,
                carried=sum(one.net for one in items),
                alarm=True,
            )
        async with transaction():
            await payout_records.keep_items(payout.id, items)


def _subject(payout: PayoutRecord) -> ledger.Subject:
    return ledger.Subject(
        payment_id=None, order_id=None, seller_id=payout.seller_id, currency=payout.currency
    )


def _entries(payout: PayoutRecord, seen: PayoutSnapshot, now: datetime) -> list[ledger.Entry]:
    """Stripe takes a payout from the balance as it makes it, and puts it back when it came back.

    A payout below zero is Stripe's debit of the bank: the same the other way round.
    """
    seller = ledger.seller_account(payout.seller_id)
    out, back = (seller, ledger.BANKS), (ledger.BANKS, seller)
    if payout.amount < 0:
        out, back = back, out
    moves = [("paid_out", "payout", out, payout.created_at)]
    if payout.status in RETURNED:
        moves.append(("returned", "payout_failure", back, seen.returned_at or now))
    return [
        ledger.Entry(
            cause=f"{payout.id}:{word}",
            kind=kind,
            source=source,
            target=target,
            amount=abs(payout.amount),
            occurred_at=at,
        )
        for word, kind, (source, target), at in moves
        if payout.amount != 0
    ]


async def _one_of_many(work: Awaitable[None], account_id: str) -> None:
    """Do one account's work; its failure is logged, and comes back with the lease."""
    try:
        await work
    except (PaymentsUnavailable, StripeMisconfigured, StripeRejected) as error:
        _log.warning("payouts not read", account=account_id, why=repr(error))
    except Exception:  # noqa: BLE001 - one account must not keep the others from being read
        _log.exception("payouts cannot be read", account=account_id, alarm=True)
