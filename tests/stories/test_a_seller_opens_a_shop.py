"""A coach becomes a seller: profile, onboarding at Stripe, approval; two facts, in either order."""

from tests.stories.town import Person, Town, a_client


async def test_a_coach_onboards_and_is_approved(town: Town, admin: Person) -> None:
    coach = await town.arrives("coach")
    await town.opens_shop(coach)
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert (capability["payable"], capability["state"]) == (False, "not_started")

    answer = await town.onboards(coach)
    assert answer.headers["location"] == (
        f"{town.base_url}/v1/sellers/{coach.seller_id}/onboarding/return"
    )
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert capability["state"] == "ready", "the account is ready"
    assert capability["payable"] is False, "but the platform has not approved"
    assert capability["reasons"] == ["not_approved"]

    await town.approves(admin, coach)
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert (capability["payable"], capability["reasons"]) == (True, [])


async def test_approval_alone_pays_nobody(town: Town, admin: Person) -> None:
    """polar 10049: approval of a seller and readiness of the account are two facts."""
    coach = await town.arrives("coach")
    await town.opens_shop(coach)
    await town.approves(admin, coach)
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert capability["payable"] is False
    assert "no_account" in capability["reasons"]


async def test_an_onboarding_link_works_once(town: Town) -> None:
    coach = await town.arrives("coach")
    await town.opens_shop(coach)
    link = await coach.post(f"/v1/sellers/{coach.seller_id}/onboarding-link")
    again = await coach.post(f"/v1/sellers/{coach.seller_id}/onboarding-link")
    assert link["url"] != again["url"], "one for each click"
    async with a_client() as browser:
        await browser.post(link["url"], data={"outcome": "complete"})
        used = await browser.get(link["url"])
    assert used.status_code == 303
    assert used.headers["location"].endswith("/onboarding/refresh")
    refreshed = await coach.http.get(used.headers["location"], follow_redirects=False)
    assert refreshed.status_code == 303
    assert refreshed.headers["location"].startswith(town.sandbox.base_url)


async def test_coming_back_without_finishing_proves_nothing(town: Town) -> None:
    coach = await town.arrives("coach")
    await town.opens_shop(coach)
    await town.onboards(coach, outcome="nothing")
    page = await coach.http.get(f"/v1/sellers/{coach.seller_id}/onboarding/return")
    assert page.status_code == 200
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert capability["payable"] is False


async def test_an_account_that_stripe_restricts_is_noticed_by_its_event(
    town: Town, admin: Person
) -> None:
    coach = await town.seller(admin=admin)
    await town.restricts(coach)
    capability = await coach.get(f"/v1/sellers/{coach.seller_id}/payout-capability")
    assert capability["payable"] is False
    assert "transfers_inactive" in capability["reasons"]


async def test_somebody_elses_shop_is_not_there(town: Town, coach: Person, buyer: Person) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/payout-capability"),
        ("POST", "/onboarding-link"),
        ("POST", "/dashboard-link"),
        ("GET", "/onboarding/refresh"),
    ):
        url = f"/v1/sellers/{coach.seller_id}{path}"
        assert await buyer.refused(method, url) == (404, "seller_not_found"), url


async def test_only_admins_approve(town: Town, coach: Person, buyer: Person) -> None:
    path = f"/v1/admin/sellers/{coach.seller_id}/approval"
    status, _ = await buyer.refused("POST", path, {"decision": "approve", "reason": "me"})
    assert status == 403
