"""What the README shows under "Use" works as it stands there, with the default model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.pages import blocks, run, waves

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
USE = README.partition("\n## Use\n")[2].partition("\n## ")[0]


@pytest.fixture(autouse=True)
def folder_with_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    waves((101, 75)).save("img.png")
    waves((101, 75)).convert("L").save("map.png")
    Path("photos").mkdir()
    for name in ("one", "two"):
        waves((49, 33)).save(f"photos/{name}.png")


def examples(language: str) -> list[str]:
    return [code for found, code in blocks(USE) if found == language]


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_the_shell_examples_run_one_after_the_other() -> None:
    lines = [line for block in examples("sh") for line in block.splitlines()]
    assert len(lines) >= 5
    for line in lines:
        assert run(line) == 0, line
    assert size_of("img.decoded.png") == size_of("small.jpg") == (101, 75)
    assert size_of("back/one.jpg") == size_of("back/two.jpg") == (49, 33)
    assert Path("small.bin").stat().st_size < Path("img.bin").stat().st_size


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = examples("python")
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert size_of("back-75.png") == (101, 75)
    files = names["files"]
    assert isinstance(files, list)
    assert len(files[0]) < len(files[1]) < len(files[2])
    assert capsys.readouterr().out


def test_the_two_plain_commands_leave_the_original_as_it_is() -> None:
    original = Path("img.png").read_bytes()
    assert run("s2lic encode img.png -o img.bin") == 0
    assert run("s2lic decode img.bin") == 0
    assert size_of("img.decoded.png") == (101, 75)
    assert run("s2lic decode img.bin") == 2
    assert Path("img.png").read_bytes() == original


def test_links_to_files_of_the_repository_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
