"""Every page under docs/how-to works from its first example to its last, with the default model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2lic.train import init
from tests.pages import blocks, run, waves

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "how-to"
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
# The same commands on the smallest model: what takes hours is the training, not the words.
QUICK = ("--config", "tiny", "--minutes", "0.00001", "--batch", 1, "--crop", 64, "--no-bf16", "--optimiser", "adamw")


@pytest.fixture(autouse=True)
def folder_with_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
    waves((101, 75)).save("img.png")
    waves((240, 230)).save("photo.png")
    Path("photos/trip").mkdir(parents=True)
    for name in ("one", "trip/two"):
        waves((130, 90)).save(f"photos/{name}.png")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # WebDataset leaves closing to the collector
def test_the_examples_of_a_page_run_in_its_order(name: str) -> None:
    found = [(language, code) for language, code in blocks((FOLDER / name).read_text()) if language != "text"]
    assert found
    names: dict[str, object] = {}
    for language, code in found:
        if language == "python":
            exec(compile(code, name, "exec"), names)
            continue
        for line in code.splitlines():
            assert run(line, *(QUICK if line.startswith("s2lic train") else ())) == 0, line


def test_the_folders_go_there_and_back() -> None:
    page = (FOLDER / "folder.md").read_text()
    for line in blocks(page)[0][1].splitlines():
        assert run(line) == 0
    assert sorted(path.as_posix() for path in Path("back").rglob("*.webp")) == ["back/one.webp", "back/trip/two.webp"]


@pytest.mark.parametrize("page", [*FOLDER.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    for link in links:
        file, _, heading = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> list[str]:
    lines = [line for line in page.read_text().splitlines() if line.startswith("#")]
    return [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines]


def test_every_page_is_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(f"docs/how-to/{name}" in readme for name in PAGES)
