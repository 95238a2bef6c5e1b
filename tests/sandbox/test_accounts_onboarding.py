"""A seller's account: opened restricted, onboarded on the hosted page, then ready."""

import httpx
import pytest

from stripe_sandbox.config import SandboxConfig
from stripe_sandbox.server import RunningSandbox, running_sandbox

from .accounts import capability, link_to_onboarding, open_account, read_account
from .conftest import SECRET, VERSION, Receiver


async def test_a_new_account_can_receive_nothing_and_says_why(stripe: httpx.AsyncClient) -> None:
    account = await open_account(stripe)
    assert account["applied_configurations"] == ["recipient"]
    assert account["defaults"]["responsibilities"]["requirements_collector"] == "stripe"
    for name in ("stripe_transfers", "payouts"):
        assert capability(account, name) == {
            "status": "restricted",
            "status_details": [{"code": "requirements_past_due", "resolution": "provide_info"}],
        }
    assert account["requirements"]["summary"]["minimum_deadline"]["status"] == "past_due"
    assert account["requirements"]["entries"]


async def test_what_is_not_included_is_not_answered(stripe: httpx.AsyncClient) -> None:
    account = await open_account(stripe)
    plain = (await stripe.get(f"/v2/core/accounts/{account['id']}")).json()
    assert plain["id"] == account["id"]
    assert not {"configuration", "requirements", "identity", "defaults"} & plain.keys()


async def test_what_is_not_included_can_be_null_as_on_stripes_servers() -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "Stripe-Version": VERSION}
    config = SandboxConfig(port=0, unrequested_as_null=True)
    async with (
        running_sandbox(config) as sandbox,
        httpx.AsyncClient(base_url=sandbox.base_url, headers=headers) as stripe,
    ):
        account = await open_account(stripe)
        plain = (await stripe.get(f"/v2/core/accounts/{account['id']}")).json()
    assert account["configuration"]["merchant"] is None
    assert capability(account, "payouts")["status"] == "restricted"
    assert plain["configuration"] is None
    assert plain["requirements"] is None


async def test_onboarding_makes_the_account_ready_and_tells_the_platform(
    stripe: httpx.AsyncClient,
    browser: httpx.AsyncClient,
    sandbox: RunningSandbox,
    listening: Receiver,
) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    page = await browser.get(link["url"])
    assert page.status_code == 200
    assert "Ada&#x27;s lessons" in page.text

    back = await browser.post(link["url"], data={"outcome": "complete"})
    assert (back.status_code, back.headers["location"]) == (303, "http://platform.test/return")

    ready = await read_account(stripe, account["id"])
    assert capability(ready, "stripe_transfers") == {"status": "active", "status_details": []}
    assert capability(ready, "payouts")["status"] == "active"
    assert ready["requirements"]["entries"] == []
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types("accounts") == [
        "v2.core.account.created",
        "v2.core.account[configuration.recipient].capability_status_updated",
        "v2.core.account[configuration.recipient].capability_status_updated",
        "v2.core.account[requirements].updated",
        "v2.core.account_link.returned",
    ]
    assert listening.types("platform") == []


