"""What may not be asked for, found by rules: words and phrases by category. Pure."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from services.common.errors import Moderated

# Begins the sentence in which a model without a negative prompt is told what must not be seen.
AVOID = "Avoid: "
# Invisible characters that would hide a word from the rules.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One category is hit when each of the groups has a word or phrase in the text.

    A rule of `always` holds for every tenant, whatever its policy says.
    """

    category: str
    groups: tuple[tuple[str, ...], ...]
    always: bool = False
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the words. Raises ValueError where a rule could never, or would always, match."""
        if not self.category or not self.groups or not all(self.groups):
            message = f"the rule of category {self.category!r} has no words"
            raise ValueError(message)
        patterns = []
        for group in self.groups:
            if not all(word.strip() for word in group):
                message = f"the rule of category {self.category!r} has an empty word"
                raise ValueError(message)
            words = "|".join(re.escape(plain(word)) for word in group)
            patterns.append(re.compile(rf"(?<!\w)(?:{words})(?!\w)"))
        object.__setattr__(self, "_patterns", tuple(patterns))

    def hits(self, text: str) -> bool:
        """Whether the plain text breaks the rule."""
        return all(pattern.search(text) for pattern in self._patterns)


@dataclass(frozen=True)
class RulesPack:
    """All rules of a deployment."""

    rules: tuple[Rule, ...] = ()

    def flagged(self, text: str, *, only_always: bool = False) -> tuple[str, ...]:
        """Categories that the text falls under, each once, in the order of the rules."""
        shown = plain(text)
        found = [
            rule.category
            for rule in self.rules
            if (rule.always or not only_always) and rule.hits(shown)
        ]
        return tuple(dict.fromkeys(found))

    def kept(self, categories: Sequence[str], allowed: Collection[str]) -> tuple[str, ...]:
        """The categories that the tenant may not use; those of `always` nobody may."""
        always = {rule.category for rule in self.rules if rule.always}
        return tuple(c for c in categories if c in always or c not in allowed)


def plain(text: str) -> str:
    """The text as the rules see it: no look-alikes, nothing invisible, one space between words."""
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(shown.split())


def depicted(text: str) -> str:
    """The text without the sentence that says what must not be seen, which is put last.

    "Avoid: nude." asks for nothing that a rule is about.
    """
    before, found, after = text.rpartition(AVOID)
    return before if found and "." not in after.strip().removesuffix(".") else text


def moderated(categories: Sequence[str], by: str) -> Moderated:
    """The refusal before anything was sent or paid; `by` is "rules" or "endpoint"."""
    names = ", ".join(categories)
    facts = {"by": by, "category": categories[0], "charged": "no"}
    return Moderated(f"the prompt falls under {names}; nothing was sent or paid", metadata=facts)
