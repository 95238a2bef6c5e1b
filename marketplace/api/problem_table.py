"""The one table from error to answer: class -> status, stable code, title, and the fields it shows.

A class that is not here is answered as its nearest base class that is; what has none is a bug, a 500.
The marketplace's own errors are in `problem_entries`; connect's, payments' and the database's here.
"""

from typing import Any

import asyncpg

from connect import errors as connect
from marketplace.api.problem_answers import NOT_FOUND, Answer, Table
from marketplace.api.problem_entries.fees import FEES
from marketplace.api.problem_entries.orders import ORDERS
from marketplace.api.problem_entries.oversight import APPROVALS, BOOKS, OVERSIGHT
from marketplace.api.problem_entries.papers import PAPERS
from marketplace.api.problem_entries.people import CATALOG, MESSAGES, PEOPLE, SELLERS
from marketplace.api.refusals import REFUSALS
from payments import declines
from payments import errors as payments

INTERNAL = Answer(500, "internal_error", "Something went wrong on our side")
DATABASE_AWAY = Answer(
    503, "database_unavailable", "The database cannot be reached", retry_after_seconds=2
)
_BUSY = Answer(503, "busy", "Too much is happening to this object at once", retry_after_seconds=1)

_DECLINED = "The payment was declined"
_REJECTED = Answer(409, "payment_rejected", "Stripe refused this step of the payment")


def _declined(error: Any) -> Answer:
    reason = declines.reason_of(error.code, error.decline_code)
    advice = declines.advice_on(reason, error.advice_code)
    status = 409 if reason in {"already_paid", "checkout_expired", "seller_unavailable"} else 402
    return Answer(
        status, reason, _DECLINED, detail=advice.text, data={"same_card": advice.same_card}
    )


def _not_again(error: Any) -> Answer:
    """As the decline was: a second no must not tell a stolen card from a plain one."""
    advice = declines.advice_on(error.reason)
    return Answer(402, error.reason, _DECLINED, detail=advice.text, data={"same_card": False})


def _rejected(error: Any) -> Answer:
    if error.code in {"amount_too_small", "amount_too_large"}:
        return Answer(422, "amount_invalid", "This amount cannot be charged")
    return _REJECTED


def _interface(error: Any) -> Answer | None:
    # asyncpg has one class for a lost connection and for a programmer's mistake (a wrong argument is
    # a ValueError too, and quotes the argument): only the first is foreseen.
    lost = not isinstance(error, ValueError) and "clos" in str(error)
    return DATABASE_AWAY if lost else None


CONNECT: Table = {
    connect.AccountNotFound: Answer(
        404, "connected_account_not_found", "There is no connected account yet"
    ),
    connect.AccountNotOpened: Answer(
        409, "connected_account_refused", "Stripe refused to open the account"
    ),
    connect.LinkRefused: Answer(409, "link_refused", "Stripe refused to make this link"),
    connect.PayoutNotFound: Answer(404, "payout_not_found", NOT_FOUND),
    connect.BalanceUnreadable: Answer(
        409, "balance_unreadable", "Stripe does not show this balance"
    ),
    connect.AccountIsClosed: Answer(
        409, "connected_account_closed", "The connected account was closed"
    ),
    connect.OnboardingIncomplete: Answer(
        409, "onboarding_incomplete", "Finish onboarding first", ("state",)
    ),
}

