"""The graph of one film: its tasks, what each waits for, and what weighs how much."""

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.graph import AssetDependencyGraph, TaskType
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask, TaskState

SCRIPT, MUSIC, CAPTIONS, COMPOSITION = "script", "music", "captions", "composition"
THUMBNAIL = "thumbnail"
# Priority and weight, as document 003 has them, of every kind of task that a film can have.
WEIGHTS = {
    TaskType.SCRIPT: (100, 0.3),
    TaskType.AUDIO: (90, 0.5),
    TaskType.IMAGE: (50, 0.8),
    TaskType.ANIMATION: (50, 0.8),
    TaskType.RETRIEVAL: (50, 0.2),
    TaskType.UPSCALE: (45, 0.8),
    TaskType.MUSIC: (45, 0.5),
    TaskType.SOUND: (45, 0.4),
    TaskType.CAPTIONS: (40, 0.2),
    TaskType.COMPOSITION: (10, 0.9),
    TaskType.THUMBNAIL: (5, 0.1),
}


class Layout:
    """Lays out a film's graph. Raises InvalidArgument where it would not hold together."""

    def __init__(self, brief: FilmBrief, shots: tuple[Shot, ...], *, stock: bool = False) -> None:
        """Lay it out; `stock` for a film whose clips are found and not drawn."""
        self._brief, self._stock = brief, stock
        self._facts: dict[str, tuple[str, str]] = {}
        self.graph = AssetDependencyGraph()
        self._add(SCRIPT, TaskType.SCRIPT)
        self._add(COMPOSITION, TaskType.COMPOSITION)
        spoken = [self._shot(shot) for shot in shots]
        if brief.with_music:
            self._add(MUSIC, TaskType.MUSIC, model=brief.model_for("music", {}), after=(SCRIPT,))
            self._before_composition(MUSIC)
        if any(spoken) and brief.with_captions:
            voices = [task for task in spoken if task]
            self._add(CAPTIONS, TaskType.CAPTIONS, after=(*voices,))
            self._before_composition(CAPTIONS)
        if brief.thumbnail:
            self._add(THUMBNAIL, TaskType.THUMBNAIL, after=(COMPOSITION,))

    def _shot(self, shot: Shot) -> str:
        """Add the tasks of a shot; returns the id of its speech, "" where nobody speaks."""
        model = self._brief.model_for
        picture, after = model("image", shot.providers), SCRIPT
        if picture:
            after = self._add_for(shot, TaskType.IMAGE, picture, SCRIPT)
        drawn_by = self._brief.clip_model(shot)
        kind = TaskType.RETRIEVAL if self._stock and not drawn_by else TaskType.ANIMATION
        clip = self._add_for(shot, kind, drawn_by, after)
        self._before_composition(clip)
        if self._brief.upscale:
            self._before_composition(
                self._add_for(shot, TaskType.UPSCALE, model("upscale", {}), clip)
            )
        if shot.sound or shot.cues:
            sound = model("sound", {})
            self._before_composition(self._add_for(shot, TaskType.SOUND, sound, SCRIPT))
        if not shot.lines:
            return ""
        audio = self._add_for(shot, TaskType.AUDIO, model("audio", shot.providers), SCRIPT)
        self._before_composition(audio)
        return audio

    def _add_for(self, shot: Shot, kind: TaskType, model: str, after: str) -> str:
        task_id = f"{shot.shot_id}.{kind}"
        self._add(task_id, kind, shot=shot.shot_id, model=model, after=(after,))
        return task_id

    def _add(
        self,
        task_id: str,
        kind: TaskType,
        *,
        shot: str = "",
        model: str = "",
        after: tuple[str, ...] = (),
    ) -> None:
        priority, cost = WEIGHTS[kind]
        self.graph.add_node(task_id, kind, priority=priority, estimated_resource_cost=cost)
        self._facts[task_id] = (shot, model)
        for other in after:
            self.graph.add_dependency(other, task_id)

    def _before_composition(self, task_id: str) -> None:
        self.graph.add_dependency(task_id, COMPOSITION)

    def tasks(self) -> tuple[FilmTask, ...]:
        """Every task behind those it waits for. The script is done: there are shots."""
        return tuple(
            FilmTask(
                id=node.task_id,
                type=node.task_type,
                shot=self._facts[node.task_id][0],
                model=self._facts[node.task_id][1],
                priority=node.priority,
                resource_cost=node.estimated_resource_cost,
                dependencies=tuple(n.task_id for n in self.graph.get_dependencies(node.task_id)),
                state=(
                    TaskState.SUCCEEDED if node.task_type is TaskType.SCRIPT else TaskState.WAITING
                ),
            )
            for node in self.graph.in_order()
        )
