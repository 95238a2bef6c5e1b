"""The frame of the small pages: one look, no scripts, nothing loaded from elsewhere."""

from html import escape
from typing import Final

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)

_STYLE: Final = """
body { font: 16px/1.6 system-ui, sans-serif; margin: 12vh auto; max-width: 36rem; padding: 0 1.5rem; }
body { color: #1c2330; background: #fbfbfd; }
h1 { font-size: 1.5rem; line-height: 1.3; margin-bottom: .25rem; }
pre, code { font: .875rem/1.5 ui-monospace, monospace; }
pre { background: #eef0f5; border-radius: 6px; padding: .75rem 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.quiet { color: #566072; font-size: .9375rem; }
a { color: #3b4cca; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9f0; background: #14171f; }
  pre { background: #1f2430; }
  .quiet { color: #9aa4b8; }
  a { color: #9db0ff; }
}
"""


def framed(title: str, body: str) -> str:
    """A page; `body` is HTML with everything that people typed escaped."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
