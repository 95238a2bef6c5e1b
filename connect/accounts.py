"""Connected accounts: opened once, onboarded through links, re-read when they may have changed.

The verdict is asked twice around a payment: `vouch` outside any transaction, which asks Stripe when
the snapshot is older than a minute, and `verdict_now` under the order's lock, which only reads
rows.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from connect import changes, opening, records
from connect.capability import (
    AccountState,
    CapabilityPolicy,
    KnownAccount,
    PayoutCapability,
    PlatformStanding,
    assess,
    is_fresh,
    onboarding_done,
    state_of,
)
from connect.errors import (
    AccountIsClosed,
    AccountNotFound,
    AccountNotOpened,
    ConnectError,
    LinkRefused,
    OnboardingIncomplete,
)
from connect.events import AccountChanged, AnnounceAccount
from connect.gateway import AccountGateway, DashboardLink, OnboardingLink
from connect.notices import account_named
from connect.snapshot import inaccessible
from payments.database import in_transaction, transaction
from payments.errors import (
    PaymentsUnavailable,
    StripeMisconfigured,
    StripeRejected,
    TransactionOpen,
)
from payments.events import Clock
from payments.ids import ConnectedAccountId, IdempotencyKey, SellerId, new_id
from payments.inbox import Notice
from payments.operations import Operations

REFRESH_LEASE = timedelta(seconds=60)
"""Longer than one read's whole deadline; a refresh that failed is tried again after it."""

_log = structlog.get_logger("connect.accounts")


