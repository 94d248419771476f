"""How films and their plans look in a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reelmesh.orchestrator.v1.film_service_pb2 import Film, FilmTask, Likeness
from services.suite.commands.display import money
from services.suite.commands.session import out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.type.money_pb2 import Money
    from rich.console import Console

    from reelmesh.orchestrator.v1.film_service_pb2 import PlanFilmResponse

_COLOURS = {
    "succeeded": "green",
    "degraded": "yellow",
    "running": "cyan",
    "failed": "red",
    "cancelled": "yellow",
}
# Columns of a shot, and the kinds of task that they show; those that no shot has are left out.
_COLUMNS = {
    "image": ("image",),
    "clip": ("animation", "retrieval"),
    "larger": ("upscale",),
    "voice": ("audio",),
    "sound": ("sound",),
}


def state_of(film: Film) -> Text:
    """The state in words and colour."""
    word = Film.State.Name(film.state).removeprefix("STATE_").lower()
    return Text(word.replace("_", " "), style=_COLOURS.get(word, "cyan"))


class Reel:
    """A table of all shots that changes while a film is made."""

    def __init__(self, console: Console) -> None:
        """Show it on this console."""
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._preview = ""

    def __enter__(self) -> Self:
        """Begin."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def show(self, film: Film) -> None:
        """Show the newest state, and where what is there can be looked at already."""
        self._preview = film.preview_url or self._preview
        look = Text(f"  preview  {self._preview}" if self._preview else "", overflow="fold")
        self._live.update(Group(film_table(film), look))


def film_table(film: Film) -> Table:
    """One line for each shot, and one for what belongs to the whole film."""
    there = {task.type for task in film.tasks}
    columns = {name: kinds for name, kinds in _COLUMNS.items() if there.intersection(kinds)}
    title = _headline(film)
    table = Table("shot", *columns, "cost", title=title, box=None, title_justify="left")
    # A title is wrapped to the table, however much room there is beside it.
    table.min_width = title.cell_len
    for shot in film.shots:
        mine = [task for task in film.tasks if task.shot == shot]
        cells = [_cell([t for t in mine if t.type in kinds]) for kinds in columns.values()]
        table.add_row(shot, *cells, money_of(mine))
    for task in film.tasks:
        if not task.shot:
            cells = [_cell([task]), *[Text()] * (len(columns) - 1)]
            table.add_row(Text(task.type, style="bold"), *cells, money_of([task]))
    return table


def money_of(tasks: Iterable[FilmTask]) -> str:
    """What tasks cost together; "" for nothing."""
    micros = sum(t.cost.units * 1_000_000 + t.cost.nanos // 1000 for t in tasks)
    return f"${micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0") if micros else ""


def spared_of(saved: Money) -> str:
    """What cheaper models for the background have taken off, in words; "" for nothing."""
    if not (saved.units or saved.nanos):
        return ""
    return f"{money(saved)} by cheaper models for shots in the background"


def _headline(film: Film) -> Text:
    parts: list[str | Text] = [film.title or film.name, "  ", state_of(film)]
    parts.append(f"  {film.progress_percent} %")
    parts.append(f"  {money(film.cost)}")
    if film.HasField("budget_limit"):
        parts.append(f" of {money(film.budget_limit)}")
    if film.HasField("eta"):
        left = film.eta.ToNanoseconds() / 1e9 - time.time()
        parts.append(f"  about {left:.0f} s left" if left > 0 else "")
    return Text.assemble(*parts)


def _cell(tasks: list[FilmTask]) -> Text:
    if not tasks:
        return Text("")
    task = tasks[0]
    if task.placeholder:
        return Text("placeholder", style="yellow")
    words = task.state if task.state != "running" else f"{task.progress_percent} %"
    return Text(words, style=_COLOURS.get(task.state, "dim"))


def _likenesses(film: Film) -> list[str]:
    return [f"{t.id} {_alike(t.likeness)}" for t in film.tasks if t.HasField("likeness")]


