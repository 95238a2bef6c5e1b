"""A statement to be printed: plain HTML without scripts, written while the books are read."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from html import escape

from marketplace.books.statement_csv import in_decimals
from marketplace.books.statements import CurrencyStatement, Movement, Statement
from marketplace.books.words import words_for

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

MovementsOf = Callable[[str], AsyncIterator[Movement]]
"""The month's movements of one currency."""

STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.5 system-ui, sans-serif; color: #1c2330; background: #eef0f5; margin: 0; }
main { background: #fff; max-width: 52rem; margin: 2rem auto; padding: 2.5rem 3rem;
  box-shadow: 0 1px 4px #0002; }
header { display: flex; justify-content: space-between; gap: 2rem; flex-wrap: wrap;
  border-bottom: 2px solid #1c2330; padding-bottom: 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2.25rem 0 .5rem; }
p { margin: .15rem 0; } .quiet { color: #566072; }
.open { border: 1px solid #b7791f; color: #7b4b06; background: #fffaf0; padding: .5rem .75rem;
  border-radius: 4px; margin-top: 1rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .5rem .35rem 0; border-bottom: 1px solid #dde1ea;
  vertical-align: top; }
th { font-weight: 600; color: #566072; border-bottom-color: #1c2330; }
td.sum, th.sum { text-align: right; padding-right: 0; padding-left: .75rem; white-space: nowrap; }
.ids { font: 11px/1.5 ui-monospace, monospace; color: #566072; overflow-wrap: anywhere; }
.ids span { margin-right: 1em; }
td.day { white-space: nowrap; }
tr.balance td { font-weight: 600; background: #f6f7fa; }
thead { display: table-header-group; } tr { break-inside: avoid; }
footer { margin-top: 2.5rem; color: #566072; font-size: 12px; }
.scroll { overflow-x: auto; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.25rem; } td.day { white-space: normal; } }
@media print {
  @page { size: A4; margin: 16mm; }
  body { background: #fff; font-size: 10pt; }
  main { box-shadow: none; margin: 0; padding: 0; max-width: none; }
  .scroll { overflow: visible; } .ids { font-size: 7pt; }
}
"""


async def page(
    statement: Statement, shop: str, movements_of: MovementsOf, now: datetime
) -> AsyncIterator[str]:
    """The page, in pieces. A page without its footer was cut off."""
    yield _head(statement, shop, now)
    if not statement.currencies:
        yield '<p class="quiet">No money has moved yet.</p>'
    for one in statement.currencies:
        yield _opening(one, statement)
        held = one.opening
        async for movement in movements_of(one.currency):
            held += movement.amount
            yield row_of_movement(movement, held)
        yield _closing(one, held, statement, now)
    yield _foot(statement)


def _head(statement: Statement, shop: str, now: datetime) -> str:
    month = statement.month
    title = f"Statement {month.first:%B %Y}"
    still_open = (
        ""
        if statement.closed
        else f'<p class="open">This month is not over: more may be added. As of {_minute(now)}.</p>'
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {escape(shop)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<header>\n<div><h1>{escape(title)}</h1><p>{escape(shop)}</p></div>\n"
        f'<div class="quiet"><p>Seller {escape(statement.seller_id)}</p>'
        f"<p>{_day(month.first)} to {_day(month.last_day)}, UTC</p></div>\n"
        f"</header>\n{still_open}\n"
    )


def _opening(one: CurrencyStatement, statement: Statement) -> str:
    unit = escape(one.currency.upper())
    return (
        f'<section>\n<h2>{unit}</h2>\n<div class="scroll"><table>\n<thead><tr><th>Day</th><th>What</th>'
        f'<th class="sum">Amount {unit}</th>'
        f'<th class="sum">Balance {unit}</th></tr></thead>\n<tbody>\n'
        + _balance_row(statement.month.first, "Opening balance", one.opening, one.currency)
    )


def _closing(one: CurrencyStatement, held: int, statement: Statement, now: datetime) -> str:
    """The balance at the month's end; of a month that is not over, on the day it was asked."""
    words = "Closing balance" if statement.closed else "Balance so far"
    day = statement.month.last_day if statement.closed else now
    closed = _balance_row(day, words, held, one.currency)
    sums = "".join(
        f'<tr><td>{escape(words_for(each.kind))}</td><td class="sum">{each.movements}</td>'
        f'<td class="sum">{in_decimals(each.amount, one.currency)}</td></tr>\n'
        for each in one.by_kind
    )
    unit = escape(one.currency.upper())
    return (
        f"{closed}</tbody>\n</table></div>\n<h2>In sum, {unit}</h2>\n<table>\n<thead><tr><th>What</th>"
        f'<th class="sum">How many</th><th class="sum">Amount {unit}</th></tr></thead>\n<tbody>\n'
        f'{sums}<tr class="balance"><td>All that moved</td><td class="sum">{one.movements}</td>'
        f'<td class="sum">{in_decimals(one.moved, one.currency)}</td></tr>\n'
        "</tbody>\n</table>\n</section>\n"
    )


def row_of_movement(movement: Movement, held: int) -> str:
    """A movement with the balance after it."""
    late = ""
    if movement.occurred_at.date() != movement.recorded_at.date():
        late = f' <span class="quiet">of {_day(movement.occurred_at)}</span>'
    named = " ".join(
        f"<span>{escape(each)}</span>" for each in (movement.order_id, movement.reference) if each
    )
    return (
        f'<tr><td class="day">{_day(movement.recorded_at)}</td>'
        f'<td>{escape(words_for(movement.kind, movement.because))}{late}<div class="ids">{named}</div></td>'
        f'<td class="sum">{in_decimals(movement.amount, movement.currency)}</td>'
        f'<td class="sum">{in_decimals(held, movement.currency)}</td></tr>\n'
    )


def _balance_row(at: datetime, words: str, amount: int, currency: str) -> str:
    return (
        f'<tr class="balance"><td class="day">{_day(at)}</td><td colspan="2">{words}</td>'
        f'<td class="sum">{in_decimals(amount, currency)}</td></tr>\n'
    )


def _foot(statement: Statement) -> str:
    closed = "This month is closed: it will not change. " if statement.closed else ""
    return (
        f"<footer><p>{closed}A movement is on the statement of the month in which it was written into the "
        "books; where it happened on another day, that day is named. Days are UTC.</p></footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
