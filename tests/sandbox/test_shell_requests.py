"""Keys, versions, parameters, lists and headers, as Stripe treats them."""

from typing import Any

import httpx
import pytest

from stripe_sandbox.server import RunningSandbox

from .accounts import link_to_onboarding, open_account

INTENT = {"amount": "1000", "currency": "usd"}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer sk_live_51abc", 401),
        ("Bearer pk_live_51abc", 401),
        ("Bearer nonsense", 401),
        ("Bearer sk_test_", 401),
        ("Basic !!!", 401),
        ("Bearer pk_test_x", 401),
        ("Bearer sk_test_x", 200),
        ("Bearer rk_test_x", 200),
        ("Basic c2tfdGVzdF94Og==", 200),
    ],
)
async def test_only_test_keys_are_let_in(
    sandbox: RunningSandbox, authorization: str | None, status: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with httpx.AsyncClient(base_url=sandbox.base_url, headers=headers) as client:
        answer = await client.get("/v1/events")
    assert answer.status_code == status
    if status == 401:
        assert error_of(answer)["type"] == "invalid_request_error"


async def test_no_key_is_kept_in_the_list_of_requests(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox
) -> None:
    await stripe.post("/v1/payment_intents", data=INTENT, headers={"Idempotency-Key": "order:1"})
    listed = (await stripe.get("/_sandbox/requests")).text
    assert "sk_test" not in listed
    assert "order:1" in listed


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/subscriptions", "/v1/refunds/", "/", "/v3"])
async def test_an_unknown_path_is_stripes_404(stripe: httpx.AsyncClient, path: str) -> None:
    answer = await stripe.get(path)
    assert answer.status_code == 404
    assert error_of(answer)["message"].startswith("Unrecognized request URL (GET: ")


async def test_one_api_version_is_spoken(stripe: httpx.AsyncClient) -> None:
    older = await stripe.get("/v1/events", headers={"Stripe-Version": "2020-08-27"})
    assert older.status_code == 400
    del stripe.headers["Stripe-Version"]
    assert (await stripe.get("/v1/events")).status_code == 200
    assert error_of(await stripe.get("/v2/core/accounts"))["code"] == "missing_stripe_version"


async def test_every_answer_names_its_request(stripe: httpx.AsyncClient) -> None:
    answer = await stripe.get("/v1/events", headers={"Idempotency-Key": "k"})
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2026-10-28.endive"
    assert answer.headers["idempotency-key"] == "k"


async def test_an_account_that_is_not_ours_is_403(stripe: httpx.AsyncClient) -> None:
    headers = {"Stripe-Account": "acct_other"}
    answer = await stripe.get("/v1/events", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "account_invalid")
    headers = {"Stripe-Account": (await open_account(stripe))["id"]}
    assert (await stripe.get("/v1/events", headers=headers)).json()["data"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/payment_intents"),
        ("POST", "/v1/setup_intents"),
        ("GET", "/v1/customers"),
        ("GET", "/v1/application_fees"),
        ("GET", "/v2/core/accounts"),
    ],
)
async def test_what_would_be_an_accounts_own_is_not_shown_as_the_platforms(
    stripe: httpx.AsyncClient, method: str, path: str
) -> None:
    headers = {"Stripe-Account": (await open_account(stripe))["id"]}
    answer = await stripe.request(method, path, headers=headers)
    assert answer.status_code == 400
    assert f"simulates {method} {path} on the platform's own account only" in answer.text


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({**INTENT, "amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({**INTENT, "amount": "10.5"}, "parameter_invalid_integer", "amount"),
        ({**INTENT, "amount": "9" * 30}, "parameter_invalid_integer", "amount"),
        ({**INTENT, "amount": ""}, "parameter_invalid_empty", "amount"),
        ({**INTENT, "tip": "1"}, "parameter_unknown", "tip"),
        ({**INTENT, "confirm": "yes"}, None, "confirm"),
        ({**INTENT, "capture_method": "later"}, None, "capture_method"),
        ({**INTENT, "shipping": "x"}, None, "shipping"),
        ({**INTENT, "transfer_data[to]": "x"}, "parameter_unknown", "transfer_data[to]"),
        (
            {**INTENT, "transfer_data[amount]": "1"},
            "parameter_missing",
            "transfer_data[destination]",
        ),
        (
            {**INTENT, "payment_method_types[]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ({**INTENT, "description": "d" * 5_001}, None, "description"),
        ({**INTENT, "receipt_email": "nobody"}, "email_invalid", "receipt_email"),
        ({**INTENT, "metadata[k]": "v" * 501}, "parameter_invalid_string", "metadata[k]"),
        ({**INTENT, "metadata[" + "k" * 41 + "]": "v"}, "parameter_invalid_string", "metadata"),
    ],
)
async def test_wrong_parameters_are_refused_in_stripes_words(
    stripe: httpx.AsyncClient, form: dict[str, str], code: str | None, param: str
) -> None:
    answer = await stripe.post("/v1/payment_intents", data=form)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["type"], error.get("code"), error["param"]) == (
        "invalid_request_error",
        code,
        param,
    )
    assert (await stripe.get("/v1/payment_intents")).json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"amount=\xff",
        b"amount=1&amount[x]=2",
        b"a[b=1",
        b"amount=1%00",
        b"&".join(b"a%d=1" % n for n in range(1_001)),
        b"metadata" + b"[a]" * 40 + b"=1",
    ],
)
async def test_what_is_not_a_form_is_400(stripe: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await stripe.post("/v1/payment_intents", content=body, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000])
async def test_what_is_not_json_is_400(stripe: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await stripe.post("/v2/core/accounts", content=body, headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_json")


async def test_json_values_keep_their_types(stripe: httpx.AsyncClient) -> None:
    answer = await stripe.post("/v2/core/accounts", json={"display_name": 7})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "display_name")
    answer = await stripe.post("/v2/core/accounts", json={"identity": {"country": None}})
    assert answer.status_code == 400
    answer = await stripe.post("/v2/core/accounts", json={"nickname": "x"})
    assert error_of(answer)["code"] == "parameter_unknown"


async def test_a_body_that_is_too_large_is_413(stripe: httpx.AsyncClient) -> None:
    answer = await stripe.post("/v1/payment_intents", content=b"a" * (1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_lists_are_walked_with_cursors(stripe: httpx.AsyncClient) -> None:
    made = [(await stripe.post("/v1/payment_intents", data=INTENT)).json()["id"] for _ in range(5)]
    newest_first = made[::-1]

    async def ids(**params: Any) -> tuple[list[str], bool]:
        page = (await stripe.get("/v1/payment_intents", params=params)).json()
        return [intent["id"] for intent in page["data"]], page["has_more"]

    assert await ids() == (newest_first, False)
    assert await ids(limit=2) == (newest_first[:2], True)
    assert await ids(limit=2, starting_after=newest_first[1]) == (newest_first[2:4], True)
    assert await ids(limit=2, starting_after=newest_first[3]) == (newest_first[4:], False)
    assert await ids(limit=2, ending_before=newest_first[4]) == (newest_first[2:4], True)
    assert await ids(limit=9, ending_before=newest_first[1]) == (newest_first[:1], False)
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "pi_none"}):
        answer = await stripe.get("/v1/payment_intents", params=wrong)
        assert answer.status_code == 400


async def test_lists_are_filtered_by_time(stripe: httpx.AsyncClient) -> None:
    first = (await stripe.post("/v1/payment_intents", data=INTENT)).json()
    await stripe.post("/_sandbox/clock", json={"advance": 3600})
    second = (await stripe.post("/v1/payment_intents", data=INTENT)).json()
    assert second["created"] - first["created"] >= 3600

    async def ids(**params: Any) -> list[str]:
        page = (await stripe.get("/v1/payment_intents", params=params)).json()
        return [intent["id"] for intent in page["data"]]

    assert await ids(**{"created[gte]": second["created"]}) == [second["id"]]
    assert await ids(**{"created[lt]": second["created"]}) == [first["id"]]
    assert await ids(created=first["created"]) == [first["id"]]


async def test_what_cannot_be_expanded_is_refused(stripe: httpx.AsyncClient) -> None:
    intent = (await stripe.post("/v1/payment_intents", data=INTENT)).json()
    path = f"/v1/payment_intents/{intent['id']}"
    for expand in ("amount", "nothing", "latest_charge.customer.a.b.c"):
        answer = await stripe.get(path, params={"expand[]": expand})
        assert (answer.status_code, error_of(answer)["param"]) == (400, "expand")
    assert (await stripe.get(path, params={"expand[]": "latest_charge"})).status_code == 200


async def test_a_browser_may_call_from_another_origin(browser: httpx.AsyncClient) -> None:
    asked = {"Origin": "http://shop.test", "Access-Control-Request-Method": "POST"}
    preflight = await browser.options("/v1/payment_intents/pi_1/confirm", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    refused = await browser.post("/v1/payment_intents", data=INTENT)
    assert refused.status_code == 401
    assert error_of(refused)["code"] == "secret_key_required"
    assert refused.headers["access-control-allow-origin"] == "*"


async def test_a_browser_sends_its_key_as_stripe_js_does(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox
) -> None:
    intent = (await stripe.post("/v1/payment_intents", data=INTENT)).json()
    secret = {"client_secret": intent["client_secret"], "key": "pk_test_x"}
    async with httpx.AsyncClient(base_url=sandbox.base_url) as browser:
        seen = await browser.get(f"/v1/payment_intents/{intent['id']}", params=secret)
        assert seen.json()["id"] == intent["id"]
        expand = {**secret, "expand[]": "latest_charge"}
        refused = await browser.get(f"/v1/payment_intents/{intent['id']}", params=expand)
    assert refused.status_code == 400


async def test_an_error_says_where_its_request_is_remembered(stripe: httpx.AsyncClient) -> None:
    refused = await stripe.get("/v1/payment_intents/pi_none")
    log_url = refused.json()["error"]["request_log_url"]
    [asked] = (await stripe.get(log_url)).json()["requests"]
    assert asked["request_id"] == refused.headers["request-id"]
    assert (asked["path"], asked["status"]) == ("/v1/payment_intents/pi_none", 404)


async def test_events_can_be_read_back_for_thirty_days(stripe: httpx.AsyncClient) -> None:
    await stripe.post("/v1/payment_intents", data=INTENT)
    [event] = (await stripe.get("/v1/events")).json()["data"]
    assert (await stripe.get(f"/v1/events/{event['id']}")).status_code == 200
    await stripe.post("/_sandbox/clock", json={"advance": 31 * 24 * 3600})
    assert (await stripe.get(f"/v1/events/{event['id']}")).status_code == 404
    assert (await stripe.get("/v1/events")).json()["data"] == []


async def test_events_can_be_read_back(stripe: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order:9"}
    answer = await stripe.post("/v1/payment_intents", data=INTENT, headers=headers)
    events = (await stripe.get("/v1/events", params={"type": "payment_intent.*"})).json()["data"]
    assert [e["type"] for e in events] == ["payment_intent.created"]
    assert events[0]["request"] == {
        "id": answer.headers["request-id"],
        "idempotency_key": "order:9",
    }
    assert events[0]["data"]["object"] == answer.json()
    one = await stripe.get(f"/v1/events/{events[0]['id']}")
    assert one.json() == events[0]
    both = {"type": "a", "types[]": "b"}
    assert (await stripe.get("/v1/events", params=both)).status_code == 400
    assert (await stripe.get("/v1/events/evt_none")).status_code == 404


async def test_thin_events_can_be_read_back(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    account = await open_account(stripe)
    link = await link_to_onboarding(stripe, account["id"])
    await browser.post(link["url"], data={"outcome": "complete"})
    listed = await stripe.get("/v2/core/events", params={"object_id": account["id"]})
    events = listed.json()["data"]
    assert len(events) == 4
    changed = next(e for e in events if e["type"].endswith("capability_status_updated"))
    one = (await stripe.get(f"/v2/core/events/{changed['id']}")).json()
    assert one["data"]["updated_capability"] == "stripe_balance.payouts"
    assert one["related_object"]["url"] == f"/v2/core/accounts/{account['id']}"
    [returned] = [
        event
        for event in (await stripe.get("/v2/core/events")).json()["data"]
        if event["type"] == "v2.core.account_link.returned"
    ]
    assert returned["data"]["account_id"] == account["id"]
    assert "related_object" not in returned


async def test_the_sandbox_can_be_emptied(stripe: httpx.AsyncClient) -> None:
    await stripe.post("/v1/payment_intents", data=INTENT)
    await stripe.post("/_sandbox/clock", json={"advance": 60})
    assert (await stripe.post("/_sandbox/reset")).json() == {"reset": True}
    assert (await stripe.get("/v1/payment_intents")).json()["data"] == []
    assert (await stripe.get("/_sandbox/clock")).json()["offset_seconds"] == 0


async def test_the_control_surface_lists_itself(stripe: httpx.AsyncClient) -> None:
    controls = (await stripe.get("/_sandbox")).json()["controls"]
    assert "POST /_sandbox/clock" in controls
    assert (await stripe.get("/_sandbox/nothing")).status_code == 404
    for body in (b"{", b'{"advance": -1}', b'{"advance": "1"}', b'{"hours": 1}', b""):
        assert (await stripe.post("/_sandbox/clock", content=body)).status_code == 400
