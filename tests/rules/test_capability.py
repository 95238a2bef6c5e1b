"""The verdict, case by case: may this seller be paid, and if not, why not?"""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connect.capability import (
    AccountState,
    CapabilityPolicy,
    KnownAccount,
    PayoutCapability,
    PlatformStanding,
    Reason,
    assess,
    is_fresh,
    onboarding_done,
    refresh_again_at,
    state_of,
)
from connect.notices import account_named, is_about_account
from connect.snapshot import (
    NOT_REQUESTED,
    AccountSnapshot,
    CapabilitySeen,
    Requirement,
    StatusDetail,
    inaccessible,
)
from payments.ids import ConnectedAccountId

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
APPROVED = PlatformStanding("approved", suspended=False)
POLICY = CapabilityPolicy()
PAYOUTS_NOT_ASKED = CapabilityPolicy(payouts_required=False)
STATUSES = [
    "active",
    "pending",
    "restricted",
    "rejected",
    "unsupported",
    NOT_REQUESTED,
    "invented_tomorrow",
    "",
    "ACTIVE",
]


def seen(status: str, *details: tuple[str, str]) -> CapabilitySeen:
    return CapabilitySeen(status, tuple(StatusDetail(*each) for each in details))


def wanted(
    what: str, deadline: str | None = "currently_due", *, by: str = "user", error: str | None = None
) -> Requirement:
    return Requirement(
        description=what,
        awaiting_action_from=by,
        deadline_status=deadline,
        errors=() if error is None else (error,),
    )


READY = AccountSnapshot(
    id=ConnectedAccountId("acct_1"),
    country="DE",
    default_currency="eur",
    recipient=True,
    transfers=seen("active"),
    payouts=seen("active"),
    requirements=(),
    future_requirements=(),
    deadline_status=None,
    deadline=None,
    closed=False,
    request_id="req_1",
)


def with_(**changes: object) -> AccountSnapshot:
    return msgspec.structs.replace(READY, **changes)


def judged(
    snapshot: AccountSnapshot | None = READY,
    standing: PlatformStanding = APPROVED,
    policy: CapabilityPolicy = POLICY,
    *,
    age: timedelta = timedelta(0),
    stale: bool = False,
) -> PayoutCapability:
    known = None
    if snapshot is not None:
        known = KnownAccount(
            seller_id="sel_1", snapshot=snapshot, checked_at=NOW - age, stale=stale
        )
    return assess(known, standing, policy, NOW)


def test_a_ready_approved_account_is_payable_without_reasons() -> None:
    verdict = judged()
    assert verdict.payable
    assert verdict.reasons == ()
    assert verdict.state is AccountState.READY
    assert verdict.account_id == "acct_1"
    assert verdict.checked_at == NOW


def test_the_verdict_over_every_combination_of_facts() -> None:
    """Payable in exactly one corner of the table; every other cell names what is missing."""
    cells = itertools.product(
        [False, True],  # closed
        [True, False],  # recipient
        STATUSES,  # transfers
        STATUSES,  # payouts
        ["approved", "pending", "rejected", "newly_invented"],
        [False, True],  # suspended
        [0, 15 * 60, 15 * 60 + 1],  # age
        [True, False],  # payouts required
    )
    payable = 0
    for closed, recipient, transfers, payouts, approval, suspended, age, required in cells:
        verdict = judged(
            with_(
                closed=closed, recipient=recipient, transfers=seen(transfers), payouts=seen(payouts)
            ),
            PlatformStanding(approval, suspended),
            CapabilityPolicy(payouts_required=required),
            age=timedelta(seconds=age),
        )
        expected = {
            Reason.ACCOUNT_CLOSED: closed,
            Reason.SNAPSHOT_TOO_OLD: age > 15 * 60,
            Reason.RECIPIENT_MISSING: not recipient,
            Reason.TRANSFERS_INACTIVE: transfers != "active",
            Reason.PAYOUTS_INACTIVE: required and payouts != "active",
            Reason.NOT_APPROVED: approval in ("pending", "newly_invented"),
            Reason.APPROVAL_REJECTED: approval == "rejected",
            Reason.SUSPENDED: suspended,
        }
        assert set(verdict.reasons) == {reason for reason, holds in expected.items() if holds}
        assert verdict.payable == (not any(expected.values()))
        payable += verdict.payable
    # Fresh or just trusted, by policy: both active, or transfers active and payouts anything.
    assert payable == 2 * (1 + len(STATUSES))


