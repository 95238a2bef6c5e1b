"""The one table from error to answer: class -> status, stable code, title, and the fields it shows.

A class that is not here is answered as its nearest base class that is; what has none is a bug, a 500.
`code` is stable: programs may depend on it. `detail` may name shown fields in braces.
"""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec

from connect import errors as connect
from marketplace.orders import errors as orders
from marketplace.people import errors as people
from payments import declines
from payments import errors as payments


class Answer(msgspec.Struct, frozen=True):
    """How an error is told. `fields` are the error's attributes that the caller may see."""

    status: int
    code: str
    title: str
    fields: tuple[str, ...] = ()
    detail: str = ""
    retry_after_seconds: int | None = None


def _declined(error: Any) -> Answer:
    reason = declines.reason_of(error.code, error.decline_code, error.advice_code)
    advice = declines.advice_on(reason, error.advice_code)
    status = 409 if reason in {"already_paid", "checkout_expired", "seller_unavailable"} else 402
    return Answer(status, reason, "The payment was declined", detail=advice.text)


def _rejected(error: Any) -> Answer:
    if error.code in {"amount_too_small", "amount_too_large"}:
        return Answer(422, "amount_invalid", "This amount cannot be charged")
    return Answer(409, "payment_rejected", "Stripe refused this step of the payment")


def _interface(error: Any) -> Answer | None:
    # asyncpg has one class for a lost connection and for a programmer's mistake (a wrong argument is
    # a ValueError too, and quotes the argument): only the first is foreseen.
    lost = not isinstance(error, ValueError) and "clos" in str(error)
    return DATABASE_AWAY if lost else None


DATABASE_AWAY = Answer(
    503, "database_unavailable", "The database cannot be reached", retry_after_seconds=2
)
_BUSY = Answer(503, "busy", "Too much is happening to this object at once", retry_after_seconds=1)
_NOT_FOUND = "There is nothing here, or it is not yours"
INTERNAL = Answer(500, "internal_error", "Something went wrong on our side")

Entry = Answer | Callable[[Any], Answer | None]

PEOPLE: dict[type[BaseException], Entry] = {
    people.EmailRefused: Answer(422, "email_refused", "This is not an e-mail address we can use"),
    people.NameRefused: Answer(
        422,
        "name_refused",
        "A name has visible characters only",
        ("limit",),
        "1 to {limit} characters, none of them a control character.",
    ),
    people.PasswordRefused: Answer(
        422,
        "password_refused",
        "Choose another password",
        ("why", "limit"),
        "At least 8 characters, better 15; not a common one, and not your name or e-mail.",
    ),
    people.EmailTaken: Answer(409, "email_taken", "An account with this e-mail exists"),
    people.CredentialsWrong: Answer(
        401, "credentials_wrong", "E-mail and password do not belong together"
    ),
    people.TooManyTries: Answer(
        429, "too_many_tries", "Too many tries: wait before the next", ("retry_after_seconds",)
    ),
    people.HashingBusy: Answer(
        503, "sign_in_busy", "Too many people are signing in at once", retry_after_seconds=2
    ),
    people.NotSignedIn: Answer(401, "not_signed_in", "Sign in, or send an API key", ("why",)),
    people.AccountNotFound: Answer(404, "account_not_found", "There is no such account"),
    people.ApiKeyNotFound: Answer(404, "api_key_not_found", _NOT_FOUND),
    people.TooManyApiKeys: Answer(
        409, "too_many_api_keys", "Revoke a key before making another", ("limit",)
    ),
    people.ScopeRefused: Answer(
        422, "scope_refused", "You cannot give a key this scope", ("scope", "allowed")
    ),
    people.ExpiryRefused: Answer(
        422, "expiry_refused", "A key ends in the future, within the limit", ("limit_days",)
    ),
}

