"""`PolicyService`: gRPC in, a use case, gRPC out."""

from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import policy_service_pb2 as pb
from reelmesh.orchestrator.v1.policy_service_pb2_grpc import PolicyServiceServicer
from services.common.identity import ADMIN, current_identity
from services.orchestrator.convert.policies import policy_message, policy_of
from services.orchestrator.convert.requests import routing_message, routing_of
from services.orchestrator.usecases.policies import KeepPolicies

# Where the verb of a method does not tell the scope that it takes.
SCOPES = {"/reelmesh.orchestrator.v1.PolicyService/SetPolicy": ADMIN}


class Policies(PolicyServiceServicer):
    """`PolicyService`. To set the tenant's policy takes the admin scope, see `SCOPES`."""

    def __init__(self, use: KeepPolicies) -> None:
        """Take the use cases."""
        self._use = use

    @override
    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Any) -> pb.GetPolicyResponse:
        policy = await self._use.get(current_identity().tenant)
        return pb.GetPolicyResponse(policy=policy_message(policy))

    @override
    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Any) -> pb.SetPolicyResponse:
        policy = await self._use.set(current_identity().tenant, policy_of(request.policy))
        return pb.SetPolicyResponse(policy=policy_message(policy))

    @override
    async def GetPreferences(
        self, request: pb.GetPreferencesRequest, context: Any
    ) -> pb.GetPreferencesResponse:
        caller = current_identity()
        found = await self._use.preferences(caller.tenant, caller.key_id)
        return pb.GetPreferencesResponse(preferences=routing_message(found))

    @override
    async def SetPreferences(
        self, request: pb.SetPreferencesRequest, context: Any
    ) -> pb.SetPreferencesResponse:
        caller, wanted = current_identity(), routing_of(request.preferences)
        kept = await self._use.prefer(caller.tenant, caller.key_id, wanted)
        return pb.SetPreferencesResponse(preferences=routing_message(kept))
