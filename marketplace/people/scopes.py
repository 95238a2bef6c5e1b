"""What a program's key may be allowed to do. A closed list: a scope not named here does not exist."""

SCOPES: dict[str, str] = {
    "account:read": "Read your own account",
    "account:write": "Change your password, your keys and your sign-ins",
    "orders:read": "Read orders, yours as a buyer or as a seller",
    "orders:write": "Make, change, pay, prepare and cancel orders",
    "cards:read": "See your saved cards",
    "cards:write": "Save, remove and choose cards",
    "listings:write": "Publish and change listings",
    "sellers:read": "Read your seller profile and its payout capability",
    "sellers:write": "Open and change your seller profile, get onboarding links",
    "refunds:read": "Read refunds",
    "refunds:write": "Refund buyers",
    "tax:read": "Read your tax details and what is reported of you",
    "tax:write": "Tell and change your tax details",
    "fees:read": "Read application fees (admins)",
    "admin:tax": "Read, change and export sellers' tax details (admins)",
    "admin:read": "Read everything an admin may see but sellers' tax details",
    "admin:write": "Decide what an admin may decide",
}

ADMIN_SCOPES = frozenset({"fees:read", "admin:tax", "admin:read", "admin:write"})

# A stolen key must not be able to make itself more keys or lock its owner out.
SIGNED_IN_ONLY = frozenset({"account:write"})


def grantable_scopes(*, is_admin: bool) -> frozenset[str]:
    """The scopes a person may put on a key of theirs."""
    granted = frozenset(SCOPES) - SIGNED_IN_ONLY
    return granted if is_admin else granted - ADMIN_SCOPES
