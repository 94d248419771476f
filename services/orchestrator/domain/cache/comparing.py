"""Whether a clip made for one prompt may serve another, apart from how alike they sound.

Similarity alone is not enough: "a dog" and "no dog", "two cats" and "three cats", "a red car" and
"a blue car" sound alike to every model of meaning. So everything that a prompt names has to be
named by the other: things and how many, names, colours, what happens, what must not be seen. Only
words that stand for the same (see `words.toml`), their forms, their place where it means nothing,
and words that ask for a good film may differ.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.domain.cache.reading import Reading, Term


@dataclass(frozen=True)
class Difference:
    """What keeps a clip from serving: a constraint's name and a sentence.

    `mine` and `theirs` are words which nothing is known of: a model of meaning may say that they
    stand for the same. They are empty where nothing could.
    """

    constraint: str
    reason: str
    mine: str = ""
    theirs: str = ""


def difference(wanted: Reading, there: Reading) -> Difference | None:
    """The first thing that one prompt says and the other does not; None when they say the same."""
    mine, theirs = _lacking(wanted.terms, there.terms), _lacking(there.terms, wanted.terms)
    if mine or theirs:
        return _named(mine, theirs)
    if not _same_order(wanted.terms, there.terms):
        reason = "the same words in another order: who does what, or which is what, may differ"
        return Difference("order", reason)
    return None


def _lacking(terms: Sequence[Term], others: Sequence[Term]) -> list[Term]:
    """Terms that the others do not have, or have less often."""
    return [*(Counter(terms) - Counter(others)).elements()]


def _named(mine: Sequence[Term], theirs: Sequence[Term]) -> Difference:
    every = [*mine, *theirs]
    constraint = next((name for name, holds in _KINDS if any(map(holds, every))), "content")
    reason = f"{_listed(mine)} is asked for, {_listed(theirs)} is there"
    if constraint == "negation" or not _open(mine) or not _open(theirs):
        return Difference(constraint, reason)
    return Difference(constraint, reason, _text(mine), _text(theirs))


_KINDS = (
    ("negation", lambda term: term.negated),
    ("counted objects", lambda term: term.kind == "count" or bool(term.many)),
    ("named characters", lambda term: term.name and term.kind == "other"),
    ("quoted words", lambda term: term.kind == "quote"),
)


def _open(terms: Sequence[Term]) -> bool:
    """Whether a model of meaning may judge them: plain words that no list knows, and no names."""
    return bool(terms) and all(
        t.kind == "other" and not (t.negated or t.name or t.many) for t in terms
    )


def _text(terms: Sequence[Term]) -> str:
    return " ".join(term.concept for term in terms)


def _listed(terms: Sequence[Term]) -> str:
    return ", ".join(map(str, terms)) or "nothing else"


def _same_order(wanted: Sequence[Term], there: Sequence[Term]) -> bool:
    """Whether what is ordered follows each other alike.

    A sentence may begin with its end ("On the beach a dog runs"), which turns the order round
    without changing what follows what.
    """
    mine, theirs = [t for t in wanted if t.ordered], [t for t in there if t.ordered]
    turns = (theirs[i:] + theirs[:i] for i in range(max(len(theirs), 1)))
    return any(mine == turned for turned in turns)
