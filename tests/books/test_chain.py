"""Every row of the books is sealed once, in a chain that shows the first one that was touched since."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from marketplace.books.chains import AUDIT_LOG, anchor_of, heads, seal_due
from payments.chain_verification import Anchor
from payments.database import engine, execute, row, rows, transaction, value
from payments.ids import new_id
from payments.ledger_chain import POSTINGS, content, head_of, link, seal
from tests.books.ledgers import (
    faults,
    findings,
    note,
    seal_all,
    some,
    tamper,
    transfer,
    write,
)
from tests.databases import Databases
from tests.orders.shop import NOON


@pytest.fixture(autouse=True)
async def books(databases: Databases, migrated_template: str) -> AsyncIterator[None]:
    """Books of the test's own: what it does to them cannot be undone."""
    name = await databases.create(template=migrated_template)
    await engine().start(databases.dsn_of(name), pool_size=20)
    yield
    await engine().stop()
    await databases.drop(name)


async def test_rows_wait_until_they_are_sealed_and_then_keep_their_place() -> None:
    first = await some(3)
    assert [head.waiting for head in await heads()] == [3, 0]
    assert await seal_due(NOON, 100) == 3
    then = await some(2)
    await note("seller.approved")
    assert await seal_due(NOON, 100) == 2
    places = await rows("SELECT row_id FROM chain_links WHERE book = 'postings' ORDER BY position")
    assert [each["row_id"] for each in places] == [*first, *then]
    assert [(head.position, head.waiting) for head in await heads()] == [(5, 0), (1, 0)]
    assert await faults() == await faults(AUDIT_LOG) == []


async def test_a_refused_posting_neither_waits_nor_is_sealed() -> None:
    (posting_id,) = await write(transfer("seller:sel_1", "banks", 5, cause="once"))
    await write(transfer("seller:sel_1", "banks", 6, cause="once"))
    await seal_all()
    assert [each["row_id"] for each in await rows("SELECT row_id FROM chain_links")] == [posting_id]


async def test_anybody_can_recompute_a_link_with_what_the_documentation_says() -> None:
    (posting_id,) = await write(
        transfer("seller:sel_1", "banks", 250, NOON + timedelta(microseconds=7), cause="ü:1")
    )
    await seal_all()
    micros = int(NOON.timestamp()) * 1_000_000
    told = json.dumps(
        {
            "amount": 250,
            "cause": "ü:1",
            "currency": "eur",
            "id": posting_id,
            "kind": "payout",
            "occurred_at": micros + 7,
            "recorded_at": micros,
            "seller_id": "sel_1",
            "source": "seller:sel_1",
            "target": "banks",
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )
    expected = hashlib.sha256(hashlib.sha256(b"postings").digest() + told.encode()).digest()
    assert (await head_of(POSTINGS)).hash == expected


def test_content_is_plain_json_whatever_the_text() -> None:
    """Not a library's own: every character there is, as Python's standard library writes it."""
    text = "".join(chr(code) for code in range(1, 0x11_0000) if not 0xD800 <= code < 0xE000)
    given = {"b": text, "a": -(2**63), "c": True}
    told = json.dumps(given, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    assert content(given.items()) == told.encode()


def test_a_nullable_column_that_is_added_later_changes_no_content() -> None:
    assert content([("id", "x"), ("more", None)]) == content([("id", "x")])
    assert content([("b", 1), ("a", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))]) == (
        b'{"a":1000000,"b":1}'
    )
    assert link(b"", b"a") != link(b"a", b"")[:31]


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "target = 'seller:sel_2'",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "order_id = 'ord_1', payment_id = 'pay_1'",
        "cause = cause || ' '",
    ],
)
async def test_the_first_altered_row_is_named(change: str) -> None:
    ids = await some(5)
    await seal_all()
    await tamper(f"UPDATE postings SET {change} WHERE id IN ('{ids[3]}', '{ids[2]}')")
    assert await faults() == [("altered", ids[2]), ("altered", ids[3])]


async def test_a_removed_row_is_named() -> None:
    ids = await some(4)
    await seal_all()
    await tamper(f"DELETE FROM postings WHERE id = '{ids[1]}'")
    (finding,) = await findings()
    assert (finding.fault, finding.row_id, finding.position) == ("removed", ids[1], 2)


