"""Checks a task against one model's own limits before anything is sent or paid.

STRICT refuses, naming the field and the allowed values; NEAREST takes the closest allowed value and
says so. Nothing is ever dropped, rounded or defaulted without a word in `Checked.warnings`, except
that an unset field takes the model's documented default.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.fitting import (
    facts_of,
    nearest_name,
    nearest_number,
    sizes_of_length,
)
from services.generator.domain.models import ANY, Carried, Model, Need, Sound
from services.generator.domain.pictures import check_picture
from services.generator.domain.sentences import Said, said
from services.generator.domain.tasks import Media, Task, operation_of
from services.generator.domain.voices import check_speech


class Fit(StrEnum):
    """What to do with a value that the model does not offer."""

    STRICT = "STRICT"
    NEAREST = "NEAREST"


@dataclass(frozen=True, slots=True)
class Checked:
    """A task as the model can do it, and every liberty taken, in words for the caller."""

    task: Task
    warnings: tuple[str, ...] = ()


def validate_request(
    model: Model, task: Task, fit: Fit = Fit.STRICT, exact: Collection[str] = ()
) -> Checked:
    """Return `task` with the model's defaults filled in, or raise InvalidArgument.

    STRICT with `exact` refuses for those fields alone; the others are taken as with NEAREST.
    The error names the first field at fault and lists the allowed values.
    """
    if operation_of(task) is not model.operation:
        message = f"{model.id} makes {model.operation}, not {operation_of(task)}"
        raise InvalidArgument("model", message, allowed=(model.operation,))
    check = _Check(model, task, fit, exact)
    check.inputs()
    for name in ("resolution", "aspect_ratio"):
        check.choice(name)
    check.duration()
    check.fps()
    check.seed()
    check.count()
    check.audio()
    check.words()
    check.options()
    check_speech(model, check.task)
    return Checked(check.task, tuple(check.warnings))


@dataclass(slots=True)
class _Check:
    model: Model
    task: Any  # one of the Task dataclasses; which fields it has is asked by name
    fit: Fit
    exact: Collection[str]
    warnings: list[str] = field(default_factory=list)

    def inputs(self) -> None:
        inputs = self.model.inputs
        edit = self._get("edit")
        if edit is not None and edit not in self.model.edits:
            message = f"{self.model.id} cannot {edit} a clip"
            raise InvalidArgument("operation", message, allowed=self.model.edits)
        for name in ("video", "image", "last_image"):
            if hasattr(self.task, name):
                self._need(name, getattr(inputs, name))
            if isinstance(media := self._get(name), Media):
                check_picture(self.model, name, media)
        alone = self._get("last_image") is not None and self._get("image") is None
        if alone and inputs.image is not Need.NONE:
            raise InvalidArgument("last_image", f"{self.model.id} takes it only with image")

    def _need(self, name: str, need: Need) -> None:
        value = self._get(name)
        if need is Need.REQUIRED and value is None:
            kind = "clip" if name == "video" else "picture"
            raise InvalidArgument(name, f"{self.model.id} works from a {kind}: give one")
        if need is Need.NONE and value is not None:
            raise InvalidArgument(name, f"{self.model.id} does not take one")

    def choice(self, name: str) -> None:
        if not hasattr(self.task, name):
            return
        base = self.model.resolutions if name == "resolution" else self.model.aspect_ratios
        allowed = self._under_rules(name, base)
        if name == "resolution" and "duration" in self.exact:
            allowed = sizes_of_length(allowed, self.model.rules, facts_of(self.task))
        value = self._get(name).lower()
        if not value:
            default = self.model.defaults.get(name, "")
            self._set(name, default if _offers(allowed, default) else next(iter(allowed), ""))
        elif _offers(allowed, value):
            self._set(name, value)
        else:
            self._take(name, value, allowed, nearest_name(name, value, allowed))

    def duration(self) -> None:
        if not hasattr(self.task, "duration_seconds"):
            return
        offered, value = self.model.durations, self._get("duration_seconds")
        if value is None:
            default = self.model.defaults.get("duration")
            value = None if default is None else float(default)
            self._set("duration_seconds", value)
        elif not offered.allows(value):
            near = offered.nearest(value) if offered.describe() else None
            self._take("duration", f"{value:g}", offered.describe(), near)
        self._duration_under_rules()

    def _duration_under_rules(self) -> None:
        value = self._get("duration_seconds")
        if value is None:
            return
        allowed = self._under_rules("duration", (f"{value:g}",), narrow=False)
        if f"{value:g}" not in allowed:
            near = nearest_number(value, [float(word) for word in allowed])
            self._take("duration", f"{value:g}", allowed, near)

    def fps(self) -> None:
        value = self._get("fps")
        if value is None or value in self.model.fps:
            return
        span = self.model.fps_range
        if span is not None and span[0] <= value <= span[1]:
            return
        allowed = [f"{span[0]:g}-{span[1]:g}"] if span else [f"{fps:g}" for fps in self.model.fps]
        near = nearest_number(value, self.model.fps or span or ())
        self._take("fps", f"{value:g}", allowed, near)

    def seed(self) -> None:
        value, maximum = self._get("seed"), self.model.seed_maximum
        if value is None or (maximum is not None and value <= maximum):
            return
        if maximum is None:
            self._leave("seed", Said.NO_SEED, None)
        else:
            self._take("seed", value, (f"0-{maximum}",), maximum)

    def count(self) -> None:
        value, most = getattr(self.task, "count", 1), self.model.max_variations
        if value > most:
            message = f"{value} is too many at once for {self.model.id}"
            raise InvalidArgument("count", message, allowed=(f"1-{most}",))

    def audio(self) -> None:
        value, sound = self._get("audio"), self.model.audio
        if value is True and sound is Sound.NONE:
            self._leave("audio", Said.SILENT_CLIPS, None, allowed=(False,))
        if value is False and sound is Sound.ALWAYS:
            self._leave("audio", Said.ALWAYS_SOUND, None, allowed=(True,))

    def words(self) -> None:
        if self._get("negative_prompt") and not self.model.negative_prompt:
            self._leave("negative_prompt", Said.NO_NEGATIVE_PROMPT, "")
        self._carry("style", self.model.style, "Style: {}.")
        self._carry("camera_motion", self.model.camera_motion, "Camera: {}.")
        self._prompt()

    def _carry(self, name: str, carried: Carried, sentence: str) -> None:
        value = self._get(name)
        if not value or carried is Carried.FIELD:
            return
        if carried is Carried.REFUSED:
            self._leave(name, Said.NO_FIELD, "")
            return
        prompt = f"{self.task.prompt.rstrip()} {sentence.format(value)}".strip()
        self.task = replace(self.task, prompt=prompt, **{name: ""})
        self.warnings.append(said(Said.PUT_IN_WORDS, field=name, model=self.model.id))

    def _prompt(self) -> None:
        name = "text" if hasattr(self.task, "text") else "prompt"
        if self.model.inputs.text is Need.NONE and self._get(name):
            # Every request carries a prompt: a model that reads none leaves it out, aloud.
            self._set(name, "")
            self.warnings.append(said(Said.PICTURE_ALONE, field=name, model=self.model.id))
        text, limit = self._get(name) or "", self.model.max_prompt_length
        if self.model.inputs.text is Need.REQUIRED and not text.strip():
            raise InvalidArgument(name, f"{self.model.id} needs one")
        utf16 = self.model.prompt_unit == "utf16 units"
        units = len(text.encode("utf-16-le")) // 2 if utf16 else len(text)
        if limit is not None and units > limit:
            message = f"has {units} {self.model.prompt_unit}, {self.model.id} takes {limit}"
            raise InvalidArgument(name, message, allowed=(f"at most {limit}",))

    def options(self) -> None:
        own = self.task.options.get(self.model.provider, {})
        if not isinstance(own, dict):
            raise InvalidArgument(f"options.{self.model.provider}", "must be an object")
        self.task = replace(self.task, options=own)

    def _under_rules(
        self, name: str, base: Iterable[str], *, narrow: bool = True
    ) -> tuple[str, ...]:
        allowed, facts = tuple(base), facts_of(self.task)
        for rule in self.model.rules:
            holds = all(facts.get(key, "") in values for key, values in rule.when.items())
            if rule.field == name and holds:
                kept = tuple(value for value in allowed if value in rule.allowed)
                allowed = kept if narrow or kept else rule.allowed
        return allowed

    def _take(self, name: str, value: object, allowed: Iterable[object], near: object) -> None:
        """Refuse `value`, or with NEAREST put `near` in its place and say so."""
        model = self.model.id
        if near in {None, ""}:
            told = said(Said.VALUE_LEFT_OUT, field=name, value=value, model=model)
        else:
            told = said(Said.VALUE_TAKEN, field=name, value=value, model=model, taken=near)
        self._or_refuse(name, told, allowed)
        self._set("duration_seconds" if name == "duration" else name, near)

    def _leave(self, name: str, why: Said, nothing: object, allowed: Iterable[object] = ()) -> None:
        """Refuse what the model cannot do at all, or with NEAREST leave it out and say so."""
        self._or_refuse(name, said(why, field=name, model=self.model.id), allowed)
        self._set(name, nothing)

    def _or_refuse(self, name: str, told: str, allowed: Iterable[object]) -> None:
        """Note the liberty, or refuse with the part of the sentence that says what is wrong."""
        if self.fit is Fit.STRICT and (not self.exact or name in self.exact):
            fault = told.removeprefix(f"{name}: ").rpartition("; ")[0]
            raise InvalidArgument(name, fault, allowed=tuple(allowed))
        self.warnings.append(told)

    def _get(self, name: str) -> Any:
        return getattr(self.task, name, None)

    def _set(self, name: str, value: object) -> None:
        self.task = replace(self.task, **{name: value})


def _offers(allowed: tuple[str, ...], value: str) -> bool:
    return bool(value) and (value in allowed or ANY in allowed)
