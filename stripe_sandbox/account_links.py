"""Account links (v2) for onboarding: used once, and living for minutes of the virtual clock."""

from .accounts import KIND, require_recipient
from .errors import Json, refused
from .routes import Call, route

LINK_KIND = "sandbox.account_link"


@route("POST", "/v2/core/account_links")
def create(call: Call) -> Json:
    """A link to the hosted onboarding page."""
    world, use_case = call.world, call.params["use_case"]
    account = world.find(KIND, call.params["account"], param="account")
    if account["closed"]:
        raise refused("This account is closed.", code="account_closed", param="account")
    require_recipient(account)
    onboarding = _onboarding_of(use_case)
    token = world.token(32)
    expires = world.now() + call.config.account_link_seconds
    world.put(
        {
            "object": LINK_KIND,
            "id": token,
            "account": account["id"],
            "refresh_url": onboarding["refresh_url"],
            "return_url": onboarding.get("return_url") or onboarding["refresh_url"],
            "expires": expires,
            "opened": False,
            "done": False,
        }
    )
    return {
        "object": "v2.core.account_link",
        "account": account["id"],
        "created": world.timestamp(),
        "expires_at": world.timestamp(expires),
        "livemode": False,
        "url": f"{call.base_url}/onboarding/{token}",
        "use_case": use_case,
    }


def _onboarding_of(use_case: Json) -> Json:
    if use_case["type"] != "account_onboarding":
        raise refused(
            "Links of type account_update are only for accounts whose requirements the platform "
            "collects; Stripe collects them for this account.",
            code="account_link_type_unsupported",
            param="use_case.type",
        )
    onboarding: Json | None = use_case.get("account_onboarding")
    if onboarding is None:
        raise refused(
            "Missing required param: use_case.account_onboarding.",
            code="parameter_missing",
            param="use_case.account_onboarding",
        )
    for name in ("refresh_url", "return_url"):
        url = onboarding.get(name)
        if url is not None and not url.startswith(("http://", "https://")):
            raise refused(
                "Not a valid URL", code="url_invalid", param=f"use_case.account_onboarding.{name}"
            )
    return onboarding
