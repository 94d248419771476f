"""Nobody without a key, nobody with too small a key, nobody from another tenant: for every RPC."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import jwt
import pytest
from google.protobuf.message_factory import GetMessageClass
from google.type import money_pb2

from reelmesh.generator.v1 import vendor_key_service_pb2
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceStub
from reelmesh.orchestrator.v1 import (
    budget_service_pb2,
    character_service_pb2,
    film_service_pb2,
    video_service_pb2,
)
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from reelmesh.orchestrator.v1.character_service_pb2_grpc import CharacterServiceStub
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.access import open_key_store
from services.common.channels import Channel
from services.common.database import Database
from services.common.identity import IDENTITY_KEY, Identity, IdentitySigner
from services.common.settings import ServiceSettings
from services.gateway.domain.endpoints import ENDPOINTS
from services.orchestrator.adapters.sql_comparisons import SqlComparisons
from services.orchestrator.domain.comparisons import Comparison
from tests.integration.contract_methods import METHODS, Method, call, short
from tests.servers import Nats
from tests.stack import SIGNING_KEY, Stack

pytestmark = pytest.mark.timeout(60)
# What a key that only reads may call; everything else writes, creates or costs.
# Who may set limits is not who may spend.
ADMINS = {
    "BudgetService.SetBudget",
    "CacheService.PurgeCache",
    "PolicyService.SetPolicy",
    "StorageService.SetLegalHold",
    "VendorKeyService.CreateVendorKey",
    "VendorKeyService.DeleteVendorKey",
}
# What only our own services may do for each other: no key of any scope, admin's neither.
INTERNALS = {"GeneratorService.ReceiveWebhook"}
READS = {
    *(f"VideoService.{n}" for n in ("PlanVideo", "GetVideoJob", "ListVideoJobs", "WatchVideoJob")),
    "VideoService.ListVideoModels",
    *(f"FilmService.{n}" for n in ("PlanFilm", "GetFilm", "ListFilms", "WatchFilm")),
    *(f"BudgetService.{n}" for n in ("GetBudget", "ListBudgets", "ListLedgerEntries")),
    "BudgetService.GetCostReport",
    "PolicyService.GetPolicy",
    "PolicyService.GetPreferences",
    "CacheService.GetCacheStats",
    *("ComparisonService.GetComparison", "ComparisonService.ListComparisons"),
    *(f"CharacterService.{n}" for n in ("GetCharacter", "ListCharacters")),
    *(f"CharacterService.{n}" for n in ("GetImageEdit", "ListImageEdits")),
    *(f"GeneratorService.{n}" for n in ("GetGeneration", "WatchGeneration", "ListModels")),
    *("GeneratorService.GetCapacity", "VendorKeyService.ListVendorKeys"),
    *(f"StorageService.{n}" for n in ("GetAsset", "ListAssets", "FindAssets", "SearchAssets")),
    *(f"StorageService.{n}" for n in ("DownloadAsset", "SignAssetUrl", "ExportAssets")),
    *("StorageService.SignPlaylist", "StorageService.GetUsage"),
    *(f"PromptService.{n}" for n in ("AnalyzePrompt", "ListTemplates", "ListPresets")),
}
# In the contract and not served by this version. Who serves one takes it off this list.
UNIMPLEMENTED: set[str] = set()
NAMED = [(s, m) for s, m in METHODS if "name" in m.input_type.fields_by_name]
IDS = [short(method) for _, method in METHODS]
Code = grpc.StatusCode


@dataclass
class Guarded:
    """A stack with authentication on, keys of two tenants, and what belongs to acme."""

    stack: Stack
    keys: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def bearer(self, key: str) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.keys[key]}")]

    async def ask(self, service: str, method: Method, content: bytes, *metadata: Any) -> Any:
        return await call(self.stack[service].address, method, content, metadata)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    nats = Nats()
    stack = Stack(
        nats,
        env={
            "REELMESH_AUTH": "true",
            "GENERATOR_VENDOR_KEYS_SECRET": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        },
        without=(),
    )
    found = Guarded(stack)
    try:
        stack.start()
        asyncio.run(_furnish(found))
        yield found
    finally:
        stack.close()
        nats.close()


async def _furnish(guarded: Guarded) -> None:
    """Keys as `reelmesh keys` makes them, and one thing of each kind that is acme's."""
    stack = guarded.stack
    settings = ServiceSettings(data_dir=stack.directory, auth=True, signing_key=SIGNING_KEY)
    async with open_key_store(settings) as keys:
        for name, tenant, scopes in (
            ("acme", "acme", {"read", "write"}),
            ("reader", "acme", {"read"}),
            ("writer", "acme", {"write"}),
            ("admin", "acme", {"admin"}),
            ("other", "other", {"read", "write", "admin"}),
        ):
            _, guarded.keys[name] = await keys.create(tenant, scopes)
    async with stack.client("acme") as acme:
        job = await acme.end((await acme.generate("Acme's own", request_id="acme")).name)
    generation = job.attempts[0].generation
    guarded.names = {"videoJobs": job.name, "generations": generation}
    guarded.names["assets"] = job.results[0].asset
    address, signer = stack["orchestrator"].address, IdentitySigner(SIGNING_KEY)
    async with Channel(address, signer, identity=Identity("acme")) as channel:
        limit = money_pb2.Money(currency_code="USD", units=5)
        budget = budget_service_pb2.Budget(scope="project", subject="acmes0own", limit=limit)
        wanted = budget_service_pb2.SetBudgetRequest(budget=budget)
        made = await BudgetServiceStub(channel).SetBudget(wanted)
        # Cancelled before it is approved: it is there, and nothing was made for it.
        films, shots = FilmServiceStub(channel), '{"shots": [{"shot_id": "1", "prompt": "A tree"}]}'
        source = film_service_pb2.FilmSource(shots_json=shots)
        order = film_service_pb2.CreateFilmRequest(source=source, require_approval=True)
        film = (await films.CreateFilm(order)).film
        await films.CancelFilm(film_service_pb2.CancelFilmRequest(name=film.name))
        sheet = film_service_pb2.CharacterSheet(name="Acme's own", description="A fox")
        people = CharacterServiceStub(channel)
        kept = await people.SetCharacter(character_service_pb2.SetCharacterRequest(sheet=sheet))
        wish = character_service_pb2.EditImageRequest(character=kept.character.name, prompt="x")
        edit = (await people.EditImage(wish)).edit
    guarded.names |= {"budgets": made.budget.name, "films": film.name}
    guarded.names |= {"characters": kept.character.name, "imageEdits": edit.name}
    location = f"sqlite:///{stack.directory / 'orchestrator.db'}"
    async with Database(location, schema="orchestrator", pool_size=0) as database:
        compared = Comparison.of("acme", [job.name.partition("/")[2]], datetime.now(UTC))
        await SqlComparisons(database, now=lambda: datetime.now(UTC)).add(compared)
    guarded.names["comparisons"] = compared.name
    address = stack["generator"].address
    async with Channel(address, signer, identity=Identity("acme")) as channel:
        key = vendor_key_service_pb2.CreateVendorKeyRequest(
            vendor="runway", secrets={"api_key": "acmes-own-key"}
        )
        brought = await VendorKeyServiceStub(channel).CreateVendorKey(key)
    guarded.names["vendorKeys"] = brought.vendor_key.name


