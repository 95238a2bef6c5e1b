"""Login links to the Express dashboard, and the page behind them: an account's balance and payouts.

A link is used once and lives for minutes of the virtual clock.
"""

from datetime import UTC, datetime
from html import escape

from .accounts import CAPABILITIES
from .amounts import written
from .balances import funds
from .errors import Json, refused
from .http import Answer, Request
from .onboarding import account_facts, lost
from .pages import facts, page
from .routes import Call, route
from .sandbox import Sandbox
from .world import World

LINK_KIND = "sandbox.login_link"
MOST_PAYOUTS = 20


@route("POST", "/v1/accounts/{id}/login_links")
def create(call: Call) -> Json:
    """A link to the Express dashboard of an account that was onboarded."""
    world = call.world
    account = world.account(call.args["id"], status=404)
    if account["dashboard"] != "express" or account["closed"]:
        raise refused(
            "Cannot create a login link for an account that is not an Express account.",
            param="account",
        )
    if "_submitted" not in account and "active" not in _capabilities(account).values():
        raise refused(
            "Cannot create a login link for an account that has not completed onboarding.",
            param="account",
        )
    token = world.token(32)
    world.put(
        {
            "object": LINK_KIND,
            "id": token,
            "account": account["id"],
            "expires": world.now() + call.config.account_link_seconds,
            "opened": False,
        }
    )
    return {
        "object": "login_link",
        "created": world.now(),
        "url": f"{call.base_url}/dashboard/{token}",
    }


def answer_dashboard(sandbox: Sandbox, request: Request) -> Answer:
    """The page of a path `/dashboard/{token}`: opening it uses the link up."""
    world = sandbox.world
    world.tick()
    _, _, token = request.path.strip("/").partition("/")
    if request.method != "GET":
        return lost(405)
    link = world.peek(LINK_KIND, token)
    if link is None or link["opened"] or link["expires"] <= world.now():
        return lost(404)
    link["opened"] = True
    account = world.account(link["account"])
    body = account_facts(account) + _standing(account)
    body += _balance(world, account["id"]) + _payouts(world, account["id"])
    return Answer.html(page("Express dashboard", body))


# ------------------------------------------------------------------------------------- the HTML


def _capabilities(account: Json) -> dict[str, str]:
    balance = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    return {name: balance[name]["status"] for name in CAPABILITIES}


def _standing(account: Json) -> str:
    rows = {f"Capability {name}": status for name, status in _capabilities(account).items()}
    due = [e["description"] for e in account["requirements"]["entries"]]
    return facts({**rows, "Asked for": ", ".join(due) or "nothing"})


def _balance(world: World, account: str) -> str:
    """Money by currency; below zero it is what the account owes."""
    rows: dict[str, str] = {}
    for word in ("available", "pending"):
        for currency, amount in sorted(funds(world, word, account=account).items()):
            rows[f"{word.capitalize()}, {currency}"] = written(amount, currency)
    return "<h2>Balance</h2>" + facts(rows or {"Nothing yet": "no payment has arrived"})


def _payouts(world: World, account: str) -> str:
    newest = world.all("payout", account=account)[:MOST_PAYOUTS]
    if not newest:
        return "<h2>Payouts</h2><p>None yet.</p>"
    items = "".join(f"<li>{escape(_payout(payout))}</li>" for payout in newest)
    return f"<h2>Payouts</h2><ul>{items}</ul>"


def _payout(payout: Json) -> str:
    arrival = datetime.fromtimestamp(payout["arrival_date"], UTC).date().isoformat()
    told = f"{written(payout['amount'], payout['currency'])}, {payout['status']}, {arrival}"
    return told if payout["failure_message"] is None else f"{told}: {payout['failure_message']}"
