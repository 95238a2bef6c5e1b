"""What `starting_after` may be, list by list: anything else would be an empty page, or the first once more.

Most lists go on after the id of their last item; some say their cursor, which is made of other things.
"""

import re
from typing import Final

from marketplace.api.refusals import RequestRefused

_ULID: Final = "[0-9a-hjkmnp-tv-z]{26}"


def _own(prefix: str) -> re.Pattern[str]:
    """An id of ours."""
    return re.compile(f"{prefix}_{_ULID}")


def _stripes(prefix: str) -> re.Pattern[str]:
    """An id of Stripe's: how it goes on after its prefix is theirs."""
    return re.compile(f"{prefix}_[0-9A-Za-z_]+")


_SELLER: Final = "/v1/sellers/{seller_id}"
_ADMIN: Final = "/v1/admin"

FORMS: Final[dict[str, re.Pattern[str]]] = {
    "/v1/listings": _own("lst"),
    "/v1/orders": _own("ord"),
    "/v1/orders/{order_id}/attempts": _own("att"),
    "/v1/orders/{order_id}/history": _own("stp"),
    "/v1/orders/{order_id}/messages": _own("omg"),
    "/v1/orders/{order_id}/refunds": _own("rfd"),
    "/v1/api-keys": _own("key"),
    "/v1/cards": _own("crd"),
    "/v1/checkout-groups": _own("grp"),
    "/v1/me/messages": _own("msg"),
    f"{_SELLER}/listings": _own("lst"),
    f"{_SELLER}/orders": _own("ord"),
    f"{_SELLER}/disputes": _own("dsp"),
    f"{_SELLER}/debts": _own("dbt"),
    f"{_SELLER}/events": _own("evt"),
    f"{_SELLER}/webhook-endpoints/{{endpoint_id}}/deliveries": _own("whd"),
    f"{_SELLER}/payouts": _stripes("po"),
    f"{_SELLER}/payouts/{{payout_id}}/movements": _stripes("txn"),
    f"{_SELLER}/earnings": _own("ord"),
    f"{_SELLER}/statements": re.compile("[0-9]{4}-(0[1-9]|1[0-2])"),
    f"{_SELLER}/statements/{{month}}/movements": _own("pst"),
    f"{_SELLER}/papers": _own("ppr"),
    # The posting and the rate of tax.
    f"{_SELLER}/papers/{{paper_id}}/lines": re.compile(f"pst_{_ULID}:[0-9]{{1,5}}"),
    f"{_SELLER}/papers/{{paper_id}}/movements": _own("pst"),
    f"{_ADMIN}/accounts": _own("acc"),
    f"{_ADMIN}/approvals": _own("apv"),
    f"{_ADMIN}/audit": _own("aud"),
    f"{_ADMIN}/cases": _own("cas"),
    f"{_ADMIN}/debts": _own("dbt"),
    f"{_ADMIN}/disputes": _own("dsp"),
    f"{_ADMIN}/events": _stripes("evt"),
    f"{_ADMIN}/events/gaps": _stripes("evt"),
    # The sorted value and the payment.
    f"{_ADMIN}/fees": re.compile(f"-?[0-9]{{1,19}}:pay_{_ULID}"),
    # What was summed over, which may be nothing, and the currency.
    f"{_ADMIN}/fees/summary": re.compile(".*:[a-z]{3}"),
    f"{_ADMIN}/fees/anomalies": re.compile(f"pay_{_ULID}:[a-z_]+"),
    f"{_ADMIN}/fees/{{payment_id}}/notes": _own("fnt"),
    f"{_ADMIN}/fee-credits": _own("fcr"),
    f"{_ADMIN}/fee-credits/{{credit_id}}/movements": _own("fcm"),
    f"{_ADMIN}/fee-schedules": _own("fsc"),
    f"{_ADMIN}/fee-schedules/drafts": _own("fsd"),
    f"{_ADMIN}/fee-schedules/replays": _own("frp"),
    f"{_ADMIN}/fee-schedules/replays/{{replay_id}}/figures": re.compile(f"frp_{_ULID}:.+"),
    f"{_ADMIN}/ledger": _own("pst"),
    f"{_ADMIN}/ledger/accounts/{{account}}/postings": _own("pst"),
    # The account and the currency.
    f"{_ADMIN}/ledger/balances": re.compile(".+:[a-z]{3}"),
    f"{_ADMIN}/messages": _own("msg"),
    f"{_ADMIN}/operations": _own("op"),
    f"{_ADMIN}/orders": _own("ord"),
    f"{_ADMIN}/paper-months": re.compile("[0-9]{4}-(0[1-9]|1[0-2])"),
    f"{_ADMIN}/papers": _own("ppr"),
    f"{_ADMIN}/reconciliation-runs": _own("rec"),
    f"{_ADMIN}/reconciliation-runs/{{run_id}}/differences": _own("rdf"),
    f"{_ADMIN}/refunds": _own("rfd"),
    f"{_ADMIN}/sellers": _own("sel"),
    f"{_ADMIN}/switches": _own("swi"),
    f"{_ADMIN}/tax-reports/{{year}}": _own("sel"),
}
"""By the path of the list."""


def require_cursor(path: str, starting_after: str | None) -> None:
    """Raise RequestRefused `invalid_parameter` for what no item of the list at `path` could be."""
    form = FORMS.get(path)
    if starting_after is None or form is None or form.fullmatch(starting_after):
        return
    wrong = {"field": "starting_after", "message": "Expected the id or cursor of this list's items"}
    raise RequestRefused("invalid_parameter", errors=[wrong])