def named(guarded: Guarded, service: str, method: Method) -> tuple[bytes, bytes]:
    """The request with acme's name in it, and with the name of what nobody has."""
    collection = {"generator": "generations", "storage": "assets"}.get(service, "videoJobs")
    apart = {
        "FilmService": "films",
        "BudgetService": "budgets",
        "ComparisonService": "comparisons",
        "VendorKeyService": "vendorKeys",
    }
    collection = apart.get(method.containing_service.name, collection)
    if method.containing_service.name == "CharacterService":
        collection = "imageEdits" if "ImageEdit" in method.name else "characters"
    request: Any = GetMessageClass(method.input_type)
    real = guarded.names[collection]
    nothing = f"{collection}/{'0' * len(real.rpartition('/')[2])}"
    if collection == "budgets":
        nothing = "budgets/project.nobodys"
    return request(name=real).SerializeToString(), request(name=nothing).SerializeToString()


@pytest.mark.parametrize(("service", "method"), METHODS, ids=IDS)
async def test_without_a_key_nothing_is_told(
    guarded: Guarded, service: str, method: Method
) -> None:
    error = await guarded.ask(service, method, b"")
    assert error.code() is Code.UNAUTHENTICATED
    for wrong in ("Bearer rmk_0000_nothing", "Bearer ", "Basic YWNtZTphY21l", "x"):
        error = await guarded.ask(service, method, b"", ("authorization", wrong))
        assert error.code() is Code.UNAUTHENTICATED