def _alike(likeness: Likeness) -> str:
    """How much something looks like a character, or why nobody knows."""
    if not likeness.HasField("score"):
        return f"to {likeness.character}: not measured, {likeness.not_measured}"
    tries = f", the best of {likeness.tries}" if likeness.tries > 1 else ""
    return f"to {likeness.character}: {likeness.score:.2f}{tries}"


def show_films(films: Iterable[Film]) -> None:
    """Print one line per film."""
    table = Table("film", "state", "%", "version", "cost", "title", box=None, pad_edge=False)
    for film in films:
        table.add_row(
            film.name.removeprefix("films/"),
            state_of(film),
            str(film.progress_percent),
            str(film.version or ""),
            money(film.cost),
            Text(film.title or film.creative_id, no_wrap=True, overflow="ellipsis"),
        )
    out.print(table)


def show_film(film: Film) -> None:
    """Print what explains one film."""
    out.print(film_table(film))
    out.print(Text(f"  name     {film.name}"))
    _show_cuts(film)
    for line in _likenesses(film):
        out.print(Text(f"  likeness {line}", style="dim"))
    _show_end(film)


def _show_cuts(film: Film) -> None:
    for cut in film.cuts:
        seconds = cut.duration.seconds + cut.duration.nanos / 1e9
        quality = f", quality {cut.quality:.2f}" if cut.HasField("quality") else ""
        match = f", pictures like their words {cut.prompt_match:.2f}"
        quality += match if cut.HasField("prompt_match") else ""
        out.print(Text(f"  cut {cut.version}    {cut.asset}, {seconds:g} s{quality}"))
        if cut.not_measured:
            out.print(Text(f"           not measured: {', '.join(cut.not_measured)}", style="dim"))
        for finding in cut.findings:
            out.print(Text(f"           {finding}", style="yellow"))


def show_plan(plan: PlanFilmResponse) -> None:
    """Print the batches, what each task is made by, and the price."""
    tasks = {task.id: task for task in plan.tasks}
    for number, batch in enumerate(plan.batches, 1):
        out.print(Text(f"batch {number}", style="bold"))
        for name in batch.tasks:
            task = tasks[name]
            usual = f"  not {money(task.usual_price)}" if task.HasField("usual_price") else ""
            line = f"  {name:28} {task.model:24} {money_of([task]):>10}{usual}"
            out.print(Text(line), soft_wrap=True)
    strategy = plan.strategy
    out.print(
        f"{strategy.type}, {strategy.max_concurrency} at once, {strategy.visual_approach}: "
        f"{strategy.reason}"
    )
    _show_price(plan)
    if plan.HasField("p50_latency"):
        out.print(f"time  about {plan.p50_latency.seconds} s for the clips")
    for warning in plan.warnings:
        out.print(Text(f"note  {warning}", style="yellow"))


def _show_price(plan: PlanFilmResponse) -> None:
    """Print what it would cost, at worst, and less what."""
    if plan.HasField("max_price"):
        out.print(f"price {money(plan.min_price)} to {money(plan.max_price)}")
    else:
        out.print("price not known")
    if plan.HasField("worst_price") and plan.worst_price != plan.max_price:
        out.print(
            f"worst {money(plan.worst_price)} with all that may be unlike its sheet made again"
        )
    if plan.discount.units or plan.discount.nanos:
        out.print(f"less  {money(plan.discount)} by discounts for batches, already taken off")
    if spared := spared_of(plan.background_savings):
        out.print(f"less  {spared}")


def _show_end(film: Film) -> None:
    """Print what it was spared, where it can be watched, and what went wrong."""
    if spared := spared_of(film.background_savings):
        out.print(Text(f"  less     {spared}"))
    if film.content_url:
        # Not wrapped: a URL in two lines is no URL.
        out.print(Text(f"  watch    {film.content_url}"), soft_wrap=True)
    if film.HasField("error"):
        out.print(Text(f"  error    {film.error.message}", style="red"))
    for warning in film.warnings:
        out.print(Text(f"  note     {warning}", style="yellow"))
