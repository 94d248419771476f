"""What a step of each denoiser is given at a shape: sizes alone, to be tried on fake tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from services.generator.domain.shapes import Shape

Config: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sized:
    """A tensor of these sizes; `dtype` "" is the model's own."""

    sizes: tuple[int, ...]
    dtype: str = ""


def sized(*sizes: int, dtype: str = "") -> Sized:
    """Return a tensor of these sizes."""
    return Sized(sizes, dtype)


def _ltx(config: Config, shape: Shape) -> dict[str, Any]:
    """Guidance runs both halves at once."""
    frames, height, width = _latent(shape, time=8, side=32)
    count = frames * height * width
    return {
        "hidden_states": sized(2, count, config["in_channels"]),
        "encoder_hidden_states": sized(2, 128, config["caption_channels"]),
        "encoder_attention_mask": sized(2, 128),
        "timestep": sized(2),
        "num_frames": frames,
        "height": height,
        "width": width,
        "rope_interpolation_scale": (8 / 25, 32, 32),
    }


def _wan(config: Config, shape: Shape) -> dict[str, Any]:
    """The decoder of 48 channels is TI2V-5B's: 16 pixels to a latent, the others have 8."""
    side = 16 if config["out_channels"] == 48 else 8
    given = {
        "hidden_states": sized(1, config["in_channels"], *_latent(shape, time=4, side=side)),
        "timestep": sized(1, dtype="int64"),
        "encoder_hidden_states": sized(1, 512, config["text_dim"]),
    }
    if config.get("image_dim"):
        given["encoder_hidden_states_image"] = sized(1, 257, config["image_dim"])
    return given


def _wan_animate(config: Config, shape: Shape) -> dict[str, Any]:
    """A segment of 77 frames at most, and the picture of the one who moves before it."""
    frames = min(shape.frames, 77)
    count, height, width = _latent(replace(shape, frames=frames), time=4, side=8)
    face = config["motion_encoder_size"]
    return {
        "hidden_states": sized(1, config["in_channels"], count + 1, height, width),
        "timestep": sized(1, dtype="int64"),
        "encoder_hidden_states": sized(1, 512, config["text_dim"]),
        "encoder_hidden_states_image": sized(1, 257, config["image_dim"]),
        "pose_hidden_states": sized(1, config["latent_channels"], count, height, width),
        "face_pixel_values": sized(1, 3, frames, face, face),
    }


def _hunyuan(config: Config, shape: Shape) -> dict[str, Any]:
    return {
        "hidden_states": sized(1, config["in_channels"], *_latent(shape, time=4, side=8)),
        "timestep": sized(1),
        "encoder_hidden_states": sized(1, 256, config["text_embed_dim"]),
        "encoder_attention_mask": sized(1, 256),
        "pooled_projections": sized(1, config["pooled_projection_dim"]),
        "guidance": sized(1),
    }


def _cogvideox(config: Config, shape: Shape) -> dict[str, Any]:
    frames, height, width = _latent(shape, time=4, side=8)
    given = {
        "hidden_states": sized(2, frames, config["in_channels"], height, width),
        "encoder_hidden_states": sized(2, 226, config["text_embed_dim"]),
        "timestep": sized(2, dtype="int64"),
    }
    if config.get("use_rotary_positional_embeddings"):
        rope = sized(frames * height * width // 4, config["attention_head_dim"], dtype="float32")
        given["image_rotary_emb"] = (rope, rope)  # type: ignore[assignment]  # a pair of them
    return given


def _flux(config: Config, shape: Shape) -> dict[str, Any]:
    count = shape.height // 16 * (shape.width // 16)
    given = {
        "hidden_states": sized(1, count, config["in_channels"]),
        "encoder_hidden_states": sized(1, 512, config["joint_attention_dim"]),
        "pooled_projections": sized(1, config["pooled_projection_dim"]),
        "timestep": sized(1),
        "img_ids": sized(count, 3),
        "txt_ids": sized(512, 3),
    }
    return {**given, "guidance": sized(1)} if config.get("guidance_embeds") else given


def _latent(shape: Shape, *, time: int, side: int) -> tuple[int, int, int]:
    return (shape.frames - 1) // time + 1, shape.height // side, shape.width // side


TRIALS: Mapping[str, Callable[[Config, Shape], dict[str, Any]]] = {
    "LTXVideoTransformer3DModel": _ltx,
    "WanTransformer3DModel": _wan,
    "WanAnimateTransformer3DModel": _wan_animate,
    "HunyuanVideoTransformer3DModel": _hunyuan,
    "CogVideoXTransformer3DModel": _cogvideox,
    "FluxTransformer2DModel": _flux,
}
