"""Which task waits for which: the graph that a film is made by. Pure."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from services.common.errors import InvalidArgument


class TaskType(StrEnum):
    """Kinds of work in a film; each has an executor, and no other kind can be planned."""

    SCRIPT = "script"
    IMAGE = "image"
    ANIMATION = "animation"
    AUDIO = "audio"
    MUSIC = "music"
    SOUND = "sound"
    CAPTIONS = "captions"
    COMPOSITION = "composition"
    RETRIEVAL = "retrieval"
    UPSCALE = "upscale"
    THUMBNAIL = "thumbnail"


# What gives a shot its clip: drawn, or found.
VISUAL = frozenset({TaskType.ANIMATION, TaskType.RETRIEVAL})


def task_type(word: str) -> TaskType:
    """The kind of this name. Raises InvalidArgument for a kind that nothing could execute."""
    if word not in set(TaskType):
        raise InvalidArgument("task_type", f"{word!r} is not known", allowed=TaskType)
    return TaskType(word)


@dataclass(frozen=True, kw_only=True)
class GenerationNode:
    """A task of the graph.

    Of two tasks that are ready the one with the higher `priority` begins first.
    `estimated_resource_cost` is from 0 (light) to 1 (the whole machine).
    """

    task_id: str
    task_type: TaskType
    priority: int = 0
    estimated_resource_cost: float = 0.5

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a node that could not be named or weighed."""
        if not self.task_id:
            raise InvalidArgument("task_id", "is empty", allowed=("an id within the film",))
        if not 0.0 <= self.estimated_resource_cost <= 1.0:
            raise InvalidArgument(
                "estimated_resource_cost", "is out of range", allowed=("0.0 to 1.0",)
            )


class AssetDependencyGraph:
    """Tasks and their dependencies; what it says depends on them alone, not on their order."""

    def __init__(self) -> None:
        """Start without tasks."""
        self._nodes: dict[str, GenerationNode] = {}
        self._before: dict[str, set[str]] = {}
        self._after: dict[str, set[str]] = {}

    @property
    def nodes(self) -> Mapping[str, GenerationNode]:
        """Every task by its id."""
        return self._nodes

    def add_node(
        self,
        task_id: str,
        task_type: TaskType | str,
        *,
        priority: int = 0,
        estimated_resource_cost: float = 0.5,
    ) -> GenerationNode:
        """Add a task. Raises InvalidArgument for an id that is taken or a type not known."""
        if task_id in self._nodes:
            raise InvalidArgument("task_id", f"{task_id!r} is in the graph already")
        node = GenerationNode(
            task_id=task_id,
            task_type=_type(task_type),
            priority=priority,
            estimated_resource_cost=estimated_resource_cost,
        )
        self._nodes[task_id] = node
        self._before[task_id], self._after[task_id] = set(), set()
        return node

    def add_dependency(self, from_task_id: str, to_task_id: str) -> None:
        """Let `to_task_id` wait for `from_task_id`; saying it twice changes nothing.

        Raises InvalidArgument for a task that is not there or that would wait for itself.
        """
        for name, task_id in (("from_task_id", from_task_id), ("to_task_id", to_task_id)):
            self._require(name, task_id)
        if from_task_id == to_task_id:
            raise InvalidArgument("to_task_id", f"{to_task_id!r} cannot wait for itself")
        self._before[to_task_id].add(from_task_id)
        self._after[from_task_id].add(to_task_id)

    def get_dependencies(self, task_id: str) -> tuple[GenerationNode, ...]:
        """Tasks that must be done before this one, most urgent first. Raises InvalidArgument."""
        self._require("task_id", task_id)
        return self._sorted(self._before[task_id])

    def get_dependent_tasks(self, task_id: str) -> tuple[GenerationNode, ...]:
        """Tasks that wait for this one, most urgent first. Raises InvalidArgument."""
        self._require("task_id", task_id)
        return self._sorted(self._after[task_id])

    def get_optimal_execution_batches(self) -> tuple[tuple[GenerationNode, ...], ...]:
        """Every task in the earliest batch that its dependencies allow, most urgent first.

        Raises InvalidArgument, naming the path, where tasks wait for each other in a circle.
        """
        sorter = self._sorter()
        batches = []
        while sorter.is_active():
            ready = sorter.get_ready()
            sorter.done(*ready)
            batches.append(self._sorted(ready))
        return tuple(batches)

    def in_order(self) -> tuple[GenerationNode, ...]:
        """Every task behind its dependencies, and of those that are ready the most urgent first.

        Raises InvalidArgument, naming the path, where tasks wait for each other in a circle.
        """
        return tuple(self._walk(self._sorter()))

    def _walk(self, sorter: "TopologicalSorter[str]") -> Iterator[GenerationNode]:
        ready: list[tuple[int, str]] = []
        while sorter.is_active():
            for task_id in sorter.get_ready():
                heapq.heappush(ready, _urgency(self._nodes[task_id]))
            _, task_id = heapq.heappop(ready)
            yield self._nodes[task_id]
            sorter.done(task_id)

    def _sorter(self) -> "TopologicalSorter[str]":
        sorter = TopologicalSorter({task: sorted(self._before[task]) for task in self._nodes})
        try:
            sorter.prepare()
        except CycleError as error:
            path = " -> ".join(error.args[1])
            raise InvalidArgument("dependencies", f"go in a circle: {path}") from error
        return sorter

    def _sorted(self, tasks: set[str] | Sequence[str]) -> tuple[GenerationNode, ...]:
        return tuple(sorted((self._nodes[task] for task in tasks), key=_urgency))

    def _require(self, name: str, task_id: str) -> None:
        if task_id not in self._nodes:
            raise InvalidArgument(name, f"{task_id!r} is not in the graph")


def _type(given: TaskType | str) -> TaskType:
    return given if isinstance(given, TaskType) else task_type(given)


def _urgency(node: GenerationNode) -> tuple[int, str]:
    return -node.priority, node.task_id
