"""Under which identity the server runs. PostgreSQL refuses uid 0; root needs another name.

An ordinary user runs the server as itself. For root the owner of the data decides: data of
another user is served as that user; data of root is served inside a user namespace, where
root's own id is called 65534. Where the kernel refuses namespaces, a new data directory is
given to uid 65534. Nothing outside the data directory changes owner or mode.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from marketplace.embedded_postgres import guard
from marketplace.embedded_postgres.binaries import Binaries
from marketplace.embedded_postgres.errors import DataDirectoryRefused

_NOBODY = 65534
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class Identity:
    """How the server's process is named: as us, in a user namespace, or as another user."""

    in_namespace: bool = False
    user: tuple[int, int] | None = None

    def order(self) -> str | list[int] | None:
        """The identity in the words of `guard.py`."""
        if self.in_namespace:
            return "namespace"
        return list(self.user) if self.user else None

    def give(self, path: Path) -> None:
        """Let the server's user own a path we just made."""
        if self.user:
            os.chown(path, *self.user)


def guard_command(
    command: list[str], identity: Identity, folder: Path, *, remove: Path | None = None
) -> list[str]:
    """The command line that runs `command` in `folder` under the guard."""
    order = {
        "command": command,
        "identity": identity.order(),
        "folder": str(folder),
        "remove": str(remove) if remove else None,
    }
    return [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)]


def choose_identity(binaries: Binaries, data_directory: Path) -> Identity:
    """The first identity that can run the programs and reach the data's folder.

    Raises DataDirectoryRefused with what each candidate said.
    """
    folder = _nearest_existing(data_directory)
    answers = []
    for candidate in _candidates(data_directory, folder):
        answer = _probe(binaries, candidate, folder)
        if answer is None:
            return candidate
        answers.append(answer)
    raise DataDirectoryRefused(
        data_directory,
        "cannot be reached by a user PostgreSQL accepts: " + "; ".join(answers),
        hint=(
            "Run as the owner of that folder, set MARKETPLACE_DATA_DIR to a folder of your own,"
            " or set DATABASE_URL."
        ),
    )


def _candidates(data_directory: Path, folder: Path) -> list[Identity]:
    if os.geteuid() != 0:
        return [Identity()]
    owner = folder.stat()
    candidates = []
    if owner.st_uid != 0:
        candidates.append(Identity(user=(owner.st_uid, owner.st_gid)))
    if owner.st_uid == 0 or not data_directory.exists():
        candidates.append(Identity(in_namespace=True))
    if not data_directory.exists():
        candidates.append(Identity(user=(_NOBODY, _NOBODY)))
    return candidates


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _probe(binaries: Binaries, identity: Identity, folder: Path) -> str | None:
    """None when the identity can run the server program from the folder, else why not."""
    command = guard_command([str(binaries.postgres), "--version"], identity, folder)
    # The guard stops when its input ends, so it gets a pipe that stays open while it works.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        if process.wait(_PROBE_SECONDS) == 0:
            return None
        output = process.stdout.read() if process.stdout else b""
    return output.decode(errors="replace").strip() or "no answer"
