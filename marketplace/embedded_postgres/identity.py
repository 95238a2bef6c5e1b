"""Under which identity the server runs.

PostgreSQL refuses uid 0, and a uid that the system has no name for (a container started with
`--user 12345`). An ordinary user runs the server as itself. For root the owner of the data
decides: data of another user is served as that user; data of root is served inside a user
namespace, where root goes by the id of an ordinary user, as does an id without a name. Where the
kernel refuses namespaces, a new data directory is given to `nobody`. Nothing outside the data
directory changes owner or mode.
"""

import json
import os
import pwd
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
    """Whom the server runs as: a uid and gid to become, an alias for it in a user namespace."""

    user: tuple[int, int] | None = None
    alias: int | None = None

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
        "user": identity.user,
        "alias": identity.alias,
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
    uid = os.geteuid()
    if uid != 0:
        return [Identity(alias=_alias_of(uid))]
    owner = folder.stat()
    candidates = []
    if owner.st_uid != 0:
        candidates.append(Identity((owner.st_uid, owner.st_gid), _alias_of(owner.st_uid)))
    if owner.st_uid == 0 or not data_directory.exists():
        candidates.append(Identity(alias=_alias_of(0)))
    if not data_directory.exists():
        candidates.append(Identity((_NOBODY, _NOBODY)))
    return candidates


def _alias_of(uid: int) -> int | None:
    """None when PostgreSQL accepts the id as it is, else the id of some ordinary user."""
    named = {user.pw_uid for user in pwd.getpwall()} - {0}
    if uid in named or _has_name(uid):
        return None
    return _NOBODY if _NOBODY in named or not named else min(named)


def _has_name(uid: int) -> bool:
    # Directories of users (LDAP) answer for one id, but often do not list all of them.
    try:
        return uid != 0 and bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


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