def test_a_payable_seller_is_always_in_a_ready_state() -> None:
    for transfers, payouts, recipient, closed in itertools.product(
        STATUSES, STATUSES, [True, False], [True, False]
    ):
        verdict = judged(
            with_(
                transfers=seen(transfers), payouts=seen(payouts), recipient=recipient, closed=closed
            )
        )
        ready = verdict.state in (AccountState.READY, AccountState.READY_WITH_DEADLINE)
        assert verdict.payable == ready


def test_no_account_is_not_started() -> None:
    verdict = judged(None)
    assert verdict.state is AccountState.NOT_STARTED
    assert verdict.reasons == (Reason.NO_ACCOUNT,)
    assert verdict.checked_at is None
    assert not verdict.payable


@pytest.mark.parametrize(
    ("snapshot", "state"),
    [
        (READY, AccountState.READY),
        (with_(requirements=(wanted("person.id"),)), AccountState.READY_WITH_DEADLINE),
        (
            with_(deadline=NOW + timedelta(days=9), deadline_status="currently_due"),
            AccountState.READY_WITH_DEADLINE,
        ),
        (
            with_(deadline=NOW + timedelta(days=90), deadline_status="eventually_due"),
            AccountState.READY,
        ),
        (with_(requirements=(wanted("person.id", "eventually_due"),)), AccountState.READY),
        # An unknown deadline word is no reason to stay silent.
        (with_(requirements=(wanted("x", "soonish"),)), AccountState.READY_WITH_DEADLINE),
        (with_(requirements=(wanted("x", None),)), AccountState.READY_WITH_DEADLINE),
        (with_(closed=True), AccountState.CLOSED),
        (with_(closed=True, transfers=seen("rejected")), AccountState.CLOSED),
        (with_(recipient=False), AccountState.RESTRICTED),
        (with_(transfers=seen("pending")), AccountState.PENDING_REVIEW),
        (
            with_(
                transfers=seen("restricted", ("requirements_pending_verification", "no_resolution"))
            ),
            AccountState.RESTRICTED,
        ),
        (
            with_(
                transfers=seen("restricted"),
                requirements=(wanted("person.id", "past_due", by="stripe"),),
            ),
            AccountState.PENDING_REVIEW,
        ),
        (
            with_(transfers=seen("restricted", ("requirements_past_due", "provide_info"))),
            AccountState.INCOMPLETE,
        ),
        (
            with_(payouts=seen("pending", ("requirements_past_due", "provide_info"))),
            AccountState.INCOMPLETE,
        ),
        (
            with_(transfers=seen("restricted"), requirements=(wanted("bank", "past_due"),)),
            AccountState.INCOMPLETE,
        ),
        (
            with_(transfers=seen("restricted"), requirements=(wanted("bank", "eventually_due"),)),
            AccountState.RESTRICTED,
        ),
        (
            with_(transfers=seen("restricted", ("restricted_other", "contact_stripe"))),
            AccountState.RESTRICTED,
        ),
        (with_(transfers=seen("rejected"), payouts=seen("restricted")), AccountState.REJECTED),
        (with_(transfers=seen("pending"), payouts=seen("rejected")), AccountState.REJECTED),
        (with_(transfers=seen("unsupported")), AccountState.UNSUPPORTED),
        (with_(transfers=seen("invented_tomorrow")), AccountState.UNKNOWN),
        (with_(payouts=seen("")), AccountState.UNKNOWN),
        # The answer did not name the capability: restricted, unless something explains it.
        (with_(payouts=seen(NOT_REQUESTED)), AccountState.RESTRICTED),
        (
            with_(transfers=seen("pending"), payouts=seen(NOT_REQUESTED)),
            AccountState.PENDING_REVIEW,
        ),
        (inaccessible(READY, "req_2"), AccountState.UNKNOWN),
    ],
)
def test_the_state_of_an_account(snapshot: AccountSnapshot, state: AccountState) -> None:
    assert state_of(snapshot, POLICY) is state
    assert judged(snapshot).state is state


def test_payouts_count_only_where_the_policy_asks_for_them() -> None:
    snapshot = with_(payouts=seen("restricted", ("requirements_past_due", "provide_info")))
    assert judged(snapshot).reasons == (Reason.PAYOUTS_INACTIVE,)
    assert judged(snapshot).state is AccountState.INCOMPLETE
    assert judged(snapshot, policy=PAYOUTS_NOT_ASKED).payable
    assert judged(snapshot, policy=PAYOUTS_NOT_ASKED).state is AccountState.READY


def test_the_platforms_decision_does_not_change_the_accounts_state() -> None:
    for approval, suspended in itertools.product(
        ["pending", "approved", "rejected"], [True, False]
    ):
        assert judged(standing=PlatformStanding(approval, suspended)).state is AccountState.READY


