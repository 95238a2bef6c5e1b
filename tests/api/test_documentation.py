"""The description is true, complete, and loads nothing from elsewhere."""

import json
import re
from typing import Any, get_args

import msgspec
import pytest
from litestar import Litestar
from litestar.response import Stream
from litestar.routes import HTTPRoute

from marketplace.api.policies import Audience, handlers_of, policy_of
from marketplace.app import create_app
from tests.api.harness import client_of, settings_for


async def description_of(app: Litestar) -> dict[str, Any]:
    answer = await client_of(app).get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def said_in(value: Any) -> list[Any]:
    """Every value in it that holds no others; a bare `text` is what an example says for want of better."""
    if isinstance(value, dict):
        return [one for each in value.values() for one in said_in(each)]
    if isinstance(value, list):
        return [one for each in value for one in said_in(each)]
    return [value]


async def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(app: Litestar) -> None:
    document = await description_of(app)
    assert document["openapi"].startswith("3.1")
    for reference in set(re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(document))):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


async def test_every_declared_route_is_described(app: Litestar) -> None:
    document = await description_of(app)
    described = {(method, path) for method, path, _ in operations(document)}
    declared = {
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, handler in handlers_of(route)
        if handler.resolve_include_in_schema()  # type: ignore[attr-defined]
    }
    assert described == declared
    assert ("POST", "/v1/sessions") in described


async def test_every_route_says_who_may_call_it_and_what_can_go_wrong(app: Litestar) -> None:
    document = await description_of(app)
    policies = {
        (method, route.path_format): policy_of(handler)
        for route in app.routes
        for method, handler in handlers_of(route)
    }
    for method, path, operation in operations(document):
        policy = policies[method, path]
        assert policy is not None
        closed = policy.audience in {Audience.SIGNED_IN, Audience.ADMIN}
        assert bool(operation["security"]) == closed
        assert {"400", "500", "503"} <= set(operation["responses"])
        assert closed <= ({"401", "403"} <= set(operation["responses"]))
        assert len(operation["tags"]) == 1
        if "/practice/" not in path:
            assert operation["summary"]
            assert operation["description"]


async def test_a_required_key_is_described_as_required(app: Litestar) -> None:
    document = await description_of(app)

    def key_of(path: str) -> list[dict[str, Any]]:
        parameters = document["paths"][path]["post"].get("parameters", [])
        return [each for each in parameters if each["name"] == "Idempotency-Key"]

    assert [each["required"] for each in key_of("/practice/orders")] == [True]
    assert [each["required"] for each in key_of("/practice/drafts")] == [False]
    assert key_of("/v1/sessions") == []


async def test_every_example_is_taken_as_it_stands() -> None:
    program = create_app(settings_for(""))
    document = await description_of(program)
    checked = 0
    for route in program.routes:
        for method, handler in handlers_of(route):
            field = handler.parsed_data_field
            if isinstance(route, HTTPRoute) and field is not None:
                operation = document["paths"][route.path_format][method.lower()]
                [media] = operation["requestBody"]["content"].values()
                for example in media["examples"].values():
                    msgspec.convert(example["value"], field.annotation)
                    checked += 1
    assert checked >= 10


async def test_every_answer_has_an_example_that_is_one() -> None:
    program = create_app(settings_for(""))
    document = await description_of(program)
    checked = 0
    for route in program.routes:
        for method, handler in handlers_of(route):
            field = handler.parsed_return_field
            described = document["paths"].get(getattr(route, "path_format", ""), {})
            for status, answer in described.get(method.lower(), {}).get("responses", {}).items():
                for kind, media in answer.get("content", {}).items():
                    if field.annotation is Stream:
                        assert kind in {"text/csv", "text/html"}
                        continue
                    assert kind == "application/json", (route.path, status)
                    [example] = media["examples"].values()
                    annotation = get_args(field.annotation)[:1] or (field.annotation,)
                    msgspec.convert(example["value"], annotation[0])
                    assert "text" not in said_in(example["value"]), (route.path, status)
                    checked += 1
    assert checked >= 40


async def test_every_problem_has_an_example_of_its_own_status() -> None:
    document = await description_of(create_app(settings_for("")))
    for status, answer in document["components"]["responses"].items():
        [media] = answer["content"].values()
        [(code, example)] = media["examples"].items()
        problem = example["value"]
        assert (str(problem["status"]), problem["code"]) == (status, code)
        for member in document["components"]["schemas"]["Problem"]["required"]:
            assert problem[member]


async def test_every_operation_has_a_short_name_of_its_own() -> None:
    document = await description_of(create_app(settings_for("")))
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert {"sign_up", "place_order", "begin_checkout"} <= set(names)


async def test_every_structure_sent_refuses_unknown_fields() -> None:
    document = await description_of(create_app(settings_for("")))
    for _, path, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for name in re.findall(r"schemas/(\w+)", json.dumps(media["schema"])):
                assert document["components"]["schemas"][name]["additionalProperties"] is False, (
                    path,
                    name,
                )


async def test_the_page_loads_only_from_here(app: Litestar) -> None:
    page = await client_of(app).get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "http" not in policy
    linked = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    assert linked
    for address in linked:
        assert address.startswith(("/", "data:"))
        if address.startswith("/"):
            assert (await client_of(app).get(address)).status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_the_script_is_sent_whole(app: Litestar, encoding: str) -> None:
    answer = await client_of(app, **{"accept-encoding": encoding}).get("/docs/rapidoc-min.js")
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) > 800_000


@pytest.mark.parametrize("name", ["README.txt", "..%2Fpeople.py", "docs.html"])
async def test_nothing_else_is_served_from_there(app: Litestar, name: str) -> None:
    assert (await client_of(app).get(f"/docs/{name}")).status_code == 404


async def test_the_first_page_leads_on(app: Litestar) -> None:
    page = await client_of(app).get("/")
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'href="([^"]+)"', page.text)
    assert {"/docs", "/openapi.json", "/health/ready"} <= set(links)


async def test_no_parameter_may_be_null() -> None:
    document = await description_of(create_app(settings_for("")))
    schemas = [
        (path, parameter["name"], parameter["schema"])
        for _, path, operation in operations(document)
        for parameter in operation.get("parameters", ())
    ]
    assert len(schemas) > 300
    assert [one for one in schemas if "null" in json.dumps(one)] == []
