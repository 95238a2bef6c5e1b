"""A year's report as one JSON document, nested as DAC7 has it, written while it is read."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from marketplace.papers.issuer import IssuerRecord
from marketplace.tax.details import TaxDetails
from marketplace.tax.reports import Asked, SellerReport


def nested(report: SellerReport) -> dict[str, Any]:
    """One seller: identification, account, and each activity's quarters."""
    details = report.details
    return {
        "seller_id": report.seller_id,
        "shop": report.shop,
        "year": report.year,
        "as_of": report.as_of,
        "country": report.country,
        "reportable": report.reportable,
        "excluded": report.excluded,
        "missing": list(report.missing),
        "identification": None if details is None else _identification(details),
        "financial_account": {
            "identifier": None if details is None else details.iban,
            "holder": None if details is None else details.account_holder,
            "connected_account": report.connected_account,
        },
        "activities": [
            {
                "activity": one.activity,
                "currency": one.currency,
                "activities": one.activities,
                "consideration": one.consideration,
                "fees": one.fees,
                "quarters": [msgspec.structs.asdict(each) for each in one.quarters],
            }
            for one in report.activities
        ],
    }


async def document(
    wanted: Asked, operator: IssuerRecord | None, reports: AsyncIterator[SellerReport]
) -> AsyncIterator[str]:
    """The whole report, in pieces. A document that does not end was cut off."""
    head = {
        "shape": "DAC7 (Directive (EU) 2021/514, Annex V, section III); not the official XML",
        "year": wanted.year.number,
        "as_of": wanted.as_of,
        "changed_since": wanted.changed_since,
        "platform_operator": None if operator is None else operator.issuer,
    }
    yield f'{_json(head)[:-1]},"sellers":['
    first = True
    async for report in reports:
        yield ("" if first else ",") + _json(nested(report))
        first = False
    yield "]}\n"


def _identification(details: TaxDetails) -> dict[str, Any]:
    told = {
        name: getattr(details, name)
        for name in TaxDetails.__struct_fields__
        if name not in ("iban", "account_holder", "tins")
    }
    return {**told, "tins": [msgspec.structs.asdict(tin) for tin in details.tins]}


def _json(told: Any) -> str:
    return msgspec.json.encode(told).decode()
