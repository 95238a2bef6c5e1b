"""Issued papers to be printed: plain HTML without scripts, written while they are read."""

from collections.abc import AsyncIterator
from datetime import datetime
from html import escape
from typing import Final

from marketplace.books.months import Month
from marketplace.books.statement_csv import in_decimals
from marketplace.books.statements import Movement
from marketplace.books.words import words_for
from marketplace.pages.statement import POLICY, STYLE, row_of_movement
from marketplace.papers.issuer import Issuer
from marketplace.papers.paper_csv import percent
from marketplace.papers.parties import Party
from marketplace.papers.reading import Paper, PaperLine

__all__ = ["POLICY", "invoice", "statement"]

_TITLES: Final = {
    "statement": "Statement",
    "fee_invoice": "Fee invoice",
    "credit_note": "Credit note",
}
_OWN: Final = """
.parties { display: flex; gap: 3rem; flex-wrap: wrap; margin: 1.5rem 0 .5rem; }
.parties > div { flex: 1 1 14rem; } .parties h2 { margin: 0 0 .25rem; font-size: .8rem;
  text-transform: uppercase; letter-spacing: .06em; color: #566072; }
.number { font-size: 1.1rem; font-weight: 600; font-variant-numeric: tabular-nums; }
tr.total td { font-weight: 700; border-top: 2px solid #1c2330; border-bottom: 0; }
"""


async def statement(paper: Paper, movements: AsyncIterator[Movement]) -> AsyncIterator[str]:
    """A statement, in pieces. A page without its footer was cut off."""
    yield _head(paper)
    unit, held = escape(paper.currency.upper()), paper.opening or 0
    month = Month.named(paper.month)
    yield (
        '<div class="scroll"><table>\n<thead><tr><th>Day</th><th>What</th>'
        f'<th class="sum">Amount {unit}</th><th class="sum">Balance {unit}</th></tr></thead>\n<tbody>\n'
        + _balance(month.first, "Opening balance", held, paper)
    )
    async for one in movements:
        held += one.amount
        yield row_of_movement(one, held)
    yield _balance(month.last_day, "Closing balance", held, paper)
    sums = "".join(
        f'<tr><td>{escape(words_for(each.kind))}</td><td class="sum">{each.movements}</td>'
        f'<td class="sum">{_amount(each.amount, paper)}</td></tr>\n'
        for each in paper.facts.by_kind
    )
    yield (
        f"</tbody>\n</table></div>\n<h2>In sum, {unit}</h2>\n<table>\n<thead><tr><th>What</th>"
        f'<th class="sum">How many</th><th class="sum">Amount {unit}</th></tr></thead>\n<tbody>\n{sums}'
        f'<tr class="total"><td>All that moved</td><td class="sum">{paper.postings}</td>'
        f'<td class="sum">{_amount(paper.total, paper)}</td></tr>\n</tbody>\n</table>\n'
    )
    yield _foot(
        "A movement is on the statement of the month in which it was written into the books; where it "
        "happened on another day, that day is named."
    )


async def invoice(paper: Paper, lines: AsyncIterator[PaperLine]) -> AsyncIterator[str]:
    """A fee invoice or credit note, in pieces. A page without its footer was cut off."""
    yield _head(paper)
    unit = escape(paper.currency.upper())
    heads = ("Net", "Tax %", "Tax", "Service fee", f"Amount {unit}")
    yield (
        '<div class="scroll"><table>\n<thead><tr><th>Day</th><th>What</th>'
        + "".join(f'<th class="sum">{head}</th>' for head in heads)
        + "</tr></thead>\n<tbody>\n"
    )
    async for line in lines:
        yield _fee_row(line, paper)
    yield _totals(paper)
    yield _foot(
        "Fees were kept back from your sales already: nothing is to be paid on this paper. "
        + (
            "Lines below zero take back what an earlier invoice charged; the total is given back to you. "
            if paper.kind == "credit_note"
            else "Lines below zero are fees that were returned in the same month. "
        )
        + "A service fee was paid by the buyer on top of your price and passed on: it is not charged to you."
    )