ORDERS: dict[type[BaseException], Entry] = {
    orders.OrderNotFound: Answer(404, "order_not_found", _NOT_FOUND),
    orders.OrderStepRefused: Answer(
        409, "order_step_refused", "The order's status does not allow this", ("status", "step")
    ),
    orders.PaidAlready: Answer(
        409, "order_paid", "The order is paid: refund it instead", ("order_id",)
    ),
    orders.HoldLapsing: Answer(
        409,
        "hold_lapsing",
        "The bank's hold ends too soon to capture safely",
        ("order_id", "capture_before"),
    ),
    orders.OrderKeyReused: Answer(
        422,
        "idempotency_key_reused",
        "The Idempotency-Key was used for another order",
        ("order_id",),
    ),
    orders.LinesRefused: Answer(422, "lines_refused", "These lines cannot be one order"),
    orders.NoLines: Answer(422, "no_lines", "An order has at least one line"),
    orders.TooManyLines: Answer(
        422, "too_many_lines", "An order has fewer lines", ("count", "limit")
    ),
    orders.QuantityRefused: Answer(
        422,
        "quantity_refused",
        "This quantity cannot be ordered",
        ("listing_id", "quantity", "limit"),
    ),
    orders.ListingRepeated: Answer(
        422, "listing_repeated", "A listing is named once, with its quantity", ("listing_id",)
    ),
    orders.ListingNotOffered: Answer(
        422, "listing_not_offered", "This listing is not offered", ("listing_id",)
    ),
    orders.SeveralSellers: Answer(
        422, "several_sellers", "An order has one seller: make one for each", ("seller_ids",)
    ),
    orders.SeveralCurrencies: Answer(
        422, "several_currencies", "An order has one currency: make one for each", ("currencies",)
    ),
    orders.MixedCapture: Answer(
        422, "mixed_capture", "Sessions and products cannot share an order: make one for each"
    ),
    orders.OwnListing: Answer(
        422, "own_listing", "A seller may not buy from themself", ("seller_id",)
    ),
}

CONNECT: dict[type[BaseException], Entry] = {
    connect.AccountNotFound: Answer(
        404, "connected_account_not_found", "There is no connected account yet"
    ),
    connect.AccountNotOpened: Answer(
        409, "connected_account_refused", "Stripe refused to open the account"
    ),
    connect.LinkRefused: Answer(409, "link_refused", "Stripe refused to make this link"),
    connect.AccountIsClosed: Answer(
        409, "connected_account_closed", "The connected account was closed"
    ),
    connect.OnboardingIncomplete: Answer(
        409, "onboarding_incomplete", "Finish onboarding first", ("state",)
    ),
}

PAYMENTS: dict[type[BaseException], Entry] = {
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
        409, "payment_step_refused", "The payment's status does not allow this", ("step", "status")
    ),
    payments.RefundExceedsCaptured: Answer(
        422,
        "refund_exceeds_captured",
        "More than what is left to refund",
        ("asked", "refundable", "currency"),
    ),
    payments.RequestReused: Answer(
        422, "idempotency_key_reused", "The Idempotency-Key was used for another request"
    ),
    payments.PaymentNotFound: Answer(404, "payment_not_found", _NOT_FOUND),
    payments.RefundNotFound: Answer(404, "refund_not_found", _NOT_FOUND),
    payments.StripeRejected: _rejected,
    payments.CardDeclined: _declined,
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
DATABASE: dict[type[BaseException], Entry] = {
    asyncpg.PostgresConnectionError: DATABASE_AWAY,
    asyncpg.OperatorInterventionError: DATABASE_AWAY,
    asyncpg.InsufficientResourcesError: DATABASE_AWAY,
    asyncpg.ReadOnlySQLTransactionError: DATABASE_AWAY,
    asyncpg.InternalClientError: DATABASE_AWAY,
    asyncpg.InterfaceError: _interface,
    ConnectionError: DATABASE_AWAY,
    TimeoutError: _BUSY,
    asyncpg.QueryCanceledError: _BUSY,
    asyncpg.LockNotAvailableError: _BUSY,
    asyncpg.DeadlockDetectedError: _BUSY,
    asyncpg.SerializationError: _BUSY,
}

TABLE: dict[type[BaseException], Entry] = PEOPLE | ORDERS | CONNECT | PAYMENTS | DATABASE


def answer_to(error: BaseException) -> Answer | None:
    """How `error` is told, by its nearest class in the table; None for what nobody foresaw."""
    for kind in type(error).__mro__:
        entry = TABLE.get(kind)
        if entry is not None:
            return entry if isinstance(entry, Answer) else entry(error)
    return None
