"""Every route of the program beside those of people, health and documentation (`application.py`)."""

from litestar.types import ControllerRouterHandler

from marketplace.api import (
    admin_fees,
    admin_orders,
    admin_sellers,
    approvals,
    cards,
    checkout,
    checkout_groups,
    conversation,
    debts,
    disputes,
    fulfilment,
    listings,
    messages,
    orders,
    refunds,
    seller_money,
    sellers,
    trail,
    webhook_endpoints,
)

ROUTES: tuple[ControllerRouterHandler, ...] = (
    *listings.ROUTES,
    *orders.ROUTES,
    *checkout.ROUTES,
    *checkout_groups.ROUTES,
    *cards.ROUTES,
    *fulfilment.ROUTES,
    *refunds.ROUTES,
    *disputes.ROUTES,
    *conversation.ROUTES,
    *sellers.ROUTES,
    *seller_money.ROUTES,
    *trail.ROUTES,
    *messages.ROUTES,
    *webhook_endpoints.ROUTES,
    *debts.ROUTES,
    *approvals.ROUTES,
    *admin_sellers.ROUTES,
    *admin_orders.ROUTES,
    *admin_fees.ROUTES,
)
