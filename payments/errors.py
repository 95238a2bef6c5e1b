"""What can go wrong in payments. Classes carry data, not sentences, and no HTTP.

PaymentError
|-- PaymentRefused            our rule says no; nothing was asked of Stripe
|   |-- AmountNotChargeable     below the minimum, above the maximum, or not a legal step of the currency
|   |-- CurrencyUnknown
|   |-- CurrencyMismatch
|   |-- PaymentStepRefused      the payment's status does not allow this
|   |-- RefundExceedsCaptured
|   |-- PaymentDisputed         a dispute is open: the bank takes the money itself
|   |-- CardNotToBeRetried      the bank said never to try this card again
|   |-- DisputeStepRefused      the dispute's status does not allow this
|   |-- EvidenceRefused         Stripe would not take such evidence
|   |-- DebtClosed              nothing is left of this debt
|   |-- NothingToTakeBack       the transfers of a debt's order hold nothing any more
|   `-- RequestReused           the same idempotency key with other parameters
|-- PaymentNotFound
|-- RefundNotFound
|-- DebtNotFound
|-- CardNotFound
|-- CardSetupNotFound
|-- DisputeNotFound
|-- StripeRejected            Stripe gave a definite no
|   |-- CardDeclined            the bank's no, or what the card form got wrong
|   |-- SellerCannotReceive     Stripe's no to the destination
|   `-- IntentMissing           Stripe does not know a PaymentIntent that it made
|-- PaymentsUnavailable       no answer, or an answer that may still come: safe to ask again
|   |-- NotSent                 Stripe certainly did nothing (429, connection refused)
|   `-- OutcomeUnknown          Stripe may have done it (timeout, reset, 5xx, unreadable)
|-- StripeMisconfigured       our key or our request is wrong: an operator must look
|-- SnapshotContradicts       Stripe's object is not the one our row asked for
|-- SignatureRefused          a webhook that nobody we know has signed
|-- DatabaseUnavailable
`-- NoTransaction / TransactionOpen   programmer errors
"""

from typing import Any, Final

MISSING: Final = "resource_missing"
"""Stripe's code for an object that it does not know."""


class PaymentError(Exception):
    """Root of everything payments raises."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class PaymentRefused(PaymentError):
    """Our rule says no; nothing was asked of Stripe."""


class CurrencyUnknown(PaymentRefused):
    """Stripe does not take this currency, or it is not a lower-case ISO code."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class CurrencyMismatch(PaymentRefused):
    """Two amounts of different currencies met."""

    def __init__(self, left: str, right: str) -> None:
        self.left, self.right = left, right
        super().__init__(left, right)


class AmountNotChargeable(PaymentRefused):
    """The amount cannot be charged: `why` is `too_small`, `too_large` or `not_whole`."""

    def __init__(self, why: str, *, amount: int, currency: str, limit: int) -> None:
        self.why, self.amount, self.currency, self.limit = why, amount, currency, limit
        super().__init__(why, amount, currency, limit)


class PaymentStepRefused(PaymentRefused):
    """The payment's status does not allow `step`."""

    def __init__(self, step: str, *, payment_status: str) -> None:
        self.step, self.payment_status = step, payment_status
        super().__init__(step, payment_status)


class RefundExceedsCaptured(PaymentRefused):
    """More than what is left to refund was asked for. Minor units."""

    def __init__(self, *, asked: int, refundable: int, currency: str) -> None:
        self.asked, self.refundable, self.currency = asked, refundable, currency
        super().__init__(asked, refundable, currency)


class DisputeStepRefused(PaymentRefused):
    """The dispute's status (Stripe's word, or `overdue`) does not allow `step`."""

    def __init__(self, step: str, *, status: str) -> None:
        self.step, self.dispute_status = step, status
        super().__init__(step, status)


class EvidenceRefused(PaymentRefused):
    """Stripe would not take it: `why` is `unknown_field`, `nothing_said` or `too_long`."""

    def __init__(self, why: str, field: str | None) -> None:
        self.why, self.field = why, field
        super().__init__(why, field)


class PaymentDisputed(PaymentRefused):
    """The buyer's bank is taking the money back: refunded too, it would go back twice."""

    def __init__(self, dispute_id: str) -> None:
        self.dispute_id = dispute_id
        super().__init__(dispute_id)


