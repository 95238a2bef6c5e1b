"""Admins find out who an id or an address is; nobody else does."""

from litestar import Litestar

from tests.api.harness import Browser, a_person


async def test_admins_look_people_up_by_id_and_by_address(app: Litestar, admin: Browser) -> None:
    buyer = await a_person(app, "wanted@example.com")
    refused = await buyer.get("/v1/admin/accounts")
    assert (refused.status_code, refused.json()["code"]) == (403, "admins_only")
    found = await admin.get("/v1/admin/accounts", email="Wanted@Example.com")
    (one,) = found.json()["data"]
    assert one["email"] == "wanted@example.com"
    assert (await admin.get(f"/v1/admin/accounts/{one['id']}")).json() == one
    admins = (await admin.get("/v1/admin/accounts", is_admin="true")).json()["data"]
    assert admin.account["id"] in {each["id"] for each in admins}
    assert all(each["is_admin"] for each in admins)
    nobody = await admin.get("/v1/admin/accounts/acc_nobody")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "account_not_found")
    wrong = await admin.get("/v1/admin/accounts", email="nothing")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "email_refused")
