"""How much a picture looks like words: the cosine that the library itself makes of the two."""

import pytest
import torch
from PIL import Image, UnidentifiedImageError
from transformers import CLIPModel, CLIPProcessor

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.families import recognise
from services.generator.engines.local.family import RunOrder
from services.generator.engines.local.probe import Source, probe

pytestmark = pytest.mark.xdist_group("torch")


@pytest.fixture(scope="module")
def loaded(shelf):
    torch.set_num_threads(1)
    folder = shelf.get("clip")
    family = recognise(probe(folder))
    source = Source(model="clip", location=str(folder))
    return family, family.load(source, Plan(device=Device(), shape=Shape()))


def drawn(path, color):
    Image.linear_gradient("L").convert("RGB").resize((64, 36)).save(path)
    with Image.open(path) as opened:
        Image.blend(opened.convert("RGB"), Image.new("RGB", opened.size, color), 0.7).save(path)
    return path


def compare(loaded, path, words):
    family, resident = loaded
    order = RunOrder(prompts=(words,), seeds=(0,), shape=Shape(), files={"image": path})
    return family.run(resident, order, lambda *_: None)[0].value


def test_the_score_is_the_cosine_that_the_library_makes(loaded, shelf, tmp_path):
    assert loaded[0].operation is Operation.CHECK
    folder = shelf.get("clip")
    model, ready = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    for color, words in (("red", "A red wall"), ("blue", "A calm sea at sunset")):
        path = drawn(tmp_path / f"{color}.png", color)
        with Image.open(path) as opened, torch.inference_mode():
            made = model(**ready(text=[words], images=[opened], return_tensors="pt", padding=True))
            wanted = made.logits_per_image / model.logit_scale.exp()
        assert compare(loaded, path, words) == pytest.approx(float(wanted), abs=1e-5)


def test_other_words_and_other_pictures_have_other_scores(loaded, tmp_path):
    red, blue = (drawn(tmp_path / f"{color}.png", color) for color in ("red", "blue"))
    scores = {compare(loaded, path, words) for path in (red, blue) for words in ("A wall", "A sea")}
    assert len(scores) == 4
    assert all(-1 <= score <= 1 for score in scores)


def test_words_beyond_what_it_reads_are_left_out(loaded, tmp_path):
    path = drawn(tmp_path / "a.png", "green")
    long = "A very long wall. " * 50
    assert compare(loaded, path, long) == pytest.approx(compare(loaded, path, long * 2), abs=1e-6)


def test_what_is_no_picture_is_refused(loaded, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(UnidentifiedImageError):
        compare(loaded, path, "A wall")


def beside(loaded, path, other):
    family, resident = loaded
    files = {"image": path, "beside": other}
    order = RunOrder(prompts=("",), seeds=(0,), shape=Shape(), files=files)
    return family.run(resident, order, lambda *_: None)[0].value


def test_two_pictures_are_as_alike_as_the_library_makes_their_embeddings(loaded, shelf, tmp_path):
    folder = shelf.get("clip")
    model, ready = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    red, blue = (drawn(tmp_path / f"{color}.png", color) for color in ("red", "blue"))
    embeds = []
    for path in (red, blue):
        with Image.open(path) as opened, torch.inference_mode():
            given = ready(text=["a"], images=[opened], return_tensors="pt", padding=True)
            embeds.append(model(**given).image_embeds)
    assert beside(loaded, red, blue) == pytest.approx(
        float((embeds[0] * embeds[1]).sum()), abs=1e-5
    )
    assert beside(loaded, red, blue) == pytest.approx(beside(loaded, blue, red), abs=1e-5)
    assert beside(loaded, red, red) == pytest.approx(1.0, abs=1e-5)
    assert beside(loaded, red, blue) < 0.9999
