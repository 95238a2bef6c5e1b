"""What is asked of the database of ten million payments: every summary, list and story an admin looks at."""

from collections.abc import Callable
from typing import Final

import msgspec

from payments.database import rows, value
from tests.benchmarks.ten_million_cast import ADMIN, BUYER, OWNER, SELLERS

_FEES: Final = "/v1/admin/fees"
_SUMMARY: Final = f"{_FEES}/summary"
_CATEGORIES: Final = (
    "yoga",
    "chess",
    "tea",
    "piano",
    "running",
    "coaching",
    "pottery",
    "maths",
    "dance",
)
_SORTS: Final = {
    "time": "captured_at",
    "fee": "fee_taken",
    "rate": "rate_basis_points",
    "margin": "net",
}
_BIG: Final = f"sel_{0:026}"


class Question(msgspec.Struct, frozen=True):
    """A request: who asks, in words, and its path, each time for another thing."""

    words: str
    path: Callable[[int], str]
    who: str = ADMIN


async def questions() -> list[Question]:
    """All of them; cursors and orders are looked up once."""
    return [*_sums(), *await _lists(), *_few(), *_ledger(), *await _orders(), *_seller()]


def _sums() -> list[Question]:
    whole, part = "from=2023-11-21&to=2026-11-21", "from=2025-12-17&to=2026-11-12"
    asked = [
        Question(
            f"sums per {group}, {words}", _always(f"{_SUMMARY}?group_by={group}&limit=100&{days}")
        )
        for group in ("day", "week", "month", "seller", "category", "rule", "currency")
        for words, days in (("three years", whole), ("eleven months", part))
    ]
    asked += [
        Question("sums per day of one seller", lambda n: f"{_SUMMARY}?group_by=day&{_seller_at(n)}&{whole}"),
        Question("sums per month of the biggest seller",
                 _always(f"{_SUMMARY}?group_by=month&seller_id={_BIG}&{whole}")),
        Question("sums per week of one category",
                 lambda n: f"{_SUMMARY}?group_by=week&category={_category(n)}&{whole}"),
        Question("sums per month of one rule",
                 lambda n: f"{_SUMMARY}?group_by=month&rule_id=rule_{n % 12}&{whole}"),
        Question("sums per day, euro", _always(f"{_SUMMARY}?group_by=day&currency=eur&limit=100&{whole}")),
        Question("sums per seller of a month",
                 lambda n: f"{_SUMMARY}?group_by=seller&limit=100&{_month_at(n)}"),
        Question("sums per seller, a page far down", lambda n: (
            f"{_SUMMARY}?group_by=seller&limit=100&{whole}&starting_after="
            f"sel_{(n * 97) % SELLERS:026}:eur")),
        Question("sums per day, a page far down",
                 lambda n: f"{_SUMMARY}?group_by=day&limit=100&{whole}&starting_after={_day_at(n)}:eur"),
    ]  # fmt: skip
    return asked


async def _lists() -> list[Question]:
    asked = []
    for sort, column in _SORTS.items():
        cursors = await _cursors(column, "currency = 'eur'")
        path = f"{_FEES}?currency=eur&sort={sort}&limit=100"
        for direction in ("desc", "asc"):
            asked.append(
                Question(f"fees by {sort} {direction}", _always(f"{path}&direction={direction}"))
            )
            asked.append(
                Question(
                    f"fees by {sort} {direction}, far down",
                    lambda n, p=f"{path}&direction={direction}", c=cursors: (  # type: ignore[misc]
                        f"{p}&starting_after={c[n % len(c)]}"
                    ),
                )
            )
    return asked


def _few() -> list[Question]:
    filters = {
        "of the biggest seller": lambda n: f"seller_id={_BIG}",
        "of one seller": lambda n: _seller_at(n),
        "of one category": lambda n: f"category={_category(n)}",
        "of a category nobody has": lambda n: "category=nothing",
        "of one rule": lambda n: f"rule_id=rule_{n % 12}",
        "of one version": lambda n: f"schedule_version={n % 6 + 1}",
        "captured in part": lambda n: "captured=part",
        "returned": lambda n: "returned=whole",
        "returned in part": lambda n: "returned=part",
        "with an anomaly": lambda n: "anomaly=any",
        "with an anomaly nobody has": lambda n: "anomaly=transfer_skipped",
        "reviewed": lambda n: "reviewed=true",
        "not reviewed": lambda n: "reviewed=false",
        "of two days": lambda n: f"from=2024-{n % 12 + 1:02}-03&to=2024-{n % 12 + 1:02}-05",
        "of one category and rule": lambda n: f"category={_category(n)}&rule_id=rule_{n % 12}",
        "of a category and a rule that rarely meet": lambda n: "category=baking&rule_id=rule_1",
        "of the biggest seller, reviewed": lambda n: f"seller_id={_BIG}&reviewed=true",
    }
    asked = [
        Question(
            f"fees {words}, by {sort}",
            lambda n, g=given, s=sort: f"{_FEES}?currency=eur&sort={s}&limit=100&{g(n)}",  # type: ignore[misc]
        )
        for sort in _SORTS
        for words, given in filters.items()
    ]
    anomalies = f"{_FEES}/anomalies?limit=100"
    return [
        *asked,
        Question("what is odd", _always(anomalies)),
        Question(
            "what is odd, of a code nobody has", _always(f"{anomalies}&code=transfer_skipped")
        ),
    ]


