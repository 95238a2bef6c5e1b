"""Customers: made, changed, found, and told about."""

import httpx

from stripe_sandbox.server import RunningSandbox

from .cards import attached, open_customer
from .conftest import Receiver
from .money import destination_charge, open_seller, pay, read, read_intent, refused, send


async def test_a_customer_is_made_and_found_by_address(stripe: httpx.AsyncClient) -> None:
    form = {"email": "bo@example.com", "name": "Bo", "metadata[buyer_id]": "acc_1"}
    made = (await stripe.post("/v1/customers", data=form)).json()
    assert (made["object"], made["email"], made["metadata"]) == (
        "customer",
        "bo@example.com",
        {"buyer_id": "acc_1"},
    )
    await stripe.post("/v1/customers", data={"email": "cy@example.com"})
    found = await stripe.get("/v1/customers", params={"email": "bo@example.com"})
    assert [c["id"] for c in found.json()["data"]] == [made["id"]]
    assert (await stripe.get(f"/v1/customers/{made['id']}")).json() == made


async def test_an_update_clears_and_says_what_was(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver
) -> None:
    form = {"email": "bo@example.com", "name": "Bo", "metadata[a]": "1", "metadata[b]": "2"}
    made = (await stripe.post("/v1/customers", data=form)).json()
    change = {"name": "Bob", "metadata[a]": "", "address": ""}
    path = f"/v1/customers/{made['id']}"
    updated = (await stripe.post(path, data=change)).json()
    assert (updated["name"], updated["metadata"]) == ("Bob", {"b": "2"})
    await stripe.post(path, data={"name": "Bob"})
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types() == ["customer.created", "customer.updated"]
    assert listening.events()[1]["data"]["previous_attributes"]["name"] == "Bo"


async def test_what_is_not_simulated_is_refused(stripe: httpx.AsyncClient) -> None:
    for form in (
        {"email": "nonsense"},
        {"source": "tok_visa"},
        {"balance": "5"},
        {"next_invoice_sequence": "7"},
    ):
        assert (await stripe.post("/v1/customers", data=form)).status_code == 400
    assert (await stripe.get("/v1/customers/cus_none")).status_code == 404


async def test_a_deleted_customer_leaves_a_mark_and_no_cards(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, listening: Receiver
) -> None:
    customer = await open_customer(stripe, name="Bo")
    card = await attached(stripe, customer)
    path = f"/v1/customers/{customer}"
    await send(stripe, path, invoice_settings={"default_payment_method": card["id"]})
    answer = await stripe.delete(path)
    gone = {"id": customer, "object": "customer", "deleted": True}
    assert (answer.status_code, answer.json()) == (200, gone)
    assert await read(stripe, path) == gone
    assert (await read(stripe, "/v1/customers"))["data"] == []
    assert (await read(stripe, f"/v1/payment_methods/{card['id']}"))["customer"] is None
    assert await sandbox.sandbox.deliveries.settled(60)
    assert listening.types()[-3:] == [
        "payment_method.detached",
        "customer.updated",
        "customer.deleted",
    ]
    told = listening.events()[-1]["data"]["object"]
    assert (told["name"], told["invoice_settings"]["default_payment_method"]) == ("Bo", None)


async def test_a_deleted_customer_takes_part_in_nothing_any_more(
    stripe: httpx.AsyncClient,
) -> None:
    customer = await open_customer(stripe)
    seller = await open_seller(stripe)
    paid = await pay(stripe, seller, customer=customer)
    await stripe.delete(f"/v1/customers/{customer}")
    for method, path in (("POST", ""), ("DELETE", ""), ("GET", "/payment_methods")):
        answer = await stripe.request(method, f"/v1/customers/{customer}{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "resource_missing")
        assert error["message"] == f"No such customer: '{customer}'"
    for path, params in (
        ("/v1/payment_intents", destination_charge(seller, customer=customer)),
        ("/v1/setup_intents", {"customer": customer}),
        ("/v1/payment_methods/pm_card_visa/attach", {"customer": customer}),
    ):
        error = await refused(stripe, path, **params)
        assert (error["code"], error["param"]) == ("resource_missing", "customer")
    shown = await read_intent(stripe, paid, "customer")
    assert shown["customer"]["deleted"] is True


async def test_only_a_server_deletes_customers_and_only_known_ones(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    customer = await open_customer(stripe)
    assert (await browser.delete(f"/v1/customers/{customer}")).status_code == 401
    assert (await stripe.delete("/v1/customers/cus_none")).status_code == 404
    answer = await stripe.delete(f"/v1/customers/{customer}", params={"reason": "x"})
    assert answer.json()["error"]["code"] == "parameter_unknown"
    assert "deleted" not in await read(stripe, f"/v1/customers/{customer}")
