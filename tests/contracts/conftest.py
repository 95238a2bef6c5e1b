"""The fixture `world`: every contract test runs in each of the two worlds."""

from collections.abc import AsyncIterator

import httpx
import pytest

from payments.stripe_client import StripeApi
from stripe_sandbox.config import SandboxConfig
from stripe_sandbox.server import RunningSandbox, running_sandbox
from tests.contracts.worlds import SECRET_KEY, FakeWorld, SandboxWorld, World


@pytest.fixture(scope="module")
async def stripe() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxConfig(port=0)) as running:
        yield running


@pytest.fixture(scope="module")
async def api(stripe: RunningSandbox) -> AsyncIterator[StripeApi]:
    api = StripeApi(SECRET_KEY, base_address=stripe.base_url)
    yield api
    await api.close()


@pytest.fixture(params=["fake", "adapter over the sandbox"])
async def world(
    request: pytest.FixtureRequest, stripe: RunningSandbox, api: StripeApi
) -> AsyncIterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    async with httpx.AsyncClient(base_url=stripe.base_url, trust_env=False) as http:
        yield await SandboxWorld.opened(stripe, api, http)
