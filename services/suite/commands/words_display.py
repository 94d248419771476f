"""How understood prompts and broken down scripts look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from services.suite.commands.display import money
from services.suite.commands.session import out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.duration_pb2 import Duration

    from reelmesh.prompt.v1 import prompt_pb2
    from reelmesh.prompt.v1.prompt_service_pb2 import RegeneratePromptResponse

_WHENCE = {
    "caller": "you set it",
    "rules": "your words say it",
    "preset": "the preset",
    "llm": "the language model's guess",
    "default": "the default",
}
_MOST_LINES = 40


def show_prompt(
    first: prompt_pb2.QuantifiedPrompt, changed: RegeneratePromptResponse | None = None
) -> None:
    """Print what would be sent, what was understood, and what a feedback changed."""
    last = changed.quantified_prompt if changed else first
    out.print(Text(last.prompt, style="bold"), soft_wrap=True)
    out.print(_parameters(last))
    if changed:
        _show_changes(changed)
    _show_warnings([*first.warnings, *(last.warnings if changed else ())])
    template = f" · {last.template}" if last.template else ""
    out.print(f"{_language(last.language)} · {_understood(last)}{template}", style="dim")


def _parameters(found: prompt_pb2.QuantifiedPrompt) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for field, value in found.parameters.ListFields():
        name = field.name.replace("_", " ")
        if field.name == "duration":
            words = _seconds(value)
        elif field.is_repeated:
            words = ", ".join(value)
        else:
            words = str(value).replace("_", " ")
        whence = _WHENCE.get(found.provenance.get(field.name, ""), "")
        table.add_row(name, Text(words), Text(whence, style="dim"))
    return table


def _show_changes(changed: RegeneratePromptResponse) -> None:
    table = Table("changed", "from", "to", "because", box=None, pad_edge=False)
    for each in changed.changes:
        row = (each.field.replace("_", " "), each.before, each.after, f'"{each.because}"')
        table.add_row(*map(Text, row))
    out.print()
    out.print(f"Iteration {changed.iteration}, made from {changed.parent_iteration}")
    out.print(table)


def show_breakdown(found: prompt_pb2.ScriptBreakdown, *, brief: bool) -> None:
    """Print title, characters, scenes and, unless it shall be brief, every shot with its lines."""
    shots = [shot for scene in found.scenes for shot in scene.shots]
    total = sum(shot.duration.seconds + shot.duration.nanos / 1e9 for shot in shots)
    out.print(Text(found.title or "Untitled", style="bold"))
    out.print(
        f"{_count(len(found.scenes), 'scene')}, {_count(len(shots), 'shot')}, about {_clock(total)}"
    )
    _show_characters(found.characters)
    for scene in found.scenes:
        _show_scene(scene, brief=brief)
    _show_warnings(found.warnings)
    out.print(f"{_language(found.language)} · {_understood(found)}", style="dim")


def _show_characters(characters: Iterable[prompt_pb2.Character]) -> None:
    table = Table("character", "lines", "also", "looks", box=None, pad_edge=False)
    for each in characters:
        # What differs in capitals alone tells a reader nothing.
        also = (alias for alias in each.aliases if alias.casefold() != each.name.casefold())
        row = (each.name, str(each.lines), ", ".join(also), each.description)
        table.add_row(*map(Text, row))
    if table.row_count:
        out.print()
        out.print(table)


def _show_scene(scene: prompt_pb2.Scene, *, brief: bool) -> None:
    length = sum(shot.duration.seconds + shot.duration.nanos / 1e9 for shot in scene.shots)
    facts = [scene.landscape, scene.time_of_day, scene.mood, _count(len(scene.shots), "shot")]
    title = Text(f"{scene.number}. {scene.heading or '(no heading)'}", style="bold")
    out.print()
    out.print(title.append(f"  {' · '.join(filter(None, facts))} · {_clock(length)}", style="dim"))
    if brief:
        return
    for shot in scene.shots:
        what = " · ".join((shot.shot_type, shot.camera_motion, _seconds(shot.duration)))
        line = Text(f"{shot.number:>4}  ").append(what.replace("_", " "), style="cyan")
        out.print(line.append(f"  {shot.action}"), soft_wrap=True)
        for spoken in shot.dialogue:
            cues = "".join(f" [{cue}]" for cue in spoken.cues)
            words = Text("      ").append(f"{spoken.speaker}:", style="magenta")
            out.print(words.append(f"{cues} {spoken.text}"), soft_wrap=True)


def _show_warnings(warnings: Iterable[str]) -> None:
    told = list(dict.fromkeys(warnings))
    for warning in told[:_MOST_LINES]:
        out.print(Text("! ", style="yellow").append(warning, style="default"), soft_wrap=True)
    if len(told) > _MOST_LINES:
        out.print(f"! and {len(told) - _MOST_LINES} more", style="yellow")


def _understood(found: prompt_pb2.QuantifiedPrompt | prompt_pb2.ScriptBreakdown) -> str:
    by = f"understood by {found.llm_model}" if found.source == "llm" else "understood by rules"
    if not found.llm_model:
        return by
    asked = "" if found.source == "llm" else f" after asking {found.llm_model}"
    price = money(found.cost) if found.HasField("cost") else "at a price nobody told"
    return f"{by}{asked} · {found.llm_tokens} tokens, {price}"


def _language(tag: str) -> str:
    return {"en": "English", "sw": "Swahili", "mul": "mixed languages"}.get(tag, tag or "und")


def _seconds(length: Duration) -> str:
    return f"{length.seconds + length.nanos / 1e9:g} s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
