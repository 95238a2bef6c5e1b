"""Sellers look after their webhook endpoints over HTTP; another's do not exist."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from litestar import Litestar

from marketplace.app import app_of
from marketplace.composition import Composition, compose
from marketplace.messages import outbox
from marketplace.messages.kinds import EVENT_TYPES
from payments.database import row, transaction, value
from payments.ids import new_id
from tests.api.harness import Browser, serving, settings_for
from tests.clocks import MovedClock
from tests.messages.receiver import is_signed, receiving

CLOCK = MovedClock()
URL = "https://shop.example/hooks/1"


class Shop:
    """A seller's browser, and where their endpoints are."""

    def __init__(self, browser: Browser, seller_id: str) -> None:
        self.browser, self.seller_id = browser, seller_id
        self.path = f"/v1/sellers/{seller_id}/webhook-endpoints"

    async def endpoint(self, **facts: Any) -> dict[str, Any]:
        """A new endpoint, with its secret."""
        answer = await self.browser.post(self.path, {"url": URL} | facts)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def happens(self) -> None:
        async with transaction():
            await outbox.publish(
                self.seller_id,
                type="payout.failed",
                subject_id="po_1",
                cause=new_id("cause"),
                data={"id": "po_1", "amount": 1_230, "currency": "eur"},
                now=CLOCK(),
            )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def composition(database_url: str) -> Composition:
    return compose(settings_for(database_url), CLOCK)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(composition: Composition) -> AsyncIterator[Litestar]:
    async with serving(app_of(composition)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def shop(app: Litestar) -> Shop:
    return await a_shop(app)


async def a_shop(app: Litestar) -> Shop:
    person = await Browser(app).sign_up(f"{new_id('x')}@example.com")
    opened = await person.post(
        "/v1/sellers", {"display_name": "A shop", "country": "DE", "currency": "eur"}
    )
    return Shop(person, opened.json()["id"])


async def test_the_secret_is_shown_once_and_everything_else_again(shop: Shop) -> None:
    made = await shop.endpoint(types=["order.paid", "order.paid"], description="Warehouse")
    secret, endpoint = made["secret"], made["endpoint"]
    assert secret.startswith("whsec_")
    assert endpoint["types"] == ["order.paid"]
    assert endpoint["enabled"]
    listed = (await shop.browser.get(shop.path)).json()
    read = (await shop.browser.get(f"{shop.path}/{endpoint['id']}")).json()
    assert listed["data"] == [read] == [endpoint]
    assert secret not in str(listed)
    entry = await row("SELECT * FROM audit_log WHERE subject = $1", endpoint["id"])
    assert entry is not None
    assert entry["action"] == "webhook_endpoint.created"
    assert secret not in str(dict(entry))


async def test_a_repeated_request_makes_no_second_endpoint(shop: Shop) -> None:
    key = new_id("key")
    first = await shop.browser.post(shop.path, {"url": URL}, key=key)
    again = await shop.browser.post(shop.path, {"url": URL}, key=key)
    assert (first.status_code, again.status_code) == (201, 409)
    assert len((await shop.browser.get(shop.path)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://shop.example/"}, 422, "webhook_url_refused"),
        ({"url": "https://169.254.169.254/latest"}, 422, "webhook_url_refused"),
        ({"url": "https://" + "a" * 3000}, 400, "invalid_body"),
        ({"url": URL, "types": ["order.eaten"]}, 422, "webhook_types_refused"),
        ({"url": URL, "types": ["endpoint.ping"]}, 422, "webhook_types_refused"),
        ({"url": URL, "description": "x" * 201}, 400, "invalid_body"),
        ({"url": URL, "secret": "mine"}, 400, "invalid_body"),
        ({}, 400, "invalid_body"),
    ],
)
async def test_what_cannot_be_is_refused(
    shop: Shop, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await shop.browser.post(shop.path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    made = (await shop.endpoint())["endpoint"]
    if body.keys() & {"url", "types", "description"} and "secret" not in body:
        changed = await shop.browser.patch(f"{shop.path}/{made['id']}", body)
        assert (changed.status_code, changed.json()["code"]) == (status, code), changed.text


async def test_a_seller_has_ten_endpoints_at_most(shop: Shop) -> None:
    made = [await shop.endpoint(url=f"{URL}{n}") for n in range(10)]
    answer = await shop.browser.post(shop.path, {"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhook_endpoints")
    await shop.happens()
    waiting = await value(
        "SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints p ON p.id = d.endpoint_id "
        "WHERE p.seller_id = $1",
        shop.seller_id,
    )
    assert waiting == 10
    one, other = made[0]["endpoint"], made[1]["endpoint"]
    moved = await shop.browser.patch(f"{shop.path}/{one['id']}", {"url": other["url"]})
    assert (moved.status_code, moved.json()["code"]) == (409, "webhook_endpoint_exists")
    assert moved.json()["endpoint_id"] == other["id"]
    await shop.browser.delete(f"{shop.path}/{one['id']}")
    twice = await shop.browser.post(shop.path, {"url": other["url"]})
    assert (twice.status_code, twice.json()["code"]) == (409, "webhook_endpoint_exists")


async def test_an_endpoint_changes_switches_and_goes(shop: Shop) -> None:
    endpoint = (await shop.endpoint())["endpoint"]
    path = f"{shop.path}/{endpoint['id']}"
    await shop.happens()
    changes = {"url": "https://other.example/", "types": ["payout.failed"], "enabled": False}
    changed = (await shop.browser.patch(path, changes)).json()
    assert (changed["url"], changed["enabled"]) == ("https://other.example/", False)
    assert changed["disabled_reason"] == "disabled by the seller"
    refused = await shop.browser.post(f"{path}/ping")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_endpoint_disabled")
    assert (await shop.browser.patch(path, {"enabled": True})).json()["enabled"]
    assert (await shop.browser.delete(path)).status_code == 204
    assert (await shop.browser.get(path)).status_code == 404
    # What was told stays to be read.
    events = (await shop.browser.get(f"/v1/sellers/{shop.seller_id}/events")).json()["data"]
    assert [one["type"] for one in events] == ["payout.failed"]


async def test_a_ping_an_event_and_a_redelivery_arrive(
    shop: Shop, composition: Composition
) -> None:
    async with receiving() as receiver:
        made = await shop.endpoint(url=receiver.url, types=["payout.failed"])
        path = f"{shop.path}/{made['endpoint']['id']}"
        ping = (await shop.browser.post(f"{path}/ping")).json()
        assert (ping["state"], ping["type"]) == ("due", "endpoint.ping")
        await shop.happens()
        await composition.services.deliveries.deliver_due(CLOCK())
        listed = (await shop.browser.get(f"{path}/deliveries", limit=1)).json()
        assert listed["has_more"]
        event = listed["data"][0]
        assert (event["state"], event["last_status"], event["attempts"]) == ("delivered", 200, 1)
        assert [(one["status"], one["note"]) for one in event["tries"]] == [(200, None)]
        again = await shop.browser.post(f"{path}/deliveries/{event['id']}/redelivery")
        assert (again.status_code, again.json()["state"]) == (202, "due")
        await composition.services.deliveries.deliver_due(CLOCK())
    assert sorted(receiver.types) == ["endpoint.ping", "payout.failed", "payout.failed"]
    assert all(is_signed(one, made["secret"]) for one in receiver.received)
    events = (await shop.browser.get(f"/v1/sellers/{shop.seller_id}/events")).json()["data"]
    assert {one["id"] for one in events} == {one["id"] for one in receiver.events}
    assert next(one for one in events if one["type"] == "payout.failed") in receiver.events


async def test_a_rolled_secret_is_new_and_the_old_one_ends_in_a_day(shop: Shop) -> None:
    made = await shop.endpoint()
    path = f"{shop.path}/{made['endpoint']['id']}"
    rolled = (await shop.browser.post(f"{path}/secret")).json()
    assert rolled["secret"] != made["secret"]
    ends = rolled["endpoint"]["secret_before_until"]
    assert ends > made["endpoint"]["created_at"]


async def test_another_sellers_endpoints_and_deliveries_do_not_exist(
    app: Litestar, shop: Shop
) -> None:
    endpoint = (await shop.endpoint())["endpoint"]
    ping = (await shop.browser.post(f"{shop.path}/{endpoint['id']}/ping")).json()
    other = await a_shop(app)
    for root in (shop.path, other.path):
        path = f"{root}/{endpoint['id']}"
        for method, tail, body in (
            ("GET", "", None),
            ("PATCH", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/secret", None),
            ("POST", "/ping", None),
            ("GET", "/deliveries", None),
            ("GET", f"/deliveries/{ping['id']}", None),
            ("POST", f"/deliveries/{ping['id']}/redelivery", None),
        ):
            answer = await other.browser.http.request(method, path + tail, json=body)
            assert answer.status_code == 404, (method, path + tail, answer.text)
    assert (await shop.browser.get(f"{shop.path}/{endpoint['id']}")).json()["enabled"]
    # One's own endpoint with another's delivery.
    own = (await other.endpoint())["endpoint"]
    tail = f"{other.path}/{own['id']}/deliveries/{ping['id']}"
    assert (await other.browser.get(tail)).status_code == 404
    assert (await other.browser.post(f"{tail}/redelivery")).status_code == 404
    assert (await other.browser.get(f"/v1/sellers/{shop.seller_id}/events")).status_code == 404


async def test_every_type_that_can_be_wanted_is_accepted(shop: Shop) -> None:
    types = [one for one in EVENT_TYPES if one != "endpoint.ping"]
    assert (await shop.endpoint(types=types))["endpoint"]["types"] == types
