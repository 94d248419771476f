"""`/_sim`: the bill, the calls, and what is to go wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.suite.simulator.faults import Fault, Rule, UnknownFault, fault_of
from services.suite.simulator.shape import number, record, text, whole
from services.suite.simulator.world import bill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request

    from services.suite.simulator.jobs import Job
    from services.suite.simulator.vendor import Vendor
    from services.suite.simulator.world import World

RULE = record(
    {
        "vendor": text(shortest=1),
        "fault": text(shortest=1),
        "probability": number(0, 1),
        "count": whole(0),
        "seed": whole(),
    },
    "fault",
)


class Control:
    """What a test asks of the simulator itself."""

    def __init__(self, world: World, vendors: Mapping[str, Vendor]) -> None:
        self._world = world
        self._vendors = vendors

    def routes(self) -> list[Route]:
        """Return the routes below `/_sim`."""
        return [
            Route("/_sim/bill", self._bill, methods=["GET"]),
            Route("/_sim/calls", self._calls, methods=["GET"]),
            Route("/_sim/leaks", self._leaks, methods=["GET"]),
            Route("/_sim/concurrency", self._concurrency, methods=["GET"]),
            Route("/_sim/deliveries", self._deliveries, methods=["GET"]),
            Route("/_sim/scenario", self._scenario, methods=["GET"]),
            Route("/_sim/scenario", self._add, methods=["PUT", "POST"]),
            Route("/_sim/scenario", self._clear, methods=["DELETE"]),
            Route("/_sim/faults", self._faults, methods=["GET"]),
            Route("/_sim/reset", self._reset, methods=["POST"]),
        ]

    def refunds(self, job: Job, now: datetime) -> bool:
        """Tell whether the job's vendor gives the money back."""
        return self._vendors[job.vendor].refunds(job, now)

    async def _bill(self, request: Request) -> Response:
        found = bill(self._world, self.refunds)
        vendor = request.query_params.get("vendor")
        if vendor:
            rows = [row for row in found["rows"] if row["vendor"] == vendor]
            owed = sum(row["amount_micros"] for row in rows if not row["refunded"])
            found = {"rows": rows, "count": len(rows), "owed_micros": owed}
        return JSONResponse(found)

    async def _calls(self, request: Request) -> Response:
        vendor = request.query_params.get("vendor")
        calls = [call for call in self._world.calls if vendor in {None, call["vendor"]}]
        return JSONResponse({"calls": calls, "count": len(calls)})

    async def _leaks(self, request: Request) -> Response:
        del request
        return JSONResponse({"leaks": list(self._world.leaks), "count": len(self._world.leaks)})

    async def _concurrency(self, request: Request) -> Response:
        del request
        rows = [
            {
                "vendor": vendor,
                "credential": credential,
                "now": len(self._world.under_way(vendor, credential)),
                "most": most,
            }
            for (vendor, credential), most in self._world.most_at_once.items()
        ]
        return JSONResponse({"rows": rows})

    async def _deliveries(self, request: Request) -> Response:
        del request
        found = list(self._world.deliveries)
        return JSONResponse({"deliveries": found, "count": len(found)})

    async def _scenario(self, request: Request) -> Response:
        del request
        return JSONResponse({"rules": [_shown(rule) for rule in self._world.scenario.rules]})

    async def _add(self, request: Request) -> Response:
        """Replace the rules by a list of them (PUT), or add to them (POST)."""
        try:
            body = json.loads(await request.body())
            given = body if isinstance(body, list) else [body]
            rules = [self._rule(one) for one in given]
        except ValueError as error:  # JSON's and ours
            return JSONResponse({"simulator": str(error)}, status_code=400)
        if request.method == "PUT":
            self._world.scenario.rules.clear()
        self._world.scenario.rules += rules
        return await self._scenario(request)

    def _rule(self, body: Any) -> Rule:
        issues = [f"{issue.where}: {issue.message}" for issue in RULE(body, ())]
        if issues:
            raise ValueError("; ".join(issues))
        vendor, fault = body.get("vendor", "*"), fault_of(body["fault"])
        if vendor != "*" and vendor not in self._vendors:
            names = ", ".join(sorted(self._vendors))
            msg = f"no vendor is called {vendor!r}; there are: {names}"
            raise ValueError(msg)
        if vendor != "*" and fault not in self._vendors[vendor].faults:
            can = ", ".join(sorted(self._vendors[vendor].faults))
            msg = f"{vendor} cannot show {fault}; it can show: {can}"
            raise UnknownFault(msg)
        numbers = {key: body[key] for key in ("probability", "count", "seed") if key in body}
        return Rule(vendor, fault, **numbers)

    async def _clear(self, request: Request) -> Response:
        del request
        self._world.scenario.clear()
        return Response(status_code=204)

    async def _faults(self, request: Request) -> Response:
        del request
        shows = {name: sorted(vendor.faults) for name, vendor in self._vendors.items()}
        return JSONResponse({"faults": sorted(Fault), "vendors": shows})

    async def _reset(self, request: Request) -> Response:
        """Forget jobs, bill, calls and rules, and begin the random numbers anew."""
        del request
        self._world.clear()
        return Response(status_code=204)


def _shown(rule: Rule) -> dict[str, Any]:
    return {
        "vendor": rule.vendor,
        "fault": rule.fault,
        "probability": rule.probability,
        "count": rule.count,
        "seed": rule.seed,
        "struck": rule.struck,
    }
