"""`s2lic weights list`: what ships, from the manifest and the files' headers alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from s2lic.weights import manifest
from s2lic.weights.manifest import RetiredRow, WeightsRow
from tests.cli.conftest import Result
from tests.frozen import MODEL

Run = Callable[..., Result]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frozen model as what ships, once with facts and once without, and a set before it."""
    figures = {"bpp_at_db": {"30": 0.3, "32": 0.45}, "bd_rate_percent": {"vtm": 12.5}}
    training, rd = {"minutes": 3, "steps": 40}, {"val": None, "kodak": figures}
    shipped = (
        WeightsRow("tiny", str(MODEL), "ab" * 32, "0.1", training, rd, "none"),
        WeightsRow("bare+tune=visual", str(MODEL), "cd" * 32),
    )
    monkeypatch.setattr(manifest, "rows", lambda: shipped)
    monkeypatch.setattr(manifest, "retired", lambda: (RetiredRow("tiny", "ef" * 8, "0.0.9", "12" * 20),))


@pytest.mark.usefixtures("folder")
def test_a_set_is_a_line_and_an_older_one_says_what_reads_it(run: Run) -> None:
    lines = run("weights", "list").out.decode().splitlines()
    assert lines[0].split()[:3] == ["model", "tune", "model"]
    assert lines[1].split() == ["tiny", "psnr", "ab" * 8, "0.65", "0.07", "3", "40", "-", "0.45", "12.5"]
    assert lines[2].split() == ["bare", "visual", "cd" * 8, "0.65", "0.07", *"-----"]
    assert lines[3] == f"retired: {'ef' * 8}, an older set of 'tiny', which s2lic 0.0.9 at commit {'12' * 20} reads"
    assert len({len(line) for line in lines[:3]}) == 1


@pytest.mark.usefixtures("folder")
def test_all_that_the_manifest_knows_is_json(run: Run) -> None:
    found = json.loads(run("weights", "list", "--json").out)
    full = found["shipped"][0]
    assert full["rd"]["kodak"]["bpp_at_db"] == {"30": 0.3, "32": 0.45}
    assert (full["model_id"], full["bytes"]) == ("ab" * 8, MODEL.stat().st_size)
    assert [row["model_id"] for row in found["retired"]] == ["ef" * 8]


def test_a_file_that_is_missing_exits_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "rows", lambda: (WeightsRow("tiny", "nowhere.safetensors", "ab" * 32),))
    result = run("weights", "list")
    assert result.code == 1
    assert "nowhere.safetensors cannot be read as weights" in result.err


def test_list_imports_no_torch() -> None:
    script = (
        "import sys, atexit\n"
        "heavy = {'torch', 'PIL', 'rich', 'matplotlib', 'compressai'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from s2lic.cli import main\n"
        "main(['weights', 'list'])\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert process.stderr == "[]\n"
    assert manifest.default().model in process.stdout
