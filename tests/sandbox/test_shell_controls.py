"""The list of the sandbox's controls, which is what people find first."""

import httpx
import pytest

from stripe_sandbox.control import CONTROLS, INDEX


def test_the_list_names_every_control_and_no_other() -> None:
    listed = set()
    for line in INDEX:
        method, path = line.split(" ")
        name, _, id = path.removeprefix("/_sandbox").strip("/").partition("/")
        listed.add((method, name, bool(id)))
    assert listed == set(CONTROLS)


@pytest.mark.parametrize(
    "path", ["disputes", "early-fraud-warnings", "payouts", "refunds", "balances", "disputes/du_1"]
)
async def test_a_control_refuses_what_it_cannot_read(stripe: httpx.AsyncClient, path: str) -> None:
    for body in (b"{", b"[]", b'{"payment_intent": 5}', b""):
        answer = await stripe.post(f"/_sandbox/{path}", content=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"]
