"""E-mail over a real SMTP connection, and the mailbox on this machine."""

import shutil
import smtplib
import ssl
import stat
import subprocess
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from marketplace.messages.mails import Envelope
from marketplace.messages.post import Mailbox, Smtp
from marketplace.messages.texts import Letter
from tests.messages.smtp_server import SmtpServer, smtp_server

SENDER = "Market <no-reply@market.example>"


def an_envelope(number: int = 1, *, address: str = "", text: str = "Hear, hear.") -> Envelope:
    return Envelope(
        message_id=f"msg_{number:02}",
        kind="payout_failed",
        name="Zoë",
        address=address or f"person{number}@example.com",
        written_at=datetime(2026, 11, 21, 17, 5, tzinfo=UTC),
        letter=Letter(
            subject="A payout of 12.30 EUR failed",
            paragraphs=(text, ".begins with a dot"),
            link="https://m",
        ),
    )


def over(server: SmtpServer, scheme: str = "smtp", user: str = "", **options: object) -> Smtp:
    url = f"{scheme}://{user}localhost:{server.port}"
    return Smtp(url, sender=SENDER, host="market.example", **options)  # type: ignore[arg-type]


async def test_letters_go_over_one_connection_and_arrive_as_written() -> None:
    async with smtp_server(SmtpServer()) as server:
        outcomes = await over(server).deliver([an_envelope(1), an_envelope(2)])
    assert [one.state for one in outcomes] == ["sent", "sent"]
    assert server.connections == 1
    first = server.received[0]
    assert first["From"] == SENDER
    assert first["To"] == "Zoë <person1@example.com>"
    assert first["Message-ID"] == "<msg_01@market.example>"
    body = first.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == (
        "Hello Zoë,\n\nHear, hear.\n\n.begins with a dot\n\nhttps://m\n\nThe marketplace\n"
    )


async def test_an_address_that_does_not_exist_is_refused_and_the_others_are_sent() -> None:
    refusing = {
        "gone@example.com": "550 5.1.1 no such mailbox",
        "full@example.com": "452 4.2.2 mailbox full",
        "relay@example.com": "550 5.7.1 relaying denied",
    }
    async with smtp_server(SmtpServer(to_recipient=refusing)) as server:
        outcomes = await over(server).deliver(
            [
                an_envelope(1, address="gone@example.com"),
                an_envelope(2, address="full@example.com"),
                an_envelope(3, address="relay@example.com"),
                an_envelope(4),
            ]
        )
    assert [one.state for one in outcomes] == ["refused", "later", "later", "sent"]
    assert outcomes[0].note == "550 5.1.1 no such mailbox"
    assert len(server.received) == 1


async def test_a_server_that_is_too_busy_is_asked_again_later() -> None:
    async with smtp_server(SmtpServer(to_data="451 4.3.0 later")) as server:
        (outcome,) = await over(server).deliver([an_envelope()])
    assert (outcome.state, outcome.note) == ("later", "451 4.3.0 later")


async def test_a_server_that_hangs_up_leaves_the_rest_for_later() -> None:
    async with smtp_server(SmtpServer(hangs_up_after=1)) as server:
        outcomes = await over(server).deliver([an_envelope(1), an_envelope(2), an_envelope(3)])
    assert [one.state for one in outcomes] == ["sent", "later", "later"]


async def test_no_server_is_no_error_of_the_letters() -> None:
    async with smtp_server(SmtpServer()) as server:
        pass
    (outcome,) = await over(server).deliver([an_envelope()])
    assert (outcome.state, outcome.note) == ("later", "ConnectionRefusedError")


async def test_it_signs_in_and_a_wrong_password_is_nobodys_refusal() -> None:
    async with smtp_server(SmtpServer(user=("market", "p@ss/word"))) as server:
        (right,) = await over(server, user="market:p%40ss%2Fword@").deliver([an_envelope(1)])
        (wrong,) = await over(server, user="market:wrong@").deliver([an_envelope(2)])
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await over(server, user="market:wrong@").check()
    assert right.state == "sent"
    assert server.signed_in == [True]
    assert (wrong.state, wrong.note) == ("later", "535 no")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS, and a client's that trusts it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, signed = folder / "key.pem", folder / "signed.pem"
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {key} -out {signed}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(signed, key)
    return server, ssl.create_default_context(cafile=str(signed))


@pytest.mark.parametrize(("scheme", "starttls"), [("smtp", True), ("smtps", False)])
async def test_tls_from_the_start_or_after_starttls(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext], scheme: str, starttls: bool
) -> None:
    server_side, client_side = certificate
    async with smtp_server(
        SmtpServer(tls=server_side, starttls=starttls, user=("a", "b"))
    ) as server:
        (outcome,) = await over(server, scheme, "a:b@", trusted=client_side).deliver(
            [an_envelope()]
        )
        (strangers,) = await over(server, scheme, "a:b@").deliver([an_envelope()])
    assert outcome.state == "sent"
    assert server.secured == [True]
    # A certificate that nobody vouches for is not talked to.
    assert strangers.state == "later"
    assert strangers.note == "SSLCertVerificationError"


async def test_a_password_is_not_sent_in_the_clear_to_another_machine() -> None:
    """`127.1` is loopback to the network, and another machine to the rule."""
    async with smtp_server(SmtpServer(user=("a", "b"))) as server:
        url = f"smtp://a:b@127.1:{server.port}"
        (outcome,) = await Smtp(url, sender=SENDER, host="m").deliver([an_envelope()])
    assert (outcome.state, outcome.note) == ("later", "SMTPNotSupportedError")
    assert server.received == []


async def test_the_mailbox_is_readable_private_and_the_same_letter_the_same_file(
    tmp_path: Path,
) -> None:
    mailbox = Mailbox(tmp_path / "mailbox", sender=SENDER, host="market.example")
    for _ in range(2):
        (outcome,) = await mailbox.deliver([an_envelope(text="Grüße")])
        assert outcome.state == "sent"
    (file,) = (tmp_path / "mailbox").iterdir()
    assert file.name == "20261121T170500-payout_failed-msg_01.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Grüße" in file.read_text(encoding="utf-8")
    read = message_from_bytes(file.read_bytes(), policy=default)
    assert read["Subject"] == "A payout of 12.30 EUR failed"


async def test_a_mailbox_that_cannot_be_written_keeps_the_letters(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("a file is in the way")
    mailbox = Mailbox(tmp_path / "mailbox", sender=SENDER, host="market.example")
    (outcome,) = await mailbox.deliver([an_envelope()])
    assert outcome.state == "later"
