"""The command line without a suite: help, texts and money."""

import re
from pathlib import Path

import grpc
import pytest
from google.type.money_pb2 import Money
from typer.testing import CliRunner

from reelmesh.orchestrator.v1.film_service_pb2 import CreateFilmRequest
from reelmesh.orchestrator.v1.video_service_pb2 import OPERATION_LIP_SYNC
from reelmesh.storage.v1 import asset_pb2
from services.common import errors
from services.common.status import DETAILS_KEY, to_status
from services.suite.cli import app
from services.suite.commands import assets, generate, session
from services.suite.commands.display import money
from services.suite.film_client import film_request

COMMANDS = [
    ["serve"], ["worker"], ["demo"],
    ["simulate"], ["generate"], ["plan"], ["batch"], ["prompt"], ["script"],
    ["models"], ["models", "pull"], ["models", "list"], ["models", "verify"],
    ["jobs"], ["show"], ["watch"], ["cancel"], ["doctor"], ["migrate"],
    ["keys", "create"], ["keys", "list"], ["keys", "revoke"],
    ["bill", "check"], ["bill", "fetch"], ["bill", "halted"], ["bill", "resume"],
    ["export"], ["recipe"], ["assets"], ["asset"], ["link"],
    ["upload"], ["download"], ["hold"], ["delete"], ["usage"],
    ["vendor-keys", "add"], ["vendor-keys", "list"], ["vendor-keys", "remove"],
    ["vendor-keys", "secret"],
    ["templates", "create"], ["templates", "list"], ["templates", "presets"],
    ["film"], ["films", "list"], ["films", "show"], ["films", "cancel"], ["films", "resume"],
    ["films", "remake"],
    ["films", "restore"],
    ["costs"], ["budget", "set"], ["budget", "show"], ["budget", "list"],
    ["cache", "stats"], ["cache", "purge"],
    ["character", "set"], ["character", "list"], ["character", "show"],
    ["edit", "preview"], ["edit", "commit"], ["edit", "show"], ["edit", "list"],
    ["compare", "new"], ["compare", "show"], ["compare", "rate"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example_and_its_exit_codes(command: list[str]):
    answer = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})

    assert answer.exit_code == 0
    assert "Example: " in answer.output
    assert f"reelmesh {' '.join(command)}" in answer.output
    assert "3 the suite cannot be reached" in answer.output


def test_every_command_is_in_the_list_above():
    names = {first for first, *_ in COMMANDS}
    registered = {getattr(command.callback, "__name__", "") for command in app.registered_commands}

    assert registered | {group.name for group in app.registered_groups} == names


@pytest.mark.parametrize(
    ("units", "nanos", "text"),
    [
        (0, 0, "$0.00"),
        (0, 500_000_000, "$0.50"),
        (12, 5_000_000, "$12.005"),
        (0, 1_000, "$0.000001"),
    ],
)
def test_money_has_as_many_digits_as_it_needs(units: int, nanos: int, text: str):
    assert money(Money(currency_code="USD", units=units, nanos=nanos)) == text


def test_what_the_caller_leaves_out_is_left_to_the_prompt():
    request = generate._request(
        {"prompt": "a cat", "duration": None, "style": "", "seed": 0, "budget": 0.25}
    )

    assert not request.HasField("duration")
    assert not request.HasField("routing")
    assert request.HasField("seed")
    assert (request.budget_limit.units, request.budget_limit.nanos) == (0, 250_000_000)
    assert (request.template, dict(request.template_values), list(request.packs)) == ("", {}, [])


def test_the_recipe_of_work_on_a_clip_names_the_clip_and_the_work():
    lineage = asset_pb2.Lineage(prompt="it lands", model="fal_wan_2_7")
    lineage.parameters.update({"video": "assets/a", "edit": "lip_sync"})
    request = assets.request_of(lineage)

    assert (request.video.asset, request.operation) == ("assets/a", OPERATION_LIP_SYNC)
    assert assets.request_of(asset_pb2.Lineage(prompt="new")).operation == 0


