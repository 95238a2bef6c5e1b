"""What sellers read about their account, their money and their programs. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.messages.kinds import Kind
from marketplace.messages.templates import Text

_CAPABILITY: Final = "/sellers/{seller_id}/payout-capability"

ACCOUNT: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "onboarding_needed": Text(
            "Finish setting up your shop",
            (
                "Stripe needs more from you before you can be paid.",
                "Still missing: {missing}.",
                "Until then nothing of yours can be sold.",
            ),
            "Ask for a new onboarding link and follow it to Stripe: nothing you entered is lost.",
            _CAPABILITY,
        ),
        "account_ready": Text(
            "Your account is ready to be paid",
            ("Stripe has everything it needs: your account can be paid.",),
            None,
            _CAPABILITY,
        ),
        "requirements_due": Text(
            "Stripe needs something from you",
            (
                "You can be paid now, but Stripe wants to know more.",
                "Missing: {missing}.",
                "If it is not there by {deadline_at}, Stripe restricts your account.",
            ),
            "Ask for a new onboarding link and follow it to Stripe.",
            _CAPABILITY,
        ),
        "account_restricted": Text(
            "You cannot be paid at the moment",
            (
                "Stripe has changed what your account may do ({state}): you cannot be paid now.",
                "Missing: {missing}.",
                "Orders that were authorized cannot be prepared until this is solved.",
            ),
            "Ask for a new onboarding link and follow it to Stripe.",
            _CAPABILITY,
        ),
        "seller_approved": Text(
            "Your shop was approved",
            ("The platform has approved {shop}.", "What was said: {reason}"),
            "If Stripe has everything it needs, you can sell now.",
            _CAPABILITY,
        ),
        "seller_rejected": Text(
            "Your shop was not approved",
            ("The platform has looked at {shop} and did not approve it.", "The reason: {reason}"),
            None,
            "/sellers/{seller_id}",
        ),
        "seller_frozen": Text(
            "Your money stands still for now",
            (
                "The platform has frozen the money of {shop}: nothing of yours can be bought or captured, "
                "and Stripe is asked to hold back your automatic payouts.",
                "The reason: {reason}",
            ),
            "Payouts that are on their way already arrive.",
            "/sellers/{seller_id}",
        ),
        "seller_unfrozen": Text(
            "Your money moves again",
            ("The platform has ended the freeze of {shop}.", "What was said: {reason}"),
            None,
            "/sellers/{seller_id}",
        ),
        "seller_suspended": Text(
            "Your shop was suspended",
            (
                "The platform has suspended {shop}: nothing new can be bought of you.",
                "The reason: {reason}",
            ),
            "Orders that were paid are still yours to fulfil.",
            "/sellers/{seller_id}",
        ),
        "seller_reinstated": Text(
            "Your shop is open again",
            ("The suspension of {shop} is over.", "What was said: {reason}"),
            None,
            "/sellers/{seller_id}",
        ),
    }
)

MONEY: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "debt_opened": Text(
            "You owe the platform {amount}",
            (
                "{amount} had to be given back, and your balance at Stripe did not cover it.",
                "It was for order {order_id}.",
            ),
            "It can be kept back from your next sales, if you agree to that.",
            "/sellers/{seller_id}/debts",
        ),
        "debt_settled": Text(
            "{amount} of what you owe was settled",
            ("{amount} of your debt to the platform was settled.", "Left: {left_amount}."),
            None,
            "/sellers/{seller_id}/debts",
        ),
        "debt_written_off": Text(
            "{amount} of what you owe was written off",
            ("The platform does not ask for {amount} any more.", "Left: {left_amount}."),
            None,
            "/sellers/{seller_id}/debts",
        ),
        "share_taken_back": Text(
            "{amount} of your share were taken back",
            ("The platform has taken {amount} back of what you got for order {order_id}.",),
            "If you do not know why, write to the platform.",
            "/orders/{order_id}",
        ),
        # By hand: two admins agreed on it.
        "adjusted_in_favour": Text(
            "{amount} were booked in your favour",
            ("The platform has corrected its books: {amount} are yours.", "The reason: {reason}"),
            "It stands among the adjustments of your earnings.",
            "/sellers/{seller_id}/earnings",
        ),
        "adjusted_against": Text(
            "{amount} were booked against you",
            (
                "The platform has corrected its books: {amount} are not yours.",
                "The reason: {reason}",
            ),
            "If this is not so, write to the platform.",
            "/sellers/{seller_id}/earnings",
        ),
        "payout_paid": Text(
            "{amount} are on your bank account",
            ("Stripe has paid out {amount}; it was to arrive on {arrival_at}.",),
            None,
            "/sellers/{seller_id}/payouts",
        ),
        "payout_failed": Text(
            "A payout of {amount} failed",
            (
                "Your bank did not take {amount}; it was to arrive on {arrival_at}.",
                "{explanation}",
                "{what_to_do}",
                "The money is back on your Stripe balance.",
            ),
            None,
            "/sellers/{seller_id}/payouts",
        ),
        # Payouts below zero: Stripe takes what is missing on the seller's balance from their bank.
        "debit_made": Text(
            "{amount} were taken from your bank account",
            (
                "Your Stripe balance was below zero, so Stripe has debited {amount} from your bank account.",
                "The debit was to reach your balance on {arrival_at}.",
            ),
            None,
            "/sellers/{seller_id}/payouts",
        ),
        "debit_failed": Text(
            "A debit of {amount} from your bank account failed",
            (
                "Your Stripe balance is below zero, and Stripe could not debit {amount} from your bank.",
                "Your bank says: {failure_code}.",
                "Your balance stays below zero until you sell more or the debit succeeds.",
            ),
            "See in your Stripe account that your bank allows Stripe to debit it.",
            "/sellers/{seller_id}/payouts",
        ),
        "papers_issued": Text(
            "Your papers of {month}",
            (
                "The papers of {month} are there: {papers}.",
                "They do not change any more: what happens to their orders later is on later papers.",
            ),
            "Keep them for your books.",
            "/sellers/{seller_id}/papers",
        ),
        "webhook_endpoint_disabled": Text(
            "A webhook endpoint was disabled",
            (
                "Nothing is sent to {url} any more.",
                "The reason: {reason}.",
            ),
            "Repair it, enable it again, and ask for the missed deliveries.",
            "/sellers/{seller_id}/webhook-endpoints/{endpoint_id}",
        ),
    }
)
