"""What a case means and what to do about it, in words for the admin who takes it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from payments.reconciliation_findings import MISSING_INTENT, Finding, Kind

_BY_KIND: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "missing_here": (
            "Money moved at Stripe that our books do not have, even after reading it again. Look at it in "
            "Stripe's Dashboard: another program's, or made after the moment a backup was restored to."
        ),
        "missing_there": (
            "Our books have what Stripe never moved. Read the order's trail, and run `marketplace verify`: "
            "a posting may have been written by hand."
        ),
        "amount": (
            "Both have it, with another amount. Compare the payment in Stripe's Dashboard with its trail."
        ),
        "currency": (
            "Stripe converted it: the platform has no balance in this currency, and what the conversion and "
            "Stripe cost is in its balance transactions only. Add a bank account in the currency at Stripe."
        ),
        "fee": (
            "The fee or Stripe's price of it differs. Compare the application fee in Stripe's Dashboard with "
            "the order's trail."
        ),
        "status": (
            "It is at another point of its life at Stripe, and could not be taken in. The log says why: "
            "`could not be taken in`."
        ),
        "skipped_transfer": (
            "The buyer was charged and the seller got nothing. Send their share by a transfer at "
            "Stripe whose metadata has `charge_id` and this charge's id: it is tied to the payment by that."
        ),
        "dashboard_refund": (
            "Somebody refunded at Stripe, and it could not be taken in. The log says why: "
            "`could not be taken in`."
        ),
        "unknown_type": (
            "The platform's balance moved in a way that this program does not know. Look at the movement in "
            "Stripe's Dashboard; a new product of Stripe's, say."
        ),
        "balance": (
            "The sums of a currency do not agree. The other cases of the same run usually explain it: once "
            "nothing differs any more, counted from where it began, the next run closes this one too."
        ),
        "transfer_refused": (
            "The seller is owed this money and Stripe will not send it. Fund the platform's balance, or see "
            "why the account cannot receive; then try the case again. Once it is sent the case is resolved."
        ),
    }
)
_MADE_BY_HAND: Final = (
    "Money was moved by hand, of no charge. If it was for an order, say which: its metadata needs "
    "`charge_id`. Else ask for an adjustment of the seller's account with this id as the reason, and "
    "resolve the case."
)
_INTENT_MISSING: Final = (
    "Stripe does not know this PaymentIntent. Is STRIPE_SECRET_KEY that of the account the payment was made "
    "with, and was the database not restored from another? With the right key the next run closes this case. "
    "Else an order that is not paid ends by being canceled or by time; what was captured cannot be "
    "refunded through Stripe: settle it with the buyer, and ask for an adjustment with this id as the reason."
)
_BY_WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        MISSING_INTENT: _INTENT_MISSING,
        "movement:transfer": _MADE_BY_HAND,
        "movement:transfer_refund": _MADE_BY_HAND,
    }
)


def to_do(found: Finding) -> str:
    """What is wrong and the next step. A case whose difference is gone resolves itself at the next run."""
    return _BY_WHAT.get(found.what, _BY_KIND[found.kind])
