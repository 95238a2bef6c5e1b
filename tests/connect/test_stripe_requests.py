"""The exact requests of the adapter: paths, headers, bodies, and what it makes of odd answers."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connect.capability import AccountState, CapabilityPolicy, state_of
from connect.gateway import AccountDraft
from connect.snapshot import NOT_REQUESTED, CapabilitySeen, Requirement, StatusDetail
from connect.stripe_accounts import StripeAccounts
from payments.errors import (
    NotSent,
    OutcomeUnknown,
    PaymentError,
    StripeMisconfigured,
    StripeRejected,
)
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId
from payments.stripe_client import StripeApi

STRIPE = "https://api.stripe.com"
ACCOUNT_ID = ConnectedAccountId("acct_1Connect")
KEY = IdempotencyKey("seller:sel_1:account:1")
DRAFT = AccountDraft(
    operation_id=OperationId("op_1"),
    seller_id=SellerId("sel_1"),
    country="DE",
    currency="eur",
    email="coach@sellers.test",
    display_name="Coach Ada",
)
ACCOUNT: dict[str, Any] = {
    "id": ACCOUNT_ID,
    "object": "v2.core.account",
    "applied_configurations": ["recipient"],
    "closed": False,
    "configuration": {
        "customer": None,
        "merchant": None,
        "recipient": {
            "applied": True,
            "capabilities": {
                "stripe_balance": {
                    "payouts": {
                        "status": "pending",
                        "status_details": [
                            {
                                "code": "requirements_pending_verification",
                                "resolution": "no_resolution",
                            }
                        ],
                    },
                    "stripe_transfers": {"status": "active", "status_details": []},
                }
            },
        },
    },
    "created": "2026-11-21T12:00:00.000Z",
    "dashboard": "express",
    "defaults": {"currency": "eur", "responsibilities": {"fees_collector": "application"}},
    "identity": {"country": "de"},
    "livemode": False,
    "metadata": {"seller_id": "sel_1"},
    "requirements": {
        "entries": [
            {
                "awaiting_action_from": "stripe",
                "description": "identity.individual.id_number",
                "errors": [{"code": "invalid_value_other", "description": "No."}],
                "impact": {"restricts_capabilities": []},
                "minimum_deadline": {"status": "currently_due"},
                "requested_reasons": [],
            }
        ],
        "summary": {
            "minimum_deadline": {"status": "currently_due", "time": "2026-12-24T18:00:00.000Z"}
        },
    },
    "future_requirements": {
        "entries": [
            {
                "awaiting_action_from": "user",
                "description": "identity.individual.nationality",
                "errors": [],
                "minimum_deadline": {"status": "eventually_due"},
            }
        ]
    },
}


@pytest.fixture
async def accounts() -> AsyncIterator[StripeAccounts]:
    api = StripeApi("sk_test_exact", transport="httpx")
    yield StripeAccounts(api)
    await api.close()


@pytest.fixture
def stripe() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=STRIPE, assert_all_called=True) as router:
        yield router


def answer(body: dict[str, Any], status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"Request-Id": "req_exact"})


def only_request(stripe: respx.MockRouter) -> httpx.Request:
    assert len(stripe.calls) == 1
    request: httpx.Request = stripe.calls[0].request
    assert request.headers["Authorization"] == "Bearer sk_test_exact"
    assert request.headers["Stripe-Version"] == "2026-10-28.endive"
    assert "Stripe-Account" not in request.headers
    return request


async def test_opening_an_account(stripe: respx.MockRouter, accounts: StripeAccounts) -> None:
    stripe.post("/v2/core/accounts").mock(return_value=answer(ACCOUNT))
    snapshot = await accounts.create_account(DRAFT, KEY)
    request = only_request(stripe)
    assert request.headers["Idempotency-Key"] == KEY
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == {
        "display_name": "Coach Ada",
        "contact_email": "coach@sellers.test",
        "dashboard": "express",
        "identity": {"country": "de"},
        "defaults": {
            "currency": "eur",
            "responsibilities": {
                "fees_collector": "application",
                "losses_collector": "application",
            },
        },
        "configuration": {
            "recipient": {
                "capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}
            }
        },
        "include": ["configuration.recipient", "defaults", "identity", "requirements"],
        "metadata": {"seller_id": "sel_1", "operation_id": "op_1"},
    }
    assert snapshot.id == ACCOUNT_ID
    assert snapshot.request_id == "req_exact"


async def test_the_same_draft_is_always_the_same_request(
    stripe: respx.MockRouter, accounts: StripeAccounts
) -> None:
    stripe.post("/v2/core/accounts").mock(return_value=answer(ACCOUNT))
    await accounts.create_account(DRAFT, KEY)
    await accounts.create_account(DRAFT, KEY)
    first, second = (call.request for call in stripe.calls)
    assert first.content == second.content
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == KEY


async def test_reading_an_account_asks_for_all_the_verdict_needs(
    stripe: respx.MockRouter, accounts: StripeAccounts
) -> None:
    stripe.get(f"/v2/core/accounts/{ACCOUNT_ID}").mock(return_value=answer(ACCOUNT))
    snapshot = await accounts.retrieve_account(ACCOUNT_ID)
    request = only_request(stripe)
    assert request.url.params.multi_items() == [
        ("include[0]", "configuration.recipient"),
        ("include[1]", "defaults"),
        ("include[2]", "identity"),
        ("include[3]", "requirements"),
        ("include[4]", "future_requirements"),
    ]
    assert snapshot.country == "DE"
    assert snapshot.default_currency == "eur"
    assert snapshot.recipient
    assert not snapshot.closed
    assert snapshot.transfers == CapabilitySeen("active")
    assert snapshot.payouts == CapabilitySeen(
        "pending", (StatusDetail("requirements_pending_verification", "no_resolution"),)
    )
    assert snapshot.requirements == (
        Requirement(
            description="identity.individual.id_number",
            awaiting_action_from="stripe",
            deadline_status="currently_due",
            errors=("invalid_value_other",),
        ),
    )
    assert [each.description for each in snapshot.future_requirements] == [
        "identity.individual.nationality"
    ]
    assert snapshot.deadline_status == "currently_due"
    assert snapshot.deadline == datetime(2026, 12, 24, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bare", "state"),
    [
        # Not asked for, not applied, not told: never "active".
        ({"id": ACCOUNT_ID}, AccountState.RESTRICTED),
        (
            dict.fromkeys(["configuration", "defaults", "identity", "requirements", "closed"], None)
            | {"id": ACCOUNT_ID, "applied_configurations": None},
            AccountState.RESTRICTED,
        ),
        (ACCOUNT | {"configuration": {"recipient": None}}, AccountState.PENDING_REVIEW),
        (
            ACCOUNT | {"configuration": {"recipient": {"capabilities": {"stripe_balance": None}}}},
            AccountState.PENDING_REVIEW,
        ),
        (ACCOUNT | {"closed": True}, AccountState.CLOSED),
    ],
)
async def test_what_is_not_told_is_not_active(
    stripe: respx.MockRouter,
    accounts: StripeAccounts,
    bare: dict[str, Any],
    state: AccountState,
) -> None:
    stripe.get(f"/v2/core/accounts/{ACCOUNT_ID}").mock(return_value=answer(bare))
    snapshot = await accounts.retrieve_account(ACCOUNT_ID)
    assert state_of(snapshot, CapabilityPolicy()) is state
    if bare.get("closed") is not True:
        assert snapshot.transfers == snapshot.payouts == CapabilitySeen(NOT_REQUESTED)


async def test_finding_an_account_walks_every_page(
    stripe: respx.MockRouter, accounts: StripeAccounts
) -> None:
    first_page = {
        "data": [{"id": "acct_other", "metadata": {"seller_id": "sel_2"}}, {"id": "acct_bare"}],
        "next_page_url": "/v2/core/accounts?page=page_token_2&limit=100",
    }
    second_page = {"data": [{"id": ACCOUNT_ID, "metadata": {"seller_id": "sel_1"}}]}
    listed = stripe.get("/v2/core/accounts").mock(
        side_effect=[answer(first_page), answer(second_page)]
    )
    stripe.get(f"/v2/core/accounts/{ACCOUNT_ID}").mock(return_value=answer(ACCOUNT))
    found = await accounts.find_account(DRAFT)
    assert found is not None
    assert found.id == ACCOUNT_ID
    queries = [call.request.url.params.multi_items() for call in listed.calls]
    asked = [("applied_configurations[0]", "recipient"), ("limit", "100")]
    assert queries == [asked, [*asked, ("page", "page_token_2")]]


async def test_an_onboarding_link_collects_everything_at_once(
    stripe: respx.MockRouter, accounts: StripeAccounts
) -> None:
    stripe.post("/v2/core/account_links").mock(
        return_value=answer(
            {
                "object": "v2.core.account_link",
                "url": "https://connect.stripe.com/setup/e/acct_1/x",
                "expires_at": "2026-11-21T12:05:00.000Z",
            }
        )
    )
    link = await accounts.create_onboarding_link(
        ACCOUNT_ID,
        return_url="https://shop.example/return",
        refresh_url="https://shop.example/refresh",
        key=IdempotencyKey("click-1"),
    )
    request = only_request(stripe)
    assert request.headers["Idempotency-Key"] == "click-1"
    # `configurations` was removed from account links in 2026-09-30.endive: sending it is a 400.
    assert json.loads(request.content) == {
        "account": ACCOUNT_ID,
        "use_case": {
            "type": "account_onboarding",
            "account_onboarding": {
                "refresh_url": "https://shop.example/refresh",
                "return_url": "https://shop.example/return",
                "collection_options": {
                    "fields": "eventually_due",
                    "future_requirements": "include",
                },
            },
        },
    }
    assert link.url == "https://connect.stripe.com/setup/e/acct_1/x"
    assert link.expires_at == datetime(2026, 11, 21, 12, 5, tzinfo=UTC)


async def test_a_dashboard_link_is_a_v1_login_link(
    stripe: respx.MockRouter, accounts: StripeAccounts
) -> None:
    stripe.post(f"/v1/accounts/{ACCOUNT_ID}/login_links").mock(
        return_value=answer(
            {"object": "login_link", "created": 1, "url": "https://connect.stripe.com/express/x"}
        )
    )
    link = await accounts.create_dashboard_link(ACCOUNT_ID, IdempotencyKey("click-2"))
    request = only_request(stripe)
    assert request.headers["Idempotency-Key"] == "click-2"
    assert request.content == b""
    assert link.url == "https://connect.stripe.com/express/x"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer({"error": {"code": "not_found", "message": "No"}}, 404), StripeRejected),
        (answer({"error": {"code": "rate_limit"}}, 429), NotSent),
        (answer({"error": {"type": "api_error"}}, 500), OutcomeUnknown),
        (answer({"error": {"code": "api_key_expired"}}, 401), StripeMisconfigured),
        (answer({"id": 7}), OutcomeUnknown),
        (answer({"object": "v2.core.account"}), OutcomeUnknown),
        (httpx.Response(200, content=b"<html>"), OutcomeUnknown),
        (httpx.ConnectTimeout("slow"), PaymentError),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
    ],
)
async def test_every_other_answer_is_one_of_our_errors(
    stripe: respx.MockRouter,
    accounts: StripeAccounts,
    response: httpx.Response | Exception,
    error: type[Exception],
) -> None:
    route = stripe.get(f"/v2/core/accounts/{ACCOUNT_ID}")
    if isinstance(response, Exception):
        route.mock(side_effect=response)
    else:
        route.mock(return_value=response)
    with pytest.raises(error):
        await accounts.retrieve_account(ACCOUNT_ID)
    assert len(stripe.calls) == 1, "nothing is retried here"
