"""Fees in lists: sorted, filtered, paged, flagged, noted and marked as reviewed; and all of them as CSV."""

import asyncio
import csv
import io
from itertools import pairwise
from typing import Any

import pytest

from marketplace.books.errors import FeeChanged, FeeFilterRefused, FeeReviewNotFound
from marketplace.books.fee_review import FeeReview
from marketplace.books.fees import fee_csv, listing, notes
from marketplace.books.fees.listing import Direction, FeeFilter, FeeSort, ReviewedFee, SortBy
from marketplace.books.statement_csv import safe
from marketplace.fees.schedules import Schedules
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.totals import Wanted
from marketplace.paging import PageRequest
from payments.database import execute, rows, transaction, value
from payments.ids import new_id
from tests.orders.shop import NOON, Shop, account
from tests.orders.shop import listing as on_offer

ADMIN = Actor("acc_admin", is_admin=True)
review = FeeReview(Schedules(), lambda: NOON)


async def sold(shop: Shop, owner: str, unit_amount: int = 6_000, **changes: object) -> str:
    """A session that was paid; answers the payment's id."""
    thing = await on_offer(owner, kind="session", unit_amount=unit_amount, **changes)
    order_id = await shop.place(await account(), (thing.id, 1))
    await shop.pay(order_id)
    return await payment_of(order_id)


async def payment_of(order_id: str) -> str:
    found: str = await value("SELECT id FROM payments WHERE order_id = $1", order_id)
    return found


async def refund(shop: Shop, payment_id: str, amount: int) -> None:
    order_id = await value("SELECT order_id FROM payments WHERE id = $1", payment_id)
    wish = RefundWish(amount=amount)
    await shop.refunds.ask(order_id, ADMIN, wish, idempotency_key=new_id("key"), now=shop.clock())


async def listed(sort: FeeSort = listing.THE_NEWEST_FIRST, **wanted: Any) -> list[str]:
    """The payments of every page."""
    found: list[ReviewedFee] = []
    after: str | None = None
    while True:
        request = PageRequest(limit=2, starting_after=after)
        page = await review.list(FeeFilter(**wanted), request, sort)
        found += page.data
        if not page.has_more:
            return [fee.payment_id for fee in found]
        after = sort.cursor(found[-1])


