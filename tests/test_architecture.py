"""The import rules of the house, read from the sources.

marketplace -> connect -> payments, never upward; Stripe's client in three files; HTTP in one place; rules
that need no database, clock or settings. `violations` is a function of a folder, so that planted
violations show that it can see them.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("marketplace", "connect", "payments", "stripe_sandbox")

FORBIDDEN_UPWARD = {
    "payments": {"connect", "marketplace", "stripe_sandbox"},
    "connect": {"marketplace", "stripe_sandbox"},
    "marketplace": {"stripe_sandbox"},
    "stripe_sandbox": {"marketplace", "connect", "payments", "litestar", "stripe", "piccolo"},
}
STRIPE_FILES = {
    "payments/stripe_client.py",
    "payments/stripe_gateway.py",
    "connect/stripe_accounts.py",
}
# The composition of the command line may start the sandbox, by name.
SANDBOX_STARTERS = ("marketplace/__main__.py", "marketplace/cli/")
LITESTAR_PLACES = (
    "marketplace/api/",
    "marketplace/pages/",
    "marketplace/app.py",
    "marketplace/__main__.py",
)
ENVIRONMENT_FILES = {"marketplace/settings.py", "piccolo_conf.py"}
PURE = (
    "payments/money.py",
    "payments/currencies.py",
    "payments/ids.py",
    "payments/states.py",
    "payments/declines.py",
    "payments/errors.py",
    "payments/signatures.py",
    "connect/capability.py",
    "connect/snapshot.py",
    "connect/payout_failures.py",
    "marketplace/books/months.py",
    "marketplace/books/words.py",
    "marketplace/catalog/listings.py",
    "marketplace/sellers/cancellation_windows.py",
    "marketplace/messages/account_texts.py",
    "marketplace/messages/addresses.py",
    "marketplace/messages/admin_texts.py",
    "marketplace/messages/buyer_texts.py",
    "marketplace/messages/kinds.py",
    "marketplace/messages/order_news.py",
    "marketplace/messages/sale_texts.py",
    "marketplace/messages/seller_texts.py",
    "marketplace/messages/signing.py",
    "marketplace/messages/templates.py",
    "marketplace/messages/texts.py",
    "marketplace/orders/hold_stages.py",
    "marketplace/orders/order_states.py",
    "marketplace/orders/totals.py",
    "marketplace/orders/trail_claims.py",
    "marketplace/orders/trail_entries.py",
    "marketplace/orders/trail_money.py",
    "marketplace/orders/trail_parts.py",
    "marketplace/orders/trail_story.py",
    "marketplace/orders/trail_words.py",
    "marketplace/fees/checking.py",
    "marketplace/fees/compiled.py",
    "marketplace/fees/explaining.py",
    "marketplace/fees/linting.py",
    "marketplace/fees/pricing.py",
    "marketplace/fees/regions.py",
    "marketplace/fees/rules.py",
    "marketplace/fees/schedule.py",
)
"""Rules: the standard library, msgspec and each other."""
IMPURE_CALLS = {"now", "utcnow", "today", "monotonic"}
STANDARD_FOR_PURE = {
    "__future__",
    "base64",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "ipaddress",
    "itertools",
    "math",
    "re",
    "secrets",
    "time",
    "types",
    "typing",
    "unicodedata",
    "urllib",
    "msgspec",
}


def violations(root: Path) -> list[str]:
    """Every broken rule below `root`, as `file:line what`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in (*PACKAGES, "piccolo_conf.py"):
            continue
        tree = ast.parse(path.read_text())
        found += [f"{name}:{line} {what}" for line, what in _broken(name, tree)]
    return found


def _broken(name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, module in _imports(tree):
        top = module.split(".")[0]
        if top in FORBIDDEN_UPWARD.get(name.split("/")[0], set()) and not (
            top == "stripe_sandbox" and name.startswith(SANDBOX_STARTERS)
        ):
            yield line, f"imports upward: {module}"
        if top == "stripe" and name not in STRIPE_FILES:
            yield line, "imports stripe"
        if top == "litestar" and not name.startswith(LITESTAR_PLACES):
            yield line, "imports litestar"
        if name in PURE and not _allowed_in_rules(module):
            yield line, f"a rule imports {module}"
        if top in ("unittest", "mock"):
            yield line, f"imports {module}"
    if name not in ENVIRONMENT_FILES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                yield node.lineno, "reads the environment"
    if name in PURE:
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in IMPURE_CALLS
            ):
                yield node.lineno, "a rule reads the clock"


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def _allowed_in_rules(module: str) -> bool:
    if module.split(".")[0] in STANDARD_FOR_PURE:
        return True
    if module.endswith(".errors"):
        return True  # classes with data; importing them brings nothing in
    return module.replace(".", "/") + ".py" in PURE or module in ("payments", "connect")


def test_the_sources_keep_the_import_rules() -> None:
    assert violations(ROOT) == []


def test_every_rule_file_named_here_exists() -> None:
    missing = [name for name in (*PURE, *STRIPE_FILES) if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize(
    ("file", "source", "told"),
    [
        ("payments/ledger.py", "from marketplace.orders import tables", "imports upward"),
        ("marketplace/orders/checkout.py", "import stripe", "imports stripe"),
        ("connect/accounts.py", "from litestar import get", "imports litestar"),
        ("marketplace/fees/rules.py", "from piccolo.table import Table", "a rule imports"),
        ("payments/money.py", "import datetime\nx = datetime.datetime.now()", "reads the clock"),
        ("marketplace/worker.py", "import os\nx = os.environ['A']", "reads the environment"),
        ("stripe_sandbox/world.py", "import payments.money", "imports upward"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, file: str, source: str, told: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source)
    found = violations(tmp_path)
    assert len(found) >= 1
    assert any(told in one for one in found)


def test_business_code_loads_without_stripe_and_without_http() -> None:
    """Whatever is reached from it, in an interpreter of its own."""
    code = (
        "import sys, marketplace.orders.checkout, marketplace.orders.reactions;"
        "print(*({'stripe', 'litestar', 'aiohttp', 'httpx'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_the_tests_patch_nothing() -> None:
    """Fakes and real parts only: what is patched by its path is a guess about how it is used."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text())
        named = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        imported = {module.split(".")[0] for _, module in _imports(tree)}
        assert not {"monkeypatch", "mocker"} & named, path
        assert not {"unittest", "mock"} & imported, path