class RequestReused(PaymentRefused):
    """An idempotency key that froze other parameters: a programming error, never sent."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


class PaymentNotFound(PaymentError):
    """No such payment."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class CardNotToBeRetried(PaymentRefused):
    """The bank said never to try this card again for this payment; `reason` is what it was declined for.

    Told to buyers exactly as that decline was: a second no must not tell a stolen card from a plain one.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class CardNotFound(PaymentError):
    """No such saved card, or another person's."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class CardSetupNotFound(PaymentError):
    """No such card setup, or another person's."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class DebtClosed(PaymentRefused):
    """Nothing is left of this debt that could be settled or written off."""

    def __init__(self, debt_id: str) -> None:
        self.debt_id = debt_id
        super().__init__(debt_id)


class NothingToTakeBack(PaymentRefused):
    """The transfers of the order that a debt is of hold nothing any more: it can be netted, or given up."""

    def __init__(self, debt_id: str) -> None:
        self.debt_id = debt_id
        super().__init__(debt_id)


class DebtNotFound(PaymentError):
    """No such debt."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class RefundNotFound(PaymentError):
    """No such refund."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class DisputeNotFound(PaymentError):
    """No such dispute."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(reference)


class StripeRejected(PaymentError):
    """A definite no from Stripe: asking again needs a new key.

    `snapshot` is the PaymentIntent as Stripe showed it beside the no, when it did: the truth to absorb.
    """

    def __init__(
        self,
        code: str,
        *,
        message: str = "",
        http_status: int = 400,
        request_id: str | None = None,
        snapshot: Any = None,
    ) -> None:
        self.code, self.message, self.http_status = code, message, http_status
        self.request_id, self.snapshot = request_id, snapshot
        super().__init__(code, http_status, request_id)


class CardDeclined(StripeRejected):
    """The bank's no. `decline_code` and `advice_code` are Stripe's words (see `declines.py`)."""

    def __init__(
        self,
        code: str,
        *,
        decline_code: str | None = None,
        advice_code: str | None = None,
        message: str = "",
        request_id: str | None = None,
        snapshot: Any = None,
    ) -> None:
        self.decline_code, self.advice_code = decline_code, advice_code
        super().__init__(
            code, message=message, http_status=402, request_id=request_id, snapshot=snapshot
        )


class SellerCannotReceive(StripeRejected):
    """Stripe will not send money to the destination account."""


class IntentMissing(StripeRejected):
    """Stripe does not know the PaymentIntent that it made for us: another account's key is in use, say, or
    this database was made beside another Stripe."""

    def __init__(self, *, message: str = "", request_id: str | None = None) -> None:
        super().__init__(MISSING, message=message, http_status=404, request_id=request_id)


class PaymentsUnavailable(PaymentError):
    """No usable answer from Stripe; asking again is safe."""

    def __init__(self, why: str, *, request_id: str | None = None) -> None:
        self.why, self.request_id = why, request_id
        super().__init__(why, request_id)


class NotSent(PaymentsUnavailable):
    """Stripe certainly did nothing: rate limit, lock timeout, key in use, connection refused."""


class OutcomeUnknown(PaymentsUnavailable):
    """Stripe may have done it. `replayed` tells that a stored 5xx came back: only reading helps."""

    def __init__(self, why: str, *, request_id: str | None = None, replayed: bool = False) -> None:
        self.replayed = replayed
        super().__init__(why, request_id=request_id)


class StripeMisconfigured(PaymentError):
    """Our key, our permissions or our request is wrong (401, 403, unknown parameter)."""

    def __init__(self, code: str, *, message: str = "", request_id: str | None = None) -> None:
        self.code, self.message, self.request_id = code, message, request_id
        super().__init__(code, request_id)


class SnapshotContradicts(PaymentError):
    """Stripe's object differs from our row in a fact that can never change (amount, currency, order)."""

    def __init__(self, field: str, *, ours: object, theirs: object) -> None:
        self.field, self.ours, self.theirs = field, ours, theirs
        super().__init__(field, ours, theirs)


class SignatureRefused(PaymentError):
    """A webhook delivery whose signature, time or shape is not Stripe's."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class DatabaseUnavailable(PaymentError):
    """PostgreSQL cannot be reached."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class NoTransaction(PaymentError):
    """A step that must share a transaction with others was called without one."""


class TransactionOpen(PaymentError):
    """A call to Stripe was about to be made with a transaction open."""