class Accounts:
    """The use cases of connect."""

    def __init__(
        self,
        gateway: AccountGateway,
        operations: Operations,
        clock: Clock,
        policy: CapabilityPolicy | None = None,
        announce: AnnounceAccount | None = None,
    ) -> None:
        self._gateway, self._operations, self._clock = gateway, operations, clock
        self.policy = policy or CapabilityPolicy()
        self._announce = announce or _tell_nobody
        self._reading: dict[ConnectedAccountId, asyncio.Task[records.StoredAccount]] = {}
        operations.register(
            opening.KIND, opening.AccountOpening(gateway, clock, self.policy, self._announce)
        )

    # Opening and links

    async def open_account(
        self, seller_id: SellerId, *, country: str, currency: str, email: str, display_name: str
    ) -> ConnectedAccountId:
        """The seller's connected account, opened at Stripe if there is none yet.

        Raises AccountNotOpened after Stripe's definite no, NotSent or OutcomeUnknown when asking
        again is safe and needed.
        """
        existing = await records.find_of_seller(seller_id)
        if existing is not None:
            return existing.known.snapshot.id
        async with transaction():
            operation_id = await opening.plan(
                self._operations,
                seller_id=seller_id,
                country=country,
                currency=currency,
                email=email,
                display_name=display_name,
                now=self._clock(),
            )
        try:
            await self._operations.carry_out(operation_id)
        except StripeRejected as no:
            raise AccountNotOpened(no.code, message=no.message) from no
        return (await self._require_of_seller(seller_id)).snapshot.id

    async def is_opened(self, seller_id: SellerId) -> bool:
        """Whether the seller's country and currency are Stripe's already, or may be any moment."""
        return await opening.is_opened(seller_id)

    async def onboarding_link(
        self, seller_id: SellerId, *, return_url: str, refresh_url: str
    ) -> OnboardingLink:
        """A new link to Stripe's hosted onboarding: one for each click, kept nowhere.

        Raises AccountNotFound before `open_account`, AccountIsClosed, LinkRefused.
        """
        account = await self._require_of_seller(seller_id)
        if account.snapshot.closed:
            raise AccountIsClosed(account.snapshot.id)
        try:
            return await self._gateway.create_onboarding_link(
                account.snapshot.id,
                return_url=return_url,
                refresh_url=refresh_url,
                key=_key_of_click(seller_id, "onboarding"),
            )
        except StripeRejected as no:
            raise LinkRefused(no.code, message=no.message) from no

    async def dashboard_link(self, seller_id: SellerId) -> DashboardLink:
        """A new link into the seller's Express dashboard, once onboarding is done.

        Raises AccountNotFound, AccountIsClosed, OnboardingIncomplete, LinkRefused.
        """
        account = await self._require_of_seller(seller_id)
        account = await self._fresh_or_known(account, self._clock())
        state = state_of(account.snapshot, self.policy)
        if state is AccountState.CLOSED:
            raise AccountIsClosed(account.snapshot.id)
        if not onboarding_done(state):
            raise OnboardingIncomplete(state)
        try:
            return await self._gateway.create_dashboard_link(
                account.snapshot.id, _key_of_click(seller_id, "dashboard")
            )
        except StripeRejected as no:
            raise LinkRefused(no.code, message=no.message) from no

    # The verdict

    async def vouch(
        self, seller_id: SellerId, standing: PlatformStanding, now: datetime
    ) -> PayoutCapability:
        """May this seller be paid? Asks Stripe first when the snapshot is stale or too old.

        Fails closed: without an answer from Stripe a snapshot is trusted for 15 minutes, no longer.
        """
        known = await self.require_fresh(seller_id, now)
        return assess(known, standing, self.policy, now)

    async def verdict_now(
        self, seller_id: SellerId, standing: PlatformStanding, now: datetime
    ) -> PayoutCapability:
        """The same verdict by what is in the database alone: for use inside a transaction."""
        stored = await records.find_of_seller(seller_id)
        return assess(None if stored is None else stored.known, standing, self.policy, now)

    async def require_fresh(self, seller_id: SellerId, now: datetime) -> KnownAccount | None:
        """What is known of the seller's account, refreshed if need be; None when there is none.

        When Stripe gives no answer this is the old snapshot: `assess` judges whether it is too old.
        """
        stored = await records.find_of_seller(seller_id)
        return None if stored is None else await self._fresh_or_known(stored.known, now)

    # Keeping the snapshot true

    async def refresh(self, account_id: ConnectedAccountId) -> KnownAccount:
        """Ask Stripe how the account stands, then absorb the answer; askers at the same time share
        it.

        A definite no to reading it is absorbed too: nothing is active on an account we may not see.
        Raises AccountNotFound, NotSent, OutcomeUnknown, StripeMisconfigured, TransactionOpen.
        """
        if in_transaction():
            raise TransactionOpen
        wanted = (await records.require(account_id)).nudges
        read = await self._read_shared(account_id)
        if read.nudges_absorbed < wanted:
            # We joined a reading that began before the event we came for.
            read = await self._read_shared(account_id)
        return read.known

    async def mark_stale(self, account_id: ConnectedAccountId) -> None:
        """Note that the account may have changed (an event, Stripe's refusal of a payment).

        It is re-read before money moves, and by the next sweep. Raises AccountNotFound.
        """
        await records.nudge(account_id)

    async def take_notices(self, notices: Sequence[Notice]) -> None:
        """The inbox's handler of events about accounts: each marks its account, the sweep reads it.

        So the handful of events one onboarding causes costs one reading. An account we do not know is
        waited for while an opening is on its way (raises PaymentsUnavailable), else it is not ours.
        """
        for notice in notices:
            account_id = account_named(msgspec.json.decode(notice.payload))
            if account_id is None:
                continue
            try:
                await self.mark_stale(account_id)
            except AccountNotFound as unknown:
                if await opening.is_any_under_way():
                    raise PaymentsUnavailable("an account is being opened") from unknown

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep: refresh accounts that an event marked, or that were not asked about for long.

        Answers how many were tried. One that Stripe does not answer for comes back after a minute.
        """
        claimed = await records.claim_due(now, limit, REFRESH_LEASE)
        for account_id in claimed:
            try:
                await self.refresh(account_id)
            except (PaymentsUnavailable, StripeMisconfigured, ConnectError) as error:
                _log.warning("account not refreshed", account=account_id, why=repr(error))
            except Exception:  # noqa: BLE001 - one account must not keep the others from being read
                _log.exception("account cannot be refreshed", account=account_id, alarm=True)
        return len(claimed)

    async def _require_of_seller(self, seller_id: SellerId) -> KnownAccount:
        stored = await records.find_of_seller(seller_id)
        if stored is None:
            raise AccountNotFound(seller_id)
        return stored.known

    async def _fresh_or_known(self, known: KnownAccount, now: datetime) -> KnownAccount:
        if is_fresh(known, self.policy, now):
            return known
        try:
            return await self.refresh(known.snapshot.id)
        except (PaymentsUnavailable, StripeMisconfigured) as error:
            _log.warning("account not refreshed", account=known.snapshot.id, why=repr(error))
            return known

    async def _read_shared(self, account_id: ConnectedAccountId) -> records.StoredAccount:
        """One reading of an account at a time in this process; whoever comes meanwhile joins it."""
        reading = self._reading.get(account_id)
        if reading is None:
            reading = asyncio.create_task(self._read(account_id))
            self._reading[account_id] = reading
            reading.add_done_callback(lambda done: self._done_reading(account_id, done))
        # One asker who gives up must not end the reading for the others.
        return await asyncio.shield(reading)

    def _done_reading(
        self, account_id: ConnectedAccountId, done: "asyncio.Task[records.StoredAccount]"
    ) -> None:
        del self._reading[account_id]
        if not done.cancelled():
            done.exception()  # every asker may be gone: the failure is theirs, not the loop's

    async def _read(self, account_id: ConnectedAccountId) -> records.StoredAccount:
        before = await records.require(account_id)
        asked_at = self._clock()
        try:
            snapshot = await self._gateway.retrieve_account(account_id)
        except StripeRejected as no:
            _log.warning("account not readable", account=account_id, code=no.code)
            snapshot = inaccessible(before.known.snapshot, no.request_id)
        async with transaction():
            await changes.absorb(
                snapshot,
                seller_id=before.known.seller_id,
                checked_at=asked_at,
                nudges_seen=before.nudges,
                policy=self.policy,
                announce=self._announce,
            )
        return await records.require(account_id)


async def _tell_nobody(_: AccountChanged) -> None:
    """For a program in which nobody listens."""


def _key_of_click(seller_id: SellerId, what: str) -> IdempotencyKey:
    """A key of its own for each click: a repeated key would answer a link that was used up."""
    return IdempotencyKey(f"seller:{seller_id}:{new_id(what)}")
