"""Why a payout failed and what its seller can do, in plain words. Pure.

Source of the codes: Stripe's payout failure codes (docs.stripe.com/api/payouts/failures).
"""

from typing import Final

import msgspec


class FailureAdvice(msgspec.Struct, frozen=True):
    """What happened, and what the seller does about it."""

    explanation: str
    what_to_do: str


_DETAILS: Final = (
    "Correct the bank account in your Stripe dashboard; the money is paid out again then."
)
_OTHER: Final = (
    "Add another bank account in your Stripe dashboard; the money is paid out again then."
)
_ASK_BANK: Final = (
    "Ask your bank to accept payouts from Stripe, or add another account in your Stripe dashboard."
)

_ADVICE: Final[dict[str, FailureAdvice]] = {
    "account_closed": FailureAdvice("Your bank account has been closed.", _OTHER),
    "account_frozen": FailureAdvice("Your bank account is frozen.", _ASK_BANK),
    "bank_account_restricted": FailureAdvice(
        "Your bank restricts which payouts, or how many, this account may receive.", _ASK_BANK
    ),
    "bank_ownership_changed": FailureAdvice(
        "Your bank was taken over, and the account's numbers have changed.", _DETAILS
    ),
    "could_not_process": FailureAdvice("Your bank could not take the payout in.", _ASK_BANK),
    "debit_not_authorized": FailureAdvice(
        "Your bank does not allow Stripe to debit this account.", _ASK_BANK
    ),
    "declined": FailureAdvice("Your bank declined the payout.", _ASK_BANK),
    "incorrect_account_address": FailureAdvice(
        "The account holder's address is not the one your bank knows.", _DETAILS
    ),
    "incorrect_account_holder_address": FailureAdvice(
        "The account holder's address is not the one your bank knows.", _DETAILS
    ),
    "incorrect_account_holder_name": FailureAdvice(
        "The account holder's name is not the one your bank knows.", _DETAILS
    ),
    "incorrect_account_holder_tax_id": FailureAdvice(
        "The account holder's tax number is not the one your bank knows.", _DETAILS
    ),
    "incorrect_account_type": FailureAdvice("The bank account is of another type.", _DETAILS),
    "insufficient_funds": FailureAdvice(
        "Your Stripe balance had too little for it, because of refunds or disputes since.",
        "Nothing: what is there is paid out with the next payout.",
    ),
    "invalid_account_number": FailureAdvice("The account number is wrong.", _DETAILS),
    "invalid_account_number_length": FailureAdvice(
        "The account number has too few or too many digits.", _DETAILS
    ),
    "invalid_currency": FailureAdvice(
        "The bank account cannot receive this currency.",
        "Add a bank account in the payout's currency in your Stripe dashboard.",
    ),
    "no_account": FailureAdvice("The bank knows no such account.", _DETAILS),
    "unsupported_card": FailureAdvice("Your card can no longer receive payouts.", _OTHER),
}
_UNKNOWN: Final = FailureAdvice(
    "The payout did not reach your bank account.",
    "Look at the bank account in your Stripe dashboard, or ask us.",
)


def advice_on(failure_code: str | None) -> FailureAdvice:
    """What to tell the seller; something true even for a code that is new to us."""
    return _ADVICE.get(failure_code or "", _UNKNOWN)
