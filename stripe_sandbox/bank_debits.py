"""Stripe's test bank accounts (ACH): a debit is accepted at once and decided days later.

Source: https://docs.stripe.com/payments/ach-direct-debit (test accounts).
"""

import hashlib
from dataclasses import dataclass

ROUTING_NUMBER = "110000000"


@dataclass(frozen=True, slots=True)
class BankDebit:
    """One test bank account; `failure` is the code and message of its bank's late no."""

    token: str
    number: str
    failure: tuple[str, str] | None = None

    refund = "succeeds"
    available_at_once = True
    """By the time a debit has succeeded, its money is there."""
    aftermath = None

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same account, everywhere and always."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


BANK_DEBITS: tuple[BankDebit, ...] = (
    BankDebit("pm_usBankAccount_success", "000123456789"),
    BankDebit(
        "pm_usBankAccount_accountClosed",
        "000111111113",
        ("account_closed", "The customer's bank account has been closed."),
    ),
    BankDebit(
        "pm_usBankAccount_noAccount",
        "000111111116",
        ("no_account", "The customer's bank account could not be located."),
    ),
    BankDebit(
        "pm_usBankAccount_insufficientFunds",
        "000222222227",
        ("insufficient_funds", "The customer's account has insufficient funds."),
    ),
    BankDebit(
        "pm_usBankAccount_debitNotAuthorized",
        "000333333335",
        ("debit_not_authorized", "The customer has notified their bank of an unknown debit."),
    ),
)

_BY_TOKEN = {debit.token: debit for debit in BANK_DEBITS}
_BY_FINGERPRINT = {debit.fingerprint: debit for debit in BANK_DEBITS}


def debit_of_token(token: str) -> BankDebit | None:
    """The bank account of `pm_usBankAccount_...`, or None."""
    return _BY_TOKEN.get(token)


def debit_of_fingerprint(fingerprint: str) -> BankDebit:
    """The account behind a PaymentMethod this sandbox made. Raises `KeyError` for another."""
    return _BY_FINGERPRINT[fingerprint]
