"""`python -m stripe_sandbox`: a local Stripe until it is interrupted."""

import argparse
import sys
from pathlib import Path

from .config import SCOPES, Destination, SandboxConfig
from .keeping import UnreadableState
from .server import serve


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; exits 2 for wrong options, 1 for an unreadable state."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        config = SandboxConfig(
            host=options.host,
            port=options.port,
            destinations=_destinations(options),
            state_file=options.state_file,
        )
    except ValueError as error:
        parser.error(str(error))
    sys.stdout.write(f"Stripe sandbox: http://{config.host}:{config.port}/_sandbox\n")
    sys.stdout.flush()
    try:
        serve(config)
    except UnreadableState as error:
        parser.exit(1, f"{error}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stripe_sandbox", description="A Stripe with memory on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--state-file", type=Path, help="keep the sandbox's memory in this file")
    about = {
        "platform": "snapshot events of the platform",
        "accounts": "thin events about connected accounts",
        "connect": "snapshot events of connected accounts",
    }
    for scope in SCOPES:
        parser.add_argument(f"--{scope}-url", help=f"where {about[scope]} are delivered")
        parser.add_argument(
            f"--{scope}-secret",
            action="append",
            default=[],
            help="its signing secret (whsec_...); repeat it while one is being rolled",
        )
    return parser


def _destinations(options: argparse.Namespace) -> tuple[Destination, ...]:
    return tuple(
        Destination(scope, url, tuple(getattr(options, f"{scope}_secret")))
        for scope in SCOPES
        if (url := getattr(options, f"{scope}_url"))
    )


if __name__ == "__main__":
    sys.exit(main())
