"""The rooms: each has a face, none is crowded, a public class has one home, and no test asserts a time."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[2]
Node = TypeVar("Node", bound=ast.AST)
MODULES, LINES = 20, 350
SHARED_NAMES: frozenset[str] = frozenset()
"""Public classes that may have two homes, each with its reason."""
CLOCKS = {
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "thread_time",
    "time",
    "getrusage",
}
MEASURING: frozenset[str] = frozenset()
"""Test modules that may assert a measured time, each with its reason."""


def rooms(root: Path = ROOT) -> list[Path]:
    """The folders of product code. The lab's `data` is what its hosts run."""
    found = (one.parent for top in ("nornir_upgrade", "rollback") for one in (root / top).rglob("__init__.py"))
    return sorted(one for one in found if "data" not in one.relative_to(root).parts)


def modules(room: Path) -> list[Path]:
    return sorted(one for one in room.glob("*.py") if one.name != "__init__.py")


def twice(files: Iterable[Path]) -> dict[str, list[str]]:
    """Public classes that more than one of `files` defines, and which do."""
    homes = defaultdict(list)
    for file in files:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(file))
    return {name: where for name, where in homes.items() if len(where) > 1}


def measured(tree: ast.Module) -> list[int]:
    """The lines of `assert`s that compare a time which the test took.

    A comparison of the clock with a deadline is allowed in a loop: it ends the polling of a helper. A difference of two times is
    allowed nowhere, whether it is compared itself or through a name of the same function.
    """
    return sorted({line for scope in [*_of(tree, ast.FunctionDef)] or [tree] for line in _measured_in(scope)})


def _measured_in(scope: ast.AST) -> Iterator[int]:
    assigned = (node for node in _of(scope, ast.Assign) if _elapsed(node.value, frozenset()))
    names = frozenset(name.id for node in assigned for target in node.targets for name in _of(target, ast.Name))
    polling = {id(node) for loop in ast.walk(scope) if isinstance(loop, ast.While | ast.For) for node in ast.walk(loop)}
    for node in _of(scope, ast.Assert):
        for compared in _of(node.test, ast.Compare):
            at_a_deadline = id(node) not in polling and any(map(_is_clock, ast.walk(compared)))
            if at_a_deadline or _elapsed(compared, names):
                yield node.lineno


def _elapsed(expression: ast.AST, names: frozenset[str]) -> bool:
    """Whether `expression` holds a difference with a clock, or one of `names`."""
    read = any(one.id in names for one in _of(expression, ast.Name))
    differences = (one for one in _of(expression, ast.BinOp) if isinstance(one.op, ast.Sub))
    return read or any(_is_clock(node) for difference in differences for node in ast.walk(difference))


def _is_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in CLOCKS


def _of(tree: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(tree) if isinstance(node, kind))


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_has_a_face(room: Path) -> None:
    face = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert len(face.splitlines()) >= 3, (
        f"{room}/__init__.py: say its noun, what comes in, what goes out, who imports it"
    )


@pytest.mark.parametrize("room", rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_is_not_crowded(room: Path) -> None:
    assert len(modules(room)) <= MODULES
    long = {one.name: lines for one in modules(room) if (lines := len(one.read_text().splitlines())) > LINES}
    assert long == {}


def test_a_public_class_has_one_home() -> None:
    found = twice(one for room in rooms() for one in modules(room))
    assert {name: where for name, where in found.items() if name not in SHARED_NAMES} == {}


def test_a_class_with_two_homes_is_found(tmp_path: Path) -> None:
    for name, text in (("a.py", "class One: ...\n"), ("b.py", "class One: ...\nclass Two: ...\nclass _Two: ...\n")):
        (tmp_path / name).write_text(text)
    assert list(twice(tmp_path.glob("*.py"))) == ["One"]


def test_no_test_asserts_a_time() -> None:
    """A busy machine would fail it. Assert the order of events, or what was not waited for; figures belong to `benchmarks/`."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    lines = {str(file.relative_to(ROOT)): measured(ast.parse(file.read_text())) for file in tests}
    assert {name: found for name, found in lines.items() if found and name not in MEASURING} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("assert time.monotonic() - start < 2", [1]),
        ("assert 0.5 <= perf_counter() - start < 1", [1]),
        ("spent = time.process_time() - start\nassert 10 / spent > 5", [2]),
        ("assert time.time() < limit", [1]),
        ("for _ in range(3):\n    assert time.monotonic() - start < 2", [2]),
        ("while busy():\n    assert time.monotonic() < limit, 'still busy'", []),
        ("wait = max(0.0, 7 - (time.monotonic() - start))\nassert calls == 2", []),
        ("assert clock.waits == [1.0]", []),
    ],
)
def test_an_assertion_of_a_time_is_found(text: str, found: list[int]) -> None:
    assert measured(ast.parse(text)) == found
