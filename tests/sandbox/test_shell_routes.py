"""What holds for every operation the sandbox plays."""

import httpx
import pytest

from stripe_sandbox import operations
from stripe_sandbox.parameters import description
from stripe_sandbox.routes import ROUTES, Route

ALL = sorted(
    (route for routes in ROUTES.values() for route in routes),
    key=lambda route: (route.pattern, route.method),
)


def test_there_are_operations() -> None:
    assert len(ALL) >= 40
    assert operations.ALL


@pytest.mark.parametrize("route", ALL, ids=lambda r: f"{r.method} {r.pattern}")
def test_an_operation_has_its_parameters_described(route: Route) -> None:
    assert route.parameters_of in description()["operations"]


@pytest.mark.parametrize("route", ALL, ids=lambda r: f"{r.method} {r.pattern}")
async def test_an_operation_refuses_what_it_does_not_know(
    stripe: httpx.AsyncClient, route: Route
) -> None:
    path = route.pattern.replace("{", "").replace("}", "")
    unknown = {"no_such_parameter": "1"}
    if route.method != "POST":
        answer = await stripe.request(route.method, path, params=unknown)
    elif path.startswith("/v2/"):
        answer = await stripe.post(path, json=unknown)
    else:
        answer = await stripe.post(path, data=unknown)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "parameter_unknown")
