"""Tax details and reports over HTTP: personal data stays with its seller and with admins who may."""

import asyncio
import csv
import io
import json
from typing import Any

from payments.database import value
from tests.papers.office import Office, office
from tests.running.processes import marketplace

__all__ = ["office"]
ADA: dict[str, Any] = {
    "seller_kind": "individual",
    "country": "DE",
    "first_name": "Ada",
    "last_name": "=Example",
    "line1": "Torstraße 1",
    "city": "Berlin",
    "tins": [{"number": "12 345 678 901", "issued_by": "DE"}],
    "iban": "DE89370400440532013000",
}
YEAR = "/v1/admin/tax-reports/2026"


async def told(office: Office) -> None:
    answer = await office.seller.http.put(f"{office.base}/tax-details", json=ADA)
    assert answer.status_code == 200, answer.text
    assert answer.json()["missing"] == ["birth_date"]


async def test_details_are_their_sellers_and_of_admins_who_may(office: Office) -> None:
    await told(office)
    own = (await office.seller.get(f"{office.base}/tax-details")).json()
    assert own["identification"]["tins"] == ADA["tins"]
    of_admin = f"/v1/admin/sellers/{office.books.seller_id}/tax-details"
    assert (await office.admin.get(of_admin)).json() == own
    # An admin has no business at the seller's own address, nor a stranger anywhere.
    for person, path, status in (
        (office.admin, f"{office.base}/tax-details", 404),
        (office.stranger, f"{office.base}/tax-details", 404),
        (office.stranger, f"{office.base}/tax-reports/2026", 404),
        (office.stranger, f"{office.base}/tax-reports/2026/print", 404),
        (office.stranger, of_admin, 403),
        (office.seller, YEAR, 403),
    ):
        assert (await person.get(path)).status_code == status
    token = await office.admin.api_key("admin:read", "admin:write", "fees:read")
    asked = await office.stranger.http.get(YEAR, headers={"Authorization": f"Bearer {token}"})
    assert asked.json()["code"] in {"scope_missing", "not_signed_in"}
    refused = await office.seller.http.put(
        f"{office.base}/tax-details", json=ADA | {"iban": "DE00370400440532013000"}
    )
    assert (refused.status_code, refused.json()["path"]) == (422, "iban")
    assert "370400" not in refused.text


async def test_changes_are_on_record_without_the_data(office: Office) -> None:
    await told(office)
    await office.admin.http.put(
        f"/v1/admin/sellers/{office.books.seller_id}/tax-details",
        json=ADA | {"birth_date": "1985-12-10"},
    )
    log = (await office.admin.get("/v1/admin/audit", action="tax_details.changed")).json()["data"]
    assert log[0]["after"] == {"fields": ["birth_date"]}
    assert log[0]["actor"] != log[1]["actor"]
    everything: str = await value("SELECT string_agg(audit_log::text, ' ') FROM audit_log")
    for secret in ("Example", "1985", "12 345", "DE89"):
        assert secret not in everything


async def test_a_seller_is_told_what_is_reported(office: Office) -> None:
    await told(office)
    found = (await office.seller.get(f"{office.base}/tax-reports/2026")).json()
    assert (found["reportable"], found["excluded"]) == (True, False)
    assert [(one["activity"], one["consideration"]) for one in found["activities"]] == [
        ("personal_services", 6_120 - 834),
        ("sale_of_goods", 2_040 - 278 - 1_020 + 139),
    ]
    page = await office.seller.get(f"{office.base}/tax-reports/2026/print")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "&lt;b&gt;shop" in page.text
    assert "Not told yet: date of birth." in page.text
    assert "52.86" in page.text
    assert page.text.endswith("</html>\n")
    for year in ("1999", "2027", "x"):
        absent = await office.seller.get(f"{office.base}/tax-reports/{year}")
        assert (absent.status_code, absent.json()["code"]) == (404, "tax_year_not_found")


async def test_the_year_is_exported(office: Office) -> None:
    await told(office)
    listed = (await office.admin.get(YEAR)).json()
    assert [one["seller_id"] for one in listed["data"]] == [office.books.seller_id]
    file = await office.admin.get(f"{YEAR}/csv")
    lines = list(csv.DictReader(io.StringIO(file.text)))
    assert [(one["activity"], one["consideration_q4"], one["fees_q4"]) for one in lines[:-1]] == [
        ("personal_services", "52.86", "7.14"),
        ("sale_of_goods", "8.81", "1.19"),
    ]
    assert lines[-1]["year"] == "2 lines"
    assert lines[0]["last_name"] == "'=Example"
    document = json.loads((await office.admin.get(f"{YEAR}/json")).text)
    assert document["sellers"] == listed["data"]
    log = (await office.admin.get("/v1/admin/audit", action="tax_report.exported")).json()["data"]
    assert [one["after"]["form"] for one in log] == ["json", "csv"]
    for query in (
        {"as_of": "2027-01-01T00:00:00Z"},
        {"as_of": "2026-12-01T00:00:00", "changed_since": "2026-12-01T00:00:00Z"},
    ):
        refused = await office.admin.get(YEAR, **query)
        assert (refused.status_code, refused.json()["code"]) == (422, "as_of_refused")


async def test_the_report_is_written_at_the_terminal_too(office: Office, database_url: str) -> None:
    done = await asyncio.to_thread(
        marketplace,
        *("tax-report", "2026", "--as", "json"),
        # As the reports themselves write moments.
        *("--changed-since", "2026-01-01T00:00:00.500000+00:00"),
        DATABASE_URL=database_url,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["year"], told["changed_since"]) == (2026, "2026-01-01T00:00:00.500000Z")
    no_year = await asyncio.to_thread(marketplace, "tax-report", "1999", DATABASE_URL=database_url)
    assert no_year.returncode == 1
