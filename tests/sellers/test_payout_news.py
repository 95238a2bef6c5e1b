"""What sellers are told of payouts, and of the ones below zero, which take money from their bank."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from connect.events import PayoutEvent, PayoutFailed, PayoutPaid
from marketplace.messages.texts import letter
from marketplace.sellers.payouts import react
from payments.database import rows, transaction
from payments.ids import new_id
from tests.clocks import MovedClock
from tests.orders.shop import NOON, assembled, database

__all__ = ["database"]

URL = "https://market.example"


async def told(kind: type[PayoutPaid] | type[PayoutFailed], amount: int, **facts: Any) -> str:
    """A payout of that amount happens to a new seller; answers what they read."""
    shop = assembled(MovedClock(NOON))
    owner, seller_id = await shop.a_seller()
    event: PayoutEvent = kind(
        payout_id=new_id("po"),
        account_id="acct_1",
        seller_id=seller_id,
        amount=amount,
        currency="eur",
        arrival_at=NOON + timedelta(days=2),
        occurred_at=NOON,
        **facts,
    )
    async with transaction():
        await react(event)
    [message] = await rows(
        "SELECT kind, facts FROM messages WHERE account_id = $1 AND subject_id = $2",
        owner,
        event.payout_id,
    )
    written = letter(message["kind"], msgspec.json.decode(message["facts"]), URL)
    return " ".join((written.subject, *written.paragraphs))


async def test_a_payout_is_on_the_bank_account(database: None) -> None:
    assert "12.30 EUR are on your bank account" in await told(PayoutPaid, 1_230)


async def test_a_debit_was_taken_from_the_bank_account(database: None) -> None:
    """Stripe takes what a balance lacks from the seller's bank: that is no money for them."""
    said = await told(PayoutPaid, -1_230)
    assert "12.30 EUR were taken from your bank account" in said
    assert "-12.30" not in said
    assert "paid out" not in said


@pytest.mark.parametrize("code", ["debit_not_authorized", None])
async def test_a_debit_that_failed_did_not_come_back_to_the_balance(
    database: None, code: str | None
) -> None:
    said = await told(PayoutFailed, -1_230, failure_code=code, account_closed=False)
    assert "A debit of 12.30 EUR from your bank account failed" in said
    assert "back on your Stripe balance" not in said
    assert ("debit not authorized" in said) == (code is not None)
