"""Pictures, voices, music and effects of films are bought once for a tenant."""

import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import Unavailable
from services.orchestrator.domain.cache.entries import Entry
from services.orchestrator.domain.cache.keys import artefact_key, exact_key
from services.orchestrator.domain.cache.policy import CachePolicy, Choice
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.shots import Cue
from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.films.wants import known_by, larger, picture_known_by
from services.orchestrator.domain.films.works import CaptionsWork, ComposeWork, SpeechWork
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.policy import CacheRules, TenantPolicy
from services.orchestrator.domain.values import Clip
from services.orchestrator.usecases.artefacts import KeptArtefacts
from services.orchestrator.usecases.films.foresee import ForeseeFilm, Sketch
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.reuse import Reuse
from tests.fakes.film_parts import NOW, MemoryFilms, MemoryVoices, ScriptedWorks
from tests.fakes.journal import Crash
from tests.fakes.memory_cache import MemoryCache, MemoryClips, Tally
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import MemoryJobs
from tests.unit.orchestrator.films.films import MODELS, EndingJobs, Studio, film, local, shots

LARGER = local("here_larger", "upscale")
PRICED = tuple(replace(m, image=True) if m.task == "video" else m for m in (*MODELS, LARGER))
PROVIDERS = {"image": "vendor_picture", "audio": "vendor_speech"}
COST = 3_000


@dataclass
class Shop:
    """Studios of one house: the same cache, ledger, voices and clock for all of its films."""

    rules: CacheRules = field(default_factory=CacheRules)
    policy: CachePolicy = field(default_factory=CachePolicy)

    def __post_init__(self):
        self.store, self.clips, self.tally = MemoryCache(NOW), MemoryClips(), Tally()
        self.ledger, self.voices, self.ids = MemoryLedger(), MemoryVoices(), itertools.count(1)

    @property
    def artefacts(self):
        reuse = Reuse(
            store=self.store,
            clips=self.clips,
            jobs=MemoryJobs(),
            ledger=self.ledger,
            counting=self.tally,
            policy=self.policy,
            now=lambda: self.store.now,
        )
        policies = FixedPolicies(TenantPolicy(cache=self.rules))
        return KeptArtefacts(reuse=reuse, policies=policies, new_id=lambda: f"e{next(self.ids)}")

    def studio(self, *films):
        """A studio whose vendors are paid for all but the cut and its captions."""
        free = ("captions", "composition", "preview", "upscale")
        works = ScriptedWorks(cost=lambda r: 0 if any(word in r for word in free) else COST)
        return Studio.of(
            *films,
            works=works,
            jobs=EndingJobs(cost_micros=0),
            models=PRICED,
            ledger=self.ledger,
            voices=self.voices,
            artefacts=self.artefacts,
        )

    async def make(self, made):
        """Make a film in a studio of its own; returns the film and what was bought for it."""
        studio = self.studio(made)
        ended = await studio.make(f"{made.id}.{made.run}")
        assert ended.state == "succeeded", ended.error
        orders = [o for o in studio.works.begun if not o.startswith("preview/")]
        return ended, sorted(order.split("/")[1] for order in orders)


def told(sound="rain", **facts):
    """Two shots, each with another effect."""
    return tuple(replace(s, sound=f"{sound} {s.shot_id}") for s in shots(2, **facts))


def wanted(film_id="f1", *, tenant="acme", of=(), **brief):
    """A film of two shots, each with a still, a voice and an effect, over music."""
    made = film(of=of or told(), **({"providers": PROVIDERS, "upscale": True} | brief))
    return replace(made, id=film_id, tenant=tenant)


EVERY = [
    "captions", "composition", "music",
    "s1.audio", "s1.image", "s1.sound", "s1.upscale",
    "s2.audio", "s2.image", "s2.sound", "s2.upscale",
]  # fmt: skip
MADE_ANEW = ["captions", "composition"]
# Studios draw every clip anew, so that what is made of it is new as well.
OF_CLIPS = ["s1.upscale", "s2.upscale"]


async def test_the_second_film_buys_no_picture_no_voice_no_music_and_no_effect_again():
    shop = Shop()
    first, bought = await shop.make(wanted("f1"))
    assert bought == EVERY
    spent = sum(account.spent for account in shop.ledger.accounts.values())
    second, bought = await shop.make(wanted("f2"))
    assert bought == sorted(MADE_ANEW + OF_CLIPS)
    assert sum(a.spent for a in shop.ledger.accounts.values()) == spent
    served = [t for t in second.tasks if t.type in {"image", "audio", "music", "sound"}]
    assert [t.pieces for t in served] == [first.task(t.id).pieces for t in served]
    assert {t.cost_micros for t in served} == {0}
    assert {t.saved_micros for t in served} == {COST}


