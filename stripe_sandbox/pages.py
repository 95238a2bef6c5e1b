"""How the pages look that people see of Stripe: one frame and one style, without scripts."""

from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: #f6f8fa; color: #1a1f36; }
main { max-width: 34rem; margin: 3rem auto; padding: 2rem; background: #fff;
  border-radius: .75rem; box-shadow: 0 1px 3px rgba(0, 0, 0, .15); }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: #4f566b; } dd { margin: 0; overflow-wrap: anywhere; }
form { display: grid; gap: .75rem; margin-top: 1.5rem; }
button { font: inherit; padding: .75rem 1rem; border-radius: .5rem; border: 1px solid #635bff;
  background: #635bff; color: #fff; cursor: pointer; text-align: left; }
button.second { background: transparent; color: #4b45c6; }
button:focus-visible { outline: 3px solid #1a1f36; outline-offset: 2px; }
.note { color: #4f566b; font-size: .9rem; }
@media (prefers-color-scheme: dark) {
  body { background: #10131c; color: #e8eaf0; } main { background: #1c2030; }
  dt, .note { color: #aab1c5; } button.second { color: #b8b4ff; }
  button:focus-visible { outline-color: #fff; }
}
"""


def page(title: str, body: str) -> str:
    """A whole page; the title is escaped, the body is HTML."""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Stripe sandbox</title><style>{STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>{body}
<p class="note">This is a local stand-in for Stripe: no data leaves this machine and no money
moves.</p></main></body>
</html>
"""


def facts(rows: dict[str, str]) -> str:
    """Names and what they are, as a list; both are escaped."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items())
    return f"<dl>{items}</dl>"
