"""The page people come back to from Stripe: the same for everybody, whatever happened there."""

from marketplace.pages.frame import framed

PAGE = framed(
    "You are back from Stripe",
    """<p>You can close this page. What happens next:</p>
<ol>
<li>Stripe checks what you entered. Often that takes seconds, sometimes a day or two.</li>
<li>We ask Stripe how your account stands; your payout capability says what we heard, and whether
anything is still missing.</li>
<li>The platform looks at your shop and approves it. Both must be done before you can be paid.</li>
</ol>
<p>If you left before the end, ask for a new onboarding link: nothing you entered is lost.</p>
""",
)
