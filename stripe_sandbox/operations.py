"""Every module that plays an operation of Stripe; importing it registers them all."""

from importlib import import_module
from importlib.util import find_spec

ALL = [
    import_module(f".{n}", __package__)
    for n in (
        "accounts",
        "account_links",
        "events",
        "payment_intents",
        "payment_methods",
        "customers",
        "charges",
        "cards",
        "refunds",
        "transfers",
        "application_fees",
        "balances",
    )
    if find_spec(f".{n}", __package__)
]
