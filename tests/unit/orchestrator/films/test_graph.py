"""The dependency graph: what document 003 tests of it, and random graphs."""

import itertools

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.graph import AssetDependencyGraph, TaskType


def graph_of(tasks, *edges):
    """A graph of tasks by id and priority, and pairs (from, to)."""
    graph = AssetDependencyGraph()
    for task, priority in tasks.items():
        graph.add_node(task, TaskType.IMAGE, priority=priority)
    for edge in edges:
        graph.add_dependency(*edge)
    return graph


def standard(visuals=2):
    """The graph of document 003."""
    graph = AssetDependencyGraph()
    graph.add_node("script", "script", priority=100, estimated_resource_cost=0.3)
    graph.add_node("audio", "audio", priority=90, estimated_resource_cost=0.5)
    graph.add_node("captions", "captions", priority=40, estimated_resource_cost=0.2)
    graph.add_node("composition", "composition", priority=10, estimated_resource_cost=0.9)
    for number in range(visuals):
        graph.add_node(f"visual_{number}", "image", priority=50, estimated_resource_cost=0.4)
        graph.add_dependency("script", f"visual_{number}")
        graph.add_dependency(f"visual_{number}", "composition")
    for edge in (
        ("script", "audio"),
        ("audio", "captions"),
        ("audio", "composition"),
        ("captions", "composition"),
    ):
        graph.add_dependency(*edge)
    return graph


def ids(nodes):
    return [node.task_id for node in nodes]


def batches(graph):
    return [ids(batch) for batch in graph.get_optimal_execution_batches()]


def test_a_node_keeps_what_it_was_added_with():
    graph = AssetDependencyGraph()
    node = graph.add_node("script", "script", priority=100, estimated_resource_cost=0.3)
    assert graph.nodes == {"script": node}
    assert (node.task_type, node.priority, node.estimated_resource_cost) == ("script", 100, 0.3)


def test_an_id_is_taken_once():
    graph = graph_of({"script": 1})
    with pytest.raises(InvalidArgument, match="'script' is in the graph already"):
        graph.add_node("script", "script")


@pytest.mark.parametrize(("facts", "field"), [
    ({"task_type": "sculpture"}, "task_type"),
    ({"task_id": ""}, "task_id"),
    ({"estimated_resource_cost": 1.01}, "estimated_resource_cost"),
    ({"estimated_resource_cost": -0.01}, "estimated_resource_cost"),
])  # fmt: skip
def test_a_node_that_cannot_be_is_refused_by_name(facts, field):
    with pytest.raises(InvalidArgument) as refused:
        AssetDependencyGraph().add_node(**({"task_id": "a", "task_type": "image"} | facts))
    assert refused.value.violations[0].field == field


def test_an_unknown_type_names_the_types_there_are():
    with pytest.raises(InvalidArgument, match="script, image, animation, audio, music, sound"):
        AssetDependencyGraph().add_node("a", "sculpture")


def test_a_dependency_is_told_from_both_ends():
    graph = standard()
    assert ids(graph.get_dependencies("composition")) == [
        "audio", "visual_0", "visual_1", "captions",
    ]  # fmt: skip
    assert ids(graph.get_dependent_tasks("script")) == ["audio", "visual_0", "visual_1"]
    assert ids(graph.get_dependencies("script")) == []
    assert ids(graph.get_dependent_tasks("composition")) == []


@pytest.mark.parametrize(("edge", "field"), [
    (("nowhere", "script"), "from_task_id"),
    (("script", "nowhere"), "to_task_id"),
    (("script", "script"), "to_task_id"),
])  # fmt: skip
def test_a_dependency_on_what_is_not_there_is_refused(edge, field):
    with pytest.raises(InvalidArgument) as refused:
        standard().add_dependency(*edge)
    assert refused.value.violations[0].field == field


def test_asking_for_a_task_that_is_not_there_is_refused():
    for ask in (standard().get_dependencies, standard().get_dependent_tasks):
        with pytest.raises(InvalidArgument, match="'nowhere' is not in the graph"):
            ask("nowhere")


def test_saying_a_dependency_twice_changes_nothing():
    graph = standard()
    graph.add_dependency("script", "audio")
    assert batches(graph) == batches(standard())


def test_the_batches_of_the_standard_graph_are_those_of_the_document():
    assert batches(standard()) == [
        ["script"],
        ["audio", "visual_0", "visual_1"],
        ["captions"],
        ["composition"],
    ]


def test_the_example_of_the_document():
    graph = graph_of({"script": 100, "audio": 90, "visual1": 50},
                     ("script", "audio"), ("script", "visual1"))  # fmt: skip
    assert batches(graph) == [["script"], ["audio", "visual1"]]


def test_tasks_without_dependencies_are_one_batch_by_priority():
    assert batches(graph_of({"low": 1, "high": 9, "middle": 5})) == [["high", "middle", "low"]]


def test_an_empty_graph_has_no_batches():
    assert batches(AssetDependencyGraph()) == []


def test_a_circle_is_refused_and_its_path_is_named():
    graph = graph_of({"a": 1, "b": 1, "c": 1, "d": 1}, ("a", "b"), ("b", "c"), ("c", "a"))
    with pytest.raises(InvalidArgument) as refused:
        graph.get_optimal_execution_batches()
    named = refused.value.message.rpartition(": ")[2].split(" -> ")
    assert named[0] == named[-1]
    assert sorted(set(named)) == ["a", "b", "c"]


def test_what_is_ready_first_is_ordered_first_and_the_most_urgent_of_it():
    order = ids(standard().in_order())
    assert order == ["script", "audio", "visual_0", "visual_1", "captions", "composition"]


NAMES = [f"t{number:02d}" for number in range(12)]


# A machine under load draws slowly; what is drawn is not less for it.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def random_graphs(draw):
    """Tasks with priorities, and edges that only go from earlier to later names."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    tasks = {name: draw(st.integers(-3, 3)) for name in names}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    return tasks, edges


@unhurried
@given(random_graphs(), st.randoms(use_true_random=False))
def test_every_task_is_in_one_batch_right_behind_its_last_dependency(drawn, random):
    tasks, edges = drawn
    found = batches(graph_of(tasks, *edges))
    level = {task: number for number, batch in enumerate(found) for task in batch}
    assert sorted(task for batch in found for task in batch) == sorted(tasks)
    for task in tasks:
        before = [level[a] for a, b in edges if b == task]
        assert level[task] == max(before, default=-1) + 1
    for batch in found:
        assert batch == sorted(batch, key=lambda task: (-tasks[task], task))
    shuffled = list(tasks.items())
    random.shuffle(shuffled)
    assert batches(graph_of(dict(shuffled), *random.sample(edges, len(edges)))) == found


@unhurried
@given(random_graphs())
def test_in_order_nothing_comes_before_what_it_waits_for(drawn):
    tasks, edges = drawn
    order = ids(graph_of(tasks, *edges).in_order())
    assert sorted(order) == sorted(tasks)
    assert all(order.index(a) < order.index(b) for a, b in edges)


@unhurried
@given(random_graphs(), st.data())
def test_any_edge_back_makes_a_circle_that_is_named(drawn, data):
    tasks, edges = drawn
    assume(edges)
    first, last = data.draw(st.sampled_from(edges))
    graph = graph_of(tasks, *edges, (last, first))
    with pytest.raises(InvalidArgument) as refused:
        graph.in_order()
    path = refused.value.message.rpartition(": ")[2].split(" -> ")
    known = {*edges, (last, first)}
    assert path[0] == path[-1]
    assert set(itertools.pairwise(path)) <= known
