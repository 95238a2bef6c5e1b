"""Postings written as the program writes them, and hands that reach past its guards."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.oversight import audit
from payments import ledger
from payments.chain_verification import Anchor, Finding, verify
from payments.database import execute, rows, transaction
from payments.ids import new_id
from payments.ledger import Entry, Subject
from payments.ledger_chain import POSTINGS, Book, seal
from tests.orders.shop import NOON


def transfer(
    source: str, target: str, amount: int, at: datetime = NOON, *, cause: str | None = None
) -> Entry:
    """An amount that moves."""
    return Entry(
        cause=cause or new_id("cau"),
        kind="payout",
        source=source,
        target=target,
        amount=amount,
        occurred_at=at,
    )


async def write(*entries: Entry, at: datetime = NOON, currency: str = "eur") -> list[str]:
    """Postings of one transaction; answers their ids in the order of the entries."""
    async with transaction():
        await ledger.post(Subject(seller_id="sel_1", currency=currency), entries, at)
    found = await rows(
        "SELECT cause, id FROM postings WHERE cause = ANY($1::text[])",
        [entry.cause for entry in entries],
    )
    ids = {each["cause"]: each["id"] for each in found}
    return [ids[entry.cause] for entry in entries]


async def some(count: int, at: datetime = NOON) -> list[str]:
    """So many postings; answers their ids in the order in which they will be sealed."""
    amounts = range(100, 100 + count)
    return sorted(
        await write(*(transfer("seller:sel_1", "banks", amount) for amount in amounts), at=at)
    )


async def note(action: str, at: datetime = NOON) -> None:
    """An entry of the audit log."""
    async with transaction():
        await audit.record(actor="acc_1", action=action, subject="sel_1", reason="Why ✓", now=at)


async def seal_all(book: Book = POSTINGS, at: datetime = NOON, limit: int = 100) -> int:
    """Seal until nothing waits; answers how many passes it took."""
    passes = 0
    while await seal(book, at, limit):
        passes += 1
    return passes


async def tamper(*statements: str) -> None:
    """What only who owns the database can do: with every trigger asleep."""
    async with transaction():
        await execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await execute(statement)


async def findings(book: Book = POSTINGS, anchors: Sequence[Anchor] = ()) -> list[Finding]:
    """All that is wrong with a book."""
    return [finding async for finding in verify(book, anchors=anchors)]


async def faults(book: Book = POSTINGS) -> list[tuple[str, str]]:
    """Which row has what."""
    return [(finding.fault, finding.row_id) for finding in await findings(book)]
