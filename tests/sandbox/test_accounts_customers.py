"""Customers: made, changed, found, and told about."""

import httpx

from stripe_sandbox.server import RunningSandbox

from .conftest import Receiver


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
    assert await sandbox.sandbox.deliveries.settled(5)
    assert listening.types() == ["customer.created", "customer.updated"]
    assert listening.events()[1]["data"]["previous_attributes"]["name"] == "Bo"


async def test_what_is_not_simulated_is_refused(stripe: httpx.AsyncClient) -> None:
    for form in ({"email": "nonsense"}, {"source": "tok_visa"}, {"balance": "5"}):
        assert (await stripe.post("/v1/customers", data=form)).status_code == 400
    assert (await stripe.get("/v1/customers/cus_none")).status_code == 404