async def test_payouts_can_stay_pending_after_onboarding(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    await browser.post(link["url"], data={"outcome": "complete_payouts_pending"})
    waiting = await read_account(stripe, account["id"])
    assert capability(waiting, "stripe_transfers")["status"] == "active"
    assert capability(waiting, "payouts")["status"] == "pending"
    assert waiting["requirements"]["entries"][0]["awaiting_action_from"] == "stripe"


async def test_returning_proves_nothing(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    back = await browser.post(link["url"], data={"outcome": "nothing"})
    assert back.headers["location"] == "http://platform.test/return"
    unchanged = await read_account(stripe, account["id"])
    assert capability(unchanged, "stripe_transfers")["status"] == "restricted"


async def test_a_link_is_used_once(stripe: httpx.AsyncClient, browser: httpx.AsyncClient) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    await browser.get(link["url"])
    opened_again = await browser.get(link["url"])
    assert (opened_again.status_code, opened_again.headers["location"]) == (
        303,
        "http://platform.test/refresh",
    )
    await browser.post(link["url"], data={"outcome": "complete"})
    sent_again = await browser.post(link["url"], data={"outcome": "complete"})
    assert sent_again.headers["location"] == "http://platform.test/refresh"


async def test_a_link_expires_after_minutes(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    await stripe.post("/_sandbox/clock", json={"advance": 301})
    assert (await browser.get(link["url"])).headers["location"] == "http://platform.test/refresh"
    sent = await browser.post(link["url"], data={"outcome": "complete"})
    assert sent.headers["location"] == "http://platform.test/refresh"
    unchanged = await read_account(stripe, account["id"])
    assert capability(unchanged, "payouts")["status"] == "restricted"


async def test_an_unknown_outcome_shows_the_page_again(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    link = await link_to_onboarding(stripe, (await open_account(stripe))["id"])
    answer = await browser.post(link["url"], data={"outcome": "everything"})
    assert answer.status_code == 400
    assert "Complete onboarding" in answer.text


async def test_the_link_no_longer_takes_configurations(stripe: httpx.AsyncClient) -> None:
    account = await open_account(stripe)
    onboarding = {"refresh_url": "http://a.test", "configurations": ["recipient"]}
    use_case = {"type": "account_onboarding", "account_onboarding": onboarding}
    body = {"account": account["id"], "use_case": use_case}
    answer = await stripe.post("/v2/core/account_links", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parameter_unknown"


async def test_a_login_link_needs_a_finished_onboarding(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    account = await open_account(stripe)
    path = f"/v1/accounts/{account['id']}/login_links"
    assert (await stripe.post(path)).status_code == 400
    link = await link_to_onboarding(stripe, account["id"])
    await browser.post(link["url"], data={"outcome": "complete"})
    login = (await stripe.post(path)).json()
    assert login["object"] == "login_link"
    assert "Express dashboard" in (await browser.get(login["url"])).text
    assert (await browser.get(login["url"])).status_code == 404


async def test_closing_names_every_configuration(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver
) -> None:
    account = await open_account(stripe)
    path = f"/v2/core/accounts/{account['id']}/close"
    assert (await stripe.post(path, json={})).status_code == 400
    closed = await stripe.post(path, json={"applied_configurations": ["recipient"]})
    assert closed.json()["closed"] is True
    again = await stripe.post(path, json={"applied_configurations": ["recipient"]})
    assert again.json()["error"]["code"] == "account_closed"
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types("accounts")[-1] == "v2.core.account.closed"
    assert (await stripe.get("/v2/core/accounts")).json()["data"] == []
    listed = (await stripe.get("/v2/core/accounts", params={"closed": "true"})).json()
    assert [a["id"] for a in listed["data"]] == [account["id"]]


async def test_an_update_merges_and_is_told(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver
) -> None:
    account = await open_account(stripe)
    change = {
        "display_name": "Ada and friends",
        "metadata": {"seller_id": None, "tier": "gold"},
        "identity": {"entity_type": "company"},
        "include": ["identity"],
    }
    answer = await stripe.post(f"/v2/core/accounts/{account['id']}", json=change)
    updated = answer.json()
    assert updated["display_name"] == "Ada and friends"
    assert updated["metadata"] == {"tier": "gold"}
    assert updated["identity"] == {"country": "us", "entity_type": "company"}
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types("accounts")[1:] == [
        "v2.core.account.updated",
        "v2.core.account[identity].updated",
    ]


@pytest.mark.parametrize("status", ["rejected", "restricted", "unsupported", "pending"])
async def test_the_control_surface_changes_readiness(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver, status: str
) -> None:
    account = await open_account(stripe)
    control = f"/_sandbox/accounts/{account['id']}"
    await stripe.post(control, json={"stripe_transfers": "active", "payouts": "active"})
    requirements = [{"description": "identity.document", "deadline": "past_due"}]
    change = {"payouts": status, "requirements": requirements}
    assert (await stripe.post(control, json=change)).status_code == 200
    changed = await read_account(stripe, account["id"])
    assert capability(changed, "payouts")["status"] == status
    assert capability(changed, "payouts")["status_details"]
    assert capability(changed, "stripe_transfers")["status"] == "active"
    assert [e["description"] for e in changed["requirements"]["entries"]] == ["identity.document"]
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types("accounts")[-2:] == [
        "v2.core.account[configuration.recipient].capability_status_updated",
        "v2.core.account[requirements].updated",
    ]


async def test_the_control_surface_refuses_words_that_are_not_stripes(
    stripe: httpx.AsyncClient,
) -> None:
    account = await open_account(stripe)
    control = f"/_sandbox/accounts/{account['id']}"
    for change in ({"payouts": "enabled"}, {"transfers": "active"}, {"closed": "yes"}):
        assert (await stripe.post(control, json=change)).status_code == 400
    assert (await stripe.post("/_sandbox/accounts/acct_none", json={})).status_code == 404


async def test_an_account_needs_both_responsibilities(stripe: httpx.AsyncClient) -> None:
    body = {"defaults": {"responsibilities": {"fees_collector": "application"}}}
    answer = await stripe.post("/v2/core/accounts", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "defaults[responsibilities][losses_collector]"
    express = await stripe.post("/v2/core/accounts", json={"dashboard": "express"})
    assert express.json()["error"]["code"] == "invalid_responsibilities"


async def test_accounts_are_listed_page_by_page(stripe: httpx.AsyncClient) -> None:
    opened = [(await open_account(stripe))["id"] for _ in range(5)]
    seen: list[str] = []
    url: str | None = "/v2/core/accounts?limit=2"
    while url:
        page = (await stripe.get(url)).json()
        seen += [account["id"] for account in page["data"]]
        url = page["next_page_url"]
    assert seen == opened[::-1]