@pytest.mark.parametrize(("service", "method"), METHODS, ids=IDS)
async def test_a_key_may_do_what_its_scope_says(
    guarded: Guarded, service: str, method: Method
) -> None:
    if short(method) in INTERNALS:
        for key in guarded.keys:
            refused = await guarded.ask(service, method, b"", *guarded.bearer(key))
            assert refused.code() is Code.PERMISSION_DENIED
        return
    reads = short(method) in READS
    small, right = ("writer", "reader") if reads else ("reader", "writer")
    if short(method) in ADMINS:
        small, right = "writer", "admin"
    refused = await guarded.ask(service, method, b"", *guarded.bearer(small))
    assert refused.code() is Code.PERMISSION_DENIED
    let_in = await guarded.ask(service, method, b"", *guarded.bearer(right))
    assert let_in is None or let_in.code() not in {Code.PERMISSION_DENIED, Code.UNAUTHENTICATED}


@pytest.mark.parametrize(("service", "method"), METHODS, ids=IDS)
async def test_a_forged_or_expired_identity_is_refused(
    guarded: Guarded, service: str, method: Method
) -> None:
    acme = Identity("acme")
    late = datetime.now(UTC) - timedelta(minutes=2)
    claims = {"iss": "reelmesh", "sub": "acme", "scp": ["read", "write"], "iat": 0, "exp": 2**33}
    plain = hashlib.sha256(SIGNING_KEY.encode()).digest()
    for token in (
        IdentitySigner("another key, just as long").sign(acme),
        IdentitySigner(SIGNING_KEY, now=lambda: late).sign(acme),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, plain, algorithm="HS256"),
        "x",
    ):
        # With a good key beside it: the worse of the two counts.
        metadata = (*guarded.bearer("acme"), (IDENTITY_KEY, token))
        error = await guarded.ask(service, method, b"", *metadata)
        assert error.code() is Code.UNAUTHENTICATED


@pytest.mark.parametrize(("service", "method"), NAMED, ids=[short(m) for _, m in NAMED])
async def test_what_is_another_tenants_does_not_exist(
    guarded: Guarded, service: str, method: Method
) -> None:
    real, nothing = named(guarded, service, method)
    theirs = await guarded.ask(service, method, real, *guarded.bearer("other"))
    nobodys = await guarded.ask(service, method, nothing, *guarded.bearer("other"))
    if short(method) in UNIMPLEMENTED:
        assert theirs.code() is nobodys.code() is Code.UNIMPLEMENTED
        return
    assert theirs.code() is nobodys.code() is Code.NOT_FOUND
    # Not even the words tell apart what is another's and what is not there.
    request: Any = GetMessageClass(method.input_type)
    words = [
        error.details().replace(request.FromString(content).name, "")
        for error, content in ((theirs, real), (nobodys, nothing))
    ]
    assert words[0] == words[1]


async def test_the_owner_does_find_what_the_others_do_not(guarded: Guarded) -> None:
    # A film gets its HLS rendition only where the operator wants it.
    unready = {"StorageService.SignPlaylist"}
    for service, method in NAMED:
        if short(method) in READS - UNIMPLEMENTED - unready:
            real, _ = named(guarded, service, method)
            assert await guarded.ask(service, method, real, *guarded.bearer("acme")) is None


