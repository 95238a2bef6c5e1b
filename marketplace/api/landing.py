"""The first page of the address: where to look next."""

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from marketplace.api.guard import any_query
from marketplace.api.policies import anyone

_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Marketplace</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; margin: 12vh auto; max-width: 34rem; padding: 0 1.5rem; }
body { color: #1c2330; background: #fbfbfd; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
p { color: #566072; margin-top: 0; }
li { margin: .35rem 0; }
a { color: #3b4cca; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9f0; background: #14171f; }
  p { color: #9aa4b8; }
  a { color: #9db0ff; }
}
</style>
</head>
<body>
<h1>Marketplace</h1>
<p>Buyers pay sellers. The platform keeps a fee.</p>
<ul>
<li><a href="/docs">The API, to read and to try</a></li>
<li><a href="/openapi.json">Its description for programs (OpenAPI 3.1)</a></li>
<li><a href="/v1/listings">What is on offer</a></li>
<li><a href="/health/ready">Is everything well?</a></li>
</ul>
</body>
</html>
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@get(
    "/",
    **anyone(),
    **any_query(),
    include_in_schema=False,
    media_type="text/html",
    sync_to_thread=False,
)
def landing() -> Response[bytes]:
    """A page that says where everything is."""
    return Response(_PAGE, headers={"Content-Security-Policy": _POLICY})


ROUTES: list[HTTPRouteHandler] = [landing]
