"""Confirming a SetupIntent: the bank is asked whether a card may be kept for later payments."""

from .cards import Decline, decline_error
from .errors import DOCUMENTATION, Json
from .intent_rules import require_buyers_options
from .next_actions import ask_for_challenge, require_way_back
from .payment_methods import card_behind, require_payment_method
from .routes import Call
from .saved_cards import remember, require_usable, use_up
from .setup_attempts import begin_attempt, end_attempt
from .setup_rules import (
    find_setup,
    refuse_unsimulated,
    require_card,
    require_not_over,
    seen_by,
    told_with,
    unexpected_state,
)
from .world import World, public


def confirm(call: Call) -> Json:
    """Set up the card: by the platform's secret key, or by a browser with the client secret."""
    setup = find_setup(call)
    return seen_by(call, try_to_set_up(call, setup, prepare(call, setup)))


def prepare(call: Call, setup: Json, *, attached: str | None = None) -> Json:
    """Write what the call tells into the SetupIntent and answer its PaymentMethod.

    `attached` is the PaymentMethod that was made of the call's already, if one was. That one is
    missing is said before anything else, even of a SetupIntent that is over.
    """
    refuse_unsimulated(call)
    if call.publishable:
        require_buyers_options(call.params)
    id = attached or call.params.get("payment_method") or setup["payment_method"]
    if id is None:
        raise unexpected_state(
            call,
            setup,
            "You cannot confirm this SetupIntent because it's missing a payment method. You can "
            "either update the SetupIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
        )
    require_not_over(call, setup, "confirm")
    require_way_back(call, setup)
    method = require_payment_method(call.world, id)
    require_card(call, setup, method)
    require_usable(method, setup, told_with(call, setup))
    if given := (call.params.get("payment_method_options") or {}).get("card"):
        setup["payment_method_options"]["card"].update(given)
    setup["payment_method"] = method["id"]
    setup["_return_url"] = call.params.get("return_url")
    return method


def try_to_set_up(call: Call, setup: Json, method: Json) -> Json:
    """Ask the bank, or for a challenge first. Raises the card error of a decline (402)."""
    card = card_behind(method)
    begin_attempt(call.world, setup, method)
    if card.challenge:
        setup["last_setup_error"] = None
        ask_for_challenge(call, setup)
        return setup
    declined = _conclude(call.world, setup, method, challenged=False)
    if declined is not None:
        raise decline_error(setup["last_setup_error"], told_with(call, setup))
    return setup


def conclude_challenge(world: World, setup: Json, *, passed: bool) -> None:
    """End the challenge of a SetupIntent that waits for one."""
    method = world.find("payment_method", setup["payment_method"])
    if passed:
        _conclude(world, setup, method, challenged=True)
        return
    code = "setup_intent_authentication_failure"
    error = {
        "code": code,
        "doc_url": f"{DOCUMENTATION}/{code.replace('_', '-')}",
        "message": "The provided PaymentMethod has failed authentication. You can provide "
        "payment_method_data or a new PaymentMethod to attempt to fulfill this SetupIntent again.",
        "type": "invalid_request_error",
    }
    _fail(world, setup, method, error)


def _conclude(world: World, setup: Json, method: Json, *, challenged: bool) -> Decline | None:
    decline = card_behind(method).setup_decline
    if decline is not None:
        _fail(world, setup, method, decline.told(), challenged=challenged)
        return decline
    remember(world, method, setup["customer"], setup["usage"], authenticated=True)
    setup.update({"last_setup_error": None, "next_action": None, "status": "succeeded"})
    end_attempt(world, setup, "succeeded", challenged=challenged)
    world.emit("setup_intent.succeeded", setup)
    return None


def _fail(
    world: World, setup: Json, method: Json, error: Json, *, challenged: bool = False
) -> None:
    """Back to `requires_payment_method`, with the reason."""
    use_up(method)
    error = {**error, "payment_method": public(method)}
    setup.update(
        {
            "last_setup_error": error,
            "next_action": None,
            "payment_method": None,
            "status": "requires_payment_method",
        }
    )
    end_attempt(world, setup, "failed", challenged=challenged, error=error)
    world.emit("setup_intent.setup_failed", setup)
