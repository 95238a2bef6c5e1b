"""Who lives in the demo and what they sell: sign-ins and API keys known to everybody, never real."""

import msgspec

PASSWORD = "otters-sing-at-dawn"


class Character(msgspec.Struct, frozen=True):
    """Somebody of the demo, with an API key that can be pasted."""

    role: str
    email: str
    name: str
    token: str


ADMIN = Character("admin", "admin@demo.example", "Grace (platform admin)", "mk_test_demo_admin")
COACH = Character("coach", "coach@demo.example", "Ada's coaching", "mk_test_demo_coach")
SHOP = Character("shop", "shop@demo.example", "Bo's yoga shop", "mk_test_demo_shop")
BUYER = Character("buyer", "buyer@demo.example", "Cy (buyer)", "mk_test_demo_buyer")
NEWCOMER = Character("newcomer", "new@demo.example", "Di, not onboarded", "mk_test_demo_newcomer")
CAST = (ADMIN, COACH, SHOP, BUYER, NEWCOMER)

SESSION = {
    "kind": "session",
    "title": "An hour with Ada",
    "description": "Sixty minutes of coaching, online.",
    "category": "coaching",
    "unit_amount": 6000,
    "currency": "eur",
}
MAT = {
    "kind": "product",
    "title": "A yoga mat",
    "description": "Six millimetres, rolls up.",
    "category": "yoga",
    "unit_amount": 2500,
    "currency": "eur",
    "stock_on_hand": 40,
}
BLOCK = {
    "kind": "product",
    "title": "A cork block",
    "description": "The last one.",
    "category": "yoga",
    "unit_amount": 1200,
    "currency": "eur",
    "stock_on_hand": 1,
}


def sign_ins() -> list[str]:
    """The lines that tell a person at a terminal how to be any of them."""
    return [
        f"Demo sign-ins, all with the password {PASSWORD}",
        *[f"  {one.role:9} {one.email:19} API key {one.token}" for one in CAST],
    ]
