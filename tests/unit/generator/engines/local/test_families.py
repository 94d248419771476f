"""Every family on a checkpoint of a few kilobytes: shapes, seeds, and a stop between two steps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.families import ltx_video, recognise
from services.generator.engines.local.families.flux import Flux
from services.generator.engines.local.family import Frames, Picture, RunOrder, Stopped
from services.generator.engines.local.probe import Source, probe
from services.generator.engines.local.running import run_pipeline

pytestmark = [
    pytest.mark.xdist_group("torch"),
    # Oobleck, the codec of diffusers' own, still builds itself this way.
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    # So do its Euler scheduler with numpy 2, and the noise of torchsde at its last step.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning"),
]

CLIP = Shape(width=40, height=30, frames=4, fps=8.0)
SQUARE = Shape(width=60, height=60, frames=4, fps=8.0)  # two by two latents are the least
FIXED = Shape(width=96, height=64, frames=9, fps=8.0)  # its positions were learned at this size
BRIEF = Shape(width=40, height=30, frames=2, fps=8.0)
STILL = Shape(width=40, height=30)
TUNE = Shape(seconds=0.5)
# Checkpoint, family, what is asked for, and what is made of it: frames at a rate on the grid.
CLIPS = [
    ("ltx_video", "ltx_video", CLIP, (64, 32, 9, 8.0)),
    ("ltx_2", "ltx_2", SQUARE, (64, 64, 9, 12.0)),
    ("wan_2_1", "wan", CLIP, (48, 32, 9, 16.0)),
    ("wan_2_1_i2v", "wan_image", CLIP, (48, 32, 9, 16.0)),
    ("wan_2_2_a14b", "wan", CLIP, (48, 32, 9, 16.0)),
    ("wan_2_2_a14b_i2v", "wan_image", CLIP, (48, 32, 9, 16.0)),
    ("wan_2_2_5b", "wan_small", CLIP, (64, 32, 13, 24.0)),
    ("wan_animate", "wan_animate", BRIEF, (48, 32, 5, 30.0)),
    ("hunyuan_video", "hunyuan_video", CLIP, (48, 32, 13, 24.0)),
    ("hunyuan_video_1_5", "hunyuan_video_1_5", CLIP, (48, 32, 13, 24.0)),
    ("cogvideox", "cogvideox", CLIP, (48, 32, 9, 8.0)),
    ("cogvideox_i2v", "cogvideox_image", FIXED, (96, 64, 9, 8.0)),
    ("stability_svd", "svd", CLIP, (64, 64, 4, 8.0)),
]
PICTURES = [
    ("flux_dev", "flux"),
    ("flux_schnell", "flux"),
    ("flux_kontext", "flux_kontext"),
    ("sdxl", "sdxl"),
]
SOUNDS = [
    ("stable_audio", Operation.SOUND, 2, 8000),
    ("audioldm2", Operation.SOUND, 1, 16000),
    ("ace_step", Operation.MUSIC, 2, 4000),
]
PICTURED = {"wan_2_1_i2v", "wan_2_2_a14b_i2v", "wan_animate", "cogvideox_i2v", "stability_svd"}
BOTH = ["ltx_2", "wan_2_2_5b", "flux_dev", "sdxl"]
"""Take a picture and do without one, over the same weights."""


class Loaded:
    """A family with one of its checkpoints, loaded for a shape."""

    def __init__(self, folder: Path, asked: Shape):
        self.facts = probe(folder)
        self.family = recognise(self.facts)
        self.shape = self.family.snap(asked)
        source = Source(model=folder.name, location=str(folder))
        self.resident = self.family.load(source, Plan(device=Device(), shape=self.shape))
        self.steps: list[tuple[int, int]] = []

    def make(self, seed=7, on_step=None, prompts=("a fox runs",), seeds=None, **order):
        self.steps.clear()
        told = on_step or (lambda done, total: self.steps.append((done, total)))
        run = RunOrder(
            **{"shape": self.shape, "steps": 2, **order}, prompts=prompts, seeds=seeds or (seed,)
        )
        return [values(made) for made in self.family.run(self.resident, run, told)]


def values(made):
    if isinstance(made, Frames):
        frames = np.concatenate(list(made.chunks))
        assert len(frames) == made.count
        return frames if made.sound is None else (frames, made.sound.samples, made.sound.rate)
    return made.pixels if isinstance(made, Picture) else (made.samples, made.rate)


def same(one, other):
    if isinstance(one, tuple):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    return np.array_equal(one, other)


@pytest.fixture(scope="module")
def loaded(shelf):
    """Loads each checkpoint once, whatever the order of the tests."""
    import torch

    torch.set_num_threads(1)  # more would wait for each other longer than these sizes compute
    kept: dict[tuple[str, Shape], Loaded] = {}

    def get(name: str, asked: Shape) -> Loaded:
        key = (name, asked)
        if key not in kept:
            kept[key] = Loaded(shelf.get(name), asked)
        return kept[key]

    return get


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "first.png"
    pixels = np.random.default_rng(3).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return {"image": path}


def given_to(name, files):
    return {"files": files} if name in PICTURED else {}


def holds_to_its_seed_and_stops(model: Loaded, given):
    """The same seed gives the same, another one another; a stopped run leaves nothing behind."""
    first = model.make(7, **given)[0]
    assert model.steps[0][0] == 0
    assert model.steps[-1] == (model.steps[-1][1],) * 2
    assert [done for done, _ in model.steps] == list(range(len(model.steps)))
    assert not same(first, model.make(8, **given)[0])
    stops: list[int] = []

    def stop(done: int, total: int) -> None:
        stops.append(done)
        if done == 1:
            raise Stopped

    with pytest.raises(Stopped):
        model.make(8, on_step=stop, **given)
    assert stops[-1] == 1
    assert same(first, model.make(7, **given)[0])
    return first


@pytest.mark.parametrize(
    ("name", "family", "asked", "wanted"), CLIPS, ids=[row[0] for row in CLIPS]
)
def test_clips_have_their_shape_hold_to_their_seed_and_stop_between_steps(
    loaded, files, name, family, asked, wanted
):
    model = loaded(name, asked)
    assert model.family.name == family
    assert model.family.operation is Operation.VIDEO
    width, height, count, _ = wanted
    shape = model.shape
    assert (shape.width, shape.height, shape.frames, shape.fps) == wanted
    assert (shape.frames - 1) / shape.fps >= (asked.frames - 1) / asked.fps
    made = holds_to_its_seed_and_stops(model, given_to(name, files))
    frames = made[0] if isinstance(made, tuple) else made
    assert (frames.shape, frames.dtype) == ((count, height, width, 3), np.uint8)


def test_ltx_decodes_with_the_noise_that_its_card_names(loaded, monkeypatch):
    given = {}

    def told(pipeline, arguments, on_step):
        given.update(arguments)
        return run_pipeline(pipeline, arguments, on_step)

    monkeypatch.setattr(ltx_video, "run_pipeline", told)
    loaded("ltx_video", CLIP).make()
    assert (given["decode_timestep"], given["decode_noise_scale"]) == (0.05, 0.025)


def test_ltx_2_makes_stereo_sound_as_long_as_its_picture(loaded):
    model = loaded("ltx_2", SQUARE)
    _, samples, rate = model.make()[0]
    assert (samples.shape[0], rate, samples.dtype) == (2, 16000, np.float32)
    assert samples.shape[1] / rate == pytest.approx(model.shape.frames / model.shape.fps, abs=0.1)


@pytest.mark.parametrize(("name", "family"), PICTURES)
def test_pictures_have_their_size_hold_to_their_seed_and_stop_between_steps(loaded, name, family):
    model = loaded(name, STILL)
    assert (model.family.name, model.family.operation) == (family, Operation.IMAGE)
    assert (model.shape.width, model.shape.height) == ((40, 32) if name == "sdxl" else (48, 32))
    pixels = holds_to_its_seed_and_stops(model, {})
    assert (pixels.shape, pixels.dtype) == ((32, model.shape.width, 3), np.uint8)


@pytest.mark.parametrize("name", ["flux_dev", "sdxl"])
def test_alike_pictures_share_a_run_and_keep_their_own_seeds(loaded, name):
    model = loaded(name, STILL)
    assert model.family.batches
    both = model.make(prompts=("a fox", "a fox"), seeds=(7, 8))
    alone = [model.make(seed, prompts=("a fox",))[0] for seed in (7, 8)]
    assert len(both) == 2
    for one, other in zip(both, alone, strict=True):  # sums in another order: close, not equal
        assert np.abs(one.astype(int) - other).max() <= 2


def test_a_reference_is_followed_from_the_first_step_and_by_every_seed(loaded, tmp_path):
    model, files = loaded("flux_kontext", STILL), {}
    for color in ("red", "blue"):
        files[color] = tmp_path / f"{color}.png"
        Image.new("RGB", (70, 50), color).save(files[color])
    [alone] = model.make()
    shown = {color: model.make(files={"image": path})[0] for color, path in files.items()}
    [again] = model.make(files={"image": files["red"]})
    assert alone.shape == again.shape
    assert (again == shown["red"]).all()
    assert (shown["red"] != shown["blue"]).any()
    assert (shown["red"] != alone).any()
    assert len(model.make(files={"image": files["red"]}, prompts=("a", "a"), seeds=(7, 8))) == 2
    needs = model.family.footprint(model.facts, model.shape)
    assert needs.denoise == 2 * Flux().footprint(model.facts, model.shape).denoise


@pytest.mark.parametrize(("name", "operation", "channels", "rate"), SOUNDS)
def test_sounds_have_their_length_hold_to_their_seed_and_stop_between_steps(
    loaded, name, operation, channels, rate
):
    model = loaded(name, TUNE)
    assert model.family.operation is operation
    samples, at = holds_to_its_seed_and_stops(model, {})
    assert at == rate
    assert (samples.shape, samples.dtype) == ((channels, rate // 2), np.float32)
    assert np.abs(samples).max() <= 1


@pytest.mark.parametrize("name", BOTH)
def test_a_picture_changes_what_the_same_weights_make(loaded, files, name):
    model = loaded(name, {"ltx_2": SQUARE, "wan_2_2_5b": CLIP}.get(name, STILL))
    assert not same(model.make()[0], model.make(files=files)[0])


@pytest.mark.parametrize("name", ["wan_2_2_5b", "wan_2_1_i2v", "stability_svd", "ltx_2"])
def test_a_clip_goes_on_from_the_last_frame_before_it(loaded, name):
    model = loaded(name, SQUARE if name == "ltx_2" else CLIP)
    assert model.family.overlap == 1
    size = (1, model.shape.height, model.shape.width, 3)
    dark, light = np.zeros(size, np.uint8), np.full(size, 255, np.uint8)
    assert not same(model.make(lead=dark)[0], model.make(lead=light)[0])


@pytest.mark.parametrize("name", sorted(PICTURED - {"cogvideox_i2v"}))
def test_what_works_from_a_picture_refuses_to_do_without(loaded, name):
    with pytest.raises(InvalidArgument) as caught:
        loaded(name, BRIEF if name == "wan_animate" else CLIP).make()
    assert caught.value.violations[0].field == "image"


@pytest.mark.parametrize("name", ["wan_2_1", "wan_2_2_a14b", "cogvideox"])
def test_what_works_from_words_alone_refuses_a_picture(loaded, files, name):
    with pytest.raises(InvalidArgument) as caught:
        loaded(name, CLIP).make(files=files)
    assert caught.value.violations[0].field == "image"


def test_a_last_picture_is_taken_where_the_checkpoint_has_a_place_for_it(loaded, files):
    both = {**files, "last_image": files["image"]}
    model = loaded("wan_2_2_a14b_i2v", CLIP)
    assert not same(model.make(files=files)[0], model.make(files=both)[0])
    for name in ("wan_2_1_i2v", "wan_2_2_5b"):
        with pytest.raises(InvalidArgument) as caught:
            loaded(name, CLIP).make(files=both)
        assert caught.value.violations[0].field == "last_image"


def test_lyrics_change_a_song(loaded):
    model = loaded("ace_step", TUNE)
    given = {"shape": Shape(seconds=2.0)}
    assert not same(
        model.make(**given)[0], model.make(lyrics="[verse]\nthe river sings", **given)[0]
    )


def test_the_lines_of_a_song_begin_with_bars(loaded):
    model = loaded("ace_step", TUNE)

    def sung(**options):
        order = RunOrder(
            prompts=("a slow song",), seeds=(7,), steps=1, shape=Shape(seconds=4.0),
            lyrics="[verse]\nThe river sings\nto me", options=options,
        )  # fmt: skip
        return model.family.run(model.resident, order, lambda *_: None)[0]

    made = sung(tempo=120)  # two seconds a bar
    assert [(word, start) for word, start, _ in made.words] == [
        ("The", 0.0), ("river", pytest.approx(2 / 3)), ("sings", pytest.approx(4 / 3)),
        ("to", 2.0), ("me", 3.0),
    ]  # fmt: skip
    assert made.words[-1][2] == made.samples.shape[1] / made.rate == 4.0
    assert not np.array_equal(made.samples, sung(tempo=180).samples)  # the model is told of it
    with pytest.raises(InvalidArgument, match=r"options\.local\.tempo"):
        sung(tempo=10)


def test_a_sound_that_is_longer_than_the_checkpoint_makes_is_refused(loaded):
    model = loaded("stable_audio", TUNE)
    with pytest.raises(InvalidArgument, match="at most 4 s"):
        model.make(shape=Shape(seconds=4.5))


def test_how_much_of_a_picture_changes_must_be_a_share(loaded, files):
    for wrong in (0, 1.5, "much"):
        with pytest.raises(InvalidArgument, match="strength"):
            loaded("sdxl", STILL).make(files=files, options={"strength": wrong})


def test_hunyuan_1_5_decodes_in_tiles_whatever_the_plan_says(loaded):
    assert loaded("hunyuan_video_1_5", CLIP).resident.pipeline.vae.use_tiling
    assert not loaded("hunyuan_video", CLIP).resident.pipeline.vae.use_tiling
