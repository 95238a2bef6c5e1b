"""The verdict over a real database: fresh before money moves, closed when Stripe is silent."""

import pytest

from connect.accounts import Accounts
from connect.capability import (
    AccountState,
    CapabilityPolicy,
    PlatformStanding,
    Reason,
)
from connect.snapshot import INACCESSIBLE, CapabilitySeen
from payments.database import transaction
from payments.errors import NotSent, OutcomeUnknown, StripeMisconfigured
from payments.ids import SellerId, new_id
from payments.operations import Operations
from tests.connect.conftest import APPROVED, Connect, a_seller
from tests.connect.fakes import SILENT


async def test_a_seller_without_an_account_is_not_payable_and_stripe_is_not_asked(
    connect: Connect,
) -> None:
    verdict = await connect.vouch(SellerId(new_id("sel")))
    assert verdict.reasons == (Reason.NO_ACCOUNT,)
    assert connect.gateway.asked == []


async def test_a_seller_is_payable_after_onboarding_and_approval(connect: Connect) -> None:
    seller_id = await a_seller()
    account_id = await connect.open(seller_id)
    before = await connect.vouch(seller_id)
    assert before.state is AccountState.INCOMPLETE
    assert before.reasons == (Reason.TRANSFERS_INACTIVE, Reason.PAYOUTS_INACTIVE)
    assert [each.description for each in before.missing] == ["identity.individual.given_name"]

    connect.gateway.onboard(account_id)
    connect.clock.advance(seconds=61)
    pending = PlatformStanding("pending", suspended=False)
    verdict = await connect.accounts.vouch(seller_id, pending, connect.clock())
    assert verdict.reasons == (Reason.NOT_APPROVED,)
    assert (await connect.vouch(seller_id)).payable


async def test_a_snapshot_of_a_minute_is_used_as_it_is(connect: Connect) -> None:
    seller_id, _ = await connect.a_ready_seller()
    asked = len(connect.gateway.asked)
    connect.clock.advance(seconds=60)
    assert (await connect.vouch(seller_id)).payable
    assert len(connect.gateway.asked) == asked


async def test_an_older_snapshot_is_refreshed_first(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, transfers=CapabilitySeen("restricted"))
    connect.clock.advance(seconds=61)
    verdict = await connect.vouch(seller_id)
    assert verdict.reasons == (Reason.TRANSFERS_INACTIVE,)
    assert verdict.checked_at == connect.clock()


async def test_a_stale_snapshot_is_refreshed_however_young(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, payouts=CapabilitySeen("pending"))
    await connect.accounts.mark_stale(account_id)
    assert (await connect.vouch(seller_id)).reasons == (Reason.PAYOUTS_INACTIVE,)


@pytest.mark.parametrize("silence", [SILENT, NotSent("rate_limit"), StripeMisconfigured("no_key")])
async def test_without_an_answer_a_snapshot_is_trusted_for_a_quarter_of_an_hour(
    connect: Connect, silence: Exception
) -> None:
    seller_id, _ = await connect.a_ready_seller()
    connect.gateway.silence = silence  # type: ignore[assignment]
    connect.clock.advance(minutes=15)
    assert (await connect.vouch(seller_id)).payable
    connect.clock.advance(seconds=1)
    verdict = await connect.vouch(seller_id)
    assert not verdict.payable
    assert verdict.reasons == (Reason.SNAPSHOT_TOO_OLD,)
    assert verdict.state is AccountState.UNKNOWN
    connect.gateway.silence = None
    assert (await connect.vouch(seller_id)).payable


async def test_an_account_we_may_not_see_is_not_payable_at_once(connect: Connect) -> None:
    """A definite no to reading is an answer, not a silence: nothing is trusted for 15 minutes."""
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.forget(account_id)
    await connect.accounts.mark_stale(account_id)
    verdict = await connect.vouch(seller_id)
    assert verdict.reasons == (Reason.TRANSFERS_INACTIVE, Reason.PAYOUTS_INACTIVE)
    known = await connect.accounts.require_fresh(seller_id, connect.clock())
    assert known is not None
    assert known.snapshot.transfers.status == INACCESSIBLE
    assert known.snapshot.request_id == "req_404"


async def test_a_capability_word_invented_tomorrow_is_kept_and_not_payable(
    connect: Connect,
) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, transfers=CapabilitySeen("activish_" * 20))
    await connect.accounts.refresh(account_id)
    verdict = await connect.vouch(seller_id)
    assert verdict.state is AccountState.UNKNOWN
    assert not verdict.payable


async def test_the_second_look_inside_a_transaction_asks_nobody(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    asked = len(connect.gateway.asked)
    connect.clock.advance(minutes=10)
    await connect.accounts.mark_stale(account_id)
    async with transaction():
        verdict = await connect.accounts.verdict_now(seller_id, APPROVED, connect.clock())
        suspended = await connect.accounts.verdict_now(
            seller_id, PlatformStanding("approved", suspended=True), connect.clock()
        )
        late = await connect.accounts.verdict_now(
            seller_id, APPROVED, connect.clock.advance(minutes=6)
        )
        nobody = await connect.accounts.verdict_now(
            SellerId("sel_nobody"), APPROVED, connect.clock()
        )
    assert verdict.payable
    assert suspended.reasons == (Reason.SUSPENDED,)
    assert late.reasons == (Reason.SNAPSHOT_TOO_OLD,)
    assert nobody.reasons == (Reason.NO_ACCOUNT,)
    assert len(connect.gateway.asked) == asked


async def test_the_policy_may_leave_payouts_to_the_seller(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, payouts=CapabilitySeen("pending"))
    await connect.accounts.refresh(account_id)
    lenient = Accounts(
        connect.gateway,
        Operations(connect.clock),
        connect.clock,
        CapabilityPolicy(payouts_required=False),
    )
    assert not (await connect.vouch(seller_id)).payable
    assert (await lenient.vouch(seller_id, APPROVED, connect.clock())).payable


async def test_an_unreadable_answer_counts_as_silence(connect: Connect) -> None:
    seller_id, _ = await connect.a_ready_seller()
    connect.gateway.silence = OutcomeUnknown("unreadable")
    connect.clock.advance(minutes=2)
    assert (await connect.vouch(seller_id)).payable
