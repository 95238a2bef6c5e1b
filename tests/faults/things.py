"""What people and the platform have, made as it comes about; or written down, where that takes weeks."""

from datetime import datetime, timedelta

from marketplace.books import chains
from payments import ledger
from payments.database import execute, row, transaction, value
from payments.debt_book import open_debt
from payments.events import PaymentFact
from payments.ids import new_id
from tests.faults.bodies import DRAFT
from tests.stories.town import Person, Town


async def dispute(town: Town, seller: Person, order_id: str) -> str:
    """The buyer's bank asks for the money of a paid order back; answers our id."""
    intent = await value("SELECT intent_id FROM payments WHERE order_id = $1 AND live", order_id)
    await town.stripe("POST", "/_sandbox/disputes", json={"payment_intent": intent})
    await town.settle()
    found = await seller.get(f"/v1/sellers/{seller.seller_id}/disputes")
    return str(found["data"][0]["id"])


async def debt(order_id: str, now: datetime) -> str:
    """What the order's seller owes, as if a reversal had been refused; answers its id."""
    payment = await row(
        "SELECT p.id, p.currency, o.seller_id FROM payments p JOIN orders o ON o.id = p.order_id "
        "WHERE p.order_id = $1 AND p.live",
        order_id,
    )
    assert payment is not None
    subject = ledger.Subject(
        payment_id=payment["id"],
        order_id=order_id,
        seller_id=payment["seller_id"],
        currency=payment["currency"],
    )
    cause = f"refund:{new_id('rfd')}"
    async with transaction():
        await open_debt(subject, 300, cause, _unheard, now)
    return str(await value("SELECT id FROM debts WHERE cause = $1", cause))


async def _unheard(fact: PaymentFact) -> None:
    """Nobody is told: the order knows nothing of it."""


async def payout(town: Town, seller: Person, at: datetime | None = None) -> str:
    """A payout that has arrived, in the books; answers its id."""
    payout_id, now = new_id("po"), at or town.clock()
    subject = ledger.Subject(seller_id=seller.seller_id, currency="eur")
    paid = ledger.Entry(
        cause=f"{payout_id}:paid_out",
        kind="payout",
        source=ledger.seller_account(seller.seller_id),
        target=ledger.BANKS,
        amount=700,
        occurred_at=now,
    )
    account_id = await town.account_of(seller)
    async with transaction():
        await execute(
            "INSERT INTO payouts (id, account_id, seller_id, amount, currency, status, automatic, "
            "arrival_at, created_at, checked_at, updated_at) "
            "VALUES ($1, $2, $3, 700, 'eur', 'paid', true, $4, $4, $4, $4)",
            payout_id,
            account_id,
            seller.seller_id,
            now,
        )
        await ledger.post(subject, [paid], now)
    return payout_id


async def paper(town: Town, admin: Person, seller: Person) -> str:
    """A statement of the month before last, when the seller was paid out; answers its id. The last one is
    not closed yet in the first hour of a month."""
    long_over = town.clock().replace(day=1) - timedelta(days=35)
    await payout(town, seller, long_over)
    while await chains.seal_due(town.clock(), 1000):
        pass
    issuer = {"legal_name": "Marketplace GmbH", "line1": "Torstraße 1", "city": "Berlin"}
    month = f"{long_over:%Y-%m}"
    await admin.call(
        "PUT", "/v1/admin/paper-issuer", {**issuer, "country": "DE", "papers_from": month}
    )
    issued = await admin.post(f"/v1/admin/sellers/{seller.seller_id}/papers", {"month": month})
    return str(issued["data"][0]["id"])


async def draft(admin: Person, *, submitted: bool = False) -> str:
    """A fee schedule that an admin wrote, and perhaps wants approved; answers its id."""
    draft_id = str((await admin.post("/v1/admin/fee-schedules/drafts", DRAFT))["id"])
    if submitted:
        step = {"revision": 1, "reason": "as agreed"}
        await admin.post(f"/v1/admin/fee-schedules/drafts/{draft_id}/submission", step)
    return draft_id


async def credit(admin: Person, seller: Person) -> str:
    """A fee credit of the seller's; answers its id."""
    wanted = {"seller_id": seller.seller_id, "currency": "eur", "amount": 500, "reason": "Ours"}
    return str((await admin.post("/v1/admin/fee-credits", wanted))["id"])


async def switch(admin: Person, operation: str, seller: Person) -> str:
    """An operation that is switched off for the seller; answers the switch's id."""
    wanted = {"operation": operation, "scope": "seller", "target": seller.seller_id}
    answer = await admin.post("/v1/admin/switches", {**wanted, "reason": "looked into"})
    return str(answer["id"])


async def case(run_id: str, now: datetime) -> str:
    """A difference that nobody could heal; answers its id."""
    case_id = new_id("cas")
    await execute(
        "INSERT INTO cases (id, key, kind, what, ours, theirs, state, times_found, reopened, found_at, "
        "last_found_at, last_run_id) "
        "VALUES ($1, $1, 'unknown_type', 'movement', 'null', '100', 'open', 1, 0, $2, $2, $3)",
        case_id,
        now,
        run_id,
    )
    return case_id


async def of_the_platform(admin: Person, other: Person) -> dict[str, str]:
    """The ids of what only admins see; `other` is the seller whose checkouts are switched off."""
    (schedule,) = (await admin.get("/v1/admin/fee-schedules", limit=1))["data"]
    (event,) = (await admin.get("/v1/admin/events", limit=1))["data"]
    (operation,) = (await admin.get("/v1/admin/operations", limit=1))["data"]
    (fee,) = (await admin.get("/v1/admin/fees", limit=1))["data"]
    (message,) = (await admin.get("/v1/admin/messages", limit=1))["data"]
    replay = await admin.post("/v1/admin/fee-schedules/replays", {"schedule_id": schedule["id"]})
    now = admin.town.clock()
    run = await admin.post(
        "/v1/admin/reconciliation-runs", {"since": (now - timedelta(days=1)).isoformat()}
    )
    return {
        "schedule_id": schedule["id"],
        "event_id": event["id"],
        "message_id": message["id"],
        "operation_id": operation["id"],
        "replay_id": replay["id"],
        "payment_id": fee["payment_id"],
        "run_id": run["id"],
        "case_id": await case(run["id"], now),
        "credit_id": await credit(admin, other),
        "switch_id": await switch(admin, "checkout", other),
    }
