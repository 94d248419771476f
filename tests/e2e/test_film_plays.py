"""A film of copied and encoded parts, in the browser that people watch it with."""

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from services.generator.domain.compositions import Clip, ComposeTask, Transition
from services.generator.domain.media import Media
from services.generator.media.compose import Inputs, compose
from tests.fakes.clips import BITS, BLUE, GREEN, RED, make_clip, tone

pytestmark = pytest.mark.timeout(120)

# Shows the frame at each time and reads the number that is painted into it. A busy browser says
# "seeked" a moment before the frame is there: it is looked at again until it is the one wanted.
_READ = """
async ([source, times, bits, wanted]) => {
  const video = document.querySelector('video');
  const failed = new Promise((_, no) => video.onerror = () => no(video.error.message));
  const next = (name) => new Promise(yes => video.addEventListener(name, yes, {once: true}));
  const told = (name) => Promise.race([failed, next(name)]);
  const loaded = told('loadeddata');
  video.src = source;
  await loaded;
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const page = canvas.getContext('2d', {willReadFrequently: true});
  const side = Math.floor(video.videoWidth / (bits + 2)), half = Math.floor(side / 2);
  const read = () => {
    page.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < bits; bit++)
      if (page.getImageData(side * (bit + 1) + half, half, 1, 1).data[1] > 128) number |= 1 << bit;
    return number;
  };
  const found = [];
  for (const [at, time] of times.entries()) {
    const there = told('seeked');
    video.currentTime = time;
    await there;
    for (let look = 0; look < 100 && read() !== wanted[at]; look++)
      await new Promise(yes => setTimeout(yes, 20));
    found.push(read());
  }
  video.currentTime = 0;
  video.playbackRate = 4;
  const ended = told('ended');
  await video.play();
  await ended;
  const quality = video.getVideoPlaybackQuality();
  return {found, duration: video.duration, corrupted: quality.corruptedVideoFrames};
}
"""


def test_every_part_of_a_smart_film_is_shown_by_chromium(page: Page, tmp_path: Path) -> None:
    media = Media(url="https://example.com/any")
    files = [
        make_clip(tmp_path / f"{number}.mp4", color=color, size=(384, 216), sound=tone(2))
        for number, color in enumerate([RED, BLUE, GREEN])
    ]
    fade: dict[str, Any] = {"transition": Transition.CROSSFADE, "transition_seconds": 0.25}
    clips = (Clip(media=media), Clip(media=media, **fade), Clip(media=media, **fade))
    film = tmp_path / "film.mp4"
    made = compose(ComposeTask(clips=clips), Inputs(clips=files), film, lambda _: None)
    assert made.method == "smart"
    # Around every seam between what is copied and what is encoded, blends left out.
    apart = [0, 20, 35, 38, 39, 40, 41, 48, 49, 53, 54, 55, 70, 77, 80, 82, 83, 90, 95, 96, 131]
    wanted = [n if n < 42 else n - 42 if n < 84 else n - 84 for n in apart]
    source = "data:video/mp4;base64," + base64.b64encode(film.read_bytes()).decode()
    told = page.evaluate(_READ, [source, [(n + 0.5) / 24 for n in apart], BITS, wanted])
    assert told["found"] == wanted
    assert told["duration"] == pytest.approx(made.seconds, abs=0.05)
    assert told["corrupted"] == 0
