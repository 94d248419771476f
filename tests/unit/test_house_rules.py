"""Rules that no linter knows: sizes, reasons, and documents that agree with the code."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import env_example

ROOT = Path(__file__).parents[2]
MACHINERY = {"__init__", "adapter", "client", "download", "webhooks"}
SERVICES = ["orchestrator", "generator", "storage", "prompt", "gateway"]
OURS = ["services", "tests", "examples", "benchmarks", "protos", "docs", "deploy"]
TEXT = {".py", ".proto", ".md", ".sh", ".js", ".mjs", ".yaml", ".yml", ".toml", ".html", ".css"}

Rule = Callable[[Path, str], Iterator[str]]


# ---------------------------------------------------------------------------- rules
def too_long_file(path: Path, text: str) -> Iterator[str]:
    vendor = path.parent.name == "providers" and path.stem not in MACHINERY
    budget, lines = 120 if vendor else 250, len(text.splitlines())
    if lines > budget:
        yield f"{path}: {lines} lines, at most {budget}"


def too_long_function(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The body: a command's signature is a table of its options, a docstring is a text.
            code = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = (node.end_lineno or 0) - code[0].lineno + 1 if code else 0
            if length > 40:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most 40"


def environment_read(path: Path, text: str) -> Iterator[str]:
    if path.name != "settings.py":
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\bos\.(environ|getenv)\b|from os import .*(environ|getenv)", line):
                yield f"{path}:{number}: the environment is read in settings.py only"


def forking(path: Path, text: str) -> Iterator[str]:
    if path.name != "children.py":
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(create_subprocess_(exec|shell)|preexec_fn|os\.fork)\b", line):
                yield f"{path}:{number}: gRPC's threads do not outlive a fork: children.spawn"


def silenced_without_reason(path: Path, text: str) -> Iterator[str]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        found = re.search(r"#\s*(?:type:\s*ignore|noqa|pragma: no cover)(?P<rest>.*)", line)
        if not found:
            continue
        rest = re.sub(r"^(\[[\w,\s-]*\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)", "", found["rest"])
        before = lines[number - 2].strip() if number > 1 else ""
        if len(re.findall(r"[a-zA-Z]{2,}", rest)) < 2 and not before.startswith("#"):
            yield f"{path}:{number}: say why behind it: {line.strip()[-60:]}"


def unfinished(path: Path, text: str) -> Iterator[str]:
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    for number, line in enumerate(text.splitlines(), 1):
        if words.search(line):
            yield f"{path}:{number}: {line.strip()}"


def skipped_without_reason(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name in {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}:
            assert isinstance(node, ast.Call)
            given = [each.value for each in node.keywords if each.arg == "reason"]
            given += node.args[:1] if name == "pytest.skip" else []
            if not given or len(ast.unparse(given[0])) < 15:
                yield f"{path}:{node.lineno}: {name} needs a reason in words"
    for number, line in enumerate(text.splitlines(), 1):
        if re.fullmatch(r"\s*@pytest\.mark\.(skip|xfail)\s*", line):
            yield f"{path}:{number}: {line.strip()} needs a reason in words"


def meaningless_name(path: Path, text: str) -> Iterator[str]:
    del text
    if path.stem in {"utils", "util", "helpers", "base", "core", "misc", "common_utils"}:
        yield f"{path}: a name that says nothing"


def address_of_an_index(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line.strip()):
            yield f"{path}:{number}: not a plain pin: {line.strip()}"


# ---------------------------------------------------------------------------- where they hold
def read(*folders: str, ending: str = ".py") -> list[tuple[Path, str]]:
    places = [ROOT / folder for folder in folders]
    files = [path for place in places for path in sorted(place.rglob(f"*{ending}"))]
    return [(path.relative_to(ROOT), path.read_text()) for path in files if path.is_file()]


def sources(*, migrations: bool = True) -> list[tuple[Path, str]]:
    return [each for each in read("services") if migrations or "migrations" not in each[0].parts]


def every_text() -> list[tuple[Path, str]]:
    return [each for ending in sorted(TEXT) for each in read(*OURS, ending=ending)]


def constraints() -> list[tuple[Path, str]]:
    return [(Path("constraints.txt"), (ROOT / "constraints.txt").read_text())]


HOLDS: list[tuple[Rule, Callable[[], list[tuple[Path, str]]]]] = [
    (too_long_file, sources),
    (too_long_function, lambda: sources(migrations=False)),
    (environment_read, sources),
    (forking, sources),
    (silenced_without_reason, lambda: read("services", "tests", "examples", "benchmarks")),
    (unfinished, every_text),
    (skipped_without_reason, lambda: read("tests")),
    (meaningless_name, lambda: read("services", "tests")),
    (address_of_an_index, constraints),
]
BROKEN = [
    (too_long_file, "services/storage/a.py", "x = 1\n" * 251),
    (too_long_file, "services/generator/providers/vendor.py", "x = 1\n" * 121),
    (too_long_function, "services/a.py", "def f():\n" + "    x = 1\n" * 41),
    (environment_read, "services/a.py", "import os\nkey = os.environ['KEY']\n"),
    (forking, "services/a.py", "child = await asyncio.create_subprocess_exec('ls')\n"),
    (silenced_without_reason, "services/a.py", "x: int = ''  # type: " + "ignore[assignment]\n"),
    (silenced_without_reason, "services/a.py", "x = l  # no" + "qa: E741\n"),
    (unfinished, "docs/a.md", "TO" + "DO: write this"),
    (skipped_without_reason, "tests/a.py", "import pytest\npytest.skip('later')\n"),
    (skipped_without_reason, "tests/a.py", "@pytest.mark.skip\ndef test_it(): ...\n"),
    (meaningless_name, "services/common/utils.py", ""),
    (address_of_an_index, "constraints.txt", "--extra-index-url file:///wheels\n"),
    (address_of_an_index, "constraints.txt", "grpcio @ file:///wheels/grpcio.whl\n"),
]


@pytest.mark.parametrize(("rule", "files"), HOLDS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_sources_keep_the_rule(rule: Rule, files: Callable[[], list[tuple[Path, str]]]) -> None:
    given = files()
    assert given
    assert [breach for path, text in given for breach in rule(path, text)] == []


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_breach_is_seen(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Path(path), text))


# ---------------------------------------------------------------------------- shape
def test_every_folder_of_sources_is_a_package() -> None:
    folders = {path.parent for path, _ in sources(migrations=False)}
    assert [
        str(each) for each in sorted(folders) if not (ROOT / each / "__init__.py").exists()
    ] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_starts_alone_and_has_settings(service: str) -> None:
    for file in ("__main__.py", "settings.py"):
        assert (ROOT / "services" / service / file).exists()


# ---------------------------------------------------------------------------- documents
def test_every_error_reason_is_explained() -> None:
    proto = (ROOT / "protos/reelmesh/errors/v1/error_reason.proto").read_text()
    declared = set(re.findall(r"^\s+ERROR_REASON_(\w+) = [1-9]\d*;", proto, re.MULTILINE))
    page = (ROOT / "docs/errors.md").read_text()
    explained = set(re.findall(r"^(?:\| *|#+ +)`([A-Z][A-Z_]+)`", page, re.MULTILINE))
    assert declared
    assert explained == declared


def test_the_example_environment_lists_every_setting() -> None:
    assert (ROOT / ".env.example").read_text() == env_example.render(), "run `make env-example`"


def test_the_example_environment_names_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.findall(r"^#([A-Z0-9_]+)=(.*)$", env_example.render(), re.MULTILINE)
    for name, _ in example:
        monkeypatch.delenv(name, raising=False)
    services = [found for name, found in env_example.settings_classes() if name in SERVICES]
    plain = [settings() for settings in services]
    of_vendors = {each.name for each in env_example.vendors()}
    for name, value in example:
        if value and name not in of_vendors:
            monkeypatch.setenv(name, value)
    assert [settings() for settings in services] == plain


def test_every_service_contributes_to_the_example_environment() -> None:
    assert {service for service, _ in env_example.settings_classes()} >= set(SERVICES)


def commands(page: str) -> Iterator[list[str]]:
    """The words of each shell line in a page's fenced blocks, without the prompt."""
    for block in re.findall(
        r"^```(?:bash|sh|shell|console)\n(.*?)^```", page, re.MULTILINE | re.DOTALL
    ):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ").split()


DOCUMENTS = ["README.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_in_a_document_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    page = (ROOT / document).read_text()
    named = {words[1] for words in commands(page) if words[:1] == ["make"] and len(words) > 1}
    named |= set(re.findall(r"`make ([a-z-]+)`", page))
    assert named
    assert named - targets == set()


def test_every_command_in_the_readme_exists() -> None:
    import typer

    from services.suite import cli

    known = set(_paths(typer.main.get_command(cli.app)))
    used = [words for words in commands((ROOT / "README.md").read_text())]
    used = [words[1:] for words in used if words and words[0].endswith("reelmesh")]
    assert used
    assert [words for words in used if not {" ".join(words[:1]), " ".join(words[:2])} & known] == []


def _paths(command: object, prefix: str = "") -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield prefix.strip()
    else:
        if getattr(command, "invoke_without_command", False):
            yield prefix.strip()
        for name, child in children.items():
            yield from _paths(child, f"{prefix} {name}")


def test_the_extras_and_the_pins_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra, names in project["optional-dependencies"].items():
        wanted += names if extra not in {"generator-gpu", "generator-fast"} else []
    pinned = {_name(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert sorted({_name(each) for each in wanted} - pinned - {"reelmesh"}) == []


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
