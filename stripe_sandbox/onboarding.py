"""The pages Stripe hosts: onboarding of a connected account, and its Express dashboard.

Plain HTML that works without scripts. Opening a link uses it up; the form it showed can be sent
for as long as the link lives. A used or expired link leads to the platform's refresh URL.
"""

from html import escape
from urllib.parse import parse_qs

from .account_links import LINK_KIND, LOGIN_KIND
from .accounts import (
    CAPABILITIES,
    ONBOARDING_REQUIREMENTS,
    set_capability,
    set_requirements,
)
from .errors import Json
from .http import Answer, Request
from .sandbox import Sandbox
from .world import World

OUTCOMES = ("complete", "complete_payouts_pending", "nothing")

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: #f6f8fa; color: #1a1f36; }
main { max-width: 34rem; margin: 3rem auto; padding: 2rem; background: #fff;
  border-radius: .75rem; box-shadow: 0 1px 3px rgba(0, 0, 0, .15); }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: #4f566b; } dd { margin: 0; overflow-wrap: anywhere; }
form { display: grid; gap: .75rem; margin-top: 1.5rem; }
button { font: inherit; padding: .75rem 1rem; border-radius: .5rem; border: 1px solid #635bff;
  background: #635bff; color: #fff; cursor: pointer; text-align: left; }
button.second { background: transparent; color: #4b45c6; }
button:focus-visible { outline: 3px solid #1a1f36; outline-offset: 2px; }
.note { color: #4f566b; font-size: .9rem; }
@media (prefers-color-scheme: dark) {
  body { background: #10131c; color: #e8eaf0; } main { background: #1c2030; }
  dt, .note { color: #aab1c5; } button.second { color: #b8b4ff; }
  button:focus-visible { outline-color: #fff; }
}
"""


def answer_page(sandbox: Sandbox, request: Request) -> Answer:
    """The hosted page of a path `/onboarding/{token}` or `/dashboard/{token}`."""
    sandbox.world.tick()
    area, _, token = request.path.strip("/").partition("/")
    match (area, request.method):
        case ("onboarding", "GET"):
            return _open(sandbox.world, token)
        case ("onboarding", "POST"):
            return _submit(sandbox.world, token, request.body)
        case ("dashboard", "GET"):
            return _dashboard(sandbox.world, token)
        case _:
            return _lost(405)


def _open(world: World, token: str) -> Answer:
    link = world.peek(LINK_KIND, token)
    if link is None:
        return _lost(404)
    account = world.account(link["account"])
    if link["opened"] or link["expires"] <= world.now() or account["closed"]:
        return Answer.redirect(link["refresh_url"])
    link["opened"] = True
    return Answer.html(_onboarding_page(account, link["id"]))


def _submit(world: World, token: str, body: bytes) -> Answer:
    link = world.peek(LINK_KIND, token)
    if link is None:
        return _lost(404)
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


def _dashboard(world: World, token: str) -> Answer:
    link = world.peek(LOGIN_KIND, token)
    if link is None or link["opened"] or link["expires"] <= world.now():
        return _lost(404)
    link["opened"] = True
    account = world.account(link["account"])
    return Answer.html(_page("Express dashboard", _facts(account) + _capabilities(account)))


# ------------------------------------------------------------------------------------- the HTML


def _onboarding_page(account: Json, token: str) -> str:
    form = f"""
<p>To be paid, this account needs details about the person or business behind it and a bank
account. The sandbox asks for none of them: choose how onboarding ends.</p>
{_facts(account)}
<form method="post" action="/onboarding/{escape(token)}">
  <button name="outcome" value="complete">Complete onboarding</button>
  <button name="outcome" value="complete_payouts_pending" class="second">Complete, but leave
    payouts pending</button>
  <button name="outcome" value="nothing" class="second">Provide nothing and return</button>
</form>"""
    return _page("Account onboarding", form)


def _facts(account: Json) -> str:
    identity = account["identity"]
    rows = {
        "Account": account["display_name"] or account["contact_email"] or account["id"],
        "Account id": account["id"],
        "E-mail": account["contact_email"] or "not given",
        "Country": identity.get("country", "not given").upper(),
        "Kind": identity.get("entity_type", "not given").replace("_", " "),
        "Used for": "receiving transfers from the platform (recipient)",
    }
    return _list(rows)


def _capabilities(account: Json) -> str:
    balance = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    rows = {f"Capability {name}": balance[name]["status"] for name in CAPABILITIES}
    due = [e["description"] for e in account["requirements"]["entries"]]
    return _list({**rows, "Asked for": ", ".join(due) or "nothing"})


def _list(rows: dict[str, str]) -> str:
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items())
    return f"<dl>{items}</dl>"


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Stripe sandbox</title><style>{STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>{body}
<p class="note">This is a local stand-in for Stripe: no data leaves this machine and no money
moves.</p></main></body>
</html>
"""


def _lost(status: int) -> Answer:
    text = "<p>This link was used, has expired or never existed: ask for a new one.</p>"
    return Answer.html(_page("Nothing here", text), status)
