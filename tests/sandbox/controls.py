"""How tests do what banks, card issuers and people in the Dashboard do."""

from typing import Any

import httpx

Json = dict[str, Any]


async def control(stripe: httpx.AsyncClient, path: str, **body: Any) -> Json:
    """A control that has to succeed."""
    answer = await stripe.post(f"/_sandbox/{path}", json=body)
    assert answer.status_code == 200, answer.text
    done: Json = answer.json()
    return done


async def control_refused(stripe: httpx.AsyncClient, path: str, **body: Any) -> str:
    """A control that has to be refused; answers why."""
    answer = await stripe.post(f"/_sandbox/{path}", json=body)
    assert answer.status_code in (400, 404), answer.text
    message: str = answer.json()["error"]["message"]
    return message


async def dispute(stripe: httpx.AsyncClient, intent: Json, **body: Any) -> Json:
    return await control(stripe, "disputes", payment_intent=intent["id"], **body)
