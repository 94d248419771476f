"""Which models are installed on this machine, and where their checkpoints lie."""

from collections.abc import Mapping
from pathlib import Path

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.models import Model
from services.generator.engines.local.probe import Source

PROVIDER = "local"


def variable_of(model: Model) -> str:
    """Return the environment variable that says where a model's checkpoint lies."""
    return f"LOCAL_{model.id.upper()}_PATH"


def local_models() -> tuple[Model, ...]:
    """Return the rows of the catalogue that can be installed."""
    rows = (model for model in load_catalogue() if model.provider == PROVIDER)
    return tuple(model for model in rows if not model.group)


def sources(
    named: Mapping[str, str], models_folder: Path, *, offline: bool = False
) -> dict[str, Source]:
    """Return the checkpoints by model id: those that are named, else those that were pulled.

    `named` holds values by variable, `folder` or `owner/name@revision`; whatever
    `reelmesh models pull` has brought lies in `models_folder` under the model's id.
    Raises InvalidArgument naming the variable of a value that is neither.
    """
    found: dict[str, Source] = {}
    for model in local_models():
        value = named.get(variable_of(model), "")
        pulled = models_folder / model.id
        if value:
            found[model.id] = source_of(model, value, offline=offline)
        elif pulled.is_dir() and any(pulled.iterdir()):
            found[model.id] = Source(model=model.id, location=str(pulled), offline=offline)
    return found


def source_of(model: Model, value: str, *, offline: bool = False) -> Source:
    """Return the checkpoint that a variable's value names. Raises InvalidArgument."""
    if Path(value).expanduser().is_dir():
        return Source(model=model.id, location=value, offline=offline)
    location, _, revision = value.partition("@")
    return Source(model=model.id, location=location, revision=revision, offline=offline)
