"""Where links lead while the platform has no front-end: a page that says what the link is about, and how to
read it.

A link's path is that of the API without its `/v1`, so a front-end needs no second list of paths.
"""

import re
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from marketplace.pages.frame import framed

RETURN: Final = "/orders/{order_id}/return"
"""Where the buyer's bank sends them back to, after it wanted to see them."""
_FILTERS: Final = frozenset({"state", "run_id"})
"""What links of ours ask of lists; mail programs add words of their own."""
_ID: Final = re.compile(r"\{[a-z_]+\}")


class Signpost(msgspec.Struct, frozen=True):
    """A page that links lead to: its path below the front-end's address, and what it is about."""

    path: str
    about: str
    whose: str
    leads_to: str | None = None
    """The route that reads it, where it is not the path itself."""

    def ids_in(self, path: str) -> dict[str, str] | None:
        """The ids in a path that leads here, or None."""
        pattern = _ID.sub(lambda name: f"(?P<{name[0][1:-1]}>[a-z]+_[A-Za-z0-9]+)", self.path)
        found = re.fullmatch(pattern, path)
        return None if found is None else found.groupdict()

    def route(self, ids: dict[str, str]) -> str:
        """The route that reads what the page is about."""
        return "/v1" + (self.leads_to or self.path).format(**ids)


_BUYER_OR_SELLER: Final = "its buyer and its seller"
_SELLER: Final = "the seller"
_ADMIN: Final = "admins"

SIGNPOSTS: Final = (
    Signpost("/orders/{order_id}", "An order", _BUYER_OR_SELLER),
    Signpost(RETURN, "You are back from your bank", "its buyer", "/orders/{order_id}"),
    Signpost("/orders/{order_id}/messages", "What was written about an order", _BUYER_OR_SELLER),
    Signpost("/sellers/{seller_id}", "A shop", _SELLER),
    Signpost("/sellers/{seller_id}/payout-capability", "May this shop be paid?", _SELLER),
    Signpost("/sellers/{seller_id}/debts", "What a shop owes", _SELLER),
    Signpost("/sellers/{seller_id}/payouts", "A shop's payouts", _SELLER),
    Signpost("/sellers/{seller_id}/earnings", "What a shop earned", _SELLER),
    Signpost("/sellers/{seller_id}/papers", "A shop's papers", _SELLER),
    Signpost("/sellers/{seller_id}/webhook-endpoints/{endpoint_id}", "A webhook endpoint", _SELLER),
    Signpost("/admin/orders/{order_id}", "All about one order", _ADMIN),
    Signpost("/admin/approvals/{approval_id}", "An act that needs two admins", _ADMIN),
    Signpost("/admin/fee-schedules/drafts/{draft_id}", "A draft of a fee schedule", _ADMIN),
    Signpost("/admin/switches", "What is switched off", _ADMIN),
    Signpost("/admin/events", "Stripe's events", _ADMIN),
    Signpost("/admin/events/gaps", "Events that never came", _ADMIN),
    Signpost("/admin/operations/{operation_id}", "A request to Stripe", _ADMIN),
    Signpost("/admin/cases", "Cases", _ADMIN),
    Signpost("/admin/cases/{case_id}", "A difference nobody could heal", _ADMIN),
)


def page(path: str, query: str, public_url: str) -> str | None:
    """The page of a path below `/pages`, or None where no link of ours leads."""
    for signpost in SIGNPOSTS:
        ids = signpost.ids_in(path)
        if ids is not None:
            return _page(signpost, signpost.route(ids), query, public_url)
    return None


def _page(signpost: Signpost, route: str, query: str, public_url: str) -> str:
    if signpost.path == RETURN:
        return framed(signpost.about, _BACK + _shown(signpost, route, public_url))
    asked = [(name, value) for name, value in parse_qsl(query) if name in _FILTERS]
    filtered = f"{route}?{urlencode(asked)}" if asked else route
    return framed(signpost.about, _shown(signpost, filtered, public_url) + _QUIET)


def _shown(signpost: Signpost, route: str, public_url: str) -> str:
    asked = escape(f"curl -H 'Authorization: Bearer YOUR_KEY' '{public_url}{route}'")
    return f"<p>The API shows it to {signpost.whose}:</p>\n<pre>{asked}</pre>\n"


_BACK = """<p>You can close this page and go back to the shop. Your bank has told its answer to Stripe;
within seconds your order shows it:</p>
<ul>
<li><code>paid</code> or <code>authorized</code>: it is done.</li>
<li><code>checkout</code>: nothing was taken. Try again, or take another card.</li>
</ul>
"""
_QUIET = """<p class="quiet">This marketplace has no pages of its own, it is the backend of a front-end.
Whoever runs it makes such links lead to the front-end with <code>MARKETPLACE_FRONTEND_URL</code>.</p>
"""
