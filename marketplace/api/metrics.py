"""Gauges for a monitor, in the text format of Prometheus (version 0.0.4).

Open to everybody, as health is: so it is read from the database every few seconds at most, however often it
is asked for, and holds nothing that anybody may not know.
"""

from collections.abc import Sequence
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from marketplace.api.policies import anyone
from marketplace.oversight.gauges import Gauge
from marketplace.services import Services

_MEDIA_TYPE: Final = "text/plain; version=0.0.4"


def exposed(told: Sequence[Gauge]) -> str:
    """The text. Pure."""
    lines: list[str] = []
    known: set[str] = set()
    for gauge in told:
        if gauge.name not in known:
            known.add(gauge.name)
            lines += [f"# HELP {gauge.name} {gauge.means}", f"# TYPE {gauge.name} gauge"]
        labels = ",".join(f'{label}="{value}"' for label, value in gauge.labels)
        name = f"{gauge.name}{{{labels}}}" if labels else gauge.name
        lines.append(f"{name} {gauge.value:.15g}")
    return "\n".join(lines) + "\n"


@get("/metrics", **anyone(), include_in_schema=False)
async def read_metrics(services: NamedDependency[Services]) -> Response[str]:
    """Gauges, a few seconds old at most."""
    return Response(
        exposed(await services.gauges.read(services.clock())),
        headers={"Content-Type": _MEDIA_TYPE},
        media_type="text/plain",
    )


ROUTES: list[HTTPRouteHandler] = [read_metrics]