async def test_what_was_saved_is_in_the_ledger_in_storage_and_in_the_figures():
    shop = Shop()
    await shop.make(wanted("f1"))
    assert shop.tally.hits == []
    assert shop.tally.misses == [("acme", "exact")] * len(EVERY[2:])
    await shop.make(wanted("f2"))
    saved = {a.charge.attempt: a.saved for a in shop.ledger.accounts.values() if a.saved}
    assert saved == {f"f2/{task}/1.1/0": COST for task in EVERY[2:] if not task.endswith("upscale")}
    assert set(shop.clips.uses) == set(saved) == {attempt for _, attempt in shop.store.uses}
    assert sorted(shop.tally.hits) == [
        ("acme", "exact", p, COST) for p in ("reelmesh",) * 3 + ("vendor",) * 4
    ]


@pytest.mark.parametrize(("change", "again"), [
    ({"use_cache": False}, EVERY),
    ({"tenant": "globex"}, EVERY),
    ({"aspect_ratio": "1:1"}, [*MADE_ANEW, "s1.image", *OF_CLIPS, "s2.image"]),
    ({"music": "wild"}, [*MADE_ANEW, "music", *OF_CLIPS]),
    ({"language": "sw"}, [*MADE_ANEW, "s1.audio", *OF_CLIPS, "s2.audio"]),
    ({"of": told("wind")}, [*MADE_ANEW, "s1.sound", *OF_CLIPS, "s2.sound"]),
    ({"of": told(seed=7)}, [*MADE_ANEW, "s1.image", *OF_CLIPS, "s2.image"]),
    ({"of": told(mood="glad")}, [*MADE_ANEW, "music", *OF_CLIPS]),
])  # fmt: skip
async def test_whatever_changes_what_is_seen_or_heard_is_made_again(change, again):
    shop = Shop()
    await shop.make(wanted("f1"))
    _, bought = await shop.make(wanted("f2", **change))
    assert bought == sorted(again)


async def test_a_film_without_the_cache_leaves_nothing_there():
    shop = Shop()
    await shop.make(wanted("f1", use_cache=False))
    assert shop.store.entries == {}


async def test_a_tenant_that_opted_out_is_neither_served_nor_kept():
    shop = Shop(rules=CacheRules(enabled=False))
    await shop.make(wanted("f1"))
    assert shop.store.entries == {}


async def test_what_is_older_than_the_tenant_allows_is_made_again():
    shop = Shop()
    await shop.make(wanted("f1"))
    shop.rules = CacheRules(lifetime=timedelta(days=1))
    shop.store.now = NOW + timedelta(days=2)
    _, bought = await shop.make(wanted("f2"))
    assert bought == EVERY


async def test_what_was_deleted_is_made_again_and_forgotten():
    shop = Shop()
    first, _ = await shop.make(wanted("f1"))
    [still] = first.task("s1.image").pieces
    shop.clips.deleted.add(still.asset)
    second, bought = await shop.make(wanted("f2"))
    assert bought == sorted([*MADE_ANEW, "s1.image", *OF_CLIPS])
    assert second.task("s1.image").pieces != (still,)
    assert still.asset not in {entry.clip.asset for entry in shop.store.entries.values()}


async def test_a_shot_that_is_made_again_gets_another_picture():
    shop = Shop()
    first, _ = await shop.make(wanted("f1"))
    again = first.remade(NOW, first.shot("s1"))
    studio = shop.studio(again)
    made = await studio.make("f1.2")
    assert made.task("s1.image").pieces != first.task("s1.image").pieces
    _, bought = await shop.make(wanted("f2"))
    assert bought == sorted(MADE_ANEW + OF_CLIPS)  # with the picture of the first version


async def test_spoken_words_keep_their_times():
    shop = Shop()
    words = (Word(text="This", start=0.0, end=0.3),)
    await shop.make(wanted("f1"))
    for key, entry in shop.store.entries.items():
        shop.store.entries[key] = replace(entry, words=words)
    second, _ = await shop.make(wanted("f2"))
    [piece] = second.task("s1.audio").pieces
    assert piece.words == words


async def test_while_storage_is_away_what_is_there_serves_all_the_same():
    class Away(MemoryClips):
        async def reused(self, use):
            raise Unavailable

    shop = Shop()
    await shop.make(wanted("f1"))
    shop.clips = Away()
    _, bought = await shop.make(wanted("f2"))
    assert bought == sorted(MADE_ANEW + OF_CLIPS)


class MortalFilms(MemoryFilms):
    """Films whose process dies at some changes: what was done since the last is done twice."""

    def __init__(self, dice, *films):
        super().__init__(*films)
        self.dice = dice

    async def change(self, film_id, mutate):
        if self.dice.random() < 0.2:
            raise Crash
        return await super().change(film_id, mutate)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
