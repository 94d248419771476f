"""Work for a local model, as the generator hands it to an engine."""

from typing import Any

from services.generator.domain.facts import Identity
from services.generator.domain.models import Lifecycle, Model
from services.generator.domain.orders import Order
from services.generator.domain.ports import Work
from services.generator.domain.tasks import Task, VideoTask, operation_of


def clip(**kwargs: Any) -> VideoTask:
    """Return a task of a small clip; 8 frames unless said otherwise."""
    values = {
        "prompt": "a lighthouse at dusk",
        "duration_seconds": 1.0,
        "fps": 8.0,
        "resolution": "480p",
        "seed": 7,
        **kwargs,
    }
    return VideoTask(**values)


def local_work(task: Task, model: str = "ltx_video", identifier: str = "g1", **kwargs: Any) -> Work:
    row = Model(
        id=model,
        display_name=model,
        provider="local",
        operation=operation_of(task),
        lifecycle=Lifecycle.SELF_HOSTED,
    )
    return Work(
        id=identifier,
        tenant="acme",
        model=row,
        identity=Identity(provider="local", endpoint="", credential=""),
        task=task,
        order=Order(request_id="r", request_hash="h", model=model, task=task, **kwargs),
    )
