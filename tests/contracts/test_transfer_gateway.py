"""What payments may rely on where a seller's share is concerned: the fake and the adapter answer alike."""

from typing import Any

import msgspec
import pytest

from payments.errors import OutcomeUnknown, StripeMisconfigured, StripeRejected
from payments.gateway import ChargeSnapshot, IntentSnapshot
from payments.ids import new_id
from payments.stripe_client import StripeApi
from payments.stripe_transfers import StripeTransfers
from payments.transfer_gateway import FeeReturnDraft, ReversalDraft, TransferDraft, TransferGateway
from tests.contracts.test_payment_gateway import (
    AMOUNT,
    FEE,
    charge_of,
    key,
    operation,
    paid,
    refund_draft,
)
from tests.contracts.worlds import FakeWorld, World
from tests.payments.fake_transfers import FakeTransfers


@pytest.fixture
def transfers(world: World, api: StripeApi) -> TransferGateway:
    return FakeTransfers(world.fake) if isinstance(world, FakeWorld) else StripeTransfers(api)


async def sold(world: World) -> tuple[IntentSnapshot, ChargeSnapshot]:
    intent = await paid(world)
    return intent, await charge_of(world, intent)


def reversal_of(charge: ChargeSnapshot, amount: int, **changes: Any) -> ReversalDraft:
    draft = ReversalDraft(
        operation_id=operation(),
        movement_id=new_id("mvt"),
        payment_id=new_id("pay"),
        order_id=new_id("ord"),
        transfer_id=charge.transfer_id or "",
        amount=amount,
    )
    return msgspec.structs.replace(draft, **changes)


def transfer_to(world: World, charge: ChargeSnapshot, amount: int) -> TransferDraft:
    return TransferDraft(
        operation_id=operation(),
        movement_id=new_id("mvt"),
        payment_id=new_id("pay"),
        order_id=new_id("ord"),
        charge_id=charge.id,
        destination=world.seller,
        amount=amount,
        currency="usd",
    )


def fee_return_of(intent: IntentSnapshot, charge: ChargeSnapshot, amount: int) -> FeeReturnDraft:
    return FeeReturnDraft(
        operation_id=operation(),
        fee_return_id=new_id("frt"),
        payment_id=new_id("pay"),
        order_id=new_id("ord"),
        intent_id=intent.id,
        fee_id=charge.application_fee_id or "",
        amount=amount,
    )


async def test_a_reversal_takes_exactly_what_was_asked(
    world: World, transfers: TransferGateway
) -> None:
    _, charge = await sold(world)
    draft, once = reversal_of(charge, 1_234), key()
    made = await transfers.reverse(draft, once)
    assert (made.amount, made.currency) == (1_234, "usd")
    assert (await transfers.reverse(draft, once)).id == made.id
    assert await transfers.left_of(charge.transfer_id or "") == AMOUNT - 1_234
    found = await transfers.find_reversal(draft)
    assert found is not None
    assert found.id == made.id
    assert await transfers.find_reversal(reversal_of(charge, 1_234)) is None


async def test_more_than_is_left_is_a_definite_no(world: World, transfers: TransferGateway) -> None:
    _, charge = await sold(world)
    await transfers.reverse(reversal_of(charge, 9_000), key())
    with pytest.raises(StripeRejected):
        await transfers.reverse(reversal_of(charge, 1_001), key())
    assert await transfers.left_of(charge.transfer_id or "") == 1_000


async def test_a_key_stands_for_one_reversal(world: World, transfers: TransferGateway) -> None:
    _, charge = await sold(world)
    once = key()
    await transfers.reverse(reversal_of(charge, 1_000), once)
    with pytest.raises(StripeMisconfigured):
        await transfers.reverse(reversal_of(charge, 1_001), once)


async def test_a_refund_and_a_reversal_share_one_transfer(
    world: World, transfers: TransferGateway
) -> None:
    intent, charge = await sold(world)
    await world.gateway.create_refund(refund_draft(intent, 4_000), key())
    assert await transfers.left_of(charge.transfer_id or "") == AMOUNT - 4_000
    [refund] = (await charge_of(world, intent)).refunds
    assert refund.transfer_reversal_id is not None
    assert refund.reversal_amount in (None, 4_000)


async def test_our_own_reversals_and_those_of_refunds_are_not_foreign(
    world: World, transfers: TransferGateway
) -> None:
    intent, charge = await sold(world)
    assert await transfers.foreign_reversals(charge.transfer_id or "") is None
    await transfers.reverse(reversal_of(charge, 1_234), key())
    await world.gateway.create_refund(refund_draft(intent, 4_000), key())
    assert await transfers.foreign_reversals(charge.transfer_id or "") is None


async def test_a_fee_is_returned_to_the_unit(world: World, transfers: TransferGateway) -> None:
    intent, charge = await sold(world)
    draft, once = fee_return_of(intent, charge, 333), key()
    made = await transfers.return_fee(draft, once)
    assert (made.amount, made.currency) == (333, "usd")
    assert (await transfers.return_fee(draft, once)).id == made.id
    assert (await charge_of(world, intent)).fee_refunded == 333
    found = await transfers.find_fee_return(draft)
    assert found is not None
    assert found.id == made.id
    with pytest.raises(StripeRejected):
        await transfers.return_fee(fee_return_of(intent, charge, FEE - 332), key())


async def test_money_is_sent_again_and_taken_from_what_was_sent(
    world: World, transfers: TransferGateway
) -> None:
    """Out of what the reversal brought to the platform, which is why it comes first."""
    _, charge = await sold(world)
    await transfers.reverse(reversal_of(charge, 5_000), key())
    draft = transfer_to(world, charge, 4_500)
    sent = await transfers.transfer(draft, key())
    assert (sent.amount, sent.currency) == (4_500, "usd")
    found = await transfers.find_transfer(draft)
    assert found is not None
    assert found.id == sent.id
    assert await transfers.find_transfer(transfer_to(world, charge, 4_500)) is None
    back = await transfers.reverse(reversal_of(charge, 1_500, transfer_id=sent.id), key())
    assert back.amount == 1_500
    assert await transfers.left_of(sent.id) == 3_000


async def test_a_transfer_nobody_made_cannot_be_taken_back(
    world: World, transfers: TransferGateway
) -> None:
    _, charge = await sold(world)
    with pytest.raises(StripeRejected):
        await transfers.reverse(reversal_of(charge, 1, transfer_id="tr_nobody"), key())
    with pytest.raises((StripeRejected, OutcomeUnknown)):
        await transfers.left_of("tr_nobody")
