"""3-D Secure: the page of the buyer's bank, where a challenge is passed or failed.

It works without scripts. `POST /3ds/{payment_intent or setup_intent}` with `outcome=complete` or
`outcome=fail` ends the challenge, then leads back to the `return_url` of the confirmation, if
there was one.
"""

from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from .amounts import written
from .attempts import attempt, fail_authentication
from .errors import Json, StripeError
from .http import Answer, Request
from .intent_rules import require_money
from .pages import facts, page
from .payment_methods import card_behind
from .sandbox import Sandbox
from .setup_confirmation import conclude_challenge
from .world import World

TITLE = "Your bank asks: is it you?"
FORM = """<p>{question}</p>
{facts}
<form method="post" action="/3ds/{id}">
  <button name="outcome" value="complete">Complete authentication</button>
  <button name="outcome" value="fail" class="second">Fail authentication</button>
</form>"""


def answer_challenge(sandbox: Sandbox, request: Request) -> Answer:
    """The page of a challenge, or what became of it once it is answered.

    404 without such a PaymentIntent or SetupIntent, 409 when it does not wait for a challenge, 400 for an
    outcome that is neither, 405 for another verb.
    """
    world = sandbox.world
    world.tick()
    id = request.path.rsplit("/", 1)[-1]
    intent = world.peek("payment_intent", id) or world.peek("setup_intent", id)
    if intent is None:
        return _page("Nothing here", "<p>There is no such payment.</p>", 404)
    if request.method not in ("GET", "POST"):
        return _page("Not possible", "<p>A challenge is read and answered.</p>", 405)
    if intent["status"] != "requires_action":
        return _page("Already over", "<p>Your bank does not wait for you any more.</p>", 409)
    if request.method == "GET":
        return _page(TITLE, _form(world, intent))
    outcome = parse_qs(request.body.decode("utf-8", "replace")).get("outcome", [""])[0]
    if outcome not in ("complete", "fail"):
        return _page(TITLE, _form(world, intent), 400)
    try:
        conclude(world, intent, passed=outcome == "complete")
    except StripeError as error:
        return _page("Not possible", f"<p>{escape(error.message)}</p>", error.status)
    return _leave(intent)


def conclude(world: World, intent: Json, *, passed: bool) -> None:
    """End the challenge of a PaymentIntent or SetupIntent that waits for one.

    Passed, the card is set up or charged at once, or, where `confirmation_method` is `manual`, when the
    platform confirms again. Raises StripeError when the destination can no longer be paid.
    """
    if intent["object"] == "setup_intent":
        conclude_challenge(world, intent, passed=passed)
        return
    if not passed:
        fail_authentication(world, intent)
        return
    require_money(world, intent)
    if intent["confirmation_method"] == "manual":
        intent.update({"_challenged": True, "next_action": None, "status": "requires_confirmation"})
        return
    method = world.find("payment_method", intent["payment_method"])
    attempt(world, intent, method, card_behind(method), challenged=True)


def _leave(intent: Json) -> Answer:
    payment = intent["object"] == "payment_intent"
    failed = intent["last_payment_error" if payment else "last_setup_error"] is not None
    if intent["_return_url"] is None:
        result = "failed" if failed else "succeeded"
        return _page("Thank you", f"<p>Authentication {result}. You can close this page.</p>")
    return Answer.redirect(_returned(intent, "failed" if failed else "succeeded"))


def _returned(intent: Json, redirect_status: str) -> str:
    """The return URL with what Stripe adds to it, keeping its own query."""
    url = urlsplit(intent["_return_url"])
    kind = intent["object"]
    added = urlencode(
        {
            kind: intent["id"],
            f"{kind}_client_secret": intent["client_secret"],
            "redirect_status": redirect_status,
        }
    )
    return urlunsplit(url._replace(query=f"{url.query}&{added}" if url.query else added))


def _form(world: World, intent: Json) -> str:
    card = world.find("payment_method", intent["payment_method"])["card"]
    told = {"Card": f"{card['brand'].title()} ending in {card['last4']}"}
    if intent["object"] == "payment_intent":
        question = "Your bank wants to know that it is you who pays."
        told["Amount"] = written(intent["amount"], intent["currency"])
    else:
        question = "Your bank wants to know that it is you who saves this card for later payments."
    return FORM.format(question=question, facts=facts(told), id=escape(intent["id"]))


def _page(title: str, body: str, status: int = 200) -> Answer:
    return Answer.html(page(title, body), status)
