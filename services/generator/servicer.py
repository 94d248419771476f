"""`GeneratorService` and `VendorKeyService`: convert, one use case, convert back."""

from collections.abc import AsyncIterator

from typing_extensions import override

from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1 import vendor_key_service_pb2 as keys_pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceServicer
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceServicer
from services.common.errors import InvalidArgument
from services.common.identity import ADMIN, INTERNAL, current_identity
from services.generator import convert
from services.generator.usecases.generations import Generations
from services.generator.usecases.listing import Listing
from services.generator.usecases.reception import Reception
from services.generator.usecases.vendor_keys import KeepVendorKeys, name_of

# Where the verb of a method does not tell the scope that it takes.
SCOPES = {
    "/reelmesh.generator.v1.GeneratorService/ReceiveWebhook": INTERNAL,
    "/reelmesh.generator.v1.VendorKeyService/CreateVendorKey": ADMIN,
    "/reelmesh.generator.v1.VendorKeyService/DeleteVendorKey": ADMIN,
}


class GeneratorServicer(GeneratorServiceServicer):
    """Serves every RPC for the tenant that the interceptor found."""

    def __init__(
        self,
        generations: Generations,
        listing: Listing,
        reception: Reception,
        vendor_keys: KeepVendorKeys,
    ) -> None:
        self._generations = generations
        self._listing = listing
        self._reception = reception
        self._vendor_keys = vendor_keys

    @override
    async def CreateGeneration(
        self, request: pb.CreateGenerationRequest, context: object
    ) -> pb.CreateGenerationResponse:
        """Write the intent and begin."""
        order = convert.order_of(request)
        generation = await self._generations.create(current_identity().tenant, order)
        return pb.CreateGenerationResponse(generation=convert.generation_to_proto(generation))

    @override
    async def GetGeneration(
        self, request: pb.GetGenerationRequest, context: object
    ) -> pb.GetGenerationResponse:
        """Return one generation."""
        identifier = convert.identifier_of(request.name)
        generation = await self._generations.get(current_identity().tenant, identifier)
        return pb.GetGenerationResponse(generation=convert.generation_to_proto(generation))

    @override
    async def WatchGeneration(
        self, request: pb.WatchGenerationRequest, context: object
    ) -> AsyncIterator[pb.WatchGenerationResponse]:
        """Stream the present state and what follows."""
        identifier = convert.identifier_of(request.name)
        if request.after_sequence < 0:
            raise InvalidArgument("after_sequence", "must not be negative")
        tenant = current_identity().tenant
        states = self._generations.watch(tenant, identifier, request.after_sequence)
        async for generation in states:
            yield pb.WatchGenerationResponse(generation=convert.generation_to_proto(generation))

    @override
    async def CancelGeneration(
        self, request: pb.CancelGenerationRequest, context: object
    ) -> pb.CancelGenerationResponse:
        """Leave a tombstone."""
        if bool(request.name) == bool(request.request_id):
            raise InvalidArgument("name", "give either name or request_id")
        tenant = current_identity().tenant
        if request.name:
            done = await self._generations.cancel(tenant, convert.identifier_of(request.name))
        else:
            done = await self._generations.cancel_request(tenant, request.request_id)
        response = pb.CancelGenerationResponse(still_billed=done.still_billed)
        if done.generation is not None:
            response.generation.CopyFrom(convert.generation_to_proto(done.generation))
        return response

    @override
    async def ListModels(
        self, request: pb.ListModelsRequest, context: object
    ) -> pb.ListModelsResponse:
        """Return the catalogue as it stands here."""
        own = await self._vendor_keys.in_use(current_identity().tenant)
        models = [
            convert.model_to_proto(
                offer.model, offer.standing, resolves_to=offer.resolves_to, missing=offer.missing
            )
            for offer in self._listing.offers(request.task, own)
        ]
        return pb.ListModelsResponse(models=models)

    @override
    async def GetCapacity(
        self, request: pb.GetCapacityRequest, context: object
    ) -> pb.GetCapacityResponse:
        """Return how busy each engine and credential is."""
        capacities = [
            pb.Capacity(
                provider=load.provider,
                credential=load.credential,
                running=load.running,
                waiting=load.waiting,
                limit=load.limit,
                circuit_open=load.circuit_open,
            )
            for load in self._listing.loads()
        ]
        workers = map(convert.worker_to_proto, self._listing.workers())
        return pb.GetCapacityResponse(capacities=capacities, workers=workers)

    @override
    async def ReceiveWebhook(
        self, request: pb.ReceiveWebhookRequest, context: object
    ) -> pb.ReceiveWebhookResponse:
        """Take a vendor's callback in."""
        challenge = await self._reception.receive(
            request.provider, request.token, request.headers, request.body
        )
        return pb.ReceiveWebhookResponse(challenge=challenge)


class VendorKeyServicer(VendorKeyServiceServicer):
    """The keys of the tenant that the interceptor found; to change them takes the scope admin."""

    def __init__(self, keys: KeepVendorKeys) -> None:
        self._keys = keys

    @override
    async def CreateVendorKey(
        self, request: keys_pb.CreateVendorKeyRequest, context: object
    ) -> keys_pb.CreateVendorKeyResponse:
        """Take a key in."""
        key = await self._keys.create(current_identity().tenant, convert.wish_of(request))
        return keys_pb.CreateVendorKeyResponse(vendor_key=convert.key_to_proto(key))

    @override
    async def ListVendorKeys(
        self, request: keys_pb.ListVendorKeysRequest, context: object
    ) -> keys_pb.ListVendorKeysResponse:
        """Return the keys without their secrets."""
        keys = await self._keys.list(current_identity().tenant)
        return keys_pb.ListVendorKeysResponse(vendor_keys=map(convert.key_to_proto, keys))

    @override
    async def DeleteVendorKey(
        self, request: keys_pb.DeleteVendorKeyRequest, context: object
    ) -> keys_pb.DeleteVendorKeyResponse:
        """Take a key out of use."""
        await self._keys.delete(current_identity().tenant, name_of(request.name))
        return keys_pb.DeleteVendorKeyResponse()
