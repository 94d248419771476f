"""Every REST endpoint: which HTTP request becomes which call of which service.

The table is the one truth: the routes and the OpenAPI document are both made from it. The mapping
is that of google.api.http annotations: path variables and the query fill fields of the request
message, the body is the whole message or one field of it, the answer is the response message as
proto3 JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

API_PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method and path, and the call that it becomes.

    ``body`` is "" (no body), "*" (the request message) or the name of the field that it fills.
    ``collection`` turns the path variable ``{id}`` into the resource name ``collection/id`` in the
    field ``name``.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    rpc: str
    body: str = ""
    collection: str = ""
    streams: bool = False


EVENTS = Endpoint(
    "GET",
    f"{API_PREFIX}/videoJobs/{{id}}/events",
    "WatchVideoJob",
    collection="videoJobs",
    streams=True,
)

FILM_EVENTS = Endpoint(
    "GET", f"{API_PREFIX}/films/{{id}}/events", "WatchFilm", collection="films", streams=True
)

FILMS: tuple[Endpoint, ...] = (
    Endpoint("POST", f"{API_PREFIX}/films", "CreateFilm", body="*"),
    Endpoint("GET", f"{API_PREFIX}/films", "ListFilms"),
    Endpoint("POST", f"{API_PREFIX}/films:plan", "PlanFilm", body="request"),
    Endpoint("POST", f"{API_PREFIX}/films/{{id}}:cancel", "CancelFilm", collection="films"),
    Endpoint(
        "POST", f"{API_PREFIX}/films/{{id}}:resume", "ResumeFilm", body="*", collection="films"
    ),
    Endpoint(
        "POST",
        f"{API_PREFIX}/films/{{id}}:regenerateShot",
        "RegenerateShot",
        body="*",
        collection="films",
    ),
    Endpoint(
        "POST", f"{API_PREFIX}/films/{{id}}:restoreCut", "RestoreCut", body="*", collection="films"
    ),
    FILM_EVENTS,
    Endpoint("GET", f"{API_PREFIX}/films/{{id}}", "GetFilm", collection="films"),
)

ASSETS: tuple[Endpoint, ...] = (
    Endpoint("GET", f"{API_PREFIX}/assets", "ListAssets"),
    Endpoint("GET", f"{API_PREFIX}/assets:usage", "GetUsage"),
    Endpoint("POST", f"{API_PREFIX}/assets:import", "ImportAsset", body="*"),
    Endpoint("POST", f"{API_PREFIX}/assets:find", "FindAssets", body="*"),
    Endpoint("POST", f"{API_PREFIX}/assets:search", "SearchAssets", body="*"),
    Endpoint(
        "POST", f"{API_PREFIX}/assets/{{id}}:hold", "SetLegalHold", body="*", collection="assets"
    ),
    Endpoint(
        "POST", f"{API_PREFIX}/assets/{{id}}:reuse", "RecordReuse", body="*", collection="assets"
    ),
    Endpoint("GET", f"{API_PREFIX}/assets/{{id}}:sign", "SignAssetUrl", collection="assets"),
    Endpoint("GET", f"{API_PREFIX}/assets/{{id}}:playlist", "SignPlaylist", collection="assets"),
    Endpoint("GET", f"{API_PREFIX}/assets/{{id}}", "GetAsset", collection="assets"),
    Endpoint("DELETE", f"{API_PREFIX}/assets/{{id}}", "DeleteAsset", collection="assets"),
)

CHARACTERS: tuple[Endpoint, ...] = (
    Endpoint("POST", f"{API_PREFIX}/characters", "SetCharacter", body="*"),
    Endpoint("GET", f"{API_PREFIX}/characters", "ListCharacters"),
    Endpoint("GET", f"{API_PREFIX}/characters/{{id}}", "GetCharacter", collection="characters"),
    Endpoint("POST", f"{API_PREFIX}/imageEdits", "EditImage", body="*"),
    Endpoint("GET", f"{API_PREFIX}/imageEdits", "ListImageEdits"),
    Endpoint(
        "POST",
        f"{API_PREFIX}/imageEdits/{{id}}:commit",
        "CommitImageEdit",
        body="*",
        collection="imageEdits",
    ),
    Endpoint("GET", f"{API_PREFIX}/imageEdits/{{id}}", "GetImageEdit", collection="imageEdits"),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", f"{API_PREFIX}/videoJobs", "GenerateVideo", body="*"),
    Endpoint("GET", f"{API_PREFIX}/videoJobs", "ListVideoJobs"),
    Endpoint("POST", f"{API_PREFIX}/videoJobs:plan", "PlanVideo", body="request"),
    Endpoint("POST", f"{API_PREFIX}/videoJobs:batch", "BatchGenerateVideos", body="*"),
    Endpoint(
        "POST", f"{API_PREFIX}/videoJobs/{{id}}:cancel", "CancelVideoJob", collection="videoJobs"
    ),
    EVENTS,
    Endpoint("GET", f"{API_PREFIX}/videoJobs/{{id}}", "GetVideoJob", collection="videoJobs"),
    Endpoint("GET", f"{API_PREFIX}/videoModels", "ListVideoModels"),
    *FILMS,
    *ASSETS,
    *CHARACTERS,
    Endpoint("GET", f"{API_PREFIX}/policy", "GetPolicy"),
    Endpoint("POST", f"{API_PREFIX}/policy", "SetPolicy", body="policy"),
    Endpoint("GET", f"{API_PREFIX}/preferences", "GetPreferences"),
    Endpoint("POST", f"{API_PREFIX}/preferences", "SetPreferences", body="preferences"),
    Endpoint("GET", f"{API_PREFIX}/budgets", "ListBudgets"),
    Endpoint("POST", f"{API_PREFIX}/budgets", "SetBudget", body="*"),
    Endpoint("GET", f"{API_PREFIX}/budgets/{{id}}", "GetBudget", collection="budgets"),
    Endpoint("GET", f"{API_PREFIX}/ledgerEntries", "ListLedgerEntries"),
    Endpoint("GET", f"{API_PREFIX}/costs", "GetCostReport"),
    Endpoint("GET", f"{API_PREFIX}/cache", "GetCacheStats"),
    Endpoint("POST", f"{API_PREFIX}/cache:purge", "PurgeCache", body="*"),
    Endpoint("GET", f"{API_PREFIX}/vendorKeys", "ListVendorKeys"),
    Endpoint("POST", f"{API_PREFIX}/vendorKeys", "CreateVendorKey", body="*"),
    Endpoint(
        "DELETE", f"{API_PREFIX}/vendorKeys/{{id}}", "DeleteVendorKey", collection="vendorKeys"
    ),
    Endpoint("POST", f"{API_PREFIX}/comparisons", "CreateComparison", body="*"),
    Endpoint("GET", f"{API_PREFIX}/comparisons", "ListComparisons"),
    Endpoint(
        "POST",
        f"{API_PREFIX}/comparisons/{{id}}:rate",
        "RateComparison",
        body="*",
        collection="comparisons",
    ),
    Endpoint("GET", f"{API_PREFIX}/comparisons/{{id}}", "GetComparison", collection="comparisons"),
)
