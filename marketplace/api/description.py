"""The API's description (OpenAPI 3.1), completed with what every route has in common.

Litestar describes paths, parameters and bodies. Who may call, which problem documents can come back and
what an Idempotency-Key does is known from each route's declarations: written down here once, for all.
"""

import re
from importlib.resources import files
from typing import Any, get_args

import msgspec
from litestar import Litestar
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Server
from litestar.response import Stream
from litestar.routes import HTTPRoute

from marketplace.api.doorkeeper import COOKIE, CSRF_HEADER
from marketplace.api.examples import give_examples, problem_example
from marketplace.api.idempotency import HEADER as IDEMPOTENCY_HEADER
from marketplace.api.idempotency import Handling, handling_of
from marketplace.api.policies import Audience, Policy, handlers_of, policy_of
from marketplace.api.problems import MEDIA_TYPE
from marketplace.people.scopes import SCOPES

VERSION = "1.0.0"

_TAGS = {
    "Everyone": "Open to anyone.",
    "You": "Your account, your sign-ins, your programs' keys.",
    "Buyers": "Orders: made, paid, followed.",
    "Sellers": "The shop, its listings, its orders and refunds.",
    "Admins": "What the platform reviews and decides.",
    "Operators": "Is everything well?",
}
# The first that fits a path names the audience.
_TAG_OF_PATH = (
    (re.compile(r"^/health"), "Operators"),
    (re.compile(r"^/v1/admin/"), "Admins"),
    (re.compile(r"^/v1/(me|api-keys|sessions|accounts)"), "You"),
    (re.compile(r"^/v1/sellers|/(preparation|shipment|schedule|refunds)$"), "Sellers"),
    (re.compile(r"^/v1/orders"), "Buyers"),
)

_EXPLAINED = ("description", "additionalProperties")

_OUTCOMES = {"200": "Done.", "201": "Made.", "204": "Done, nothing to add.", "303": "Go on there."}

_PROBLEMS = {
    "400": "The request is malformed: `code` says how, `errors` where.",
    "401": "No usable credentials (`not_signed_in`), or wrong ones (`credentials_wrong`).",
    "402": "The bank declined: `code` is our stable reason.",
    "403": "Signed in, but not allowed: `csrf_refused`, `admins_only`, `scope_missing`.",
    "404": "There is nothing here, or it is not yours.",
    "409": "Where things stand does not allow this, or the same request is still being worked on.",
    "413": "The body is larger than 64 KiB.",
    "415": "The body is not `application/json`.",
    "422": "Well-formed, but refused by a rule; or the Idempotency-Key was used for another request.",
    "429": "Too many tries: wait as long as `Retry-After` says.",
    "500": "A mistake on our side; quote the `request_id`.",
    "503": "Something we depend on is away or busy: asking again is safe.",
}

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457, with a stable `code`. Further members depend on it.",
    "required": ["type", "title", "status", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable: programs may depend on it."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "With 400: which fields or parameters, and why.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_SECURITY_SCHEMES: dict[str, Any] = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A browser's session, from `POST /v1/sessions`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "Beside the cookie, with everything that changes something.",
    },
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A program's key. Scopes: "
        + "; ".join(f"`{scope}` ({about})" for scope, about in SCOPES.items()),
    },
}


def describe(app: Litestar) -> bytes:
    """The description of every route of `app`, as JSON."""
    config = OpenAPIConfig(
        title="Marketplace",
        version=VERSION,
        description=files(__package__).joinpath("assets", "introduction.txt").read_text("utf-8"),
        servers=[Server(url="/")],
        operation_id_creator=_operation_id,
        use_handler_docstrings=True,
    )
    # Litestar adds routes of its own to an application that has a configuration while it is built, and
    # those load their pages from elsewhere; given afterwards, it only describes.
    app.plugins.get(OpenAPIPlugin)._openapi_config = app.openapi_config = config
    document: dict[str, Any] = app.openapi_schema.to_schema()
    components = document.setdefault("components", {})
    _explain_schemas(components["schemas"], app)
    components["schemas"]["Problem"] = _PROBLEM_SCHEMA
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["responses"] = {status: _problem(status, text) for status, text in _PROBLEMS.items()}
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in document["paths"]:
            _complete_path(document["paths"][route.path_format], route)
    give_examples(document)
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return msgspec.json.encode(document)


def _explain_schemas(schemas: dict[str, Any], app: Litestar) -> None:
    """Add what Litestar leaves out: a structure's own words, and that unknown fields are refused."""
    fields = [
        field
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for _, handler in handlers_of(route)
        for field in (handler.parsed_data_field, handler.parsed_return_field)
        if field is not None
    ]
    types = {each for field in fields for each in _structures(field.annotation)}
    _, known = msgspec.json.schema_components(types)
    for name, schema in known.items():
        if name in schemas:
            extra = {each: schema[each] for each in _EXPLAINED if each in schema}
            schemas[name] = {**schemas[name], **extra}


