"""What is reported of a seller, to be printed: sellers must be told (Directive (EU) 2021/514, Article 8ac and
Annex V). Plain HTML without scripts."""

from html import escape
from typing import Any, Final

from marketplace.books.statement_csv import in_decimals
from marketplace.pages.statement import POLICY, STYLE
from marketplace.tax.details import TaxDetails
from marketplace.tax.figures import ActivityFigures
from marketplace.tax.reports import SellerReport

__all__ = ["POLICY", "page"]

_WORDS: Final = {"personal_services": "Personal services", "sale_of_goods": "Sale of goods"}
_NAMES: Final = {
    "tax_details": "everything about you",
    "line1": "street",
    "city": "city",
    "tins": "tax identification number",
    "birth_date": "date of birth",
    "registration_number": "business registration number",
}


def page(report: SellerReport) -> str:
    """The page of one seller's year."""
    title = f"What is reported of {report.year}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {escape(report.shop)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<header>\n<div><h1>{escape(title)}</h1><p>{escape(report.shop)}</p></div>\n"
        f'<div class="quiet"><p>Seller {escape(report.seller_id)}</p>'
        f"<p>As of {report.as_of:%Y-%m-%d %H:%M} UTC</p></div>\n</header>\n"
        f"{_standing(report)}{_identification(report)}"
        + "".join(_activity(one) for one in report.activities)
        + _foot()
    )


def _standing(report: SellerReport) -> str:
    told = []
    if not report.reportable:
        told.append(
            "You do not live in the European Union and have no tax number of it: you are not reported."
        )
    elif report.excluded:
        told.append(
            "You sold fewer than 30 goods for not more than 2,000 EUR: you need not be reported."
        )
    if report.missing:
        names = ", ".join(_NAMES[name] for name in report.missing)
        told.append(f"Not told yet: {names}.")
    if not report.activities:
        told.append("Nothing was sold in this year.")
    return "".join(f'<p class="open">{escape(one)}</p>\n' for one in told)


def _identification(report: SellerReport) -> str:
    if report.details is None:
        return ""
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{escape(told)}</td></tr>\n"
        for label, told in _told(report.details)
        if told
    )
    return f"<h2>Who you are</h2>\n<table>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _told(details: TaxDetails) -> list[tuple[str, str]]:
    place = " ".join(each for each in (details.postal_code, details.city) if each)
    address = ", ".join(
        each for each in (details.line1, details.line2, place, details.country) if each
    )
    return [
        ("Name", details.name),
        ("Address", address),
        ("Tax numbers", ", ".join(f"{tin.number} ({tin.issued_by})" for tin in details.tins)),
        ("VAT number", details.vat_number or ""),
        ("Registration", details.registration_number or ""),
        ("Born", _text(details.birth_date)),
        ("Place of birth", ", ".join(filter(None, (details.birth_place, details.birth_country)))),
        ("Account", details.iban or ""),
        ("Account holder", details.account_holder or ""),
    ]


def _text(told: Any) -> str:
    return "" if told is None else str(told)


def _activity(one: ActivityFigures) -> str:
    unit = escape(one.currency.upper())
    rows = "".join(
        f"<tr><td>Quarter {each.quarter}</td>"
        f'<td class="sum">{each.activities}</td>'
        f'<td class="sum">{in_decimals(each.consideration, one.currency)}</td>'
        f'<td class="sum">{in_decimals(each.fees, one.currency)}</td>'
        f'<td class="sum">{in_decimals(each.taxes, one.currency)}</td></tr>\n'
        for each in one.quarters
    )
    return (
        f"<section>\n<h2>{_WORDS[one.activity]}, {unit}</h2>\n"
        '<div class="scroll"><table>\n<thead><tr><th>When</th>'
        '<th class="sum">Sales</th><th class="sum">Paid to you</th>'
        '<th class="sum">Fees kept</th><th class="sum">Taxes withheld</th></tr></thead>\n'
        f'<tbody>\n{rows}<tr class="balance"><td>The year</td><td class="sum">{one.activities}</td>'
        f'<td class="sum">{in_decimals(one.consideration, one.currency)}</td>'
        f'<td class="sum">{in_decimals(one.fees, one.currency)}</td><td class="sum"></td></tr>\n'
        "</tbody>\n</table></div>\n</section>\n"
    )


def _foot() -> str:
    return (
        "<footer><p>What the platform must tell the tax authority of its sellers once a year, by the Union's "
        "rules for digital platforms (DAC7). A sale counts in the quarter in which it was paid, and what was "
        "refunded of it is taken off there. Amounts paid to you are net of fees.</p></footer>\n"
        "</main>\n</body>\n</html>\n"
    )
