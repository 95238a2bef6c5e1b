"""How tests open and onboard connected accounts."""

from typing import Any

import httpx

INCLUDE = [
    "configuration.recipient",
    "defaults",
    "future_requirements",
    "identity",
    "requirements",
]
RECIPIENT: dict[str, Any] = {
    "display_name": "Ada's lessons",
    "contact_email": "ada@example.com",
    "dashboard": "express",
    "identity": {"country": "us", "entity_type": "individual"},
    "defaults": {
        "currency": "usd",
        "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
    },
    "configuration": {
        "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
    },
    "include": INCLUDE,
    "metadata": {"seller_id": "sel_1"},
}


async def open_account(stripe: httpx.AsyncClient) -> dict[str, Any]:
    answer = await stripe.post("/v2/core/accounts", json=RECIPIENT)
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


async def link_to_onboarding(stripe: httpx.AsyncClient, account: str) -> dict[str, Any]:
    use_case = {
        "type": "account_onboarding",
        "account_onboarding": {
            "refresh_url": "http://platform.test/refresh",
            "return_url": "http://platform.test/return",
            "collection_options": {
                "fields": "eventually_due",
                "future_requirements": "include",
            },
        },
    }
    body = {"account": account, "use_case": use_case}
    answer = await stripe.post("/v2/core/account_links", json=body)
    assert answer.status_code == 200, answer.text
    link: dict[str, Any] = answer.json()
    return link


async def read_account(stripe: httpx.AsyncClient, account: str) -> dict[str, Any]:
    params = {f"include[{i}]": name for i, name in enumerate(INCLUDE)}
    answer = await stripe.get(f"/v2/core/accounts/{account}", params=params)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


def capability(account: dict[str, Any], name: str) -> dict[str, Any]:
    balance = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    found: dict[str, Any] = balance[name]
    return found
