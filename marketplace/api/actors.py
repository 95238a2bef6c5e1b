"""Callers in the words of orders."""

from marketplace.api.principal import Principal
from marketplace.orders.records import Actor


def reading(principal: Principal) -> Actor:
    """Who looks. An admin's key is an admin's only with the scope to read as one."""
    return Actor(principal.account_id, principal.is_admin and principal.may("admin:read"))


def deciding(principal: Principal) -> Actor:
    """Who acts. An admin's key is an admin's only with the scope to decide as one."""
    return Actor(principal.account_id, principal.is_admin and principal.may("admin:write"))