async def test_a_row_that_was_removed_before_it_was_sealed_is_named() -> None:
    ids = await some(2)
    await tamper(f"DELETE FROM postings WHERE id = '{ids[0]}'")
    await seal_all()
    assert await faults() == [("removed", ids[0])]


async def test_a_removed_row_is_missed_though_its_link_went_too() -> None:
    ids = await some(4)
    await seal_all()
    await tamper(
        f"DELETE FROM postings WHERE id = '{ids[1]}'",
        f"DELETE FROM chain_links WHERE row_id = '{ids[1]}'",
    )
    assert await faults() == [("link_removed", ids[2])]
    await tamper("UPDATE chain_links SET position = position - 1 WHERE position > 2")
    assert await faults() == [("altered", ids[2])]


async def test_rows_that_were_swapped_are_named() -> None:
    ids = await some(4)
    await seal_all()
    await tamper(
        f"UPDATE postings SET id = 'pst_x' WHERE id = '{ids[1]}'",
        f"UPDATE postings SET id = '{ids[1]}' WHERE id = '{ids[2]}'",
        f"UPDATE postings SET id = '{ids[2]}' WHERE id = 'pst_x'",
    )
    assert await faults() == [("altered", ids[1]), ("altered", ids[2])]


async def test_links_that_were_swapped_are_named() -> None:
    ids = await some(4)
    await seal_all()
    await tamper(
        f"UPDATE chain_links SET position = 99 WHERE row_id = '{ids[1]}'",
        f"UPDATE chain_links SET position = 2 WHERE row_id = '{ids[2]}'",
        f"UPDATE chain_links SET position = 3 WHERE row_id = '{ids[1]}'",
    )
    assert (await faults())[0] == ("altered", ids[2])


async def test_a_row_that_was_inserted_past_the_trigger_is_named() -> None:
    await some(3)
    await seal_all()
    await tamper(
        "INSERT INTO postings SELECT (jsonb_populate_record(p, "
        '\'{"id": "pst_0forged", "cause": "forged"}\')).* FROM postings p LIMIT 1'
    )
    await seal_all()
    assert await faults() == [("slipped_in", "pst_0forged")]


async def test_a_row_that_was_inserted_with_a_link_of_its_own_is_named() -> None:
    ids = await some(3)
    await seal_all()
    await tamper(
        "UPDATE chain_links SET position = 4 WHERE position = 3",
        "INSERT INTO postings SELECT (jsonb_populate_record(p, "
        '\'{"id": "pst_0forged", "cause": "forged"}\')).* FROM postings p LIMIT 1',
        "INSERT INTO chain_links (row_id, book, position, hash, sealed_at, caught_up) "
        "SELECT 'pst_0forged', book, 3, hash, sealed_at, caught_up "
        f"FROM chain_links WHERE row_id = '{ids[0]}'",
    )
    assert await faults() == [("altered", "pst_0forged"), ("altered", ids[2])]


async def test_a_row_that_claims_to_be_of_long_ago_is_named() -> None:
    """Written with all triggers awake: it would change the balances of the past."""
    await some(3)
    await seal_all(at=NOON)
    late = await some(1, at=NOON - timedelta(days=30))
    honest = await some(1, at=NOON - timedelta(seconds=30))
    await seal_all(at=NOON + timedelta(hours=2))
    assert await faults() == [("backdated", late[0])]
    assert honest


async def test_a_backlog_is_not_taken_for_backdated() -> None:
    """The worker stood still for two days, and seals in many passes."""
    for hours in range(0, 48, 6):
        await some(5, at=NOON + timedelta(hours=hours))
    now = NOON + timedelta(days=3)
    while await seal(POSTINGS, now, 7):
        now += timedelta(hours=2)
    assert await faults() == []


async def test_a_row_that_came_back_after_it_was_sealed_gets_no_second_place() -> None:
    ids = await some(2)
    await seal_all()
    before = dict(await row("SELECT * FROM postings WHERE id = $1", ids[0]) or {})
    await tamper(f"DELETE FROM postings WHERE id = '{ids[0]}'")
    await write(transfer("seller:sel_1", "banks", 9, cause="another"))
    async with transaction():
        names = ", ".join(before)
        marks = ", ".join(f"${place}" for place in range(1, len(before) + 1))
        await execute(f"INSERT INTO postings ({names}) VALUES ({marks})", *before.values())
    await seal_all()
    assert await faults() == []
    assert (await head_of(POSTINGS)).position == 3


