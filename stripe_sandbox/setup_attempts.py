"""SetupAttempts: what became of each try of a SetupIntent to set up a card."""

from .charge_shapes import authenticated
from .errors import Json
from .payment_methods import checks
from .world import World, public


def begin_attempt(world: World, setup: Json, method: Json) -> None:
    """Keep a new attempt with the card; one that still waited for the buyer was abandoned."""
    if setup["latest_attempt"] is not None:
        before = world.find("setup_attempt", setup["latest_attempt"])
        if before["status"] == "requires_action":
            before["status"] = "abandoned"
    attempt = world.put(
        {
            "id": world.mint("setatt"),
            "object": "setup_attempt",
            "application": None,
            "created": world.now(),
            "customer": setup["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {"card": _card(method), "type": "card"},
            "setup_error": None,
            "setup_intent": setup["id"],
            "status": "requires_action",
            "usage": setup["usage"],
        }
    )
    setup["latest_attempt"] = attempt["id"]


def end_attempt(
    world: World, setup: Json, status: str, *, challenged: bool, error: Json | None = None
) -> None:
    """Write the end of the SetupIntent's latest attempt: `succeeded` or `failed`."""
    attempt = world.find("setup_attempt", setup["latest_attempt"])
    attempt.update({"setup_error": error, "status": status})
    if challenged:
        passed = authenticated()
        del passed["exemption_indicator"]  # only a payment can be exempt
        attempt["payment_method_details"]["card"]["three_d_secure"] = passed


def _card(method: Json) -> Json:
    kept = method["card"]
    names = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {
        **{name: kept[name] for name in names},
        "checks": public(checks("pass")),
        "network": kept["brand"],
        "three_d_secure": None,
        "wallet": None,
    }
