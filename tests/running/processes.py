"""Running our own commands as a shell does."""

import os
import socket
import subprocess
import sys

from marketplace.cli.everything import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY


def bare_env(**variables: str) -> dict[str, str]:
    """An environment of nothing but what is said, as on a fresh machine."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}


def stripe_env(api_base: str = "http://127.0.0.1:9") -> dict[str, str]:
    """What `serve` needs of Stripe; at the default base nobody listens."""
    return {
        "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRETS_PLATFORM": "whsec_0123456789abcdef",
        "STRIPE_API_BASE": api_base,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "marketplace", *arguments]


def marketplace(
    *arguments: str, said: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `said` is its standard input."""
    return subprocess.run(
        command(*arguments),
        env=bare_env(**variables),
        input=said,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
