"""Jobs, models and requests for tests."""

from dataclasses import replace
from datetime import UTC, datetime

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import (
    Availability,
    Lifecycle,
    Model,
)
from services.orchestrator.domain.money.ledger import Charge
from services.orchestrator.domain.money.scopes import Payer
from services.orchestrator.domain.prices import Price
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import (
    Attempt,
    AttemptState,
    Clip,
    Decision,
    Failure,
    Quantified,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WANTED = Quantified(
    prompt="a lighthouse at dusk",
    language="en",
    duration_seconds=5.0,
    aspect_ratio="16:9",
    resolution="720p",
    fps=24,
)
CLIP = Clip(
    asset="assets/a1",
    storage_url="file:///a1.mp4",
    sha256="00",
    width=1280,
    height=720,
    fps=24.0,
    duration_seconds=5.0,
)
STORYBOARD = Model(
    id="storyboard",
    provider="reelmesh",
    lifecycle=Lifecycle.SELF_HOSTED,
    price=Price(kind="free"),
    placeholder=True,
)


def request(**changes):
    """A request that can work."""
    return VideoRequest(**({"prompt": "a lighthouse at dusk"} | changes))


def queued(variations=1, **changes):
    """A job as it is accepted."""
    asked = request(variations=variations, **changes)
    return Job(id="j1", tenant="acme", request=asked, create_time=NOW, update_time=NOW)


def running(variations=1, **changes):
    """A job with its plan."""
    return queued(variations, **changes).started(NOW).planned(NOW, WANTED, Decision(), ())


def attempt(iteration=1, number=1, **changes):
    """An attempt that has begun."""
    facts = {
        "id": f"j1/{iteration}/{number}",
        "iteration": iteration,
        "model": "m",
        "provider": "p",
        "state": AttemptState.SUBMITTING,
        "start_time": NOW,
    }
    return Attempt(**(facts | changes))


def made(iteration=1, number=1, **changes):
    """An attempt that has stored its clip."""
    facts = {"state": AttemptState.SUCCEEDED, "progress_percent": 100, "clip": CLIP}
    return attempt(iteration, number, **(facts | changes))


def failed(iteration=1, number=1, reason="GENERATION_FAILED"):
    """An attempt that has failed."""
    error = Failure(reason=reason, message="no")
    return attempt(iteration, number, state=AttemptState.FAILED, error=error)


def hosted(identifier, **changes):
    """A vendor's model that is ready, $0.05 a second."""
    model = Model(
        id=identifier, provider="vendor", price=Price(kind="per_second", amount_micros=50_000)
    )
    return replace(model, **changes)


def unready(identifier, availability=Availability.NO_CREDENTIALS, **changes):
    """A model that cannot serve now."""
    facts = {
        "unavailable_reason": f"{identifier} needs VENDOR_API_KEY",
        "missing": ("VENDOR_API_KEY",),
    }
    return hosted(identifier, availability=availability, **(facts | changes))


def charge(number=1, *, limit=None, provider="vendor", **payer):
    """The charge of an attempt of acme's job j1, or of what `payer` says."""
    facts = {"tenant": "acme", "job": "j1", "month": "2026-11"} | payer
    return Charge(
        payer=Payer(**facts),
        attempt=f"{facts['job']}/1/{number}",
        model="m",
        provider=provider,
        job_limit_micros=limit,
    )
