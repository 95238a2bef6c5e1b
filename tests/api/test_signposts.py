"""Links lead somewhere: to the front-end, or to a page of ours that says how to read what they are about."""

import re

from litestar.routes import HTTPRoute

from marketplace.app import create_app
from marketplace.messages.account_texts import PROOF, RESET
from marketplace.messages.texts import TEXTS
from marketplace.pages.signposts import SIGNPOSTS
from marketplace.settings import Settings
from tests.api.harness import ADDRESS, client_of, settings_for

_ORDER = "ord_01k9zc3v5m8q2r4t6w8y0abcde"


def test_every_link_in_a_message_has_a_signpost_and_every_signpost_a_route() -> None:
    declared = {
        re.sub(r"\{[a-z_]+\}", "{}", route.path_format)
        for route in create_app(settings_for("")).routes
        if isinstance(route, HTTPRoute)
    }
    known = {signpost.path for signpost in SIGNPOSTS} | {RESET, PROOF}
    assert {f"/pages{RESET}", f"/pages{PROOF}"} <= declared
    for text in TEXTS.values():
        if text.path is not None:
            assert text.path.partition("?")[0] in known
    for signpost in SIGNPOSTS:
        route = signpost.route(dict.fromkeys(re.findall(r"\{([a-z_]+)\}", signpost.path), "{}"))
        assert route in declared


async def test_a_link_says_which_route_reads_it_and_takes_what_mail_programs_add() -> None:
    client = client_of(create_app(settings_for("")))
    page = await client.get(f"/pages/orders/{_ORDER}?utm_source=mail")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert f"{ADDRESS}/v1/orders/{_ORDER}" in page.text
    assert "MARKETPLACE_FRONTEND_URL" in page.text
    cases = await client.get('/pages/admin/cases?run_id=rec_1"><script>')
    assert "/v1/admin/cases?run_id=rec_1" in cases.text
    assert "<script>" not in cases.text
    for nowhere in ("/pages/orders", "/pages/orders/<b>", "/pages/nothing", "/pages/orders/a/b/c"):
        assert (await client.get(nowhere)).status_code == 404


async def test_the_way_back_from_the_bank_tells_nobody_the_client_secret() -> None:
    client = client_of(create_app(settings_for("")))
    said = (
        "payment_intent=pi_1&payment_intent_client_secret=pi_1_secret_2&redirect_status=succeeded"
    )
    page = await client.get(f"/pages/orders/{_ORDER}/return?{said}")
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "secret" not in page.text
    assert "back from your bank" in page.text


def test_links_lead_to_the_front_end_where_there_is_one() -> None:
    given = {"MARKETPLACE_FRONTEND_URL": "https://shop.example.com/app/"}
    assert Settings.from_environment(given, require=()).pages_url == "https://shop.example.com/app"
    assert Settings.from_environment({}, require=()).pages_url == "http://127.0.0.1:8000/pages"
