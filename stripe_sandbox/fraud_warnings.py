"""Early fraud warnings: the card's issuer believes that a payment was fraud, before any dispute."""

from .errors import Json, refused
from .routes import Call, list_of, route
from .world import World

KIND = "radar.early_fraud_warning"
FRAUD_TYPES = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
)


def warn(world: World, charge: Json, fraud_type: str = "unauthorized_use_of_card") -> Json:
    """Keep and tell of a warning about a paid card charge; actionable while it can be helped."""
    if charge["status"] != "succeeded" or charge["payment_method_details"]["type"] != "card":
        raise refused(f"Charge {charge['id']} is not a paid charge of a card.")
    warning = world.put(
        {
            "id": world.mint("issfr"),
            "object": KIND,
            "actionable": not (charge["disputed"] or charge["refunded"]),
            "charge": charge["id"],
            "created": world.now(),
            "fraud_type": fraud_type,
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    charge.setdefault("_fraud_warnings", []).append(warning["id"])
    world.emit("radar.early_fraud_warning.created", warning)
    return warning


def no_longer_actionable(world: World, charge: Json) -> None:
    """A charge that is disputed or fully refunded cannot be helped any more."""
    if not (charge["disputed"] or charge["refunded"]):
        return
    for id in charge.get("_fraud_warnings", ()):
        warning = world.find(KIND, id)
        if warning["actionable"]:
            warning["actionable"] = False
            before = {"actionable": True}
            world.emit("radar.early_fraud_warning.updated", warning, previous_attributes=before)


@route("GET", "/v1/radar/early_fraud_warnings", for_accounts=True)
def list_warnings(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    kept = call.world.all(KIND, account=call.account)
    return list_of(call, kept, "/v1/radar/early_fraud_warnings", filters=filters)


@route("GET", "/v1/radar/early_fraud_warnings/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find(KIND, call.args["id"], account=call.account)
