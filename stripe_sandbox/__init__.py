"""A Stripe with memory on loopback, for development, tests and demonstrations.

It decides nothing about the marketplace: it plays Stripe (API version 2026-10-28.endive) for a
platform that makes destination charges, and imports none of the marketplace's packages. Real
Stripe and the sandbox are swapped by configuration alone: API base, script URL, keys.

Start it with `python -m stripe_sandbox`, or inside a test with `server.running_sandbox`. Beside
Stripe's paths it answers `/_sandbox` (a list of its controls: clock, faults, deliveries, ...).

Buyers' cards are kept as at Stripe: attached to a Customer, set up by a SetupIntent or by paying
with `setup_future_usage`, and then charged with the buyer or `off_session`, with 3-D Secure where
the card's bank asks for it. SetupIntents take cards only; ConfirmationTokens, CustomerSessions
and raw `payment_method_data` are refused or unknown.

What happens without the platform happens here too, by test cards, by the moved clock, or by the
controls: disputes and inquiries with evidence, deadlines and every outcome, early fraud warnings,
refunds that are pending, fail, wait for money, are canceled or were made in the Dashboard, payouts
of connected accounts every midnight and banks that refuse them, balances below zero.

It is honest about what it does not simulate: subscriptions, Checkout Sessions, Radar's rules,
files (evidence is text only), appeals of lost disputes, payout schedules other than daily and
manual, instant payouts, the platform's automatic payouts, reserves and collections for connected
accounts below zero, and v1 account creation are not here. A call to an operation that is not here
answers 404 `unrecognized request URL` as Stripe answers for a path it does not know.
"""