def _head(paper: Paper) -> str:
    month = Month.named(paper.month)
    title = f"{_TITLES[paper.kind]} {paper.name}"
    facts = paper.facts
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {escape(facts.seller.name)}</title>\n"
        f"<style>{STYLE}{_OWN}</style>\n</head>\n<body>\n<main>\n"
        f"<header>\n<div><h1>{_TITLES[paper.kind]}</h1>"
        f'<p class="number">{escape(paper.name)}</p></div>\n<div class="quiet">'
        f"<p>Issued {_day(paper.issued_at)}</p>"
        f"<p>{_day(month.first)} to {_day(month.last_day)}, UTC</p>"
        f"<p>Seller {escape(paper.seller_id)}</p></div>\n</header>\n"
        f'<div class="parties"><div><h2>From</h2>{_issuer(facts.issuer)}</div>'
        f"<div><h2>To</h2>{_party(facts.seller)}</div></div>\n"
    )


def _issuer(issuer: Issuer) -> str:
    return _lines(
        issuer.legal_name,
        issuer.line1,
        issuer.line2,
        _place(issuer.postal_code, issuer.city),
        issuer.country,
        issuer.vat_number and f"VAT {issuer.vat_number}",
        issuer.tax_number and f"Tax number {issuer.tax_number}",
        issuer.registration_number and f"Registered {issuer.registration_number}",
        issuer.email,
    )


def _party(party: Party) -> str:
    return _lines(
        party.name,
        party.shop if party.shop != party.name else None,
        party.line1 or "Address not given",
        party.line2,
        _place(party.postal_code, party.city),
        party.country,
        party.vat_number and f"VAT {party.vat_number}",
    )


def _place(postal_code: str | None, city: str | None) -> str:
    return " ".join(each for each in (postal_code, city) if each)


def _lines(*told: str | None) -> str:
    return "".join(f"<p>{escape(each)}</p>" for each in told if each)


def _fee_row(line: PaperLine, paper: Paper) -> str:
    what = "Application fee" if line.amount >= 0 else "Application fee returned"
    of = f' <span class="quiet">of {escape(line.corrects)}</span>' if line.corrects else ""
    cells = (
        _amount(line.fee_net, paper),
        percent(line.tax_basis_points),
        _amount(line.fee_tax, paper),
        _amount(line.service_fee, paper),
        _amount(line.amount, paper),
    )
    return (
        f'<tr><td class="day">{_day(line.occurred_at)}</td><td>{what}{of}'
        f'<div class="ids"><span>{escape(line.order_id)}</span></div></td>'
        + "".join(f'<td class="sum">{cell}</td>' for cell in cells)
        + "</tr>\n"
    )


def _totals(paper: Paper) -> str:
    unit = escape(paper.currency.upper())
    rates = "".join(
        f'<tr><td>Net at {percent(each.tax_basis_points)} %</td><td class="sum">'
        f"{_amount(each.fee_net, paper)}</td></tr>\n"
        f'<tr><td>Tax of {percent(each.tax_basis_points)} %</td><td class="sum">'
        f"{_amount(each.fee_tax, paper)}</td></tr>\n"
        for each in paper.facts.by_rate
    )
    service = (
        f'<tr><td>Service fees of buyers, passed on</td><td class="sum">'
        f"{_amount(paper.service_fee, paper)}</td></tr>\n"
        if paper.service_fee
        else ""
    )
    words = "Total given back" if paper.kind == "credit_note" else "Total kept back"
    return (
        f"</tbody>\n</table></div>\n<h2>In sum, {unit}</h2>\n<table>\n<tbody>\n{rates}{service}"
        f'<tr class="total"><td>{words}</td><td class="sum">{_amount(paper.total, paper)}</td></tr>\n'
        "</tbody>\n</table>\n"
    )


def _balance(at: datetime, words: str, held: int, paper: Paper) -> str:
    return (
        f'<tr class="balance"><td class="day">{_day(at)}</td><td colspan="2">{words}</td>'
        f'<td class="sum">{_amount(held, paper)}</td></tr>\n'
    )


def _foot(about: str) -> str:
    return (
        f"<footer><p>{about} Days are UTC. This paper was issued once and does not change.</p></footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _amount(amount: int | None, paper: Paper) -> str:
    return in_decimals(amount or 0, paper.currency)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
