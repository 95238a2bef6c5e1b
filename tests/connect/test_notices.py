"""Events about accounts: nudges that lead to one reading, from any order and number of them."""

import msgspec
import pytest

from connect import records
from connect.snapshot import CapabilitySeen
from payments.errors import OutcomeUnknown, PaymentsUnavailable
from payments.ids import new_id
from payments.inbox import Notice
from tests.connect.conftest import Connect, a_seller

CAPABILITY = "v2.core.account[configuration.recipient].capability_status_updated"


def notice(connect: Connect, account_id: str, kind: str = CAPABILITY) -> Notice:
    payload = {"id": new_id("evt"), "type": kind, "related_object": {"id": account_id}}
    return Notice(
        event_id=payload["id"],  # type: ignore[arg-type]
        account=None,
        door="accounts",
        type=kind,
        object_id=account_id,
        livemode=False,
        payload=msgspec.json.encode(payload).decode(),
        attempts=1,
        received_at=connect.clock(),
    )


async def test_a_handful_of_events_costs_one_reading(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, transfers=CapabilitySeen("restricted"))
    for kind in (CAPABILITY, "v2.core.account[requirements].updated", "v2.core.account.updated"):
        await connect.accounts.take_notices([notice(connect, account_id, kind)] * 3)
    before = connect.gateway.count("retrieve_account")
    while await connect.accounts.refresh_due(connect.clock(), 100):
        pass
    assert connect.gateway.count("retrieve_account") == before + 1
    stored = await records.require(account_id)
    assert not stored.known.stale
    assert not (await connect.vouch(seller_id)).payable


async def test_an_unworked_event_already_counts_at_the_gate(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, transfers=CapabilitySeen("restricted"))
    assert (await connect.vouch(seller_id)).payable
    await connect.accounts.take_notices([notice(connect, account_id)])
    assert not (await connect.vouch(seller_id)).payable


async def test_an_account_that_is_not_ours_is_left_alone(connect: Connect) -> None:
    await connect.accounts.take_notices([notice(connect, "acct_of_another_program")])
    assert connect.gateway.asked == []


async def test_an_event_that_outruns_the_opening_waits(connect: Connect) -> None:
    """Stripe tells of the account before we have heard that it was opened."""
    seller_id = await a_seller()
    connect.gateway.lost_answer = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await connect.open(seller_id)
    early = notice(connect, connect.gateway.sellers[seller_id])
    with pytest.raises(PaymentsUnavailable):
        await connect.accounts.take_notices([early])

    account_id = await connect.open(seller_id)
    await connect.accounts.take_notices([early])
    assert (await records.require(account_id)).known.stale


async def test_events_about_other_things_change_nothing(connect: Connect) -> None:
    _, account_id = await connect.a_ready_seller()
    await connect.accounts.take_notices(
        [notice(connect, account_id, "v2.core.event_destination.ping")]
    )
    assert not (await records.require(account_id)).known.stale
