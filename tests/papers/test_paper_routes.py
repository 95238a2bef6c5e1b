"""Papers over HTTP: named by an admin, issued on demand, read by their seller, printed, and nobody else's."""

import csv
import io
from typing import Any

import pytest
import pytest_asyncio

from tests.papers.office import Office, office

__all__ = ["office"]
ISSUER = {
    "legal_name": "Marketplace & Sons GmbH",
    "line1": "Torstraße 1",
    "postal_code": "10119",
    "city": "Berlin",
    "country": "DE",
    "vat_number": "DE123456789",
    "papers_from": "2026-11",
}
DETAILS = {
    "seller_kind": "individual",
    "country": "DE",
    "first_name": "Ada",
    "last_name": "Example",
}
ASKED = {"month": "2026-11"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issued(office: Office) -> list[dict[str, Any]]:
    """November's papers; refused while nobody was named who issues them."""
    assert not (await office.admin.get("/v1/admin/paper-issuer")).json()["issuing"]
    refused = await office.admin.post("/v1/admin/paper-months", ASKED)
    assert (refused.status_code, refused.json()["code"]) == (409, "paper_month_refused")
    assert refused.json()["why"] == "no_issuer"
    named = await office.admin.http.put("/v1/admin/paper-issuer", json=ISSUER)
    assert named.status_code == 200, named.text
    path = f"/v1/admin/sellers/{office.books.seller_id}/papers"
    answer = await office.admin.post(path, ASKED)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"country": "XX"}, "country"),
        ({"legal_name": "\u200b"}, "legal_name"),
        ({"papers_from": "2027-01"}, "papers_from"),
    ],
)
async def test_an_issuer_that_cannot_be_is_refused(
    office: Office, change: dict[str, Any], path: str
) -> None:
    refused = await office.admin.http.put("/v1/admin/paper-issuer", json=ISSUER | change)
    assert (refused.status_code, refused.json()["path"]) == (422, path)


async def test_a_seller_reads_their_papers(office: Office, issued: list[Any]) -> None:
    listed = (await office.seller.get(f"{office.base}/papers", limit=1)).json()
    rest = (
        await office.seller.get(f"{office.base}/papers", starting_after=listed["data"][0]["id"])
    ).json()
    assert listed["has_more"]
    assert [*listed["data"], *rest["data"]] == issued
    invoice, statement = sorted(issued, key=lambda one: one["kind"])
    assert (invoice["name"], statement["name"]) == ("FI-2026-000001", "ST-2026-000001")
    assert invoice["total"] == 834 + 278 - 139
    assert invoice["issued_by"]["name"] == "Marketplace & Sons GmbH"
    assert invoice["issued_to"]["name"] == "=A <b>shop</b>"
    base = f"{office.base}/papers/{invoice['id']}"
    assert (await office.seller.get(base)).json() == invoice
    lines = (await office.seller.get(f"{base}/lines")).json()["data"]
    assert sum(one["amount"] for one in lines) == invoice["total"]
    movements = f"{office.base}/papers/{statement['id']}/movements"
    moved = (await office.seller.get(movements)).json()["data"]
    assert sum(one["amount"] for one in moved) == statement["total"]
    assert (await office.seller.get(f"{base}/movements")).json()["data"] == []
    for path in (base, f"{base}/lines", f"{base}/csv", f"{base}/print", f"{office.base}/papers"):
        assert (await office.stranger.get(path)).status_code == 404
        assert (await office.admin.get(path)).status_code == 200
    nobody = await office.seller.get(f"{office.base}/papers/ppr_x")
    assert nobody.json()["code"] == "paper_not_found"


async def test_papers_are_printed_and_downloaded(office: Office, issued: list[Any]) -> None:
    for paper in issued:
        base = f"{office.base}/papers/{paper['id']}"
        page = await office.seller.get(f"{base}/print")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "&lt;b&gt;shop" in page.text
        assert "<b>shop" not in page.text
        assert "Marketplace &amp; Sons GmbH" in page.text
        assert "Address not given" in page.text
        assert paper["name"] in page.text
        assert page.text.endswith("</html>\n")
        file = await office.seller.get(f"{base}/csv")
        assert f"{paper['name']}.csv" in file.headers["content-disposition"]
        lines = list(csv.DictReader(io.StringIO(file.text)))
        told = [int(one["amount_minor_units"]) for one in lines[:-1]]
        assert sum(told) == paper["total"]
        last = lines[-1]
        if paper["kind"] == "statement":
            assert last["balance_minor_units"] == str(paper["closing"])
        else:
            assert (last["amount"], last["fee_tax"]) == ("9.73", f"{paper['fee_tax'] / 100:.2f}")


async def test_a_paper_keeps_the_names_it_was_issued_with(
    office: Office, issued: list[Any]
) -> None:
    await office.seller.http.put(f"{office.base}/tax-details", json=DETAILS)
    moved = ISSUER | {"legal_name": "Marketplace SE", "papers_from": None}
    named = (await office.admin.http.put("/v1/admin/paper-issuer", json=moved)).json()
    assert (named["issuer"]["legal_name"], named["papers_from"]) == ("Marketplace SE", "2026-11")
    found = (await office.seller.get(f"{office.base}/papers")).json()["data"]
    assert found == issued
    fixed = await office.admin.http.put(
        "/v1/admin/paper-issuer", json=moved | {"papers_from": "2026-10"}
    )
    assert fixed.json()["why"] == "month_fixed"


async def test_admins_see_all_papers_series_and_months(office: Office, issued: list[Any]) -> None:
    by = {"month": "2026-11", "kind": "statement", "seller_id": office.books.seller_id}
    assert len((await office.admin.get("/v1/admin/papers", **by)).json()["data"]) == 1
    named = await office.admin.get("/v1/admin/papers", name="FI-2026-000001")
    assert [one["kind"] for one in named.json()["data"]] == ["fee_invoice"]
    series = (await office.admin.get("/v1/admin/paper-series")).json()["data"]
    assert [(one["kind"], one["last_number"]) for one in series] == [
        ("fee_invoice", 1),
        ("statement", 1),
    ]
    asked = await office.admin.post("/v1/admin/paper-months", ASKED)
    assert asked.status_code == 202
    [month] = (await office.admin.get("/v1/admin/paper-months")).json()["data"]
    assert (month["month"], month["late_postings"]) == ("2026-11", 0)
    audit = (await office.admin.get("/v1/admin/audit", action="papers.issued")).json()["data"]
    assert audit[0]["subject"] == office.books.seller_id
