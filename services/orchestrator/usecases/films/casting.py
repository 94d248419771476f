"""Who is seen in a film, and what they look like: settled when it is planned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.billing import together
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.characters import Cast, CharacterSheet, require_one_each
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.likeness import LikenessRule
from services.orchestrator.domain.films.ports import SheetStore
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.models import Model, in_batch
from services.orchestrator.domain.notices import Notice, Said, Warned
from services.orchestrator.domain.ports import AssetPort
from services.orchestrator.domain.values import Decision
from services.orchestrator.usecases.accept import as_asked


@dataclass(frozen=True, kw_only=True)
class CastFilm:
    """Looks a film's sheets up: its own before those that the tenant's films had before."""

    sheets: SheetStore | None = None
    assets: AssetPort | None = None
    rule: LikenessRule = field(default_factory=LikenessRule)

    async def given(
        self, tenant: str, brief: FilmBrief, file: tuple[CharacterSheet, ...]
    ) -> FilmBrief:
        """The film with the sheets that came with it, each picture known by its digest.

        `file` are those of its file of shots; the request's own come first. Raises NotFound for an
        asset that is not the tenant's, InvalidArgument for one that is no picture.
        """
        require_one_each(file, "characters")
        named = {sheet.name for sheet in brief.characters}
        own = (*brief.characters, *(sheet for sheet in file if sheet.name not in named))
        require_one_each(own, "characters")
        looked_up = [await self._looked_up(tenant, at, sheet) for at, sheet in enumerate(own)]
        return replace(brief, characters=tuple(looked_up))

    async def cast(self, tenant: str, brief: FilmBrief, shots: Sequence[Shot]) -> FilmBrief:
        """The film with the sheets of those who are seen in it."""
        names = {name for shot in shots for name in shot.characters}
        kept = await self.sheets.sheets(tenant, names) if self.sheets and names else ()
        cast = Cast.of(shots, brief.characters, kept)
        rule = brief.consistency.on(self.rule) if brief.consistency else self.rule
        return replace(brief, cast=replace(cast, rule=rule))

    async def keep(self, tenant: str, brief: FilmBrief) -> None:
        """Keep the film's own sheets for films to come."""
        if self.sheets:
            await self.sheets.keep(tenant, brief.characters)

    async def _looked_up(self, tenant: str, at: int, sheet: CharacterSheet) -> CharacterSheet:
        picture = sheet.picture
        if picture is None or not picture.asset or self.assets is None:
            return sheet
        digest = await self.assets.picture(tenant, picture.asset)
        if digest is None:
            field = f"characters[{at}].reference"
            raise InvalidArgument(field, "is no picture", allowed=("a picture's asset",))
        return replace(sheet, sha256=digest)


@dataclass(frozen=True, kw_only=True)
class Showing:
    """Which requests of a film that is planned carry a picture of who is seen."""

    brief: FilmBrief
    tasks: tuple[FilmTask, ...]
    models: Sequence[Model]
    decide: Callable[..., Decision]

    def __call__(self, shots: Sequence[Shot]) -> tuple[FilmBrief, tuple[Warned, ...]]:
        """The film with the shots whose clips begin with a picture, and what is told of it.

        A clip with a still has the picture in that; one of a model without pictures has words.
        """
        pictured = {shot.shot_id: shot for shot in shots if self.brief.cast.pictured(shot)}
        stills = {task.shot for task in self.tasks if task.type is TaskType.IMAGE}
        begun: list[str] = []
        told: list[Warned] = []
        able: dict[tuple[str, float], bool] = {}
        for task in self.tasks:
            shot = pictured.get(task.shot)
            if shot is None:
                continue
            if task.type is TaskType.IMAGE:
                told += self._still(task, shot)
            elif task.type is TaskType.ANIMATION and task.shot not in stills:
                key = (task.model, shot.duration_seconds)
                if key not in able:
                    able[key] = self._takes(task, shot)
                begun += [task.shot] if able[key] else []
                told += not_shown(self.brief.cast, shot, task.model or "auto", takes=able[key])
        brief = replace(self.brief, cast=self.brief.cast.beginning(begun))
        return brief, tuple(each for at, each in enumerate(told) if each not in told[:at])

    def _still(self, task: FilmTask, shot: Shot) -> tuple[Warned, ...]:
        try:
            choice = ModelChoice(self.models, offline=self.brief.rules.offline)
            model = choice.for_task(task)
        except ServiceError:
            return ()  # who prices the film tells it
        return not_shown(self.brief.cast, shot, model.id, takes=model.image)

    def _takes(self, task: FilmTask, shot: Shot) -> bool:
        """Whether the clip can be had of a model, were it to begin with the picture."""
        showing = replace(self.brief, cast=self.brief.cast.beginning([shot.shot_id]))
        request = shot_request(showing, shot, model=task.model)
        models = in_batch(self.models, together(self.tasks, task))
        try:
            self.decide(request, as_asked(request), models)
        except ServiceError:
            return False
        return True


def not_shown(cast: Cast, shot: Shot, model: str, *, takes: bool) -> tuple[Warned, ...]:
    """What is told of the characters of a shot whose pictures its request does not carry."""
    names = [sheet.name for sheet in cast.pictured(shot)]
    if not takes and names:
        facts = {"model": model, "characters": ", ".join(names)}
        return (Notice(Said.CHARACTERS_IN_WORDS, facts),)
    if len(names) > 1:
        facts = {"shot": shot.shot_id, "first": names[0], "characters": ", ".join(names[1:])}
        return (Notice(Said.ONE_CHARACTER_SHOWN, facts),)
    return ()
