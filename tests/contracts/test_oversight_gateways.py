"""What oversight asks of Stripe, over the sandbox: lists of events, and when a seller is paid out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connect.payout_hold_gateway import MANUAL, PayoutSchedule, PayoutScheduleDraft
from connect.stripe_payout_schedules import StripePayoutSchedules
from payments.errors import StripeRejected
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId, new_id
from payments.receipt import read_delivery
from payments.stripe_client import StripeApi
from payments.stripe_events import StripeEvents
from stripe_sandbox.server import RunningSandbox
from tests.contracts.worlds import SELLER, SandboxWorld


@pytest.fixture
async def world(stripe: RunningSandbox, api: StripeApi) -> AsyncIterator[SandboxWorld]:
    async with httpx.AsyncClient(base_url=stripe.base_url, trust_env=False) as http:
        yield await SandboxWorld.opened(stripe, api, http)


def window(hours: float = 1) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"since": now - timedelta(hours=hours), "until": now + timedelta(hours=hours)}


async def make_customers(api: StripeApi, count: int) -> list[str]:
    made = [
        await api.request("post", "/v1/customers", {"name": f"Bo {n}"}, key=new_id("key"))
        for n in range(count)
    ]
    return [answer.data["id"] for answer in made]


class TestListingEvents:
    async def test_a_listed_event_is_what_a_webhook_brings(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        (customer,) = await make_customers(api, 1)
        page = await StripeEvents(api).snapshots(**window(), after=None)
        event = page.events[0]
        delivery = read_delivery("platform", event.body, datetime.now(UTC))
        assert (delivery.event_id, delivery.type) == (event.id, "customer.created")
        assert (delivery.object_id, delivery.account) == (customer, None)
        assert abs(event.happened_at - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_a_long_list_goes_on_where_the_page_ended(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        await make_customers(api, 101)
        events = StripeEvents(api)
        first = await events.snapshots(**window(), after=None)
        assert len(first.events) == 100
        assert first.after == first.events[-1].id
        rest = await events.snapshots(**window(), after=first.after)
        assert rest.after is None
        assert not {event.id for event in rest.events} & {event.id for event in first.events}

    async def test_only_the_window_is_listed(self, world: SandboxWorld, api: StripeApi) -> None:
        await make_customers(api, 1)
        now = datetime.now(UTC)
        page = await StripeEvents(api).snapshots(
            since=now - timedelta(hours=2), until=now - timedelta(hours=1), after=None
        )
        assert page.events == ()

    async def test_what_was_never_delivered_can_be_asked_for(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        """Nobody listens in this world, so nothing is waiting for anybody either."""
        await make_customers(api, 1)
        page = await StripeEvents(api).snapshots(**window(), after=None, undelivered=True)
        assert page.events == ()

    async def test_a_connected_accounts_events_say_whose_they_are(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        schedules = StripePayoutSchedules(api)
        await schedules.change_payout_schedule(draft(world.seller), key())
        page = await StripeEvents(api).snapshots(**window(), after=None, account=world.seller)
        delivery = read_delivery("connect", page.events[0].body, datetime.now(UTC))
        assert (delivery.type, delivery.account) == ("balance_settings.updated", world.seller)

    async def test_an_unknown_cursor_is_a_definite_no(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        with pytest.raises(StripeRejected):
            await StripeEvents(api).snapshots(**window(), after="evt_nothing")

    async def test_thin_events_name_their_object_and_bring_no_data(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        for _ in range(101):
            await api.request("post", "/v2/core/accounts", SELLER, key=new_id("key"))
        events = StripeEvents(api)
        first = await events.thin(after=None)
        assert len(first.events) == 100
        assert first.after is not None
        rest = await events.thin(after=first.after)
        assert not {event.id for event in rest.events} & {event.id for event in first.events}
        delivery = read_delivery("accounts", first.events[0].body, datetime.now(UTC))
        assert delivery.type.startswith("v2.core.account")
        assert (delivery.object_id or "").startswith("acct_")
        assert '"data"' not in delivery.payload


class TestHoldingPayouts:
    async def test_the_schedule_is_stopped_and_put_back(
        self, world: SandboxWorld, api: StripeApi
    ) -> None:
        schedules = StripePayoutSchedules(api)
        before = await schedules.payout_schedule(world.seller)
        assert before == PayoutSchedule(interval="daily")
        held = await schedules.change_payout_schedule(draft(world.seller), key())
        assert held == MANUAL == await schedules.payout_schedule(world.seller)
        back = draft(world.seller, held=False, schedule=before)
        assert await schedules.change_payout_schedule(back, key()) == before

    async def test_the_same_key_answers_the_same(self, world: SandboxWorld, api: StripeApi) -> None:
        schedules, same = StripePayoutSchedules(api), key()
        wanted = draft(world.seller)
        assert await schedules.change_payout_schedule(wanted, same) == MANUAL
        assert await schedules.change_payout_schedule(wanted, same) == MANUAL


def draft(account_id: ConnectedAccountId, **changes: Any) -> PayoutScheduleDraft:
    facts: dict[str, Any] = {
        "operation_id": OperationId(new_id("op")),
        "seller_id": SellerId(new_id("sel")),
        "account_id": account_id,
        "held": True,
        "schedule": PayoutSchedule(interval="daily"),
    }
    return PayoutScheduleDraft(**(facts | changes))


def key() -> IdempotencyKey:
    return IdempotencyKey(new_id("key"))
