import pytest

from services.common.errors import FailedPrecondition, InvalidArgument
from services.generator.domain.weights import RemoteFile, needed


def chosen(*paths: str) -> list[str]:
    return [file.path for file in needed(RemoteFile(path=path) for path in paths)]


def test_of_a_diffusers_repository_the_components_are_taken_and_not_the_single_files() -> None:
    assert chosen("model_index.json", "all-in-one.safetensors", "vae/m.safetensors") == [
        "model_index.json",
        "vae/m.safetensors",
    ]


def test_of_a_transformers_repository_the_weights_at_the_top_are_taken() -> None:
    listed = ("config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert chosen(*listed, "pytorch_model.bin", "tf_model.h5") == list(listed)


def test_a_variant_is_taken_only_where_there_is_nothing_else() -> None:
    both = ("unet/m.safetensors", "unet/m.fp16.safetensors", "vae/m.fp16.safetensors")
    assert chosen("model_index.json", *both) == [
        "model_index.json",
        "unet/m.safetensors",
        "vae/m.fp16.safetensors",
    ]


@pytest.mark.parametrize("path", ["../out.json", "/etc/passwd.json", "a/../../b.json", "", "a\\b"])
def test_a_path_that_leads_out_of_its_folder_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="leads out"):
        RemoteFile(path=path)


def test_without_safetensors_nothing_is_taken() -> None:
    with pytest.raises(FailedPrecondition, match="no weights in safetensors"):
        chosen("config.json", "pytorch_model.bin")
