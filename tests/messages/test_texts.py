"""Every text: renders with its facts, leaves out what is not known, and cannot be misused."""

import re
import string
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from marketplace.messages.kinds import KINDS
from marketplace.messages.mails import Envelope, mail, plain
from marketplace.messages.order_news import NEWS
from marketplace.messages.texts import SECRET, TEXTS, FactMissing, Letter, letter

URL = "https://market.example"
WHEN = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
NAME = re.compile(r"\{([a-z_]+)\}")


def facts_of(kind: str) -> dict[str, Any]:
    """A fact for every name that the text has."""
    text = TEXTS[kind]  # type: ignore[index]
    names = NAME.findall(" ".join((text.subject, *text.lines, text.to_do or "", text.path or "")))
    return {"currency": "eur"} | {name: _fact(name) for name in names}


def _fact(name: str) -> Any:
    if name in ("amount", "total") or name.endswith("_amount"):
        return 1_230
    if name.endswith(("_at", "_by", "_before")):
        return WHEN.isoformat()
    return f"the {name.replace('_', ' ')}"


def envelope(written: Letter, **changes: Any) -> Envelope:
    facts: dict[str, Any] = {
        "message_id": "msg_01",
        "kind": "payout_failed",
        "name": "Ada Lovelace",
        "address": "ada@example.com",
        "written_at": WHEN,
        "letter": written,
    }
    return Envelope(**(facts | changes))


def test_every_kind_has_one_text_and_every_text_a_kind() -> None:
    assert set(TEXTS) == set(KINDS)


def test_every_kind_that_a_step_is_told_as_has_a_text() -> None:
    told = {kind for news in NEWS.values() for kind in (news.buyer, news.seller, news.admins)}
    assert told - {None} <= set(TEXTS)


def test_an_approval_is_asked_for_in_words() -> None:
    facts = {"approval_id": "apv_1", "action": "order.refund", "subject": "ord_1", "reason": "Late"}
    told = letter("approval_asked", {**facts, "amount": 120_000, "currency": "eur"}, URL).paragraphs
    assert told[:2] == ("Asked for: a refund of an order, ord_1.", "Over 1200.00 EUR.")
    assert "Over" not in " ".join(letter("approval_asked", facts, URL).paragraphs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_renders_with_its_facts_and_no_placeholder_is_left(kind: Any) -> None:
    written = letter(kind, facts_of(kind), URL)
    assert (written.link is None) == (TEXTS[kind].path is None or kind in SECRET)
    whole = " ".join((written.subject, *written.paragraphs, written.link or ""))
    assert "{" not in whole
    assert "}" not in whole
    assert "None" not in whole
    # Everything that the template says is there: nothing was left out.
    assert len(written.paragraphs) == len(TEXTS[kind].lines) + (TEXTS[kind].to_do is not None)
    if "amount" in str(TEXTS[kind]) or "{total}" in str(TEXTS[kind]):
        assert "12.30 EUR" in whole
    assert written.link is None or written.link.startswith(f"{URL}/")


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_has_sentences_and_its_subject_fits_a_screen(kind: Any) -> None:
    text = TEXTS[kind]
    assert text.lines
    assert len(text.subject) <= 70
    assert not text.subject.endswith(".")
    names = {name for _, name, _, _ in string.Formatter().parse(text.subject) if name}
    assert not names & {"reason", "excerpt", "failure_message"}, "people's words are no headline"


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_subject_and_the_link_are_needed(kind: Any) -> None:
    text = TEXTS[kind]
    needed = NAME.findall(text.subject + (text.path or ""))
    facts = {name: fact for name, fact in facts_of(kind).items() if name in {*needed, "currency"}}
    assert "{" not in " ".join(letter(kind, facts, URL).paragraphs)
    for name in needed:
        with pytest.raises(FactMissing):
            letter(kind, {**facts, name: None}, URL)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(1_230, "eur", "12.30 EUR"), (500, "jpy", "500 JPY"), (1_230, "kwd", "1.230 KWD")],
)
def test_an_amount_is_told_with_its_currencys_decimals(
    amount: int, currency: str, shown: str
) -> None:
    facts = {"amount": amount, "currency": currency, "seller_id": "sel_1"}
    assert letter("payout_failed", facts, URL).subject == f"A payout of {shown} failed"


