"""What the worker looks after, by area, and how often (seconds) when nothing wakes it."""

from connect.event_feeds import follow_accounts
from marketplace.api import idempotency
from marketplace.books import chains
from marketplace.invariants import check
from marketplace.oversight import inbox_news, switches
from marketplace.people import limits, mailed_links, sessions
from marketplace.services import Services
from marketplace.worker import Sweep


def sweeps_of(services: Services) -> tuple[Sweep, ...]:
    """Every sweep of the program."""
    areas = (
        _hearing,
        _asking,
        _checkouts,
        _orders,
        _people,
        _sellers,
        _books,
        _oversight,
        _forgetting,
    )
    return tuple(sweep for area in areas for sweep in area(services))


def _hearing(services: Services) -> tuple[Sweep, ...]:
    """What Stripe tells, and what it should have told."""
    return (
        Sweep(
            name="events",
            run_once=services.inbox.process_due,
            every_seconds=1,
            limit=20,
            # At a Stripe that answers in a tenth of a second: a hundred reads a second.
            lanes=12,
            woken=True,
        ),
        Sweep(
            name="missed_events",
            run_once=services.event_catch_up.catch_up,
            every_seconds=30,
            limit=100,
        ),
        Sweep(name="event_feeds", run_once=follow_accounts, every_seconds=300, limit=1000),
        Sweep(
            name="silence",
            run_once=inbox_news.watch_silence,
            every_seconds=900,
            limit=1,
        ),
    )


def _asking(services: Services) -> tuple[Sweep, ...]:
    """What Stripe is asked for, again and anew."""
    return (
        Sweep(
            name="operations",
            run_once=services.operations.resume_due,
            every_seconds=2,
            limit=50,
            lanes=4,
        ),
        Sweep(
            name="payments",
            run_once=services.payments.refresh_due,
            every_seconds=15,
            limit=25,
            lanes=2,
        ),
        Sweep(name="cards", run_once=services.cards.refresh_due, every_seconds=30, limit=50),
        Sweep(name="accounts", run_once=services.accounts.refresh_due, every_seconds=5, limit=20),
        Sweep(name="payouts", run_once=services.payouts.refresh_due, every_seconds=30, limit=20),
        Sweep(
            name="payout_lists", run_once=services.payouts.import_due, every_seconds=60, limit=20
        ),
    )


def _checkouts(services: Services) -> tuple[Sweep, ...]:
    """Carts that nobody can or will pay, and what was kept for them."""
    return (
        Sweep(
            name="group_cards", run_once=services.group_cards.let_go_due, every_seconds=60, limit=50
        ),
        Sweep(name="checkouts", run_once=services.expiry.expire_due, every_seconds=30, limit=50),
        Sweep(
            name="unpayable checkouts",
            run_once=services.expiry.mark_unpayable,
            every_seconds=60,
            limit=200,
        ),
    )


def _orders(services: Services) -> tuple[Sweep, ...]:
    """Orders and disputes whose time has come."""
    return (
        Sweep(name="deadlines", run_once=services.deadlines.run_due, every_seconds=30, limit=50),
        Sweep(
            name="completions",
            run_once=services.completion.complete_due,
            every_seconds=60,
            limit=100,
        ),
        Sweep(
            name="disputes",
            run_once=services.stripe_disputes.refresh_due,
            every_seconds=60,
            limit=50,
        ),
        Sweep(
            name="dispute_list",
            run_once=services.stripe_disputes.discover,
            every_seconds=3600,
            limit=1000,
        ),
        Sweep(
            name="dispute_deadlines",
            run_once=services.disputes.remind_due,
            every_seconds=300,
            limit=100,
        ),
    )


def _people(services: Services) -> tuple[Sweep, ...]:
    """What people asked for who are not signed in."""
    return (
        Sweep(
            name="mailed_links",
            run_once=services.people.forgotten.mail_asked,
            every_seconds=1,
            limit=50,
        ),
    )


def _sellers(services: Services) -> tuple[Sweep, ...]:
    """What sellers are told, owe, and may not be paid out."""
    return (
        Sweep(name="messages", run_once=services.sending.send_due, every_seconds=2, limit=20),
        Sweep(
            name="webhooks",
            run_once=services.deliveries.deliver_due,
            every_seconds=1,
            limit=20,
            lanes=2,
        ),
        Sweep(name="papers", run_once=services.papers.run_once, every_seconds=60, limit=25),
        Sweep(name="debts", run_once=services.debts.net_due, every_seconds=60, limit=50),
        Sweep(name="payout_holds", run_once=services.freezes.hold_due, every_seconds=60, limit=20),
        Sweep(name="kept_holds", run_once=services.freezes.keep_held, every_seconds=900, limit=50),
    )


def _books(services: Services) -> tuple[Sweep, ...]:
    """Fees, chains and reconciliation."""
    return (
        Sweep(name="chains", run_once=chains.seal_due, every_seconds=5, limit=1000),
        Sweep(name="chain_heads", run_once=chains.tell_heads, every_seconds=86_400, limit=1),
        Sweep(
            name="fee_review",
            run_once=services.fee_review.folding.run_once,
            every_seconds=1,
            limit=1000,
        ),
        Sweep(name="fee_replays", run_once=services.fee_replays.run_once, every_seconds=2, limit=1),
        Sweep(
            name="reconciliation",
            run_once=services.reconciliation.run_once,
            every_seconds=5,
            limit=1,
        ),
    )


def _oversight(services: Services) -> tuple[Sweep, ...]:
    """What is watched, and what ends by itself."""
    return (
        Sweep(
            name="invariants",
            run_once=check.check_recent,
            every_seconds=300,
            limit=check.SHOWN,
        ),
        Sweep(
            name="stuck_operations",
            run_once=services.operation_desk.watch,
            every_seconds=900,
            limit=1,
        ),
        Sweep(name="switches", run_once=switches.end_expired, every_seconds=60, limit=100),
        Sweep(
            name="approvals", run_once=services.approvals.expire_due, every_seconds=600, limit=100
        ),
    )


def _forgetting(services: Services) -> tuple[Sweep, ...]:
    """What is no longer needed."""
    return (
        Sweep(name="sessions", run_once=sessions.sweep, every_seconds=600, limit=1000),
        Sweep(name="old_mailed_links", run_once=mailed_links.sweep, every_seconds=600, limit=1000),
        Sweep(name="limits", run_once=limits.sweep, every_seconds=600, limit=1000),
        Sweep(name="idempotency", run_once=idempotency.sweep, every_seconds=600, limit=1000),
        Sweep(
            name="old_fee_replays",
            run_once=services.fee_replays.forget_old,
            every_seconds=3600,
            limit=50,
        ),
        Sweep(
            name="old_events",
            run_once=services.retention.forget_ignored_events,
            every_seconds=600,
            limit=1000,
        ),
        Sweep(
            name="old_messages",
            run_once=services.retention.forget_messages,
            every_seconds=600,
            limit=1000,
        ),
        Sweep(
            name="old_webhooks",
            run_once=services.retention.forget_webhooks,
            every_seconds=600,
            limit=1000,
        ),
    )
