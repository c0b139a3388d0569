"""What the README shows under "Use" works as it stands there, with the default model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]

from s2lic.weights import manifest
from tests.pages import blocks, run, waves

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# The rows of the table of results, and those of docs/results.md that they are taken from.
RESULTS = {
    "*S2LIC, the paper*": "S2LIC (paper), published",
    "*mbt2018-mean*": "mbt2018-mean, published",
    "**s2lic `small`, psnr**": "**s2lic**",
    "AVIF (libavif, speed 4)": "**AVIF**",
    "WebP": "**WebP**",
    "JPEG": "**JPEG**",
}
HEADS = ("BD-rate by PSNR", "BD-rate by MS-SSIM", "Bits")
USE = README.partition("\n## Use\n")[2].partition("\n## ")[0]


@pytest.fixture(autouse=True)
def folder_with_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    waves((101, 75)).save("img.png")
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
    assert len(lines) == 5
    for line in lines:
        assert run(line) == 0, line
    assert size_of("img.decoded.png") == (101, 75)
    assert size_of("part.jpg") == (64, 48)
    assert sorted(path.name for path in Path("coded").iterdir()) == ["one.s2lic", "two.s2lic"]


def test_the_python_example_runs() -> None:
    (block,) = examples("python")
    assert len([line for line in block.splitlines() if line]) == 5
    exec(compile(block, "README.md", "exec"), {})
    assert size_of("back-75.png") == (101, 75)


def test_the_two_plain_commands_leave_the_original_as_it_is() -> None:
    original = Path("img.png").read_bytes()
    assert run("s2lic encode img.png -o img.bin") == 0
    assert run("s2lic decode img.bin") == 0
    assert size_of("img.decoded.png") == (101, 75)
    assert run("s2lic decode img.bin") == 2
    assert Path("img.png").read_bytes() == original


def test_the_readme_has_at_most_900_words() -> None:
    assert len(README.split()) <= 900


def test_the_results_are_those_of_the_shipped_weights() -> None:
    shipped = manifest.default()
    against = shipped.rd["kodak"]["bd_rate_percent"]
    assert shipped.tune == "visual"
    assert f"`{shipped.model_id.hex()}`" in README
    assert f"they need {-against['avif, by SSIMULACRA2']:.1f} % fewer bits than AVIF" in " ".join(README.split())


def test_the_scores_are_those_of_their_page() -> None:
    page = (ROOT / "docs" / "results-visual.md").read_text()
    for label, name in (("**s2lic `small`, visual**", "s2lic"), ("AVIF (libavif, speed 4, 4:4:4)", "AVIF")):
        table = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        points = np.array(
            [line.split("|")[2:7] for line in table.splitlines() if re.match(r"\| [\d.]+ \|", line)], float
        )
        scores = PchipInterpolator(np.log(points[:, 0]), points[:, 4])(np.log([0.15, 0.3, 0.6, 1.0]))
        assert cells(README, label) == [f"{score:.1f}" for score in scores]


@pytest.mark.parametrize(("label", "codec"), RESULTS.items())
def test_a_row_of_the_results_is_that_of_their_page(label: str, codec: str) -> None:
    page = "results-psnr.md" if codec == "**s2lic**" else "results.md"
    parts = re.split(r"^## ", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    psnr, ms_ssim, rates = (next(part for part in parts if part.startswith(head)) for head in HEADS)
    at_30, at_34, by_psnr, by_ms_ssim = cells(README, label)
    assert [at_30, at_34] == [cells(rates, codec)[1], cells(rates, codec)[3]]
    assert cells(psnr, codec)[0].startswith(by_psnr)
    assert by_ms_ssim == (cells(ms_ssim, codec)[0] if codec in ms_ssim else "not published")


def cells(page: str, label: str) -> list[str]:
    """The cells behind the first of the row that begins with `label`."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in row.strip("|").split("|")[1:]]


def test_links_to_files_of_the_repository_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
