"""What can go wrong in connect. Classes carry data, not sentences, and no HTTP.

    ConnectError
    |-- AccountNotFound         no connected account of this id, or none of this seller
    |-- AccountNotOpened        Stripe gave a definite no to opening the account
    |-- LinkRefused             Stripe gave a definite no to a link
    |-- BalanceUnreadable       Stripe gave a definite no to showing the account's balance
    |-- PayoutNotFound          no payout of this id, or none of this seller
    |-- AccountIsClosed         a closed account can be neither onboarded nor looked into
    `-- OnboardingIncomplete    the dashboard has nothing to show yet: onboard first

Silence from Stripe stays what payments calls it: NotSent or OutcomeUnknown.
"""

from typing import Any


class ConnectError(Exception):
    """Root of everything connect raises."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class AccountNotFound(ConnectError):
    """No connected account is known by this id, or of this seller."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class AccountNotOpened(ConnectError):
    """Stripe's definite no to a new account; `code` is Stripe's (an unsupported country, ...)."""

    def __init__(self, code: str, *, message: str = "") -> None:
        self.code, self.message = code, message
        super().__init__(code)


class LinkRefused(ConnectError):
    """Stripe's definite no to an onboarding or dashboard link."""

    def __init__(self, code: str, *, message: str = "") -> None:
        self.code, self.message = code, message
        super().__init__(code)


class BalanceUnreadable(ConnectError):
    """Stripe's definite no to showing what an account holds; `code` is Stripe's."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class PayoutNotFound(ConnectError):
    """No payout is known by this id, or it is another seller's: nobody learns which."""

    def __init__(self, payout_id: str) -> None:
        self.payout_id = payout_id
        super().__init__(payout_id)


class AccountIsClosed(ConnectError):
    """The connected account was closed, which is for ever."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        super().__init__(account_id)


class OnboardingIncomplete(ConnectError):
    """The seller has not finished onboarding; `state` is the account's."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(state)
