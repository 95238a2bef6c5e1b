"""The bank accounts payouts go to: one for each currency of a balance, made when it is needed."""

from .errors import Json, missing_resource
from .world import World

KIND = "bank_account"


def bank_account_of(world: World, account: str | None, currency: str) -> Json:
    """Where money of this currency is paid out to now."""
    for kept in world.all(KIND, account=account):
        if kept["currency"] == currency and kept["default_for_currency"]:
            return kept
    return _open(world, account, currency)


def require_bank_account(world: World, account: str | None, currency: str, id: str) -> None:
    """400 `resource_missing` unless this is where the money goes anyway."""
    if bank_account_of(world, account, currency)["id"] != id:
        raise missing_resource("external account", id, param="destination", status=400)


def replace_bank_accounts(world: World, account: Json) -> None:
    """The account's owner names another bank account: what its bank refused is over."""
    account.pop("_bank_refuses", None)
    current = [b for b in world.all(KIND, account=account["id"]) if b["default_for_currency"]]
    for kept in current:
        kept["default_for_currency"] = False
        opened = _open(world, account["id"], kept["currency"])
        world.emit("account.external_account.created", opened, account=account["id"])


def _open(world: World, account: str | None, currency: str) -> Json:
    number = f"{len(world.all(KIND, account=account)) + 6789:04d}"
    country = "us" if account is None else world.account(account)["identity"].get("country", "us")
    return world.put(
        {
            "id": world.mint("ba"),
            "object": KIND,
            "account": account,
            "account_holder_name": None,
            "account_holder_type": None,
            "account_type": None,
            "available_payout_methods": ["standard"],
            "bank_name": "STRIPE TEST BANK",
            "country": country.upper(),
            "currency": currency,
            "default_for_currency": True,
            "fingerprint": world.token(16),
            "last4": number,
            "metadata": {},
            "routing_number": "110000000",
            "status": "new",
        },
        account=account,
    )
