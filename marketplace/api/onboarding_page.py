"""The page people come back to from Stripe: the same for everybody, whatever happened there."""

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Back from Stripe</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; margin: 12vh auto; max-width: 34rem; padding: 0 1.5rem; }
body { color: #1c2330; background: #fbfbfd; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
@media (prefers-color-scheme: dark) { body { color: #e6e9f0; background: #14171f; } }
</style>
</head>
<body>
<main>
<h1>You are back from Stripe</h1>
<p>You can close this page. What happens next:</p>
<ol>
<li>Stripe checks what you entered. Often that takes seconds, sometimes a day or two.</li>
<li>We ask Stripe how your account stands; your payout capability says what we heard, and whether
anything is still missing.</li>
<li>The platform looks at your shop and approves it. Both must be done before you can be paid.</li>
</ol>
<p>If you left before the end, ask for a new onboarding link: nothing you entered is lost.</p>
</main>
</body>
</html>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
