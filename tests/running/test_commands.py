"""The commands as a shell sees them: help, refusals, exit codes, and stopping when asked."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click
import pytest
from click.testing import CliRunner

from marketplace.cli import commands
from marketplace.cli.outcomes import EXIT_CODES
from marketplace.demo_cast import ADMIN
from marketplace.invariants.check import INVARIANTS
from marketplace.people.tokens import hashed
from tests.running.processes import bare_env, command, free_port, marketplace, stripe_env

NOWHERE = "postgresql://nobody@/nothing?host=/nonexistent"


def all_commands(group: click.Group = commands, *above: str) -> Iterator[list[str]]:
    yield list(above)
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from all_commands(found, *above, name)
        else:
            yield [*above, name]


@pytest.mark.parametrize("arguments", list(all_commands()), ids=" ".join)
def test_every_command_explains_itself(arguments: list[str]) -> None:
    answer = CliRunner().invoke(commands, [*arguments, "--help"], prog_name="marketplace")
    assert answer.exit_code == 0
    assert answer.output.startswith(f"Usage: {' '.join(['marketplace', *arguments])}")
    for option in ("--with-parent", "Error"):
        assert option not in answer.output


def test_help_loads_nothing_heavy_and_names_every_exit_code() -> None:
    code = (
        "import sys; from marketplace.cli import commands;"
        "commands(['--help'], standalone_mode=False);"
        "heavy = {'litestar', 'piccolo', 'stripe', 'asyncpg', 'uvicorn', 'httpx'} & set(sys.modules);"
        "sys.exit(','.join(heavy) or 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    for number, meaning in EXIT_CODES.items():
        assert f"{number} {meaning}" in " ".join(answer.stdout.split())


# ------------------------------------------------------------------------------------ refusals


def test_wrong_usage_ends_with_2() -> None:
    assert marketplace("fly").returncode == 2
    assert marketplace("serve", "--fast").returncode == 2
    assert marketplace("admin", "create").returncode == 2


@pytest.mark.parametrize("name", ["serve", "work", "migrate", "doctor", "demo"])
def test_a_missing_configuration_ends_with_3_and_names_what_is_missing(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text('{"DATABASE_URL": "postgresql://left-behind"}')
    answer = marketplace(name, MARKETPLACE_DATA_DIR=str(tmp_path))
    assert answer.returncode == 3
    assert "DATABASE_URL is not set" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_every_problem_of_a_configuration_is_told_and_no_secret() -> None:
    answer = marketplace(
        "run", STRIPE_SECRET_KEY="sk_live_0123456789hunter2", PORT="http", MARKETPLACE_DATADIR="x"
    )
    assert answer.returncode == 3
    for name in ("PORT", "MARKETPLACE_DATADIR", "PUBLIC_URL"):
        assert f"{name} is " in answer.stderr
    assert "hunter2" not in answer.stderr


def test_run_says_when_its_data_has_no_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = marketplace(
        "run",
        PORT=str(free_port()),
        SANDBOX_PORT=str(free_port()),
        MARKETPLACE_DATA_DIR=str(file / "data"),
    )
    assert answer.returncode == 4
    assert "Set MARKETPLACE_DATA_DIR to a folder of your own" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_run_asks_for_all_that_belongs_to_a_real_stripe_before_it_starts_anything(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    answer = marketplace(
        "run", STRIPE_SECRET_KEY="sk_test_0123456789", MARKETPLACE_DATA_DIR=str(data)
    )
    assert answer.returncode == 3
    assert "STRIPE_PUBLISHABLE_KEY is not set" in answer.stderr
    assert "STRIPE_WEBHOOK_SECRETS_PLATFORM is not set" in answer.stderr
    assert not data.exists()


@pytest.mark.parametrize("name", ["serve", "work", "migrate"])
def test_a_database_out_of_reach_ends_with_4(name: str) -> None:
    answer = marketplace(name, DATABASE_URL=NOWHERE, **stripe_env())
    assert answer.returncode == 4
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("name", ["serve", "work"])
def test_pending_migrations_end_with_5(name: str, empty_database_url: str) -> None:
    answer = marketplace(name, DATABASE_URL=empty_database_url, **stripe_env())
    assert answer.returncode == 5
    assert "marketplace migrate" in answer.stderr


def test_run_says_which_port_is_taken_before_it_starts_anything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        own = marketplace("run", PORT=port, MARKETPLACE_DATA_DIR=str(data))
        sandbox = marketplace(
            "run", PORT=str(free_port()), SANDBOX_PORT=port, MARKETPLACE_DATA_DIR=str(data)
        )
    assert (own.returncode, sandbox.returncode) == (6, 6)
    assert "set PORT to another" in own.stderr
    assert "set SANDBOX_PORT to another" in sandbox.stderr
    assert not data.exists()


def test_the_demo_is_refused_beside_real_stripe_keys() -> None:
    variables = stripe_env(api_base="https://api.stripe.com")
    answer = marketplace("demo", DATABASE_URL=NOWHERE, **variables)
    assert answer.returncode == 3
    assert "refused where real Stripe keys are set" in answer.stderr


@pytest.mark.parametrize("name", ["serve", "work"])
async def test_a_database_with_the_demo_is_refused_beside_real_stripe_keys(
    database_url: str, name: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """
        INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at)
        VALUES ('acc_demo', 'admin@demo.example', 'Grace', '-', true, now()) ON CONFLICT DO NOTHING
        """
    )
    await connection.execute(
        """
        INSERT INTO api_keys (id, account_id, name, preview, token_hash, scopes, created_at)
        VALUES ('key_demo', 'acc_demo', 'demo', '-', $1, '{}', now()) ON CONFLICT DO NOTHING
        """,
        hashed(ADMIN.token),
    )
    await connection.close()
    variables = stripe_env(api_base="https://api.stripe.com")
    answer = await asyncio.to_thread(marketplace, name, DATABASE_URL=database_url, **variables)
    assert answer.returncode == 3
    assert "sign-ins everybody knows" in answer.stderr


def test_the_sandbox_is_refused_beside_a_live_key() -> None:
    variables = {**stripe_env(), "STRIPE_SECRET_KEY": "sk_live_0123456789"}
    answer = marketplace("sandbox", DATABASE_URL=NOWHERE, **variables)
    assert answer.returncode == 3


# --------------------------------------------------------------------------------------- working


def test_migrate_may_run_several_times_and_at_once(empty_database_url: str) -> None:
    env = bare_env(DATABASE_URL=empty_database_url)
    together = [
        subprocess.Popen(command("migrate"), env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate()[0] for process in together]
    assert [process.returncode for process in together] == [0, 0, 0]
    applied = [line for output in outputs for line in output.splitlines() if "applied" in line]
    assert len(applied) == len(set(applied)) > 0
    again = marketplace("migrate", DATABASE_URL=empty_database_url)
    assert again.stdout == "The database is up to date.\n"


def test_an_admin_is_created_once_from_a_password_on_standard_input(database_url: str) -> None:
    arguments = ("admin", "create", "--email", "Ada@Example.org", "--password-stdin")
    created = marketplace(*arguments, said="correct horse battery\n", DATABASE_URL=database_url)
    assert (created.returncode, created.stdout) == (0, "ada@example.org is an admin.\n")
    again = marketplace(*arguments, said="correct horse battery\n", DATABASE_URL=database_url)
    assert again.returncode == 1
    assert "has an account already" in again.stderr


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [
        ("eve@example.org", "short", "at least 8 characters"),
        ("eve@example.org", "password123", "too common"),
        ("eve@example.org", "x" * 129, "at most 128 characters"),
        ("eve@example.org", "eve@example.org", "names its owner"),
        ("eve@example.org", "", "at least 8 characters"),
        ("eve", "correct horse battery", "not an e-mail address"),
    ],
)
def test_an_admin_with_a_weak_password_or_no_address_is_refused(
    database_url: str, email: str, password: str, told: str
) -> None:
    arguments = ("admin", "create", "--email", email, "--password-stdin")
    answer = marketplace(*arguments, said=password + "\n", DATABASE_URL=database_url)
    assert answer.returncode == 1
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_admin_needs_a_migrated_database(empty_database_url: str) -> None:
    arguments = ("admin", "create", "--email", "ada@example.org", "--password-stdin")
    answer = marketplace(*arguments, said="correct horse\n", DATABASE_URL=empty_database_url)
    assert answer.returncode == 5


@contextlib.contextmanager
def running_sandbox() -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    with subprocess.Popen(
        command("sandbox", "--with-parent"),
        env=bare_env(SANDBOX_PORT=str(port)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_sandbox/clock", timeout=30).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the sandbox did not answer"
                time.sleep(0.05)
        yield process, address
        process.kill()


def test_doctor_finds_a_whole_system_well_but_for_durability(database_url: str) -> None:
    with running_sandbox() as (_, address):
        answer = marketplace("doctor", DATABASE_URL=database_url, **stripe_env(address))
    told = answer.stdout
    assert "ok    database: " in told
    assert "ok    migrations: all " in told
    assert "ok    Stripe key: the sandbox accepts it, test mode" in told
    assert "ok    clock: agrees with Stripe's" in told
    assert "ok    webhook secrets: 1 for platform, 1 for accounts, 1 for connect" in told
    assert "ok    e-mail: no SMTP server: what people are written stays in " in told
    # The tests' own server runs with fsync off.
    assert "FAIL  durability: fsync, full_page_writes is off" in told
    assert answer.returncode == 1


def test_check_asks_every_rule_and_finds_an_empty_marketplace_in_order(database_url: str) -> None:
    answer = marketplace("check", DATABASE_URL=database_url)
    assert (answer.returncode, answer.stdout.split(", ")[-1]) == (0, "0 broken.\n")
    assert int(answer.stdout.split()[0]) == len(INVARIANTS)


async def test_check_ends_with_1_and_names_what_is_broken(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO stripe_events (event_id, door, type, livemode, payload, state, attempts, "
        "received_at, concluded_at) "
        "VALUES ('evt_given_up', 'platform', 'x', false, '{}', 'dead', 9, now(), now())"
    )
    answer = marketplace("check", "--days", "3", DATABASE_URL=database_url)
    await connection.execute("DELETE FROM stripe_events WHERE event_id = 'evt_given_up'")
    await connection.close()
    assert answer.returncode == 1
    assert "E3" in answer.stdout
    assert "evt_given_up" in answer.stdout
    assert "1 broken." in answer.stdout


def test_doctor_says_what_to_do_about_each_failure() -> None:
    variables = {**stripe_env(), "DATABASE_URL": NOWHERE}
    del variables["STRIPE_WEBHOOK_SECRETS_PLATFORM"]
    answer = marketplace("doctor", **variables)
    assert answer.returncode == 1
    assert "FAIL  database: " in answer.stdout
    assert "FAIL  Stripe key: http://127.0.0.1:9 does not answer" in answer.stdout
    assert "Set STRIPE_WEBHOOK_SECRETS_PLATFORM" in answer.stdout
    assert "3 of 4 checks failed" in answer.stderr


def test_doctor_says_when_no_e_mail_can_be_sent() -> None:
    answer = marketplace(
        "doctor", **stripe_env(), DATABASE_URL=NOWHERE, SMTP_URL="smtp://127.0.0.1:9"
    )
    assert "FAIL  e-mail: 127.0.0.1:9 does not take our sign-in (ConnectionRefused" in answer.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_stops_when_asked(number: signal.Signals) -> None:
    with running_sandbox() as (process, _):
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_process_of_ours_stops_when_its_parent_is_gone() -> None:
    with running_sandbox() as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
