"""What the environment may hold, and what is refused with what advice."""

from pathlib import Path

import pytest

from marketplace.settings import DATABASE, NOTHING, Settings, SettingsRefused

SECRET = "sk_test_51AbCdEfGhIjKl"
PUBLISHABLE = "pk_test_51AbCdEfGhIjKl"
WEBHOOK = "whsec_0123456789abcdef0123"
GOOD = {
    "DATABASE_URL": "postgresql://shop:hunter2@db.internal:5432/shop",
    "STRIPE_SECRET_KEY": SECRET,
    "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE,
    "STRIPE_WEBHOOK_SECRETS_PLATFORM": WEBHOOK,
}
LIVE = {
    **GOOD,
    "STRIPE_SECRET_KEY": "sk_live_51AbCdEfGhIjKl",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_51AbCdEfGhIjKl",
    "PUBLIC_URL": "https://shop.example",
}
SANDBOX = {**GOOD, "STRIPE_API_BASE": "http://127.0.0.1:12111"}


def refused(env: dict[str, str]) -> SettingsRefused:
    with pytest.raises(SettingsRefused) as caught:
        Settings.from_environment(env)
    return caught.value


def test_three_stripe_variables_and_a_database_are_enough() -> None:
    settings = Settings.from_environment(GOOD)
    assert (settings.live, settings.sandboxed) == (False, False)
    assert settings.stripe_webhook_secrets_accounts == (WEBHOOK,)
    assert settings.stripe_webhook_secrets_connect == (WEBHOOK,)
    assert (settings.host, settings.port, settings.database_pool) == ("127.0.0.1", 8000, 10)
    assert settings.public_url == "http://127.0.0.1:8000"


def test_several_webhook_secrets_are_taken_while_one_is_rolled() -> None:
    env = {**GOOD, "STRIPE_WEBHOOK_SECRETS_CONNECT": f"{WEBHOOK},{WEBHOOK}x"}
    settings = Settings.from_environment(env)
    assert settings.stripe_webhook_secrets_connect == (WEBHOOK, WEBHOOK + "x")
    assert settings.stripe_webhook_secrets_platform == (WEBHOOK,)


def test_live_keys_with_https_are_live() -> None:
    settings = Settings.from_environment(LIVE)
    assert (settings.live, settings.sandboxed) == (True, False)


def test_another_api_base_is_a_sandbox_with_its_own_script() -> None:
    settings = Settings.from_environment(SANDBOX)
    assert (settings.live, settings.sandboxed) == (False, True)
    assert settings.stripe_js_url == "http://127.0.0.1:12111/stripe.js"


def test_nothing_at_all_is_enough_for_a_command_that_brings_everything() -> None:
    settings = Settings.from_environment({}, require=NOTHING)
    assert settings.sandboxed
    assert settings.database_url == ""


def test_a_command_on_the_database_needs_no_stripe() -> None:
    env = {"DATABASE_URL": "postgresql://postgres@/postgres?host=/tmp/socket"}
    assert Settings.from_environment(env, require=DATABASE).stripe_secret_key == ""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "http://localhost:9000"),
        ("::", "http://localhost:9000"),
        ("::1", "http://[::1]:9000"),
        ("shop.internal", "http://shop.internal:9000"),
    ],
)
def test_the_public_address_follows_host_and_port(host: str, expected: str) -> None:
    settings = Settings.from_environment({**GOOD, "HOST": host, "PORT": "9000"})
    assert settings.public_url == expected


def test_a_slash_at_the_end_of_an_address_is_dropped() -> None:
    env = {**GOOD, "PUBLIC_URL": "https://shop.example/"}
    assert Settings.from_environment(env).public_url == "https://shop.example"


def test_the_data_folder_can_be_moved() -> None:
    env = {**GOOD, "MARKETPLACE_DATA_DIR": "/srv/shop"}
    assert Settings.from_environment(env).data_directory == Path("/srv/shop")


