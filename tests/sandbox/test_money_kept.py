"""Money that is under way when the sandbox is written to disk and read again."""

from pathlib import Path

import httpx

from stripe_sandbox.keeping import restore, save
from stripe_sandbox.server import RunningSandbox
from tests.sandbox.money import (
    DAY_SECONDS,
    advance,
    charge_of,
    confirm,
    create,
    hold,
    movements,
    open_seller,
    pay,
    read,
    read_intent,
    send,
)


async def test_refunds_holds_and_pending_money_go_on_after_a_restart(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    seller = await open_seller(stripe)
    held = await hold(stripe, seller)
    paid = await confirm(stripe, await create(stripe, seller), "pm_card_pendingRefund")
    refund = await send(stripe, "/v1/refunds", payment_intent=paid["id"], amount=700)
    charge = await charge_of(stripe, await pay(stripe, seller))
    reversal = await send(stripe, f"/v1/transfers/{charge['transfer']}/reversals", amount=5)

    save(sandbox.sandbox, tmp_path / "state.json")
    sandbox.sandbox.reset()
    assert restore(sandbox.sandbox, tmp_path / "state.json")

    await advance(stripe, 8 * DAY_SECONDS)
    assert (await read_intent(stripe, held))["status"] == "canceled"
    path = f"/v1/charges/{paid['latest_charge']}"
    (kept,) = (await read(stripe, path, expand=["refunds"]))["refunds"]["data"]
    assert (kept["id"], kept["status"]) == (refund["id"], "succeeded")
    path = f"/v1/transfers/{charge['transfer']}/reversals"
    assert (await read(stripe, path))["data"] == [reversal]
    assert {t["status"] for t in await movements(stripe)} == {"available"}