@pytest.mark.parametrize(("service", "method"), METHODS, ids=IDS)
async def test_what_is_not_served_says_so(guarded: Guarded, service: str, method: Method) -> None:
    error = await guarded.ask(service, method, b"", *guarded.bearer("other"))
    unserved = error is not None and error.code() is Code.UNIMPLEMENTED
    assert unserved == (short(method) in UNIMPLEMENTED)


async def test_lists_show_the_own_tenants_only(guarded: Guarded) -> None:
    for tenant, jobs, assets in (("acme", 1, 1), ("other", 0, 0)):
        async with guarded.stack.client(tenant) as client:
            answer = await client.stub.ListVideoJobs(video_service_pb2.ListVideoJobsRequest())
            assert {job.tenant_name for job in answer.jobs} <= {tenant}
            assert len(answer.jobs) >= jobs
            assert bool(answer.jobs) == bool(jobs)
        signer = IdentitySigner(SIGNING_KEY)
        address = guarded.stack["storage"].address
        async with Channel(address, signer, identity=Identity(tenant)) as channel:
            stub: Any = StorageServiceStub(channel)
            listed = await stub.ListAssets(storage_service_pb2.ListAssetsRequest())
            facets = asset_pb2.Facets(asset_type="video")
            found = await stub.FindAssets(storage_service_pb2.FindAssetsRequest(facets=facets))
            assert bool(listed.assets) == bool(assets)
            assert bool(found.assets) <= bool(assets)
            usage = await stub.GetUsage(storage_service_pb2.GetUsageRequest())
            assert bool(usage.size_bytes) == bool(assets)


async def test_a_request_cannot_name_another_tenant(guarded: Guarded) -> None:
    request = video_service_pb2.GenerateVideoRequest(prompt="x", tenant_name="acme")
    [method] = [m for _, m in METHODS if short(m) == "VideoService.GenerateVideo"]
    content = request.SerializeToString()
    error = await guarded.ask("orchestrator", method, content, *guarded.bearer("other"))
    assert error.code() is Code.INVALID_ARGUMENT
    assert "tenant_name" in error.details()


@pytest.mark.parametrize("path", ["/api/v1/videoJobs", "/api/v1/videoJobs:plan"])
async def test_work_on_another_tenants_clip_is_neither_made_nor_planned(
    guarded: Guarded, path: str
) -> None:
    base = f"http://{guarded.stack['gateway'].address}"
    other = {"authorization": f"Bearer {guarded.keys['other']}"}
    theirs, told = guarded.names["assets"], []
    async with httpx.AsyncClient(base_url=base, headers=other, timeout=8) as client:
        for asset in (theirs, f"assets/{'0' * len(theirs.rpartition('/')[2])}"):
            wish = {"prompt": "x", "video": {"asset": asset}, "operation": "OPERATION_EXTEND"}
            refused = await client.post(path, json=wish)
            assert refused.status_code == 404
            assert "video.asset" in refused.text
            told.append(refused.text.replace(asset, ""))
    assert told[0] == told[1]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
async def test_the_gateway_guards_every_endpoint(guarded: Guarded, endpoint: Any) -> None:
    base = f"http://{guarded.stack['gateway'].address}"
    name = guarded.names[endpoint.collection or "videoJobs"]
    path = endpoint.path.replace("{id}", name.rpartition("/")[2])
    words = {"prompt": "x"} if endpoint.rpc == "GenerateVideo" else {}
    body: dict[str, Any] = {"json": words} if endpoint.body else {}
    async with httpx.AsyncClient(base_url=base, timeout=8) as client:
        assert (await client.request(endpoint.method, path, **body)).status_code == 401
        bad = {"authorization": "Bearer rmk_0000_nothing"}
        refused = await client.request(endpoint.method, path, headers=bad, **body)
        assert refused.status_code == 401
        other = {"authorization": f"Bearer {guarded.keys['other']}"}
        if endpoint.collection:
            hidden = await client.request(endpoint.method, path, headers=other, **body)
            assert hidden.status_code == 404
            assert "Acme" not in hidden.text
        elif endpoint.rpc == "ListVideoJobs":
            empty = await client.request(endpoint.method, path, headers=other)
            assert empty.json().get("jobs", []) == []