async def test_whatever_dies_nothing_is_bought_twice_and_nothing_saved_that_was_bought(seed):
    shop, dice = Shop(), random.Random(seed)
    one, two = told()
    laughing = (Cue(sound="laughing"), Cue(sound="gasping"))
    shown = (replace(one, cues=laughing), replace(two, cues=(Cue(sound="sighing"),)))
    for number in ("f1", "f2"):
        studio = shop.studio()
        studio.films = MortalFilms(dice, wanted(number, of=shown))
        while not studio.films.films[number].state.terminal:
            with suppress(Crash):
                await studio.make(f"{number}.1")
        ended = studio.films.films[number]
        assert ended.state == "succeeded"
        scope = Scope(ScopeKind.FILM, number)
        assert (0, ended.cost_micros) == shop.ledger.sums("acme", scope)
    spent = {k: a for k, a in shop.ledger.accounts.items() if a.spent}
    saved = {k: a for k, a in shop.ledger.accounts.items() if a.saved}
    assert not spent.keys() & saved.keys()
    assert {attempt.split("/")[0] for _, attempt in spent} == {"f1"}
    assert sum(a.spent for a in spent.values()) == 10 * COST == sum(a.saved for a in saved.values())


def test_a_clip_and_a_picture_are_never_taken_for_each_other():
    shot, brief = shots(1)[0], film().brief
    request = shot_request(brief, shot)
    still = artefact_key("acme", "m", picture_known_by(brief, shot))
    clip = exact_key("acme", request, model="m", iteration=1, references={})
    assert len({still, clip}) == 2


def test_captions_and_cuts_are_made_anew_every_time():
    assert known_by(CaptionsWork(lines=(), language="en", seconds=1.0)) is None
    assert known_by(ComposeWork(clips=())) is None
    assert known_by(larger(Piece(asset="assets/a", sha256=""))) is None
    assert known_by(larger(Piece(asset="assets/a", sha256="1"))) == known_by(
        larger(Piece(asset="assets/b", sha256="1"))
    )
    assert known_by(SpeechWork(text="a", language="en")) is not None


# -- what a plan tells of it ---------------------------------------------------------------------


def sketch(made):
    choice = Choice(PRICED, TenantPolicy())
    return Sketch(
        tenant=made.tenant, brief=made.brief, shots=made.shots, tasks=made.tasks, choice=choice
    )


def clip_entry(made, task_id, image):
    """The entry of a shot's clip."""
    task = made.task(task_id)
    request = shot_request(made.brief, made.shot(task.shot), model=task.model)
    key = exact_key("acme", request, model="auto", iteration=1, references={"image": image})
    clip = Clip(
        asset=f"assets/{task_id}",
        storage_url="",
        sha256=f"sha-{task_id}",
        width=1,
        height=1,
        fps=24.0,
        duration_seconds=2.0,
    )
    return Entry(
        id=task_id,
        tenant="acme",
        key=key,
        shape="shape",
        clip=clip,
        prompt=request.prompt,
        language="en",
        model="vendor_video",
        provider="vendor",
        cost_micros=50_000,
        job="j1",
        create_time=NOW,
        expire_time=NOW + timedelta(days=1),
    )


async def test_a_plan_foresees_exactly_what_will_be_served():
    shop = Shop()
    first, _ = await shop.make(wanted("f1"))
    foresee = ForeseeFilm(artefacts=shop.artefacts, voices=shop.voices)
    there = await foresee(sketch(wanted("f2")))
    assert {task for task, _ in there} == set(EVERY[2:]) - set(OF_CLIPS)
    # A clip that begins with the still that is there, and what was made of the clip.
    await shop.store.put(clip_entry(first, "s1.animation", first.task("s1.image").pieces[0].sha256))
    there = await foresee(sketch(wanted("f2")))
    assert there["s1.animation", 0].cost_micros == 50_000
    assert ("s2.animation", 0) not in there
    assert shop.tally.hits == []
    assert shop.store.uses == {}
    assert await foresee(sketch(wanted("f3", use_cache=False))) == {}
    assert await foresee(sketch(wanted("f3", tenant="globex"))) == {}


async def test_a_clip_whose_still_is_gone_is_not_foreseen():
    shop = Shop()
    first, _ = await shop.make(wanted("f1"))
    [still] = first.task("s1.image").pieces
    await shop.store.put(clip_entry(first, "s1.animation", still.sha256))
    shop.clips.deleted.add(still.asset)
    there = await ForeseeFilm(artefacts=shop.artefacts, voices=shop.voices)(sketch(wanted("f2")))
    assert ("s1.image", 0) not in there
    assert ("s1.animation", 0) not in there
