"""A connected account that is paid out by hand only, until its schedule is daily again."""

import httpx

from tests.sandbox.money import DAY_SECONDS, advance, read
from tests.sandbox.test_payouts_banks import NET, as_seller, paid_seller, payouts_of, until_midnight

PATH = "/v1/balance_settings"
INTERVAL = "payments[payouts][schedule][interval]"


async def set_interval(stripe: httpx.AsyncClient, seller: str, interval: str) -> tuple[int, str]:
    status, body = await as_seller(stripe, seller, PATH, **{INTERVAL: interval})
    if status != 200:
        return status, body["error"]["message"]
    return status, body["payments"]["payouts"]["schedule"]["interval"]


async def test_a_new_account_is_paid_out_daily(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    shown = await read(stripe, PATH, seller)
    assert shown["object"] == "balance_settings"
    assert shown["payments"]["payouts"]["schedule"] == {"interval": "daily"}
    assert shown["payments"]["payouts"]["status"] == "enabled"


async def test_nothing_is_paid_out_by_itself_while_the_schedule_is_manual(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await paid_seller(stripe)
    assert await set_interval(stripe, seller, "manual") == (200, "manual")
    await advance(stripe, 10 * DAY_SECONDS)
    assert await payouts_of(stripe, seller) == []
    assert await set_interval(stripe, seller, "daily") == (200, "daily")
    await until_midnight(stripe)
    assert [payout["amount"] for payout in await payouts_of(stripe, seller)] == [NET]


async def test_a_change_is_told_to_whoever_listens_to_connected_accounts(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await paid_seller(stripe)
    for _ in range(2):  # the second changes nothing, so nothing is told
        await set_interval(stripe, seller, "manual")
    (event,) = (await read(stripe, "/v1/events", seller, type="balance_settings.updated"))["data"]
    was = {"payments": {"payouts": {"schedule": {"interval": "daily"}}}}
    assert event["data"]["previous_attributes"] == was
    assert event["account"] == seller
    assert event["data"]["object"]["payments"]["payouts"]["schedule"]["interval"] == "manual"


async def test_what_is_not_simulated_is_refused(stripe: httpx.AsyncClient) -> None:
    seller = await paid_seller(stripe)
    status, message = await set_interval(stripe, seller, "weekly")
    assert (status, "daily and manual" in message) == (400, True)
    status, _ = await as_seller(
        stripe, seller, PATH, **{"payments[debit_negative_balances]": "true"}
    )
    assert status == 400
    answer = await stripe.get(PATH)
    assert answer.status_code == 400
