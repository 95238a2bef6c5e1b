"""Who lives in the demo: fixed sign-ins and API keys, known to everybody and therefore never real."""

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


def sign_ins() -> list[str]:
    """The lines that tell a person at a terminal how to be any of them."""
    return [
        f"Demo sign-ins, all with the password {PASSWORD}",
        *[f"  {one.role:9} {one.email:19} API key {one.token}" for one in CAST],
    ]