@pytest.mark.parametrize("by", ["time", "fee", "rate", "margin"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_each_sort_pages_over_everything_once(
    shop: Shop, by: SortBy, direction: Direction
) -> None:
    owner, seller_id = await shop.a_seller()
    # Two of the same time, fee, rate and margin: the payment's id decides.
    for amount in (6_000, 300, 6_000, 90_000, 1_234):
        await sold(shop, owner, amount)
    sort = FeeSort(by=by, direction=direction)
    found = await listed(sort, seller_id=seller_id, currency="eur")
    fees = [await listing.find(payment_id) for payment_id in found]
    assert len(set(found)) == 5
    column = {
        "time": "captured_at",
        "fee": "fee_taken",
        "rate": "effective_rate_basis_points",
        "margin": "net",
    }[by]
    keys: list[Any] = [(getattr(fee, column), fee.payment_id) for fee in fees]
    assert all(a < b if direction == "asc" else a > b for a, b in pairwise(keys))


async def test_a_fee_that_changes_meanwhile_moves_no_other(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    made = [await sold(shop, owner, amount) for amount in (1_000, 2_000, 3_000, 4_000)]
    sort, wanted = FeeSort(by="margin"), FeeFilter(seller_id=seller_id, currency="eur")
    first = await review.list(wanted, PageRequest(limit=2), sort)
    await refund(shop, made[2], 3_000)  # the last one shown becomes the least of all
    after = PageRequest(limit=2, starting_after=sort.cursor(first.data[-1]))
    rest = await review.list(wanted, after, sort)
    assert [fee.payment_id for fee in rest.data][:2] == [made[1], made[0]]


@pytest.mark.parametrize("cursor", ["", "x", "1:", "9" * 40 + ":pay_1", ":pay_1", "1"])
@pytest.mark.parametrize("by", ["time", "margin"])
@pytest.mark.usefixtures("database")
async def test_a_strange_cursor_is_no_error(cursor: str, by: SortBy) -> None:
    wanted, page = FeeFilter(currency="eur"), PageRequest(starting_after=cursor)
    await review.list(wanted, page, FeeSort(by=by))


async def test_every_filter_says_yes_and_no(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    whole = await sold(shop, owner, category="chess")
    partly = await sold(shop, owner, category="yoga")
    await refund(shop, partly, 1_000)
    gone = await sold(shop, owner, category="yoga")
    await refund(shop, gone, 6_000)
    mat = (await on_offer(owner, unit_amount=2_000)).id
    order_id = await shop.place(await account(), (mat, 2))
    await shop.pay(order_id)
    await shop.preparation.prepare(order_id, Actor(owner), shop.clock(), [Wanted(mat, 1)])
    part = await payment_of(order_id)
    made = {"whole": whole, "partly": partly, "gone": gone, "part": part}
    expected: dict[tuple[str, Any], set[str]] = {
        ("order_id", order_id): {"part"},
        ("order_id", "ord_nothing"): set(),
        ("category", "chess"): {"whole"},
        ("category", "nothing"): set(),
        ("rule_id", "sessions"): {"whole", "partly", "gone"},
        ("rule_id", "everything-else"): {"part"},
        ("schedule_version", 1): set(made),
        ("schedule_version", 2): set(),
        ("currency", "usd"): set(),
        ("captured", "whole"): {"whole", "partly", "gone"},
        ("captured", "part"): {"part"},
        ("returned", "none"): {"whole", "part"},
        ("returned", "part"): {"partly"},
        ("returned", "whole"): {"gone"},
        ("anomaly", "any"): {"gone"},
        ("anomaly", "none"): {"whole", "partly", "part"},
        ("anomaly", "negative_margin"): {"gone"},
        ("anomaly", "fee_differs"): set(),
        ("reviewed", True): set(),
        ("reviewed", False): set(made),
    }
    for (name, word), kept in expected.items():
        found = await listed(seller_id=seller_id, **{name: word})
        assert set(found) == {made[one] for one in kept}, (name, word)
    both = {"category": "yoga", "rule_id": "sessions"}
    assert set(await listed(seller_id=seller_id, **both)) == {partly, gone}
    assert await listed(seller_id=seller_id, **{**both, "category": "chess"}) == [whole]


@pytest.mark.usefixtures("database")
async def test_what_no_list_can_show_is_refused() -> None:
    for sort, wanted, path, why in (
        (FeeSort(by="fee"), FeeFilter(), "sort", "needs_currency"),
        (FeeSort(by="margin"), FeeFilter(), "sort", "needs_currency"),
        (FeeSort(), FeeFilter(anomaly="odd"), "anomaly", "unknown"),
        (FeeSort(), FeeFilter(currency="EUR"), "currency", "unknown"),
        (FeeSort(by="fee"), FeeFilter(currency="xyz"), "currency", "unknown"),
        (FeeSort(), FeeFilter(since=NOON.date(), until=NOON.date()), "to", "ends_before_it_begins"),
    ):
        with pytest.raises(FeeFilterRefused) as refused:
            await review.list(wanted, PageRequest(), sort)
        assert (refused.value.path, refused.value.why) == (path, why)


async def test_a_fee_other_than_the_schedules_is_flagged_until_it_is_right(shop: Shop) -> None:
    """Somebody captured at the Dashboard, with a fee of their own."""
    owner, _ = await shop.a_seller()
    mat = (await on_offer(owner, unit_amount=2_000)).id
    order_id = await shop.place(await account(), (mat, 2))
    await shop.pay(order_id)
    shop.stripe.capture(await shop.intent_of(order_id), 4_000, 1)
    await shop.hear(order_id)
    payment_id = await payment_of(order_id)
    fee = await review.find(payment_id)
    assert (fee.fee_taken, fee.fee_expected) == (1, 430)
    assert fee.anomalies == ["fee_differs", "negative_margin", "rate_out_of_band"]
    found = (await notes.open_anomalies(None, payment_id, PageRequest())).data
    assert [one.code for one in found] == fee.anomalies[::-1]
    assert found[-1].facts == {"taken": 1, "expected": 430}
    await execute(
        "UPDATE fee_reviews SET fee_taken = 430, fee_expected = 430, net = 430 - processing_cost, "
        "anomalies = '{}' WHERE payment_id = $1",
        payment_id,
    )
    # Whatever was written over it: the next fold says again what the books say.
    await execute("INSERT INTO fee_movements (payment_id) VALUES ($1)", payment_id)
    shop.clock.move(days=1)
    await review.folding.run_once(shop.clock(), 100)
    assert (await review.find(payment_id)).anomalies == fee.anomalies
    again = (await notes.open_anomalies("fee_differs", payment_id, PageRequest())).data
    assert [one.found_at for one in again] == [found[-1].found_at], "found once"


async def test_a_transfer_that_came_late_ends_its_anomalies(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    payment_id = await sold(shop, owner)
    transfer_id = await value("SELECT transfer_id FROM payments WHERE id = $1", payment_id)
    await execute("UPDATE payments SET transfer_id = NULL WHERE id = $1", payment_id)
    assert (await review.find(payment_id)).anomalies == ["fee_without_transfer", "transfer_skipped"]
    await execute("UPDATE payments SET transfer_id = $2 WHERE id = $1", payment_id, transfer_id)
    assert (await review.find(payment_id)).anomalies == []
    assert (await notes.open_anomalies(None, payment_id, PageRequest())).data == []
    resolved = await rows(
        "SELECT code FROM fee_anomalies WHERE payment_id = $1 AND resolved_at IS NOT NULL",
        payment_id,
    )
    assert len(resolved) == 2


async def test_anomalies_are_paged(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    made = []
    for _ in range(3):
        payment_id = await sold(shop, owner)
        await refund(shop, payment_id, 6_000)
        made.append(payment_id)
        await review.folding.run_once(shop.clock(), 100)
        shop.clock.move(seconds=1)
    first = await notes.open_anomalies("negative_margin", None, PageRequest(limit=2))
    assert [one.payment_id for one in first.data] == [made[2], made[1]]
    after = PageRequest(limit=1, starting_after=first.data[-1].id)
    rest = await notes.open_anomalies("negative_margin", None, after)
    assert [one.payment_id for one in rest.data] == [made[0]]
    nothing = PageRequest(starting_after="pay_x:fee_differs")
    assert (await notes.open_anomalies(None, None, nothing)).data == []


async def test_a_review_holds_as_long_as_the_figures(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    payment_id = await sold(shop, owner)
    await review.find(payment_id)
    marked = await notes.review(payment_id, actor="acc_admin", now=shop.clock())
    assert (marked.reviewed_at, marked.reviewed_by) == (shop.clock(), "acc_admin")
    assert await listed(seller_id=seller_id, reviewed=True) == [payment_id]
    # Told again of what is known already: nothing changed.
    await execute("INSERT INTO fee_movements (payment_id) VALUES ($1)", payment_id)
    assert (await review.find(payment_id)).reviewed_by == "acc_admin"
    await refund(shop, payment_id, 1)
    changed = await review.find(payment_id)
    assert (changed.reviewed_at, changed.reviewed_by, changed.refunded) == (None, None, 1)
    assert await listed(seller_id=seller_id, reviewed=True) == []
    told = await rows("SELECT action, actor FROM audit_log WHERE subject = $1", payment_id)
    assert [tuple(one) for one in told] == [("fee.reviewed", "acc_admin")]


async def test_what_changed_since_it_was_seen_is_not_marked(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    payment_id = await sold(shop, owner)
    seen = (await review.find(payment_id)).updated_at
    shop.clock.move(seconds=1)
    await refund(shop, payment_id, 1)
    await review.folding.run_once(shop.clock(), 100)
    changed = await review.find(payment_id)
    with pytest.raises(FeeChanged) as refused:
        await notes.review(payment_id, actor="acc_admin", now=shop.clock(), seen=seen)
    assert refused.value.updated_at == changed.updated_at
    assert (await review.find(payment_id)).reviewed_at is None
    facts = {"actor": "acc_admin", "now": shop.clock()}
    await notes.review(payment_id, **facts, seen=changed.updated_at)
    assert (await review.find(payment_id)).reviewed_by == "acc_admin"


async def test_notes_stay_and_are_audited(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    payment_id = await sold(shop, owner)
    await review.find(payment_id)
    for text in ("first", "second"):
        await notes.note(payment_id, text=text, author="acc_admin", now=shop.clock())
        await asyncio.sleep(0.002)  # ids sort to the millisecond
    found = await notes.notes(payment_id, PageRequest(limit=1))
    assert ([one.text for one in found.data], found.has_more) == (["second"], True)
    after = PageRequest(starting_after=found.data[0].id)
    assert [one.text for one in (await notes.notes(payment_id, after)).data] == ["first"]
    told = await rows(
        "SELECT reason FROM audit_log WHERE subject = $1 AND action = 'fee.noted' ORDER BY id",
        payment_id,
    )
    assert [one["reason"] for one in told] == ["first", "second"]


async def test_a_fee_of_nothing_is_not_there(shop: Shop) -> None:
    for asked in (
        review.find("pay_x"),
        notes.notes("pay_x", PageRequest()),
        notes.note("pay_x", text="?", author="acc_admin", now=shop.clock()),
        notes.review("pay_x", actor="acc_admin", now=shop.clock()),
    ):
        with pytest.raises(FeeReviewNotFound):
            await asked


async def test_the_file_has_every_fee_and_no_formula(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    made = [await sold(shop, owner, category="=HYPERLINK(1)") for _ in range(3)]
    pieces = await review.every(FeeFilter(seller_id=seller_id))
    text = "".join([piece async for piece in fee_csv.lines(pieces)])
    header, *lines, end = list(csv.reader(io.StringIO(text)))
    assert tuple(header) == fee_csv.HEADER
    assert end == ["end", "3"]
    told = [dict(zip(header, line, strict=True)) for line in lines]
    assert {one["payment_id"] for one in told} == set(made)
    assert {one["categories"] for one in told} == {"'=HYPERLINK(1)"}
    assert {(one["fee_taken"], one["net"], one["currency"]) for one in told} == {
        ("900", "696", "EUR")
    }


@pytest.mark.usefixtures("database")
async def test_a_file_that_cannot_be_is_refused_before_it_begins() -> None:
    with pytest.raises(FeeFilterRefused):
        await review.every(FeeFilter(), FeeSort(by="fee"))


async def test_a_file_of_many_pieces_misses_none(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    payment_id = await sold(shop, owner)
    await review.find(payment_id)
    async with transaction():
        # References are not looked at: these are rows without payments.
        await execute("SET LOCAL session_replication_role = replica")
        await execute(
            "INSERT INTO fee_reviews SELECT (jsonb_populate_record(r, jsonb_build_object('payment_id', "
            "'pay_' || lpad(n::text, 26, '0')))).* FROM fee_reviews r, generate_series(1, 10200) AS n "
            "WHERE r.payment_id = $1",
            payment_id,
        )
    seen: list[str] = []
    async for piece in await review.every(FeeFilter(seller_id=seller_id)):
        seen += [line.partition(",")[0] for line in piece]
    assert (len(seen), len(set(seen))) == (10_201, 10_201)


_TEXTS = ("yoga", "=1", "-5", "@x", "a,b", 'a "b"', '="b",c', "a\nb", "\r", "\tx", "a-b=c", "é")


async def test_the_database_writes_a_line_as_a_csv_writer_does(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    payment_id = await sold(shop, owner)
    await review.find(payment_id)
    for number, text in enumerate(_TEXTS):
        await execute(
            "UPDATE fee_reviews SET categories = ARRAY[$2, 'books'], rule_ids = ARRAY[$2], "
            "category_amounts = ARRAY[1, 1], category_fees = ARRAY[1, 1], fee_expected = NULL, "
            "reviewed_at = $3, reviewed_by = $2 WHERE payment_id = $1",
            payment_id,
            text,
            NOON.replace(microsecond=number % 2 * 120_000),
        )
        pieces = await review.every(FeeFilter(seller_id=seller_id))
        _, line, end = [piece async for piece in fee_csv.lines(pieces)]
        assert (line, end) == (_as_python_writes(await review.find(payment_id)), "end,1\r\n")


def _as_python_writes(fee: ReviewedFee) -> str:
    cells: dict[str, object] = {name: getattr(fee, name) for name in fee_csv.HEADER}
    for name in ("captured_at", "reviewed_at"):
        cells[name] = getattr(fee, name).isoformat()
    cells |= {
        "currency": fee.currency.upper(),
        "rule_ids": safe(" ".join(fee.rule_ids)),
        "categories": safe("; ".join(fee.categories)),
        "anomalies": " ".join(fee.anomalies),
        "reviewed_by": safe(fee.reviewed_by or ""),
    }
    told = io.StringIO()
    csv.writer(told).writerow(cells.values())
    return told.getvalue()
