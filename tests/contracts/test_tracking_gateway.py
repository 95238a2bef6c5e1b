"""What payments may rely on when it writes a parcel to a charge, whoever answers."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from payments.errors import OutcomeUnknown, StripeMisconfigured, StripeRejected
from payments.gateway import Address, Shipping
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.stripe_client import StripeApi
from payments.stripe_tracking import StripeTracking
from payments.tracking import TrackingDraft, TrackingGateway
from stripe_sandbox.server import RunningSandbox
from tests.contracts.test_payment_gateway import intent_draft, key
from tests.contracts.worlds import SandboxWorld
from tests.fake_tracking import FakeTracking

GRACE = Shipping(
    name="Grace Hopper",
    phone="+49 30 1",
    address=Address(line1="Hafen 1", city="Berlin", postal_code="10115", country="DE"),
)


class Charged:
    """A gateway, and a charge that was paid; `lose` makes the next answer get lost."""

    def __init__(
        self, gateway: TrackingGateway, charge_id: str, world: SandboxWorld | None
    ) -> None:
        self.gateway, self.charge_id, self._world = gateway, charge_id, world

    async def lose(self) -> None:
        if self._world is not None:
            await self._world.fail("lost_after")
        elif isinstance(self.gateway, FakeTracking):
            self.gateway.lose_answer_after()

    def draft(self, carrier: str = "DHL", number: str = "1") -> TrackingDraft:
        return TrackingDraft(
            operation_id=OperationId(new_id("op")),
            revision=1,
            charge_id=self.charge_id,
            to=GRACE,
            carrier=carrier,
            tracking_number=number,
        )


@pytest.fixture(params=["fake", "adapter over the sandbox"])
async def charged(
    request: pytest.FixtureRequest, stripe: RunningSandbox, api: StripeApi
) -> AsyncIterator[Charged]:
    if request.param == "fake":
        yield Charged(FakeTracking(), "ch_fake", None)
        return
    async with httpx.AsyncClient(base_url=stripe.base_url, trust_env=False) as http:
        world = await SandboxWorld.opened(stripe, api, http)
        intent = await world.gateway.create_intent(intent_draft(world), key())
        await world.pay(intent)
        paid = await world.gateway.retrieve_intent(intent.id)
        assert paid.charge is not None
        yield Charged(StripeTracking(api), paid.charge.id, world)


async def test_what_is_written_is_shown(charged: Charged) -> None:
    before = await charged.gateway.read_tracking(charged.charge_id)
    assert (before.carrier, before.tracking_number) == (None, None)
    written = await charged.gateway.write_tracking(charged.draft(), key())
    assert (written.charge_id, written.carrier) == (charged.charge_id, "DHL")
    shown = await charged.gateway.read_tracking(charged.charge_id)
    assert (shown.carrier, shown.tracking_number) == ("DHL", "1")


async def test_a_correction_is_written_over_it(charged: Charged) -> None:
    await charged.gateway.write_tracking(charged.draft(), key())
    await charged.gateway.write_tracking(charged.draft("UPS", "2"), key())
    shown = await charged.gateway.read_tracking(charged.charge_id)
    assert (shown.carrier, shown.tracking_number) == ("UPS", "2")


async def test_the_same_key_writes_once_and_another_parcel_under_it_is_our_mistake(
    charged: Charged,
) -> None:
    draft, same = charged.draft(), IdempotencyKey("order:ord_1:tracking:1:1")
    await charged.gateway.write_tracking(draft, same)
    await charged.gateway.write_tracking(charged.draft("UPS", "2"), key())
    again = await charged.gateway.write_tracking(draft, same)
    assert again.carrier == "DHL", "the first answer"
    assert (await charged.gateway.read_tracking(charged.charge_id)).carrier == "UPS"
    with pytest.raises(StripeMisconfigured):
        await charged.gateway.write_tracking(
            msgspec.structs.replace(draft, tracking_number="3"), same
        )


async def test_a_lost_answer_is_unknown_and_can_be_read_back(charged: Charged) -> None:
    await charged.lose()
    with pytest.raises(OutcomeUnknown):
        await charged.gateway.write_tracking(charged.draft(), key())
    assert (await charged.gateway.read_tracking(charged.charge_id)).tracking_number == "1"


async def test_a_charge_that_is_not_there_is_a_definite_no(api: StripeApi) -> None:
    with pytest.raises(StripeRejected) as refusal:
        await StripeTracking(api).read_tracking("ch_unknown")
    assert refusal.value.code == "resource_missing"
