"""The API explained: its description for programs, a page to read and try it, and every problem's meaning.

The page loads nothing from elsewhere: its one script is kept beside this file.
"""

import gzip
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from marketplace.api.description import describe
from marketplace.api.policies import anyone
from marketplace.api.problem_table import require_meaning
from marketplace.api.refusals import RequestRefused

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SCRIPTS = frozenset({"rapidoc-min.js", "docs.js"})
_DESCRIPTION = "description"


def attach_description(app: Litestar) -> None:
    """Let `app` describe itself; done once, when somebody asks."""
    app.state[_DESCRIPTION] = cache(lambda: describe(app))


@get("/openapi.json", **anyone(), include_in_schema=False, sync_to_thread=False)
def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The description of this API, OpenAPI 3.1."""
    return Response(request.app.state[_DESCRIPTION](), media_type="application/json")


@get("/docs", **anyone(), include_in_schema=False, sync_to_thread=False)
def docs() -> Response[bytes]:
    """The page to read and try the API."""
    return Response(
        _asset("docs.html"),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )


@get("/docs/{name:str}", **anyone(), include_in_schema=False, sync_to_thread=False)
def docs_script(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """A script of that page."""
    if name not in _SCRIPTS:
        raise RequestRefused("not_found")
    headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = _packed(name) if packed else _asset(name)
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)


@get("/problems/{code:str}", **anyone(), include_in_schema=False, sync_to_thread=False)
def problem(code: FromPath[str]) -> dict[str, object]:
    """What a problem document's `code` means: its `type` leads here."""
    try:
        status, title = require_meaning(code)
    except KeyError:
        raise RequestRefused("not_found") from None
    return {"code": code, "status": status, "title": title}


@cache
def _asset(name: FromPath[str]) -> bytes:
    return files(__package__).joinpath("assets", name).read_bytes()


@cache
def _packed(name: FromPath[str]) -> bytes:
    return gzip.compress(_asset(name), mtime=0)


ROUTES: list[HTTPRouteHandler] = [openapi, docs, docs_script, problem]
