"""Every module that plays an operation of Stripe; importing this one registers them all."""

from . import (
    account_links,
    accounts,
    application_fees,
    balances,
    captures,
    charges,
    confirmation,
    customers,
    events,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    reversals,
    transfers,
)

ALL = (
    account_links,
    accounts,
    application_fees,
    balances,
    captures,
    charges,
    confirmation,
    customers,
    events,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    reversals,
    transfers,
)