@pytest.mark.parametrize(
    ("age", "trusted"),
    [
        (timedelta(0), True),
        (timedelta(minutes=15), True),
        (timedelta(minutes=15, microseconds=1), False),
        (timedelta(days=400), False),
        # From a clock ahead of ours: a little is skew, more was not read by an honest clock.
        (-timedelta(seconds=60), True),
        (-timedelta(seconds=61), False),
    ],
)
def test_an_old_snapshot_fails_closed(age: timedelta, trusted: bool) -> None:
    verdict = judged(age=age)
    assert verdict.payable == trusted
    assert (Reason.SNAPSHOT_TOO_OLD in verdict.reasons) != trusted
    assert verdict.state is (AccountState.READY if trusted else AccountState.UNKNOWN)


def test_closing_is_for_ever_however_old_the_snapshot() -> None:
    verdict = judged(with_(closed=True), age=timedelta(days=30))
    assert verdict.state is AccountState.CLOSED
    assert Reason.ACCOUNT_CLOSED in verdict.reasons


def test_what_is_missing_is_told_apart_from_what_comes_later() -> None:
    missing = wanted("bank_account", "past_due", error="invalid_value_other")
    later = wanted("tax_id", "eventually_due")
    future = wanted("new_rule", "currently_due")
    verdict = judged(
        with_(
            transfers=seen("restricted"),
            requirements=(missing, later),
            future_requirements=(future,),
            deadline=NOW,
            deadline_status="past_due",
        )
    )
    assert verdict.missing == (missing,)
    assert verdict.upcoming == (later, future)
    assert verdict.deadline == NOW


@pytest.mark.parametrize(
    ("age_seconds", "stale", "fresh"),
    [
        (0, False, True),
        (60, False, True),
        (61, False, False),
        (0, True, False),
        (-61, False, False),
    ],
)
def test_freshness_before_money_moves(age_seconds: int, stale: bool, fresh: bool) -> None:
    known = KnownAccount(
        seller_id="sel_1",
        snapshot=READY,
        checked_at=NOW - timedelta(seconds=age_seconds),
        stale=stale,
    )
    assert is_fresh(known, POLICY, NOW) == fresh


def test_the_dashboard_waits_for_onboarding() -> None:
    done = {state for state in AccountState if onboarding_done(state)}
    assert done == set(AccountState) - {
        AccountState.NOT_STARTED,
        AccountState.INCOMPLETE,
        AccountState.CLOSED,
    }


def test_accounts_on_their_way_are_asked_about_more_often() -> None:
    assert refresh_again_at(AccountState.INCOMPLETE, NOW) == NOW + timedelta(hours=1)
    assert refresh_again_at(AccountState.READY, NOW) == NOW + timedelta(hours=24)
    assert all(refresh_again_at(state, NOW) > NOW for state in AccountState)


def test_the_reasons_are_a_closed_list_of_stable_codes() -> None:
    assert [reason.value for reason in Reason] == [
        "no_account",
        "account_closed",
        "snapshot_too_old",
        "recipient_missing",
        "transfers_inactive",
        "payouts_inactive",
        "not_approved",
        "approval_rejected",
        "suspended",
        "frozen",
    ]


@pytest.mark.parametrize(
    ("event", "account"),
    [
        (
            {
                "type": "v2.core.account[configuration.recipient].capability_status_updated",
                "related_object": {"id": "acct_9", "type": "v2.core.account", "url": "/x"},
            },
            "acct_9",
        ),
        (
            {
                "type": "v2.core.account[requirements].updated",
                "related_object": {"id": "acct_9", "url": "/v2/core/accounts/acct_9"},
            },
            "acct_9",
        ),
        (
            {
                "type": "v2.core.account_person.updated",
                "related_object": {
                    "id": "person_1",
                    "url": "/v2/core/accounts/acct_9/persons/person_1",
                },
            },
            "acct_9",
        ),
        ({"type": "v2.core.account_link.returned"}, None),
        ({"type": "account.updated", "account": "acct_9"}, "acct_9"),
        ({"type": "account.external_account.deleted", "account": "acct_9"}, "acct_9"),
        ({"type": "account.updated"}, None),
        ({"type": "account.updated", "account": 7}, None),
        ({"type": "v2.core.account.closed", "related_object": {"id": None, "url": None}}, None),
        ({"type": "payment_intent.succeeded", "account": "acct_9"}, None),
        ({}, None),
    ],
)
def test_which_account_an_event_is_about(event: dict[str, object], account: str | None) -> None:
    assert account_named(event) == account


def test_events_about_other_things_are_not_ours() -> None:
    assert not is_about_account("payout.paid")
    assert not is_about_account("v2.core.event_destination.ping")
    assert is_about_account("v2.core.account.closed")
