"""The pages of onboarding a connected account, which Stripe hosts.

Plain HTML that works without scripts. Opening a link uses it up; the form it showed can be sent
for as long as the link lives. A used or expired link leads to the platform's refresh URL.
"""

from html import escape
from urllib.parse import parse_qs

from .account_links import LINK_KIND
from .accounts import ONBOARDING_REQUIREMENTS, set_capability, set_requirements
from .errors import Json
from .http import Answer, Request
from .pages import facts, page
from .sandbox import Sandbox
from .world import World

OUTCOMES = ("complete", "complete_payouts_pending", "nothing")


def answer_page(sandbox: Sandbox, request: Request) -> Answer:
    """The hosted page of a path `/onboarding/{token}`."""
    sandbox.world.tick()
    _, _, token = request.path.strip("/").partition("/")
    match request.method:
        case "GET":
            return _open(sandbox.world, token)
        case "POST":
            return _submit(sandbox.world, token, request.body)
        case _:
            return lost(405)


def _open(world: World, token: str) -> Answer:
    link = world.peek(LINK_KIND, token)
    if link is None:
        return lost(404)
    account = world.account(link["account"])
    if link["opened"] or link["expires"] <= world.now() or account["closed"]:
        return Answer.redirect(link["refresh_url"])
    link["opened"] = True
    return Answer.html(_onboarding_page(account, link["id"]))


def _submit(world: World, token: str, body: bytes) -> Answer:
    link = world.peek(LINK_KIND, token)
    if link is None:
        return lost(404)
    account = world.account(link["account"])
    if link["done"] or link["expires"] <= world.now() or account["closed"]:
        return Answer.redirect(link["refresh_url"])
    outcome = parse_qs(body.decode("utf-8", "replace")).get("outcome", ["complete"])[0]
    if outcome not in OUTCOMES:
        return Answer.html(_onboarding_page(account, token), 400)
    link["opened"] = link["done"] = True
    provide(world, account, outcome)
    world.emit_thin("v2.core.account_link.returned", None, data=_returned(account))
    return Answer.redirect(link["return_url"])


def _returned(account: Json) -> Json:
    return {
        "account_id": account["id"],
        "configurations": account["applied_configurations"],
        "use_case": "account_onboarding",
    }


def provide(world: World, account: Json, outcome: str) -> None:
    """What onboarding with one of OUTCOMES makes of an account."""
    if outcome == "nothing":
        return
    account["_submitted"] = True
    payouts = "active" if outcome == "complete" else "pending"
    waiting = [] if payouts == "active" else [_verification()]
    set_capability(world, account, "stripe_transfers", "active")
    set_capability(world, account, "payouts", payouts)
    set_requirements(world, account, waiting)


def _verification() -> Json:
    return {
        "description": ONBOARDING_REQUIREMENTS[5],
        "deadline": "currently_due",
        "awaiting_action_from": "stripe",
    }


# ------------------------------------------------------------------------------------- the HTML


def _onboarding_page(account: Json, token: str) -> str:
    form = f"""
<p>To be paid, this account needs details about the person or business behind it and a bank
account. The sandbox asks for none of them: choose how onboarding ends.</p>
{account_facts(account)}
<form method="post" action="/onboarding/{escape(token)}">
  <button name="outcome" value="complete">Complete onboarding</button>
  <button name="outcome" value="complete_payouts_pending" class="second">Complete, but leave
    payouts pending</button>
  <button name="outcome" value="nothing" class="second">Provide nothing and return</button>
</form>"""
    return page("Account onboarding", form)


def account_facts(account: Json) -> str:
    """Who the account belongs to."""
    identity = account["identity"]
    rows = {
        "Account": account["display_name"] or account["contact_email"] or account["id"],
        "Account id": account["id"],
        "E-mail": account["contact_email"] or "not given",
        "Country": identity.get("country", "not given").upper(),
        "Kind": identity.get("entity_type", "not given").replace("_", " "),
        "Used for": "receiving transfers from the platform (recipient)",
    }
    return facts(rows)


def lost(status: int) -> Answer:
    """The page for a link that leads nowhere."""
    text = "<p>This link was used, has expired or never existed: ask for a new one.</p>"
    return Answer.html(page("Nothing here", text), status)
