"""No float comes near money: names that end in `_micros` meet whole numbers only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The simulator stands for vendors, and they do write prices as decimals of JSON.
OUTSIDE = ROOT / "services" / "suite" / "simulator"
ROOMS = ["orchestrator", "generator", "gateway", "suite", "prompt"]


def is_money(node: ast.AST) -> bool:
    """Whether the expression names an amount."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name.endswith("_micros") or name == "micros"
        case ast.keyword(arg=str(name)):
            return name.endswith("_micros")
    return False


def is_float(node: ast.AST | None) -> bool:
    """Whether the expression, or a part of it, can only be a float."""
    for part in ast.walk(node) if node else ():
        match part:
            case ast.Constant(value=float()):
                return True
            case ast.Name(id="float"):
                return True
            case ast.BinOp(op=ast.Div()):
                return True
    return False


def float_near_money(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.BinOp(left=left, op=operation, right=right):
                amounts = [part for side in (left, right) for part in ast.walk(side)]
                if any(map(is_money, amounts)) and (
                    isinstance(operation, ast.Div) or is_float(left) or is_float(right)
                ):
                    yield f"{where}: {ast.unparse(node)}"
            case ast.AnnAssign(target=target, annotation=kind) if is_money(target):
                if is_float(kind):
                    yield f"{where}: {ast.unparse(node)}"
            case ast.arg(annotation=kind) if is_money(node) and is_float(kind):
                yield f"{where}: {ast.unparse(node)}"
            case ast.Assign(targets=[target], value=value) if is_money(target) and is_float(value):
                yield f"{where}: {ast.unparse(node)}"
            case ast.keyword(value=value) if is_money(node) and is_float(value):
                yield f"{where}: {ast.unparse(node)}"
            case (
                ast.FunctionDef(name=name, returns=kind)
                | ast.AsyncFunctionDef(name=name, returns=kind)
            ) if name.endswith("_micros") and is_float(kind):
                yield f"{where}: {name} returns a float"
            case ast.Call(func=ast.Name(id="float"), args=[amount]) if is_money(amount):
                yield f"{where}: {ast.unparse(node)}"


def test_no_float_comes_near_money():
    files = [p for room in ROOMS for p in sorted((ROOT / "services" / room).rglob("*.py"))]
    assert len(files) > 100
    found = [
        breach
        for path in files
        if not path.is_relative_to(OUTSIDE)
        for breach in float_near_money(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert found == []


def test_money_is_whole_in_the_tables():
    from services.orchestrator.adapters.money_tables import budgets, ledger_entries

    amounts = [c for t in (budgets, ledger_entries) for c in t.c if c.name.endswith("_micros")]
    assert {column.type.python_type for column in amounts} == {int}
    assert len(amounts) == 4


@pytest.mark.parametrize(
    "text",
    [
        "cost = price_micros * 1.5",
        "cost = price_micros / 2",
        "cost = a.cost_micros * rate / 3600",
        "cost_micros: float = 0",
        "cost_micros = seconds / 3600",
        "def f(cost_micros: float): ...",
        "def cost_micros() -> float: ...",
        "x = float(job.cost_micros)",
        "f(limit_micros=0.5)",
    ],
)
def test_a_breach_is_seen(text):
    assert list(float_near_money("a.py", text))


@pytest.mark.parametrize(
    "text", ["cost_micros = -(-unit * 1500 // 1000)", "x = seconds / 2", "p_micros: int | None = 0"]
)
def test_whole_numbers_are_fine(text):
    assert not list(float_near_money("a.py", text))
