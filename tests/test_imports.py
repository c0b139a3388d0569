"""Imports run downwards in the table of folders of `docs/architecture.md`, never up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "s2lic"


def folders() -> dict[str, int]:
    """The row of each folder; those of one row may import from one another."""
    table = (PACKAGE.parent / "docs" / "architecture.md").read_text().split("## Folders")[1].split("\n## ")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name: row for row, first in enumerate(firsts) for name in re.findall("`([^`]+)`", first)}


def folder(name: str) -> str:
    return f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"


def imported(path: Path) -> Iterator[str]:
    """The folders that a module imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{name}" for name in modules]
            yield from (folder(module.split(".")[1]) for module in modules if re.match(r"s2lic\.[a-z]", module))


def test_no_module_imports_from_a_folder_above_its_own() -> None:
    rows = folders()
    paths = {*PACKAGE.rglob("*.py")} - {*PACKAGE.glob("__*.py")}
    own = {path: folder(path.relative_to(PACKAGE).parts[0].removesuffix(".py")) for path in paths}
    assert set(own.values()) == set(rows)
    above = [(path.name, other) for path in own for other in imported(path) if rows[other] < rows[own[path]]]
    assert above == []


def test_no_two_folders_import_from_each_other() -> None:
    arrows = set[tuple[str, str]]()
    for path in PACKAGE.rglob("*/*.py"):
        own = folder(path.relative_to(PACKAGE).parts[0])
        arrows |= {(own, other) for other in imported(path) if other != own}
    assert [arrow for arrow in arrows if arrow[::-1] in arrows] == []


def test_the_folders_stand_in_the_order_of_the_layers() -> None:
    order = (
        "cli/",
        "lab/",
        "eval/",
        "train/",
        "bulk/",
        "api.py",
        "codec.py",
        "coding/",
        "weights/",
        "model.py",
        "entropy/",
        "transform/",
    )
    order += ("kernels/", "images/", "files.py", "runtime.py", "errors.py")
    rows = folders()
    assert [rows[name] for name in order] == list(range(len(order)))
