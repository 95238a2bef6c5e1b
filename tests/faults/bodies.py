"""A body that each route would take, and what its query cannot do without."""

from datetime import timedelta
from typing import Any

from payments.ids import new_id
from tests.stories.town import PASSWORD

DRAFT = {
    "title": "The prices of next year",
    "rules": [{"id": "all", "basis_points": 1500, "fixed": {"eur": 30}}],
}
QUERIES: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/v1/admin/fees/summary"): {"group_by": "day"},
    ("GET", "/v1/admin/ledger/accounts/{account}/postings"): {"currency": "eur"},
    ("DELETE", "/v1/admin/fee-schedules/drafts/{draft_id}"): {"revision": "1"},
    ("DELETE", "/v1/admin/fees/{payment_id}/review"): {"reason": "it was too early"},
    ("DELETE", "/v1/admin/switches/{switch_id}"): {"reason": "it was a false alarm"},
    ("DELETE", "/v1/admin/sellers/{seller_id}/suspension"): {"reason": "it was a false alarm"},
}
"""What a door's query cannot do without."""

_PARCEL = {"carrier": "DHL", "tracking_number": "00340434161094042557"}

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/accounts"): lambda cast: {
        "email": f"{new_id('x')}@example.com",
        "password": PASSWORD,
        "display_name": "Somebody",
    },
    ("POST", "/v1/sessions"): lambda cast: {"email": cast.buyer.email, "password": PASSWORD},
    ("POST", "/v1/me/password"): lambda cast: {
        "current_password": PASSWORD,
        "new_password": "eight-herons-dance-at-dusk",
    },
    ("POST", "/v1/password-resets"): lambda cast: {"email": cast.buyer.email},
    ("POST", "/v1/passwords"): lambda cast: {
        "token": "lnk_unknown.secret",
        "password": "eight-herons-dance-at-dusk",
    },
    ("POST", "/v1/email-proofs"): lambda cast: {"token": "lnk_unknown.secret"},
    ("POST", "/v1/api-keys"): lambda cast: {"name": "Another", "scopes": ["orders:read"]},
    ("POST", "/v1/listings"): lambda cast: {
        "kind": "product",
        "title": "A cork block",
        "description": "Two in a set.",
        "category": "goods",
        "unit_amount": 1900,
        "currency": "eur",
        "stock_on_hand": 4,
    },
    ("PATCH", "/v1/listings/{listing_id}"): lambda cast: {"unit_amount": 6100, "title": "An hour"},
    ("POST", "/v1/orders"): lambda cast: {"lines": [{"listing_id": cast.listing, "quantity": 1}]},
    ("PATCH", "/v1/orders/{order_id}"): lambda cast: {
        "lines": [{"listing_id": cast.product, "quantity": 2}],
        "shipping": {
            "name": "Ada Example",
            "address": {"line1": "Torstraße 1", "city": "Berlin", "country": "DE"},
        },
    },
    ("POST", "/v1/orders/{order_id}/preparation"): lambda cast: {
        "lines": [{"listing_id": cast.product, "quantity": 1}]
    },
    ("POST", "/v1/orders/{order_id}/cancellation"): lambda cast: {"reason": "Not needed any more"},
    ("POST", "/v1/orders/{order_id}/shipment"): lambda cast: _PARCEL,
    ("PATCH", "/v1/orders/{order_id}/shipment"): lambda cast: _PARCEL,
    ("POST", "/v1/orders/{order_id}/schedule"): lambda cast: {
        "starts_at": (cast.town.clock() + timedelta(days=2)).isoformat()
    },
    ("POST", "/v1/orders/{order_id}/no-show"): lambda cast: {"who": "seller"},
    ("POST", "/v1/orders/{order_id}/checkout"): lambda cast: {"again": True},
    ("POST", "/v1/orders/{order_id}/confirmation"): lambda cast: {
        "amount": 6000,
        "currency": "eur",
    },
    ("POST", "/v1/checkout-groups"): lambda cast: {
        "lines": [
            {"listing_id": cast.listing, "quantity": 1},
            {"listing_id": cast.product, "quantity": 1},
        ]
    },
    ("POST", "/v1/checkout-groups/{group_id}/checkout"): lambda cast: {"again": True},
    ("POST", "/v1/checkout-groups/{group_id}/confirmation"): lambda cast: {
        "totals": [{"currency": "eur", "amount": 8500}]
    },
    ("POST", "/v1/checkout-groups/{group_id}/abandonment"): lambda cast: {"paid": "keep"},
    ("POST", "/v1/admin/orders/{order_id}/fulfilment-release"): lambda cast: {
        "reason": "the buyer agreed"
    },
    ("POST", "/v1/orders/{order_id}/refunds"): lambda cast: {
        "amount": 100,
        "reason": "requested_by_customer",
    },
    ("POST", "/v1/sellers"): lambda cast: {
        "display_name": "A shop",
        "country": "DE",
        "currency": "eur",
    },
    ("POST", "/v1/sellers/{seller_id}/webhook-endpoints"): lambda cast: {
        "url": f"http://127.0.0.1:9/{new_id('at')}"
    },
    ("PATCH", "/v1/sellers/{seller_id}/webhook-endpoints/{endpoint_id}"): lambda cast: {
        "description": "The warehouse"
    },
    ("PATCH", "/v1/sellers/{seller_id}"): lambda cast: {"display_name": "A better name"},
    ("POST", "/v1/admin/sellers/{seller_id}/approval"): lambda cast: {
        "decision": "approve",
        "reason": "looked at",
    },
    ("POST", "/v1/admin/sellers/{seller_id}/suspension"): lambda cast: {"reason": "complaints"},
    ("POST", "/v1/admin/orders/{order_id}/refund-approvals"): lambda cast: {
        "refund": {"amount": 100, "reason": "requested_by_customer"},
        "reason": "Nobody came",
    },
    ("POST", "/v1/admin/fee-schedules/explanation"): lambda cast: {
        "seller_id": cast.seller.seller_id,
        "currency": "eur",
        "lines": [{"category": "coaching", "kind": "session", "unit_amount": 6000}],
    },
    ("POST", "/v1/admin/fee-schedules/drafts"): lambda cast: DRAFT,
    ("PATCH", "/v1/admin/fee-schedules/drafts/{draft_id}"): lambda cast: {
        "revision": 1,
        "title": "The prices of the year after",
    },
    ("POST", "/v1/admin/fee-schedules/replays"): lambda cast: {
        "schedule_id": cast.ids["schedule_id"]
    },
    ("POST", "/v1/admin/fee-credits"): lambda cast: {
        "seller_id": cast.seller.seller_id,
        "currency": "eur",
        "amount": 500,
        "reason": "A mistake of ours",
    },
    ("POST", "/v1/admin/fee-credit-approvals"): lambda cast: {
        "seller_id": cast.seller.seller_id,
        "currency": "eur",
        "amount": 500_000,
        "reason": "A mistake of ours",
    },
    ("POST", "/v1/admin/fees/{payment_id}/review"): lambda cast: {"seen": "2099-01-01T00:00:00Z"},
    ("POST", "/v1/admin/fees/{payment_id}/notes"): lambda cast: {"text": "Looks right"},
    ("POST", "/v1/admin/adjustments"): lambda cast: {
        "source_account": "platform:fees",
        "target_account": f"seller:{cast.seller.seller_id}",
        "amount": 100,
        "currency": "eur",
        "reason": "Promised on the telephone",
    },
    ("POST", "/v1/admin/reconciliation-runs"): lambda cast: {
        "since": (cast.town.clock() - timedelta(days=2)).isoformat()
    },
    ("POST", "/v1/admin/cases/{case_id}/assignment"): lambda cast: {"owner": cast.admin.account_id},
    ("POST", "/v1/admin/cases/{case_id}/notes"): lambda cast: {"text": "Asked Stripe's support"},
    ("POST", "/v1/admin/cases/{case_id}/resolution"): lambda cast: {
        "resolution": "The transfer was made by hand"
    },
    ("POST", "/v1/admin/events/replay"): lambda cast: {"state": "dead"},
    ("PATCH", "/v1/admin/switches/{switch_id}"): lambda cast: {
        "expires_at": None,
        "reason": "it lasts",
    },
    ("POST", "/v1/admin/switches"): lambda cast: {
        "operation": "refund",
        "scope": "seller",
        "target": cast.other_seller.seller_id,
        "reason": "looked into",
    },
    ("POST", "/v1/orders/{order_id}/messages"): lambda cast: {"body": "When does it arrive?"},
    ("PUT", "/v1/sellers/{seller_id}/debt-consent"): lambda cast: {"basis_points": 2500},
    ("PUT", "/v1/admin/paper-issuer"): lambda cast: {
        "legal_name": "Marketplace GmbH",
        "line1": "Torstraße 1",
        "city": "Berlin",
        "country": "DE",
    },
    **{
        ("POST", path): lambda cast: {"month": f"{cast.town.clock():%Y-%m}"}
        for path in ("/v1/admin/paper-months", "/v1/admin/sellers/{seller_id}/papers")
    },
    **{
        ("PUT", path): lambda cast: {
            "seller_kind": "entity",
            "country": "DE",
            "legal_name": "Ada GmbH",
        }
        for path in (
            "/v1/sellers/{seller_id}/tax-details",
            "/v1/admin/sellers/{seller_id}/tax-details",
        )
    },
    ("PUT", "/v1/disputes/{dispute_id}/evidence"): lambda cast: {
        "fields": {"refund_refusal_explanation": "The session took place."}
    },
    **{
        ("POST", f"/v1/admin/fee-schedules/drafts/{{draft_id}}/{act}"): lambda cast: {
            "revision": 1,
            "reason": "as agreed",
        }
        for act in ("submission", "withdrawal", "refusal", "approval")
    },
    **{
        ("POST", f"/v1/admin/{act}"): lambda cast: {"reason": "somebody has to"}
        for act in (
            "debts/{debt_id}/write-off",
            "approvals/{approval_id}/approval",
            "approvals/{approval_id}/refusal",
            "fee-schedules/{schedule_id}/retirement",
            "fee-credits/{credit_id}/revocation",
            "operations/{operation_id}/resolution",
            "sellers/{seller_id}/freeze",
            "sellers/{seller_id}/unfreezing",
        )
    },
}
