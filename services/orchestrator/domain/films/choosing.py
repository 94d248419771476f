"""Which model makes what is not a clip: the one named, else the cheapest that is ready. Pure."""

from collections.abc import Collection, Iterator, Sequence

from services.common.errors import FailedPrecondition, InvalidArgument, NoModel, Unavailable
from services.orchestrator.domain.films.estimate import cheapest
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.fitting import unavailable
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.notices import Notice, Said

# What the generator calls the work of each kind of task.
OPERATIONS = {
    TaskType.IMAGE: "image",
    TaskType.ANIMATION: "video",
    TaskType.AUDIO: "speech",
    TaskType.MUSIC: "music",
    TaskType.SOUND: "sound",
    TaskType.CAPTIONS: "captions",
    TaskType.COMPOSITION: "compose",
    TaskType.UPSCALE: "upscale",
}
_TYPICAL_SECONDS = 5.0


class ModelChoice:
    """Chooses among these models; `offline` leaves those that run in this deployment."""

    def __init__(
        self, models: Sequence[Model], *, offline: bool = False, language: str = ""
    ) -> None:
        """Take the catalogue, here and now; `language` is what is spoken."""
        self._models = models
        self._offline = offline
        self._language = language

    @staticmethod
    def operation(kind: TaskType) -> str:
        """What the generator calls this kind of work."""
        return OPERATIONS[kind]

    def for_task(self, task: FilmTask) -> Model:
        """The model for a task; a reduced one is made here, whatever was named.

        What is in work stays with the model that was asked: a life after a crash asks no other.
        Raises InvalidArgument for a model that is not there or does other work, NoModel and what
        else keeps a named one from serving.
        """
        operation = OPERATIONS[task.type]
        begun = find(self._models, task.asked) if task.order and task.asked else None
        if begun is not None and begun.task == operation:
            return begun
        if task.model and not task.reduced:
            return self._speaking(self._ready(self.named(task.model, operation)))
        able = [m for m in self._models if m.task == operation and m.ready and self._speaks(m)]
        here = [m for m in able if m.local]
        found = cheapest(here if self._offline or task.reduced else able, _TYPICAL_SECONDS, "")
        if found is None:
            where = "in this deployment" if self._offline else "here"
            raise NoModel(f"no model for {operation} is ready {where}")
        return found

    def left_out(self, speaking: Collection[str]) -> Iterator[Notice]:
        """What is told where voices that are ready do not speak the language, and others do."""
        voices = (m for m in self._models if m.task == "speech" and m.ready)
        left = sorted(m.id for m in voices if not self._speaks(m))
        if left and speaking:
            facts = {"left": ", ".join(left), "language": self._language}
            yield Notice(Said.VOICES_LEFT_OUT, {**facts, "model": ", ".join(sorted(speaking))})

    def _speaks(self, model: Model) -> bool:
        known = model.languages if model.task == "speech" else ()
        return not known or not self._language or self._language in known

    def _speaking(self, model: Model) -> Model:
        if not self._speaks(model):
            able = sorted(m.id for m in self._models if m.task == "speech" and self._speaks(m))
            fault = f"{model.id} does not speak {self._language!r}"
            raise InvalidArgument("providers", fault, allowed=able)
        return model

    def named(self, name: str, operation: str) -> Model:
        """The model of this name. Raises InvalidArgument where there is none for this work."""
        model = find(self._models, name)
        if model is None or (operation and model.task != operation):
            able = sorted(m.id for m in self._models if not operation or m.task == operation)
            raise InvalidArgument(
                "providers", f"{name!r} does not make {operation or 'anything'}", allowed=able
            )
        return model

    def _ready(self, model: Model) -> Model:
        if self._offline and not model.local:
            raise NoModel(f"{model.id} is a vendor's, and this film is made offline")
        if not model.ready:
            raise _why(model)
        return model

    def placeholder(self) -> Model | None:
        """What draws a stand-in for a clip, where there is such a thing."""
        clips = (m for m in self._models if m.task == "video")
        return next((m for m in clips if m.placeholder and m.ready), None)


def _why(model: Model) -> FailedPrecondition | Unavailable:
    return unavailable(model)