def _structures(annotation: Any) -> list[type[msgspec.Struct]]:
    """The structures in an annotation such as `Response[OrderAnswer]`."""
    inner = [each for argument in get_args(annotation) for each in _structures(argument)]
    is_structure = isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
    return [*inner, annotation] if is_structure else inner


def _complete_path(item: dict[str, Any], route: HTTPRoute) -> None:
    for method, (handler, _) in route.route_handler_map.items():
        operation = item.get(method.lower())
        policy = policy_of(handler)
        if operation is not None and policy is not None:
            _complete(operation, method, handler, policy, route.path_format)


def _complete(
    operation: dict[str, Any],
    method: str,
    handler: BaseRouteHandler,
    policy: Policy,
    path: str,
) -> None:
    operation.setdefault("tags", [_tag(policy, path)])
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    if method == "POST":
        _describe_key(operation, handler)
    responses = operation["responses"]
    responses.pop("400", None)  # Litestar's own error body, which is never sent
    if isinstance(handler, HTTPRouteHandler) and _is_file(handler):
        responses["200"]["content"] = {str(handler.media_type): {"schema": {"type": "string"}}}
    for status, response in responses.items():
        response["description"] = _OUTCOMES.get(status, response["description"])
    for status in sorted(_statuses(method, policy, path)):
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    operation["security"] = _security(policy, method)
    if policy.scope:
        operation["description"] = (
            f"{operation.get('description', '')}\n\nScope: `{policy.scope}`.".strip()
        )


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out or has a value: in an address there is no null."""
    kinds = [kind for kind in schema.get("oneOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        return {**kinds[0], **{name: of for name, of in schema.items() if name != "oneOf"}}
    if isinstance(schema.get("type"), list):
        kind = next(kind for kind in schema["type"] if kind != "null")
        return {**schema, "type": kind, "enum": [one for one in schema["enum"] if one is not None]}
    return schema


def _is_file(handler: HTTPRouteHandler) -> bool:
    """Whether the answer is text sent piece by piece: a CSV file, or a page to be printed."""
    returned = handler.parsed_return_field
    return isinstance(returned.annotation, type) and issubclass(returned.annotation, Stream)


def _describe_key(operation: dict[str, Any], handler: BaseRouteHandler) -> None:
    handling = handling_of(handler.opt)
    if handling is Handling.REPEATABLE:
        return
    text = "1 to 255 visible ASCII characters, your own name for this request."
    if handling is Handling.ONCE:
        text += " The answer holds a secret and is not kept: a repeat is a 409 `answer_not_kept`."
    operation.setdefault("parameters", []).append(
        {
            "name": IDEMPOTENCY_HEADER,
            "in": "header",
            "required": handling is Handling.REQUIRED,
            "description": text,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "example": "order-2026-11-21-0001",
        }
    )


def _statuses(method: str, policy: Policy, path: str) -> set[str]:
    found = {"400", "500", "503"}
    if policy.audience in {Audience.SIGNED_IN, Audience.ADMIN}:
        found |= {"401", "403"}
    if "{" in path or path == "/v1/sellers/me":
        found |= {"404"}
    if method in {"POST", "PUT", "PATCH", "DELETE"}:
        found |= {"409", "413", "415", "422"}
    if policy.audience is Audience.ANYONE and method == "POST":
        found |= {"401", "429"}
    if policy.scope == "account:write" and method == "POST":
        found |= {"429"}
    if method == "POST" and path.endswith(("/checkout", "/confirmation")):
        found |= {"402", "429"}
    if path.endswith("/preparation"):
        found |= {"402"}
    return found


def _security(policy: Policy, method: str) -> list[dict[str, list[str]]]:
    if policy.audience not in {Audience.SIGNED_IN, Audience.ADMIN}:
        return []
    browser: dict[str, list[str]] = {"session": []}
    if method not in {"GET", "HEAD"}:
        browser["csrf"] = []
    if policy.scope == "account:write":
        return [browser]  # not grantable to a key
    return [browser, {"api_key": []}]


def _tag(policy: Policy, path: str) -> str:
    found = next((tag for shape, tag in _TAG_OF_PATH if shape.search(path)), None)
    return found or ("Everyone" if policy.scope is None else "Sellers")


def _problem(status: str, text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    example = problem_example(status)
    content = {"schema": schema, "examples": {example["code"]: {"value": example}}}
    return {"description": text, "content": {MEDIA_TYPE: content}}


def _operation_id(handler: HTTPRouteHandler, _method: object, _path: object) -> str:
    return handler.handler_name