@pytest.mark.parametrize("field", ["image", "last_image"])
def test_a_recipe_whose_picture_is_not_kept_names_it(field: str):
    lineage = asset_pb2.Lineage(prompt="it lands", model="fal_wan_2_7")
    lineage.parameters.update({field: "sha256:" + "0" * 64})
    with pytest.raises(errors.InvalidArgument, match=f"{field}: was sent as bytes"):
        assets.request_of(lineage)


def test_a_template_a_look_and_a_culture_are_asked_for_by_name():
    given = {"template": "01m8@2", "values": ["who=Asha", "sum=1+1=2"], "preset": "news"}
    request = generate._request({**given, "pack": ["kenya", "iceland"]})

    assert (request.template, request.preset) == ("templates/01m8@2", "news")
    assert dict(request.template_values) == {"who": "Asha", "sum": "1+1=2"}
    assert list(request.packs) == ["kenya", "iceland"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate"], "name a --template"),
        (["generate", "--template", "t", "--set", "who"], "animal=lion"),
        (["generate", "--template", "t", "--set", "=Asha"], "animal=lion"),
        (["generate", "--template", "t", "--set", "a=1", "--set", "a=2"], "'a' is set twice"),
        (["plan", "--template", "t", "--set", "who"], "animal=lion"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_asked(arguments: list[str], words: str):
    answer = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})

    assert answer.exit_code == 2
    assert words in answer.stderr


def test_a_film_carries_template_look_and_cultures(tmp_path: Path):
    script = tmp_path / "a.fountain"
    script.write_text("INT. HOUSE - DAY", encoding="utf-8")
    styled = {"style_preset": "anime", "template_values": {"who": "Asha"}, "packs": ["kenya"]}
    request = film_request(script, {**styled, "template": "templates/t", "captions": ""})
    plain = film_request(script, {"template_values": {}, "packs": None, "template": ""})

    assert dict(request.template_values) == {"who": "Asha"}
    assert (list(request.packs), request.style_preset) == (["kenya"], "anime")
    assert plain == CreateFilmRequest(source=plain.source)


def answered(error: errors.ServiceError) -> errors.ServiceError:
    """The error as a client has it that a service has told it."""
    details = ((DETAILS_KEY, to_status(error).SerializeToString()),)
    error.__cause__ = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(*details)
    )
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.Unavailable("x"), 3, "Nothing answers at 127.0.0.1:1.*STORAGE_ADDRESS"),
        (errors.DeadlineExceeded("x"), 3, "Nothing answers"),
        (answered(errors.Unavailable("x")), 4, "try it again later"),
        (errors.InvalidArgument("prompt", "x"), 4, "^$"),
        (errors.NotFound("videoJob", "x"), 4, "reelmesh jobs"),
        (errors.NotFound("asset", "x"), 4, "reelmesh assets"),
        (errors.NotFound("uri", "https://x/y"), 4, "^$"),
        (errors.Unimplemented("x"), 4, "another service.*STORAGE_ADDRESS"),
        (errors.Unauthenticated("x"), 5, "reelmesh keys create --tenant NAME`"),
        (errors.PermissionDenied("x", scope="admin"), 5, "--tenant NAME --scope admin`"),
        (errors.PermissionDenied("plain http is not allowed here"), 4, "^$"),
        (errors.Internal("x"), 1, "defect"),
    ],
)
def test_errors_end_with_their_documented_code_and_fitting_advice(
    error: errors.ServiceError, code: int, words: str
):
    advice, ended = session._advice(error, session.Asked("storage", "127.0.0.1:1"))
    assert ended == code
    assert re.search(words, advice)


def test_what_a_disk_refuses_and_settings_that_are_none_are_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    into = CliRunner().invoke(app, ["export", str(tmp_path / "file" / "x")])
    assert (into.exit_code, into.stderr.strip()) == (
        2,
        f"{tmp_path / 'file' / 'x'}: Not a directory",
    )
    given = {"STORAGE_TENANTS": "xx", "REELMESH_DATA_DIR": str(tmp_path)}
    settings = CliRunner().invoke(app, ["serve", "--port-base", "0"], env=given)
    assert settings.exit_code == 2, settings.output
    assert settings.stderr == "STORAGE_TENANTS: it is not valid JSON\n"
    assert "Traceback" not in settings.output
