"""The page of everybody's messages, for a program without real people: what would have been e-mailed."""

import html
from collections.abc import Sequence

from marketplace.messages.reading import Posted

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Mailbox</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; margin: 6vh auto; max-width: 42rem; padding: 0 1.5rem; }
body { color: #1c2330; background: #fbfbfd; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
article { border-top: 1px solid #d5dae3; padding: 1rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0; }
p { margin: .5rem 0; }
.about { color: #566072; font-size: .875rem; margin: 0; }
a { color: #3b4cca; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9f0; background: #14171f; }
  article { border-color: #2b3140; }
  .about { color: #9aa4b8; }
  a { color: #9db0ff; }
}
</style>
</head>
<body>
<main>
<h1>Mailbox</h1>
<p>No SMTP server is configured, so this is what people would have been e-mailed, the newest first.
Links that open an account are in the e-mails alone: files in the data directory's <code>mailbox</code>.</p>
"""
_END = "</main>\n</body>\n</html>\n"


def page(posted: Sequence[Posted]) -> str:
    """The whole page; everything that people typed is escaped."""
    empty = "<p>Nothing was written to anybody yet.</p>\n"
    return _HEAD + ("".join(map(_article, posted)) or empty) + _END


def _article(posted: Posted) -> str:
    message = posted.message
    told = "".join(f"<p>{html.escape(one)}</p>\n" for one in message.paragraphs)
    if message.link is not None:
        link = html.escape(message.link)
        told += f'<p><a href="{link}">{link}</a></p>\n'
    return (
        f'<article id="{html.escape(message.id)}">\n<h2>{html.escape(message.subject)}</h2>\n'
        f'<p class="about">To {html.escape(posted.address)} &middot; '
        f"{message.created_at:%Y-%m-%d %H:%M} UTC &middot; {html.escape(message.state)}</p>\n"
        f"{told}</article>\n"
    )