def test_a_line_whose_fact_is_not_known_is_left_out() -> None:
    facts = {"amount": 100, "currency": "eur", "seller_id": "sel_1"}
    whole = " ".join(letter("payout_failed", facts, URL).paragraphs)
    assert "arrive" not in whole
    assert "on your Stripe balance" in whole


def test_admins_are_told_a_banks_word_and_not_what_the_seller_must_do() -> None:
    facts = {"amount": 100, "currency": "eur", "seller_id": "sel_1", "payout_id": "po_1"}
    facts |= {"failure_code": "account_closed", "explanation": "Your bank account has been closed."}
    whole = " ".join(letter("seller_payout_failed", facts, URL).paragraphs)
    assert "The bank says: account closed." in whole
    assert "our bank account" not in whole


def test_what_may_be_a_session_is_not_sent() -> None:
    for kind in ("sale_canceled", "fraud_warned", "fulfilment_held"):
        told = letter(kind, facts_of(kind), URL)
        assert not re.search(r"\bsen[dt]\b", " ".join((told.subject, *told.paragraphs))), kind


def test_times_are_told_in_one_clock() -> None:
    facts = facts_of("order_to_prepare") | {"prepare_by": "2026-11-28T18:05:00+01:00"}
    assert "28 November 2026, 17:05 UTC" in " ".join(
        letter("order_to_prepare", facts, URL).paragraphs
    )


def test_codes_are_told_as_words_and_ids_as_they_are() -> None:
    facts = facts_of("disputed") | {
        "dispute_reason": "product_not_received",
        "order_id": "ord_01k9",
    }
    written = letter("disputed", facts, URL)
    assert "product not received" in " ".join(written.paragraphs)
    assert "ord_01k9" in written.subject


@pytest.mark.parametrize(
    "typed", ["x\r\nBcc: all@example.com", "x\nBcc: a", "x\u2028Bcc: a", "x\x00\x0bBcc: a"]
)
def test_what_people_typed_cannot_become_a_header(typed: str) -> None:
    facts = facts_of("order_shipped") | {"shop": typed, "items": typed}
    message = mail(
        envelope(letter("order_shipped", facts, URL), name=typed),
        sender="no-reply@market.example",
        host="market.example",
    )
    read = message_from_bytes(bytes(message), policy=default)
    assert read["Bcc"] is None
    assert "Bcc: a" in read["Subject"]
    assert [one.lower() for one in read.keys()].count("to") == 1  # noqa: SIM118


def test_a_long_fact_is_shortened_and_hidden_marks_are_taken_out() -> None:
    facts = facts_of("order_message") | {"excerpt": "\u202ea" * 5_000}
    (_, excerpt, _) = letter("order_message", facts, URL).paragraphs
    assert len(excerpt) <= 300
    assert "\u202e" not in excerpt


def test_html_shows_what_people_typed_and_does_not_run_it() -> None:
    facts = facts_of("order_shipped") | {"items": '<script>alert("x")</script>'}
    message = mail(
        envelope(letter("order_shipped", facts, URL), name="<b>Ada</b>"),
        sender="no-reply@market.example",
        host="market.example",
    )
    shown = message.get_body(("html",))
    assert shown is not None
    assert "<script>" not in shown.get_content()
    assert "&lt;script&gt;" in shown.get_content()
    assert "<b>" not in shown.get_content()


def test_an_e_mail_says_the_same_twice_and_tells_programs_what_it_is() -> None:
    written = letter("payout_failed", facts_of("payout_failed"), URL)
    one, two = (
        mail(envelope(written), sender="Market <no-reply@market.example>", host="market.example")
        for _ in range(2)
    )
    assert one["Message-ID"] == two["Message-ID"] == "<msg_01@market.example>"
    assert one["Auto-Submitted"] == "auto-generated"
    assert one["To"] == "Ada Lovelace <ada@example.com>"
    assert one["Date"].datetime == WHEN
    body = one.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == plain(envelope(written))
    assert plain(envelope(written)).startswith("Hello Ada Lovelace,\n\n")
    assert f"\n\n{URL}/sellers/the seller id/payouts\n\n" in plain(envelope(written))
