"""The `marketplace` command, also as `python -m marketplace`."""

from marketplace.cli import commands


def main() -> None:
    """Run the command line and exit with its code."""
    commands(prog_name="marketplace")


if __name__ == "__main__":
    main()
