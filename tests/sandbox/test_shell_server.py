"""The sandbox as a program: started, stopped, and remembering across a restart."""

import asyncio
import socket
import stat
import sys
from pathlib import Path

import httpx
import pytest

from stripe_sandbox.config import SandboxConfig
from stripe_sandbox.keeping import UnreadableState
from stripe_sandbox.server import create_app, running_sandbox

from .accounts import link_to_onboarding, open_account, read_account
from .conftest import SECRET, VERSION, Receiver

HEADERS = {"Authorization": f"Bearer {SECRET}", "Stripe-Version": VERSION}
INTENT = {"amount": "1000", "currency": "usd"}
KEY = {"Idempotency-Key": "order:1"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stripe_sandbox",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def answer_of(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        for _ in range(1200):
            try:
                return await client.get(url)
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}")


async def test_the_command_serves_until_it_is_stopped() -> None:
    port = free_port()
    process = await start("--port", str(port))
    answer = await answer_of(f"http://127.0.0.1:{port}/_sandbox")
    assert "controls" in answer.json()
    process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert f"http://127.0.0.1:{port}/_sandbox" in out.decode()
    assert "Traceback" not in err.decode()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--platform-url", "http://127.0.0.1:1/"], "signing secret"),
        (["--connect-url", "http://127.0.0.1:1/", "--connect-secret", ""], "signing secret"),
        (["--accounts-url", "x", "--accounts-secret", "whsec_a"], "not http"),
        (["--port", "many"], "invalid int"),
    ],
)
async def test_options_that_cannot_be_used_are_refused(options: list[str], told: str) -> None:
    process = await start(*options)
    _out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert told in err.decode()


async def test_a_restarted_sandbox_remembers(tmp_path: Path, receiver: Receiver) -> None:
    config = SandboxConfig(port=0, state_file=tmp_path / "sandbox" / "state.json")
    async with (
        running_sandbox(config) as first,
        httpx.AsyncClient(base_url=first.base_url, headers=HEADERS) as stripe,
    ):
        account = await open_account(stripe)
        link = await link_to_onboarding(stripe, account["id"])
        await stripe.post("/_sandbox/clock", json={"advance": 60})
        made = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert config.state_file is not None
    assert stat.S_IMODE(config.state_file.stat().st_mode) == 0o600
    async with (
        running_sandbox(config) as second,
        httpx.AsyncClient(base_url=second.base_url, headers=HEADERS) as stripe,
    ):
        page = link["url"].replace(first.base_url, second.base_url)
        await stripe.post(page, data={"outcome": "complete"})
        ready = await read_account(stripe, account["id"])
        assert ready["requirements"]["entries"] == []
        again = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
        assert again.json() == made.json()
        assert (await stripe.get("/_sandbox/clock")).json()["offset_seconds"] == 60


async def test_a_hold_ends_in_time_across_a_restart(tmp_path: Path) -> None:
    config = SandboxConfig(port=0, state_file=tmp_path / "state.json")
    held = {
        **INTENT,
        "capture_method": "manual",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    async with (
        running_sandbox(config) as first,
        httpx.AsyncClient(base_url=first.base_url, headers=HEADERS) as stripe,
    ):
        intent = (await stripe.post("/v1/payment_intents", data=held)).json()
        path = f"/v1/payment_intents/{intent['id']}"
        card = {"payment_method": "pm_card_visa"}
        confirmed = await stripe.post(f"{path}/confirm", data=card)
        assert confirmed.json()["status"] == "requires_capture"
    async with (
        running_sandbox(config) as second,
        httpx.AsyncClient(base_url=second.base_url, headers=HEADERS) as stripe,
    ):
        await stripe.post("/v1/payment_intents", data=held)
        await stripe.post("/_sandbox/clock", json={"advance": 8 * 24 * 3600})
        assert (await stripe.get(path)).json()["status"] == "canceled"


async def test_what_was_not_delivered_is_delivered_after_a_restart(
    tmp_path: Path, receiver: Receiver
) -> None:
    config = SandboxConfig(
        port=0,
        state_file=tmp_path / "state.json",
        destinations=(receiver.destination("platform"),),
    )
    receiver.statuses = [503]
    async with (
        running_sandbox(config) as first,
        httpx.AsyncClient(base_url=first.base_url, headers=HEADERS) as stripe,
    ):
        await stripe.post("/v1/payment_intents", data=INTENT)
        assert await first.sandbox.deliveries.settled(60)
    async with running_sandbox(config) as second:
        assert await second.sandbox.deliveries.settled(60)
    [refused, accepted] = receiver.events()
    assert refused["id"] == accepted["id"]


async def test_a_damaged_memory_is_not_overwritten(tmp_path: Path) -> None:
    state_file = tmp_path / "state.json"
    state_file.write_text('{"objects": ')
    config = SandboxConfig(port=0, state_file=state_file)
    with pytest.raises(UnreadableState, match="remove it to begin anew"):
        async with running_sandbox(config):
            raise AssertionError("it started")
    process = await start("--port", str(free_port()), "--state-file", str(state_file))
    _out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, "begin anew" in err.decode()) == (1, True)
    assert state_file.read_text() == '{"objects": '


async def test_it_runs_in_process_without_a_socket() -> None:
    transport = httpx.ASGITransport(app=create_app())
    async with httpx.AsyncClient(
        transport=transport, base_url="http://stripe.test", headers=HEADERS
    ) as stripe:
        answer = await stripe.post("/v1/payment_intents", data=INTENT)
        assert answer.json()["object"] == "payment_intent"
        await stripe.post("/_sandbox/faults", json={"fault": "lost_before"})
        with pytest.raises(ConnectionResetError):
            await stripe.post("/v1/payment_intents", data=INTENT)