async def test_a_chain_that_was_computed_anew_is_shown_by_a_head_kept_elsewhere() -> None:
    ids = await some(3)
    await seal_all()
    kept = await head_of(POSTINGS)
    await some(2)
    await seal_all()
    anchor = Anchor(position=kept.position, hash=kept.hash)
    assert await findings(anchors=[anchor]) == []
    await tamper(
        f"UPDATE postings SET amount = 1 WHERE id = '{ids[0]}'",
        "INSERT INTO chain_waiting (row_id, book) SELECT id, 'postings' FROM postings",
        "DELETE FROM chain_links",
    )
    await seal_all()
    assert await faults() == []
    (finding,) = await findings(anchors=[anchor])
    assert (finding.fault, finding.position) == ("anchor_differs", 3)
    assert anchor_of(kept).startswith("postings:3:")


async def test_the_audit_log_has_a_chain_of_its_own() -> None:
    await note("seller.approved")
    await note("seller.suspended")
    await seal_all(AUDIT_LOG)
    await tamper("UPDATE audit_log SET reason = 'Another' WHERE action = 'seller.approved'")
    suspect = await value("SELECT id FROM audit_log WHERE action = 'seller.approved'")
    assert await faults(AUDIT_LOG) == [("altered", suspect)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chain_links SET position = 9",
        "DELETE FROM chain_links",
        "TRUNCATE chain_links",
    ],
)
async def test_a_chain_is_append_only_like_its_books(statement: str) -> None:
    await some(1)
    await seal_all()
    with pytest.raises(asyncpg.PostgresError):
        await execute(statement)


async def test_nothing_is_missed_or_moved_while_transactions_commit_out_of_order() -> None:
    """Sixteen writers, some of whom wait before they commit or give up, and two sealers at once. The first
    row to be written is committed when others, written later, are sealed."""
    chance = random.Random(4)
    written: list[str] = []
    begun, sealed, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with transaction():
            posting_id = await insert(7)
            begun.set()
            await asyncio.wait_for(sealed.wait(), 5)
        written.append(posting_id)

    async def writer(number: int) -> None:
        for turn in range(12):
            pause, gives_up = chance.random() / 50, chance.random() < 0.2
            try:
                async with transaction():
                    posting_id = await insert(number + turn + 1)
                    await asyncio.sleep(pause)
                    if gives_up:
                        raise _GivenUpError
            except _GivenUpError:
                continue
            written.append(posting_id)

    async def sealer() -> None:
        while not over.is_set():
            if await seal(POSTINGS, NOON, 5):
                sealed.set()
            await asyncio.sleep(0)

    late = asyncio.create_task(first())
    await begun.wait()
    sealers = [asyncio.create_task(sealer()) for _ in range(2)]
    await asyncio.gather(late, *(writer(number) for number in range(16)))
    over.set()
    await asyncio.gather(*sealers)
    places = {each["row_id"]: each["position"] for each in await rows("SELECT * FROM chain_links")}
    await seal_all()
    found = await rows("SELECT row_id, position FROM chain_links ORDER BY position")
    after = {each["row_id"]: each["position"] for each in found}
    assert sorted(after) == sorted(written)
    assert list(after.values()) == list(range(1, len(written) + 1))
    assert places.items() <= after.items()
    assert list(after) != sorted(after), (
        "nothing was committed out of order: the test shows nothing"
    )
    assert await faults() == []
    assert await value("SELECT count(*) FROM chain_waiting") == 0


async def insert(amount: int) -> str:
    """A posting in the open transaction; answers its id."""
    posting_id = new_id("pst")
    await execute(
        "INSERT INTO postings (id, cause, kind, source, target, amount, currency, seller_id, "
        "occurred_at, recorded_at) "
        "VALUES ($1, $1, 'payout', 'seller:sel_1', 'banks', $2, 'eur', 'sel_1', $3, $3)",
        posting_id,
        amount,
        NOON,
    )
    return posting_id


class _GivenUpError(Exception):
    pass
