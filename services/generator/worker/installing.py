"""Weights as an operator handles them: `reelmesh models pull|list|verify`."""

from pathlib import Path

from services.common import clock
from services.common.errors import InvalidArgument
from services.generator.adapters.hub import HuggingFaceHub
from services.generator.domain.models import Model
from services.generator.engines.local.installed import local_models
from services.generator.usecases.weights import Weights, terms_of
from services.generator.worker.gpu.settings import HubSettings, WorkerSettings

__all__ = ["Weights", "local_model", "terms_of", "weights"]


def weights(folder: Path | None = None) -> Weights:
    """Return the weights in a folder, unset where the settings say."""
    hub = HubSettings()
    reader = HuggingFaceHub(
        token=hub.token.get_secret_value(), endpoint=hub.endpoint or None, offline=hub.offline
    )
    return Weights(reader, folder or WorkerSettings().models, clock.now)


def local_model(identifier: str) -> Model:
    """Return a local model's row. Raises InvalidArgument naming those there are."""
    rows = {model.id: model for model in local_models()}
    if identifier not in rows:
        raise InvalidArgument("model", f"{identifier!r} is no local model", allowed=sorted(rows))
    return rows[identifier]