def _ledger() -> list[Question]:
    balances = "/v1/admin/ledger/balances?limit=100"
    accounts = "/v1/admin/ledger/accounts"
    return [
        Question("balances now", _always(balances)),
        Question("balances two years ago", lambda n: f"{balances}&at=2024-11-{n + 1:02}T13:00:00Z"),
        Question("balances of sellers, a page far down",
                 lambda n: f"{balances}&account=seller:&starting_after=seller:{_id_at(n)}:eur"),
        Question("postings of platform:fees", _always(f"{accounts}/platform:fees/postings?currency=eur")),
        Question("postings of the biggest seller",
                 _always(f"{accounts}/seller:{_BIG}/postings?currency=eur")),
        Question("postings of one seller",
                 lambda n: f"{accounts}/seller:{_id_at(n * 5)}/postings?currency=eur"),
        Question("the ledger", _always("/v1/admin/ledger?limit=100")),
        Question("the ledger of one account", lambda n: f"/v1/admin/ledger?account=seller:{_id_at(n)}"),
        Question("the ledger of a currency nobody has", _always("/v1/admin/ledger?currency=isk")),
        Question("the ledger of an account nobody has", _always("/v1/admin/ledger?account=seller:nobody")),
        Question("heads of the chains", _always("/v1/admin/ledger/chain")),
    ]  # fmt: skip


async def _orders() -> list[Question]:
    ids = await _some("id", "orders", "true")
    mine = [each["id"] for each in await rows(
        "SELECT id FROM orders WHERE buyer_id = $1 ORDER BY id LIMIT 50", BUYER
    )]  # fmt: skip
    orders = "/v1/admin/orders"
    return [
        Question("all orders", _always(f"{orders}?limit=100")),
        Question("all orders, far down", lambda n: f"{orders}?limit=100&starting_after={ids[n % len(ids)]}"),
        Question("orders of one seller", lambda n: f"{orders}?limit=100&{_seller_at(n)}"),
        Question("orders of one status", _always(f"{orders}?limit=100&status=completed")),
        Question("orders of a status none has", _always(f"{orders}?limit=100&status=authorized")),
        Question("orders of one seller and status",
                 lambda n: f"{orders}?limit=100&status=canceled&{_seller_at(n)}"),
        Question("one order", lambda n: f"{orders}/{ids[n % len(ids)]}"),
        Question("the trail of one order", lambda n: f"{orders}/{ids[n % len(ids)]}/trail"),
        Question("an order's fee, explained", lambda n: f"{orders}/{ids[n % len(ids)]}/fee"),
        Question("a buyer's orders", _always("/v1/orders?limit=100"), BUYER),
        Question("a buyer's trail", lambda n: f"/v1/orders/{mine[n % len(mine)]}/trail", BUYER),
        Question("all sellers", _always("/v1/admin/sellers?limit=100")),
        Question("all disputes", _always("/v1/admin/disputes?limit=100")),
        Question("the audit log", _always("/v1/admin/audit?limit=100")),
    ]  # fmt: skip


def _seller() -> list[Question]:
    mine = f"/v1/sellers/{_BIG}"
    months = [f"{2024 + n // 12}-{n % 12 + 1:02}" for n in range(20)]
    return [
        Question("the biggest seller's orders", _always(f"{mine}/orders?limit=100"), OWNER),
        Question("the biggest seller's earnings", _always(f"{mine}/earnings?limit=100"), OWNER),
        Question("its earnings of one month",
                 lambda n: f"{mine}/earnings?limit=100&from={months[n]}-01&to={months[n]}-28", OWNER),
        Question("the biggest seller's statements", _always(f"{mine}/statements"), OWNER),
        Question("a statement of the biggest seller", lambda n: f"{mine}/statements/{months[n]}", OWNER),
        Question("its movements", lambda n: f"{mine}/statements/{months[n]}/movements?limit=100", OWNER),
    ]  # fmt: skip


async def _cursors(column: str, condition: str) -> list[str]:
    """Cursors of fees that were picked by chance."""
    place = (
        "(extract(epoch FROM captured_at) * 1000000)::bigint" if column == "captured_at" else column
    )
    return await _some(f"{place} || ':' || payment_id", "fee_reviews", condition)


async def _some(wanted: str, table: str, condition: str) -> list[str]:
    """Of rows that were picked by chance."""
    there = await value("SELECT reltuples::bigint FROM pg_class WHERE relname = $1", table)
    found = await rows(
        f"SELECT {wanted} AS wanted FROM {table} TABLESAMPLE SYSTEM ({min(100, 500_000 / there)}) "
        f"WHERE {condition} ORDER BY md5({wanted}) LIMIT 50"
    )
    return [each["wanted"] for each in found]


def _always(path: str) -> Callable[[int], str]:
    return lambda _: path


def _id_at(n: int) -> str:
    return f"sel_{(n * 97 + 11) % SELLERS:026}"


def _seller_at(n: int) -> str:
    return f"seller_id={_id_at(n)}"


def _category(n: int) -> str:
    return _CATEGORIES[n % len(_CATEGORIES)]


def _month_at(n: int) -> str:
    return f"from=2025-{n % 12 + 1:02}-01&to=2025-{n % 12 + 1:02}-28"


def _day_at(n: int) -> str:
    return f"2024-{n % 12 + 1:02}-15"