@pytest.mark.parametrize(
    ("base", "changes", "variable"),
    [
        (GOOD, {"DATABASE_URL": ""}, "DATABASE_URL"),
        (GOOD, {"DATABASE_URL": "mysql://a@b/c"}, "DATABASE_URL"),
        (GOOD, {"DATABASE_URL": "postgresql:///shop"}, "DATABASE_URL"),
        (GOOD, {"DATABASE_URL": "postgresql://db:port/shop"}, "DATABASE_URL"),
        (GOOD, {"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_SECRET_KEY": "   "}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_SECRET_KEY": SECRET + "\n"}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_SECRET_KEY": PUBLISHABLE}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_SECRET_KEY": "sk_test_"}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_SECRET_KEY": "hunter2"}, "STRIPE_SECRET_KEY"),
        (GOOD, {"STRIPE_PUBLISHABLE_KEY": SECRET}, "STRIPE_PUBLISHABLE_KEY"),
        (GOOD, {"STRIPE_PUBLISHABLE_KEY": "pk_live_51AbCdEfGhIjKl"}, "STRIPE_PUBLISHABLE_KEY"),
        (GOOD, {"STRIPE_WEBHOOK_SECRETS_PLATFORM": ""}, "STRIPE_WEBHOOK_SECRETS_PLATFORM"),
        (GOOD, {"STRIPE_WEBHOOK_SECRETS_CONNECT": ""}, "STRIPE_WEBHOOK_SECRETS_CONNECT"),
        (
            GOOD,
            {"STRIPE_WEBHOOK_SECRETS_ACCOUNTS": f"{WEBHOOK},"},
            "STRIPE_WEBHOOK_SECRETS_ACCOUNTS",
        ),
        (
            GOOD,
            {"STRIPE_WEBHOOK_SECRETS_ACCOUNTS": "secret"},
            "STRIPE_WEBHOOK_SECRETS_ACCOUNTS",
        ),
        (GOOD, {"STRIPE_API_BASE": "api.stripe.com"}, "STRIPE_API_BASE"),
        (GOOD, {"STRIPE_API_BASE": "https://api.stripe.com/v1"}, "STRIPE_API_BASE"),
        (GOOD, {"STRIPE_API_BASE": "https://user:pw@api.stripe.com"}, "STRIPE_API_BASE"),
        (GOOD, {"STRIPE_API_BASE": "http://127.0.0.1:99999"}, "STRIPE_API_BASE"),
        (GOOD, {"STRIPE_JS_URL": "https://cdn.example/stripe.js"}, "STRIPE_JS_URL"),
        (GOOD, {"STRIPE_JS_URL": "https://js.stripe.com.evil.example/x.js"}, "STRIPE_JS_URL"),
        (GOOD, {"PUBLIC_URL": "shop.example"}, "PUBLIC_URL"),
        (GOOD, {"PUBLIC_URL": "https://shop.example/shop"}, "PUBLIC_URL"),
        (GOOD, {"SMTP_URL": "mail.example"}, "SMTP_URL"),
        (GOOD, {"SMTP_URL": "http://mail.example"}, "SMTP_URL"),
        (GOOD, {"SMTP_URL": "smtp://user@mail.example"}, "SMTP_URL"),
        (GOOD, {"SMTP_URL": "smtp://mail.example:70000"}, "SMTP_URL"),
        (GOOD, {"MAIL_FROM": "market"}, "MAIL_FROM"),
        (GOOD, {"MAIL_FROM": "market@example.com, all@example.com"}, "MAIL_FROM"),
        (GOOD, {"HOST": " "}, "HOST"),
        (GOOD, {"PORT": "0"}, "PORT"),
        (GOOD, {"PORT": "65536"}, "PORT"),
        (GOOD, {"PORT": "80.5"}, "PORT"),
        (GOOD, {"PORT": "http"}, "PORT"),
        (GOOD, {"PORT": "\u0668"}, "PORT"),
        (GOOD, {"PORT": "12111"}, "SANDBOX_PORT"),
        (GOOD, {"SANDBOX_PORT": "-1"}, "SANDBOX_PORT"),
        (GOOD, {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        (GOOD, {"MARKETPLACE_DATABASE_POOL": "0"}, "MARKETPLACE_DATABASE_POOL"),
        (GOOD, {"MARKETPLACE_STRIPE_TRANSPORT": "carrier"}, "MARKETPLACE_STRIPE_TRANSPORT"),
        (GOOD, {"MARKETPLACE_DISPUTE_POLICY": "keep"}, "MARKETPLACE_DISPUTE_POLICY"),
        (GOOD, {"MARKETPLACE_REFUND_APPROVALS": "1000"}, "MARKETPLACE_REFUND_APPROVALS"),
        (GOOD, {"MARKETPLACE_REFUND_APPROVALS": "EUR=1000"}, "MARKETPLACE_REFUND_APPROVALS"),
        (GOOD, {"MARKETPLACE_REFUND_APPROVALS": "eur=1,eur=2"}, "MARKETPLACE_REFUND_APPROVALS"),
        (GOOD, {"MARKETPLACE_REFUND_APPROVALS": "eur=-1"}, "MARKETPLACE_REFUND_APPROVALS"),
        (GOOD, {"MARKETPLACE_REFUND_APPROVALS": "eur=10,"}, "MARKETPLACE_REFUND_APPROVALS"),
        (GOOD, {"MARKETPLACE_DATADIR": "/srv"}, "MARKETPLACE_DATADIR"),
        (LIVE, {"STRIPE_SECRET_KEY": SECRET}, "STRIPE_PUBLISHABLE_KEY"),
        (LIVE, {"STRIPE_SECRET_KEY": "rk_test_51AbCdEfGhIjKl"}, "STRIPE_PUBLISHABLE_KEY"),
        (LIVE, {"PUBLIC_URL": "http://shop.example"}, "PUBLIC_URL"),
        (LIVE, {"STRIPE_API_BASE": "http://127.0.0.1:12111"}, "STRIPE_API_BASE"),
        (LIVE, {"STRIPE_API_BASE": "https://api.stripe.com.evil.example"}, "STRIPE_API_BASE"),
        (
            SANDBOX,
            {"STRIPE_SECRET_KEY": "rk_live_51AbCdEfGhIjKl", "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE},
            "STRIPE_API_BASE",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_advice(
    base: dict[str, str], changes: dict[str, str], variable: str
) -> None:
    found = {problem.variable: problem for problem in refused({**base, **changes}).problems}
    assert variable in found
    assert found[variable].what.endswith(".")
    assert found[variable].remedy.endswith((".", "?"))


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_what_a_server_needs_is_required(missing: str) -> None:
    problems = refused({name: value for name, value in GOOD.items() if name != missing}).problems
    assert [problem.variable for problem in problems] == [missing]
    assert "not set" in problems[0].what


def test_keys_beside_a_missing_secret_key_are_not_silently_replaced_by_the_sandbox() -> None:
    with pytest.raises(SettingsRefused) as caught:
        Settings.from_environment({"STRIPE_PUBLISHABLE_KEY": PUBLISHABLE}, require=NOTHING)
    assert [problem.variable for problem in caught.value.problems] == ["STRIPE_SECRET_KEY"]


def test_a_live_publishable_key_alone_is_refused() -> None:
    with pytest.raises(SettingsRefused):
        Settings.from_environment(
            {"STRIPE_PUBLISHABLE_KEY": LIVE["STRIPE_PUBLISHABLE_KEY"]}, require=NOTHING
        )


def test_all_problems_are_told_at_once() -> None:
    env = {**LIVE, "PUBLIC_URL": "http://shop.example", "PORT": "x", "MARKETPLACE_X": "1"}
    variables = {problem.variable for problem in refused(env).problems}
    assert variables == {"PUBLIC_URL", "PORT", "MARKETPLACE_X"}


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    (problem,) = refused({**GOOD, "MARKETPLACE_DATABASE_POOLS": "3"}).problems
    assert problem.remedy == "Did you mean MARKETPLACE_DATABASE_POOL?"


@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "DATABASE_URL", "STRIPE_API_BASE"])
def test_a_refusal_never_shows_a_value(name: str) -> None:
    value = "https://user:hunter2hunter2@somewhere/else"
    assert "hunter2" not in str(refused({**GOOD, name: value}))


def test_no_secret_is_in_what_is_printed_of_the_settings() -> None:
    settings = Settings.from_environment(GOOD)
    for shown in (repr(settings), str(settings), f"{settings}", settings.database_shown()):
        for secret in (SECRET, PUBLISHABLE, WEBHOOK, "hunter2"):
            assert secret not in shown
    assert settings.database_shown() == "postgresql://shop@db.internal:5432/shop"
