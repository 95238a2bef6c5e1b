"""What admins read, and what the parties of an order write to each other. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.messages.kinds import Kind
from marketplace.messages.templates import Text

ACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "debt.write_off": "giving up what a seller owes",
        "fee_credit.grant": "a fee credit for a seller",
        "fee_schedule.retire": "taking a version of the fee rules out of force",
        "ledger.adjustment": "an adjustment of the books",
        "order.refund": "a refund of an order",
        "seller.unfreeze": "ending the freeze of a seller's money",
    }
)
"""What admins approve, by the approval's `action`."""

ADMIN: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "seller_restricted": Text(
            "A seller cannot be paid any more: {shop}",
            (
                "Stripe says of the account of {shop}: {state}.",
                "Before, it was {before}.",
                "Missing: {missing}.",
            ),
            "Orders of theirs that are authorized lapse unless this is solved.",
            "/sellers/{seller_id}",
        ),
        "seller_payout_failed": Text(
            "A payout to a seller failed: {amount}",
            (
                "The bank of seller {seller_id} did not take {amount} (payout {payout_id}).",
                "The bank says: {failure_code}.",
            ),
            "The seller was told what to do.",
            "/sellers/{seller_id}",
        ),
        "order_revived": Text(
            "Money came for an order that had ended: {order_id}",
            ("{buyer} paid {total} to {shop} for {items} after the order had ended.", "{reason}."),
            "See whether it can be fulfilled; refund it if not.",
            "/admin/orders/{order_id}",
        ),
        "capture_refused": Text(
            "An order could not be prepared: {order_id}",
            (
                "{shop} cannot be paid, so nothing was captured for {items}.",
                "The reason: {reason}.",
                "If it is not solved by {prepare_by}, the order of {total} is canceled.",
            ),
            None,
            "/admin/orders/{order_id}",
        ),
        "deadline_escalated": Text(
            "An order is about to lapse: {order_id}",
            (
                "{shop} has not prepared {items} for {buyer}.",
                "{total} are held. At {prepare_by} it is canceled, or captured if the seller chose so.",
            ),
            "Reach the seller, or cancel the order.",
            "/admin/orders/{order_id}",
        ),
        "refund_lost": Text(
            "A refund failed: {order_id}",
            (
                "The bank of {buyer} did not take {amount} back.",
                "What it said: {failure_reason}.",
            ),
            "Nothing tries again by itself: ask for a refund anew, or find another way to the buyer.",
            "/admin/orders/{order_id}",
        ),
        "approval_asked": Text(
            "Somebody asks for your approval",
            ("Asked for: {action}, {subject}.", "Over {amount}.", "Why: {reason}"),
            "Approve or refuse it. Who asked cannot decide.",
            "/admin/approvals/{approval_id}",
        ),
        "fee_draft_submitted": Text(
            "New fee rules wait for approval: {title}",
            ("Why: {reason}",),
            "Read what they change (its findings, a replay), then approve or refuse them. Who wrote them "
            "cannot decide.",
            "/admin/fee-schedules/drafts/{draft_id}",
        ),
        "fee_draft_decided": Text(
            "Your fee rules were {decision}: {title}",
            ("Why: {reason}",),
            "Refused rules can be edited and submitted again.",
            "/admin/fee-schedules/drafts/{draft_id}",
        ),
        "operation_switched_off": Text(
            "An operation was switched off: {operation}",
            ("For {whom}.", "Until {expires_at}.", "What people are told: {reason}"),
            "Any admin may switch it on again.",
            "/admin/switches",
        ),
        "operation_switched_on": Text(
            "An operation was switched on again: {operation}",
            ("For {whom}.", "Why: {reason}"),
            None,
            "/admin/switches",
        ),
        "events_given_up": Text(
            "Events from Stripe were given up",
            (
                "Some of type {type} could not be worked on for three days, among them {event_id}.",
                "The last time: {note}.",
            ),
            "See how many there are, solve the cause, then replay them.",
            "/admin/events?state=dead",
        ),
        "events_missed": Text(
            "Stripe did not deliver some events",
            (
                "{count} were found in Stripe's list ({feed}) and are worked on now.",
                "Their types: {types}.",
            ),
            "See why they were not delivered: the webhook endpoints in Stripe's Dashboard say so.",
            "/admin/events/gaps",
        ),
        "stripe_silent": Text(
            "Stripe has stopped telling us",
            (
                "Money moved at {moved_at}, and no event was delivered since.",
                "The last one came at {last_event_at}.",
                "Until it is solved, payments are read at Stripe by themselves, more slowly.",
            ),
            "Look at the webhook endpoints in Stripe's Dashboard, and at their secrets here.",
            "/admin/events",
        ),
        "stripe_heard": Text(
            "Stripe tells us again",
            (
                "Events are delivered again; the last one came at {last_event_at}.",
                "What was not delivered meanwhile is found in Stripe's list of events.",
            ),
            None,
            "/admin/events/gaps",
        ),
        "operations_stuck": Text(
            "What was asked of Stripe stays open",
            (
                "{count} are open, the longest since {asked_at}: {operation} ({operation_id}).",
                "The last word: {error_code}.",
            ),
            "Resolve them: Stripe is read, and what is found is taken in.",
            "/admin/operations/{operation_id}",
        ),
        "cases_opened": Text(
            "Our books and Stripe's do not agree",
            (
                "Reconciliation found {count} differences that reading Stripe again did not heal.",
                "They are of the kinds: {kinds}.",
            ),
            "Each is a case: take it, find out, and say how it was resolved.",
            "/admin/cases?run_id={run_id}",
        ),
        "transfer_given_up": Text(
            "A seller's money cannot be sent to them",
            (
                "Stripe refused for a month to send {amount} of order {order_id}: {code}.",
                "It is the seller's, and is still with us.",
            ),
            "Fund the platform's balance or look at the seller's account, then try the case again.",
            "/admin/cases/{case_id}",
        ),
        "approval_decided": Text(
            "What you asked for was decided",
            (
                "You asked for: {action}, {subject}.",
                "Over {amount}.",
                "The decision: {decision}.",
                "Why: {reason}",
            ),
            None,
            "/admin/approvals/{approval_id}",
        ),
    }
)

PARTIES: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "order_message": Text(
            "A message about order {order_id}",
            ("{author} wrote:", "{excerpt}"),
            "Answer them there.",
            "/orders/{order_id}/messages",
        ),
    }
)
