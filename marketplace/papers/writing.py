"""Writing papers: the numbers of their series, their rows and lines, and a message for each seller.

All of it in one transaction, which holds the series: what is rolled back gave no number away.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from marketplace.messages.outbox import Told, tell_all
from marketplace.papers import drafting, parties
from marketplace.papers.drafting import Draft, Kind
from marketplace.papers.issuer import IssuerRecord
from marketplace.papers.months import PaperMonth
from payments.database import execute, value
from payments.ids import new_id

PREFIXES: Final[dict[Kind, str]] = {"statement": "ST", "fee_invoice": "FI", "credit_note": "CN"}
_LINES_PIECE: Final = 5_000
_T = TypeVar("_T")


def batched(found: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """In pieces of at most `size`."""
    return (found[start : start + size] for start in range(0, len(found), size))


async def _numbers(kind: Kind, year: int, count: int) -> int:
    """Take so many numbers of a series; answers the first. The series is ours until the commit."""
    last: int = await value(
        "INSERT INTO paper_series AS s (id, kind, year, last_number) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET last_number = s.last_number + excluded.last_number "
        "RETURNING last_number",
        f"{kind}:{year}",
        kind,
        year,
        count,
    )
    return last - count + 1


async def write(
    named: IssuerRecord, month: PaperMonth, drafts: Sequence[Draft], now: datetime
) -> None:
    """Number the drafts, write them as papers and tell their sellers, in the caller's transaction."""
    if not drafts:
        return
    whom = await parties.parties(sorted({draft.seller_id for draft in drafts}))
    papers: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for kind in drafting.KINDS:
        of_kind = [draft for draft in drafts if draft.kind == kind]
        if not of_kind:
            continue
        first = await _numbers(kind, now.year, len(of_kind))
        for number, draft in enumerate(of_kind, first):
            paper = _paper(draft, number, named, whom[draft.seller_id][1], month, now)
            papers.append(paper)
            lines += [_line(line, paper["id"]) for line in draft.lines]
    await execute(_PAPERS, msgspec.json.encode(papers).decode())
    for piece in batched(lines, _LINES_PIECE):
        await execute(_LINES, msgspec.json.encode(piece).decode())
    await _tell(papers, {seller: account for seller, (account, _) in whom.items()}, month, now)


def _paper(
    draft: Draft,
    number: int,
    named: IssuerRecord,
    party: parties.Party,
    month: PaperMonth,
    now: datetime,
) -> dict[str, Any]:
    is_statement = draft.kind == "statement"
    facts = {
        "issuer": named.issuer,
        "seller": party,
        "by_kind": draft.by_kind,
        "by_rate": draft.by_rate,
    }
    return {
        "id": new_id("ppr"),
        "kind": draft.kind,
        "year": now.year,
        "number": number,
        "name": f"{PREFIXES[draft.kind]}-{now.year}-{number:06d}",
        "seller_id": draft.seller_id,
        "currency": draft.currency,
        "month": month.month,
        "issued_at": now,
        "opening": draft.opening,
        "total": draft.total,
        "closing": None if draft.opening is None else draft.opening + draft.total,
        "fee_net": None if is_statement else sum(one.fee_net for one in draft.by_rate),
        "fee_tax": None if is_statement else sum(one.fee_tax for one in draft.by_rate),
        "service_fee": None if is_statement else draft.service_fee,
        "postings": draft.postings,
        "facts": msgspec.json.encode(facts).decode(),
    }


def _line(line: drafting.FeeLine, paper_id: str) -> dict[str, Any]:
    posting, part = line.posting, line.part
    return {
        "id": f"{posting.id}:{part.tax_basis_points}",
        "paper_id": paper_id,
        "posting_id": posting.id,
        "payment_id": posting.payment_id,
        "order_id": posting.order_id,
        "tax_basis_points": part.tax_basis_points,
        "amount": part.amount,
        "fee_net": part.fee_net,
        "fee_tax": part.fee_tax,
        "service_fee": part.service_fee,
        "corrects": line.corrects,
        "occurred_at": posting.occurred_at,
    }


async def _tell(
    papers: Sequence[dict[str, Any]], accounts: dict[str, str], month: PaperMonth, now: datetime
) -> None:
    names: dict[str, list[str]] = {}
    for paper in papers:
        names.setdefault(paper["seller_id"], []).append(paper["name"])
    await tell_all(
        [
            Told(
                account_id=accounts[seller_id],
                kind="papers_issued",
                subject_id=seller_id,
                cause=f"papers:{month.month}",
                facts={"seller_id": seller_id, "month": month.month, "papers": ", ".join(issued)},
            )
            for seller_id, issued in names.items()
        ],
        now,
    )


_PAPERS: Final = """
INSERT INTO papers (id, kind, year, number, name, seller_id, currency, month, issued_at, opening, total,
    closing, fee_net, fee_tax, service_fee, postings, facts)
SELECT id, kind, year, number, name, seller_id, currency, month, issued_at, opening, total, closing,
    fee_net, fee_tax, service_fee, postings, facts
FROM jsonb_to_recordset($1::text::jsonb) AS n (id text, kind text, year int, number int, name text,
    seller_id text, currency text, month text, issued_at timestamptz, opening bigint, total bigint,
    closing bigint, fee_net bigint, fee_tax bigint, service_fee bigint, postings int, facts text)
"""
_LINES: Final = """
INSERT INTO paper_fee_lines (id, paper_id, posting_id, payment_id, order_id, tax_basis_points, amount,
    fee_net, fee_tax, service_fee, corrects, occurred_at)
SELECT id, paper_id, posting_id, payment_id, order_id, tax_basis_points, amount, fee_net, fee_tax,
    service_fee, corrects, occurred_at
FROM jsonb_to_recordset($1::text::jsonb) AS n (id text, paper_id text, posting_id text, payment_id text,
    order_id text, tax_basis_points int, amount bigint, fee_net bigint, fee_tax bigint,
    service_fee bigint, corrects text, occurred_at timestamptz)
"""
