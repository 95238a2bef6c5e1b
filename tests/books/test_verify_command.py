"""`marketplace verify`, as a shell runs it."""

import asyncio
from subprocess import CompletedProcess

from marketplace.books.chains import AUDIT_LOG, anchor_of
from payments.ledger_chain import POSTINGS, head_of
from tests.books.ledgers import note, seal_all, some, tamper
from tests.running.processes import marketplace


async def verified(database_url: str, *arguments: str) -> CompletedProcess[str]:
    return await asyncio.to_thread(marketplace, "verify", *arguments, DATABASE_URL=database_url)


async def test_it_ends_with_0_as_long_as_nothing_was_touched_and_names_what_was(
    database: None, database_url: str
) -> None:
    ids = await some(30)
    await note("seller.approved")
    await seal_all()
    await seal_all(AUDIT_LOG)
    anchors = [anchor_of(await head_of(book)) for book in (POSTINGS, AUDIT_LOG)]
    kept = [word for anchor in anchors for word in ("--anchor", anchor)]
    intact = await verified(database_url, *kept)
    assert intact.returncode == 0, intact.stderr
    assert "postings: 30 rows" in intact.stdout
    assert "audit_log: 1 rows" in intact.stdout
    assert "NOT" not in intact.stdout

    await tamper(f"UPDATE postings SET amount = amount * 10 WHERE id > '{ids[5]}'")
    touched = await verified(database_url)
    assert touched.returncode == 1
    named = [line for line in touched.stdout.splitlines() if "altered" in line]
    assert named[0] == f"postings: {ids[6]} (place 7) was altered after it was sealed"
    assert len(named) == 20
    assert "postings: and more." in touched.stdout
    assert (await verified(database_url, "--book", "audit_log")).returncode == 0

    foreign = await verified(
        database_url, "--book", "audit_log", "--anchor", "audit_log:1:" + "0" * 64
    )
    assert foreign.returncode == 1
    assert "anchor (place 1) the chain is not the one" in foreign.stdout


def test_what_is_no_anchor_is_wrong_usage() -> None:
    for anchor in ("postings", "postings:1:beef", "postings:x:" + "0" * 64, "orders:1:" + "0" * 64):
        answer = marketplace("verify", "--anchor", anchor)
        assert answer.returncode == 2, answer
        assert anchor in answer.stderr
