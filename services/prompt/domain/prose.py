"""A story in prose: its paragraphs, the speech in them, and what is told about both."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

_PARAGRAPH = re.compile(r"\n\s*\n")
_QUOTE = re.compile(
    '["“”„]([^"“”\n]{1,1000})["“”]|«([^»\n]{1,1000})»|「([^」\n]{1,1000})」'
    r"|(?<!\w)[‘']([^’'\n]{2,1000}(?:[’'](?=\w)[^’'\n]{1,1000})*)[’'](?!\w)"
)
_WORD = re.compile(r"\w+")
_LINKS = frozenset({"a", "an", "the", "in", "on", "at", "of", "near", "outside", "inside"})


@dataclass(frozen=True)
class Quote:
    """Speech within a paragraph; `start` and `end` include the marks."""

    start: int
    end: int
    words: str


@dataclass(frozen=True)
class Passage:
    """One paragraph, numbered through the story from 0."""

    number: int
    text: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class SceneLabel:
    """A scene that begins with a paragraph."""

    first: int
    place: str = ""
    time_of_day: str = ""

    @property
    def heading(self) -> str:
        """In the way of a screenplay: "the old market - morning"."""
        return " - ".join(part for part in (self.place, self.time_of_day) if part)


@dataclass(frozen=True)
class Person:
    """Somebody in the story, other names and looks as the text has them."""

    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Labels:
    """What is told about a story. Speakers go by paragraph and by quote within it."""

    scenes: tuple[SceneLabel, ...] = ()
    speakers: Mapping[tuple[int, int], str] = field(default_factory=dict)
    people: tuple[Person, ...] = ()


NO_LABELS = Labels()


def passages_of(script: str) -> tuple[Passage, ...]:
    """The paragraphs of a story, each on one line."""
    plain = script.replace("\r\n", "\n").replace("\r", "\n")
    texts = (" ".join(part.split()) for part in _PARAGRAPH.split(plain))
    return tuple(
        Passage(number, text, _quotes(text)) for number, text in enumerate(filter(None, texts))
    )


def _quotes(text: str) -> tuple[Quote, ...]:
    return tuple(
        Quote(match.start(), match.end(), next(g for g in match.groups() if g))
        for match in _QUOTE.finditer(text)
    )


def portions(
    passages: tuple[Passage, ...], characters: int, most: int
) -> tuple[tuple[Passage, ...], ...]:
    """The story in parts of about so many characters, the first `most` of them."""
    found: list[list[Passage]] = []
    size = characters
    for passage in passages:
        if size + len(passage.text) > characters:
            if len(found) == most:
                break
            found.append([])
            size = 0
        found[-1].append(passage)
        size += len(passage.text)
    return tuple(map(tuple, found))


def verified(labels: Labels, passages: tuple[Passage, ...]) -> Labels:
    """Only what the text itself bears out: paragraphs and quotes that exist, names it contains.

    Raises:
        ValueError: more than half of what was said about speakers is made up.
    """
    known = {passage.number: passage for passage in passages}
    text = "\n".join(passage.text for passage in passages).casefold()
    speakers = {
        place: name
        for place, name in labels.speakers.items()
        if place[0] in known and place[1] < len(known[place[0]].quotes) and name.casefold() in text
    }
    if len(speakers) * 2 < len(labels.speakers):
        msg = "most speakers are not in the text"
        raise ValueError(msg)
    people = (_borne_out(person, text) for person in labels.people)
    words = frozenset(_WORD.findall(text))
    return Labels(
        tuple(_placed(scene, words) for scene in labels.scenes if scene.first in known),
        speakers,
        tuple(person for person in people if person.name.casefold() in text),
    )


def joined(parts: Iterable[Labels]) -> Labels:
    """The labels of all parts; the first that describes somebody is right."""
    scenes: dict[int, SceneLabel] = {}
    speakers: dict[tuple[int, int], str] = {}
    people: dict[str, Person] = {}
    for part in parts:
        scenes |= {scene.first: scene for scene in part.scenes}
        speakers |= part.speakers
        for person in part.people:
            before = people.get(person.name, Person(person.name))
            people[person.name] = Person(
                person.name,
                tuple(dict.fromkeys((*before.aliases, *person.aliases))),
                before.description or person.description,
            )
    ordered = tuple(scenes[first] for first in sorted(scenes))
    return Labels(ordered, speakers, tuple(people.values()))


def _placed(scene: SceneLabel, words: frozenset[str]) -> SceneLabel:
    """The scene with its place, where that is made of words of the story."""
    told = set(_WORD.findall(scene.place.casefold())) - _LINKS
    return scene if told <= words else replace(scene, place="")


def _borne_out(person: Person, text: str) -> Person:
    aliases = tuple(alias for alias in person.aliases if alias.casefold() in text)
    told = person.description if person.description.casefold() in text else ""
    return replace(person, aliases=aliases, description=told)
