"""The pages that mailed links lead to while there is no front-end: a new password, the proof of an address.

What a link carries is read from its fragment by a script of ours, taken out of the address, and sent to the
API in a body when a button is pressed: opening the page, as mail scanners do, uses nothing up.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from marketplace.pages.frame import framed
from marketplace.people.passwords import LONGEST, SHORTEST

SCRIPT: Final = "/pages/mailed-links.js"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

_STYLE: Final = """<style>
form { margin: 1.5rem 0; }
label { display: block; font-weight: 600; }
input { font: inherit; color: inherit; background: transparent; box-sizing: border-box; width: 100%; }
input { margin: .35rem 0 .25rem; padding: .6rem .75rem; border: 1px solid #8d96a8; border-radius: 6px; }
button { font: inherit; font-weight: 600; margin-top: 1rem; padding: .6rem 1.25rem; cursor: pointer; }
button { color: #fff; background: #3b4cca; border: 0; border-radius: 6px; }
button:disabled { opacity: .6; cursor: default; }
:focus-visible { outline: 3px solid #9db0ff; outline-offset: 1px; }
[role=status]:empty { display: none; }
[role=status] { border-left: 4px solid #3b4cca; padding: .25rem 0 .25rem .75rem; }
[hidden] { display: none; }
</style>
"""
_END: Final = f"""<p role="status" id="said"></p>
<noscript><p>This page needs JavaScript: it reads the link without telling it to anybody on the way.</p>
</noscript>
<script src="{SCRIPT}"></script>
"""


def password_page() -> str:
    """Asks for an address; for a new password, when the link was followed."""
    return framed(
        "Choose a new password",
        f"""{_STYLE}<form id="ask" data-path="/v1/password-resets" hidden>
<p>Tell us the e-mail address of your account. If there is one, we mail a link to it, by which you choose a
new password within an hour.</p>
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" required maxlength="254">
<button>Mail me a link</button>
<p data-done hidden>If there is an account with this address, the link is on its way. Only the newest
link works.</p>
</form>
<form id="follow" data-path="/v1/passwords" hidden>
<p>You are signed out everywhere when you choose it. API keys go on working.</p>
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required
minlength="{SHORTEST}" maxlength="{LONGEST}" aria-describedby="hint">
<p class="quiet" id="hint">At least {SHORTEST} characters, better 15: a few words that nobody would guess.</p>
<button>Keep this password</button>
<p data-done hidden>Your new password holds. Sign in with it.</p>
</form>
{_END}""",
    )


def proof_page() -> str:
    """Asks to say that the address is one's own."""
    return framed(
        "Is this your e-mail address?",
        f"""{_STYLE}<div id="ask" hidden>
<p>Open the link in the e-mail we sent you. If it is too old, sign in and ask for another:</p>
<pre>POST /v1/me/email-proof</pre>
</div>
<form id="follow" data-path="/v1/email-proofs" hidden>
<p>You came here by a link in an e-mail. If you made the account it speaks of, tell us:</p>
<button>Yes, it is mine</button>
<p data-done hidden>Thank you: we know now that the address is yours.</p>
</form>
{_END}""",
    )


@cache
def script() -> bytes:
    """The script of both pages."""
    return files(__package__).joinpath("mailed_links.js").read_bytes()
