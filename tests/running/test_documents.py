"""The documents say what the code says: settings, commands, alarms, states, codes, files, SQL."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click
import pytest

from marketplace import settings
from marketplace.cli import commands
from marketplace.demo_cast import CAST, PASSWORD
from tests.running.documents import API, OPERATING, as_code_has_it, parts_of
from tests.running.markdown import README, ROOT, blocks, coded, section, tables

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
DECISIONS = ROOT / "docs" / "decisions"
PACKAGES = ("marketplace", "connect", "payments")


@pytest.mark.parametrize("document", [README, API, OPERATING], ids=lambda path: path.name)
def test_what_is_written_from_the_code_is_up_to_date(document: Path) -> None:
    assert parts_of(document)
    assert document.read_text(encoding="utf-8") == as_code_has_it(document), (
        "write it anew: .venv/bin/python -m tests.running.documents"
    )


def test_the_settings_are_the_variables_that_are_read() -> None:
    (rows,) = tables(section(README, "Settings"))
    told = [name for row in rows for name in coded(row[0])]
    assert sorted(told) == sorted(_variables_read() | {"XDG_DATA_HOME"})


def test_the_defaults_told_are_the_defaults() -> None:
    (rows,) = tables(section(README, "Settings"))
    told = {name: coded(row[1]) for row in rows for name in coded(row[0])}
    plain = settings.Settings()
    assert told["PORT"] == told["HOST"] == [plain.host, str(plain.port)]
    assert told["SANDBOX_PORT"] == [str(plain.sandbox_port)]
    assert told["MARKETPLACE_DATABASE_POOL"] == [str(plain.database_pool)]
    assert told["MARKETPLACE_STRIPE_TRANSPORT"] == [plain.stripe_transport]
    assert told["STRIPE_API_BASE"] == [plain.stripe_api_base]
    assert told["LOG_LEVEL"] == [plain.log_level]


def test_every_command_is_told() -> None:
    (rows, _exit_codes) = tables(section(README, "Commands"))
    told = {" ".join(coded(row[0])) for row in rows}
    assert told == {f"marketplace {name}" for name in _commands(commands)}


def test_the_demos_people_are_told() -> None:
    (rows,) = tables(section(README, "Run it"))
    assert [(coded(row[1]), coded(row[2])) for row in rows] == [
        ([one.email], [one.token]) for one in CAST
    ]
    assert f"`{PASSWORD}`" in section(README, "Run it")


def test_the_layout_names_what_is_there() -> None:
    (layout,) = blocks(section(README, "Where things are"))
    told, folder = set(), ""
    for line in layout.text.splitlines():
        name = line.split("/")[0]
        folder = folder if name.startswith(" ") else name
        told.add(f"{folder}/{name.strip()}" if name.startswith(" ") else name)
    assert all((ROOT / each).is_dir() for each in told)
    there = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    inside = {f"marketplace/{path.parent.name}" for path in ROOT.glob("marketplace/*/__init__.py")}
    assert there | inside <= told


def test_every_alarm_is_told_with_what_to_do() -> None:
    told = {row[0].strip("`") for row in tables(section(OPERATING, "Logs"))[0]}
    assert told == set(_alarms())


async def test_the_sql_that_is_told_runs(database_url: str) -> None:
    statements = [
        block.text
        for block in blocks(OPERATING.read_text(encoding="utf-8"))
        if block.language == "sql"
    ]
    assert len(statements) > 3
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path, _, heading = target.partition("#")
        found = (document.parent / path) if path else document
        assert found.exists(), target
        if heading:
            assert heading in _headings(found), target


def test_every_decision_is_listed_under_its_title() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    for page in sorted(DECISIONS.glob("0*.md")):
        number = page.name[:4]
        assert page.read_text(encoding="utf-8").startswith(f"# {number} · ")
        assert f"| [{number}]({page.name}) | " in index


def _variables_read() -> set[str]:
    """Every name that is looked up in the environment while settings are made."""

    class Watched(dict[str, str]):
        def get(self, name: str, default: object = None) -> None:  # type: ignore[override]
            names.add(name)

    names: set[str] = set()
    settings.Settings.from_environment(Watched(), require=settings.NOTHING)
    return names


def _commands(group: click.Group, above: str = "") -> Iterator[str]:
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from _commands(found, f"{above}{name} ")
        else:
            yield above + name


def _alarms() -> Iterator[str]:
    """The events that are logged with an alarm."""
    for path in (path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(word.arg == "alarm" for word in node.keywords):
                assert isinstance(node.args[0], ast.Constant), path
                yield node.args[0].value


def _headings(document: Path) -> set[str]:
    """The anchors GitHub makes of a document's headings."""
    found = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}
