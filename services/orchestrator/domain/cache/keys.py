"""What a request is known by: equal keys, equal clips.

A key is a SHA-256 over a document with named fields, so that no two requests can be confused by how
their parts are put together. The tenant is part of it; references go in by the digest of their
bytes, never by where they lie.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.orchestrator.domain.options import Facets
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Quantified

# Part of every key: what is understood differently from now on must not be found any more.
VERSION = 1
References = Mapping[str, str]


def exact_key(
    tenant: str, request: VideoRequest, *, model: str, iteration: int, references: References
) -> str:
    """The key of one variation: 64 hexadecimal digits.

    `model` is what the request's model resolves to, "auto" where it is routed; `references` maps
    "image" and "last_image" to digests. What only says who pays, who is told and how the clip is
    found later is left out: it does not change what is seen.
    """
    seed = request.seed
    return _digest(
        {
            "version": VERSION,
            "tenant": tenant,
            "model": model,
            "policy": _policy(request) if request.routed else None,
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "duration": request.duration_seconds,
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
            "fps": request.fps,
            "style": request.style,
            "camera_motion": request.camera_motion,
            "enhance": request.enhance,
            "fit": request.fit,
            "facets": _facets(request.facets),
            "options": request.options,
            "references": dict(references),
            # The same seed is the same clip, in whichever variation; without one each is its own.
            "seed": None if seed is None else seed_of(seed, iteration),
            "variation": iteration if seed is None else 0,
            **_styled(request),
        }
    )


def shape_key(
    tenant: str, request: VideoRequest, wanted: Quantified, *, references: References
) -> str:
    """The key of all that words do not say; clips are compared in words only within one shape."""
    return _digest(
        {
            "version": VERSION,
            "tenant": tenant,
            "duration": wanted.duration_seconds,
            "aspect_ratio": wanted.aspect_ratio,
            "resolution": wanted.resolution,
            "fps": wanted.fps,
            "style": request.style,
            "camera_motion": request.camera_motion,
            "negative_prompt": " ".join(request.negative_prompt.casefold().split()),
            "facets": _facets(request.facets),
            "options": request.options,
            "references": dict(references),
            "seed": request.seed,
            **_styled(request),
        }
    )


def artefact_key(tenant: str, model: str, wanted: Mapping[str, Any]) -> str:
    """The key of what is no clip, such as a picture or a spoken line.

    `wanted` has all that changes what is seen or heard, "kind" among it; a reference is in it by
    its digest.
    """
    return _digest({"version": VERSION, "tenant": tenant, "model": model, "artefact": wanted})


def seed_of(seed: int, iteration: int) -> int:
    """The seed of a variation: one more for each, so that none is drawn twice."""
    return (seed + iteration - 1) % (1 << 32)


def _policy(request: VideoRequest) -> dict[str, Any]:
    """What routing may choose from, apart from prices: what is there costs nothing."""
    routing = request.routing
    return {
        "objective": routing.objective,
        "allow": sorted(set(routing.allow)),
        "deny": sorted(set(routing.deny)),
        "local_only": routing.local_only,
    }


def _styled(request: VideoRequest) -> dict[str, Any]:
    """What adds to the words; left out where nothing does, as keys of before had none of it."""
    added: dict[str, Any] = {"preset": request.preset, "packs": sorted(set(request.packs))}
    added["operation"] = request.operation
    return {name: value for name, value in added.items() if value}


def _facets(facets: Facets) -> dict[str, Any]:
    return {k: sorted(v) if isinstance(v, tuple) else v for k, v in asdict(facets).items()}


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