PAYMENTS: Table = {
    payments.CurrencyUnknown: Answer(422, "currency_unknown", "We do not know this currency"),
    payments.CurrencyMismatch: Answer(
        422, "currency_mismatch", "Two currencies met", ("left", "right")
    ),
    payments.AmountNotChargeable: Answer(
        422,
        "amount_invalid",
        "This amount cannot be charged",
        ("why", "amount", "currency", "limit"),
    ),
    payments.PaymentRefused: Answer(409, "payment_refused", "The payment does not allow this"),
    payments.PaymentStepRefused: Answer(
        409,
        "payment_step_refused",
        "The payment's status does not allow this",
        ("payment_status", "step"),
    ),
    payments.RefundExceedsCaptured: Answer(
        422,
        "refund_exceeds_captured",
        "More than what is left to refund",
        ("asked", "refundable", "currency"),
    ),
    payments.PaymentDisputed: Answer(
        409,
        "payment_disputed",
        "The buyer's bank is taking the money back: it cannot be refunded too",
        ("dispute_id",),
    ),
    payments.RequestReused: Answer(
        422, "idempotency_key_reused", "The Idempotency-Key was used for another request"
    ),
    payments.DisputeStepRefused: Answer(
        409,
        "dispute_step_refused",
        "The dispute does not allow this any more",
        ("step", "dispute_status"),
    ),
    payments.EvidenceRefused: Answer(
        422, "evidence_refused", "The bank cannot be sent this", ("why", "field")
    ),
    payments.DisputeNotFound: Answer(404, "dispute_not_found", NOT_FOUND),
    payments.PaymentNotFound: Answer(404, "payment_not_found", NOT_FOUND),
    payments.CardNotToBeRetried: _not_again,
    payments.CardNotFound: Answer(404, "card_not_found", NOT_FOUND),
    payments.CardSetupNotFound: Answer(404, "card_setup_not_found", NOT_FOUND),
    payments.RefundNotFound: Answer(404, "refund_not_found", NOT_FOUND),
    payments.DebtNotFound: Answer(404, "debt_not_found", NOT_FOUND),
    payments.DebtClosed: Answer(409, "debt_closed", "Nothing is left of this debt", ("debt_id",)),
    payments.NothingToTakeBack: Answer(
        409,
        "nothing_to_take_back",
        "What the order had sent to its seller is taken back already",
        ("debt_id",),
    ),
    payments.StripeRejected: _rejected,
    payments.CardDeclined: _declined,
    payments.IntentMissing: Answer(
        409,
        "payment_missing",
        "Stripe does not know this payment any more: an order that is not paid can be canceled",
    ),
    payments.SellerCannotReceive: Answer(
        409, "seller_unavailable", "The seller cannot be paid at the moment: nothing was charged"
    ),
    payments.PaymentsUnavailable: Answer(
        503,
        "payments_unavailable",
        "Stripe gave no answer: asking again is safe",
        retry_after_seconds=5,
    ),
    payments.NotSent: Answer(
        503,
        "payments_busy",
        "Stripe is busy, nothing was done: ask again",
        retry_after_seconds=2,
    ),
    payments.SignatureRefused: Answer(
        400, "signature_refused", "Nobody we know has signed this", ("why",)
    ),
    payments.DatabaseUnavailable: DATABASE_AWAY,
}

# What PostgreSQL may do to anyone; a constraint that was not foreseen is a bug and has no place here.
DATABASE: Table = {
    asyncpg.PostgresConnectionError: DATABASE_AWAY,
    asyncpg.OperatorInterventionError: DATABASE_AWAY,
    asyncpg.InsufficientResourcesError: DATABASE_AWAY,
    asyncpg.ReadOnlySQLTransactionError: DATABASE_AWAY,
    asyncpg.InternalClientError: DATABASE_AWAY,
    asyncpg.InterfaceError: _interface,
    # asyncpg lets a socket's own errors through: refused, no such file, no such host, no route.
    OSError: DATABASE_AWAY,
    TimeoutError: _BUSY,
    asyncpg.QueryCanceledError: _BUSY,
    asyncpg.LockNotAvailableError: _BUSY,
    asyncpg.DeadlockDetectedError: _BUSY,
    asyncpg.SerializationError: _BUSY,
}

TABLE: Table = (
    PEOPLE
    | SELLERS
    | CATALOG
    | ORDERS
    | FEES
    | MESSAGES
    | BOOKS
    | PAPERS
    | APPROVALS
    | OVERSIGHT
    | CONNECT
    | PAYMENTS
    | DATABASE
)


def known_codes() -> dict[str, Answer]:
    """Every code of this table, with the declines that are found from an error's data."""
    answers = [entry for entry in TABLE.values() if isinstance(entry, Answer)]
    declined = [Answer(402, reason, _DECLINED) for reason in declines.REASONS]
    return {each.code: each for each in (*declined, *answers, _REJECTED, INTERNAL)}


def require_meaning(code: str) -> tuple[int, str]:
    """The status and title of a problem's code. Raises KeyError for one that no answer has."""
    if code in REFUSALS:
        status, title = REFUSALS[code]
        return int(status), title
    answer = known_codes()[code]
    return answer.status, answer.title


def answer_to(error: BaseException) -> Answer | None:
    """How `error` is told, by its nearest class in the table; None for what nobody foresaw."""
    for kind in type(error).__mro__:
        entry = TABLE.get(kind)
        if entry is not None:
            return entry if isinstance(entry, Answer) else entry(error)
    return None
