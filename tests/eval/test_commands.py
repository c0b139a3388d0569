"""`s2lic models` and `s2lic train`."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from s2lic.cli import main
from s2lic.model import config
from s2lic.train import init, loop
from s2lic.train.distributed import Ranks
from s2lic.train.plan import Plan
from s2lic.weights.store import load
from tests.frozen import MODEL

ROOT = Path(__file__).parents[2]
NO_TIME = "0.00001"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as exit_info:
        main([str(word) for word in words])
    return int(exit_info.value.code or 0)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two smooth pictures just large enough to train on; a head start that looks at few of their patches."""
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
    monkeypatch.setattr(init, "FIT_STEPS", 2)
    monkeypatch.setattr(init, "FIT_BATCHES", 1)
    folder = tmp_path / "photos"
    folder.mkdir()
    rows, cols = np.mgrid[:256, :272]
    for i in (1, 2):
        waves = 127 + 100 * np.sin(np.stack([rows / 9, cols / (11 * i), (rows + cols) / 23], axis=-1))
        Image.fromarray(waves.astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def train(photos: Path, *words: object) -> int:
    sizes = ("--config", "tiny", "--batch", 1, "--crop", 64, "--no-bf16")
    return run("train", "--data", photos, *sizes, *words)


@pytest.mark.parametrize(("words", "bf16"), [((), None), (("--bf16",), True), (("--no-bf16",), False)])
def test_bf16_is_left_to_the_device_unless_told(
    tmp_path: Path, words: tuple[str, ...], bf16: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(sys.modules["s2lic.cli.train"], "_run", lambda plan, *_: plans.append(plan))
    assert run("train", "--data", tmp_path, "--out", tmp_path / "run", "--optimiser", "adamw", *words) == 0
    assert [plan.bf16 for plan in plans] == [bf16]


def test_a_training_that_lacks_its_pictures_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train(tmp_path, "--steps", 1, "--out", out) == 2
    assert "no pictures under" in capsys.readouterr().err
    assert not out.exists()


def test_models_prints_a_row_a_model_and_hides_the_test_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["config", "nano", "small", "base"]


def test_models_as_json_tells_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "--all", "--json") == 0
    tiny = json.loads(capsys.readouterr().out)["tiny"]
    assert set(tiny["kmac_per_pixel_by_part"]) == {"g_a", "g_s", "h_a", "h_s", "slices"}
    assert tiny["kmac_per_pixel"]["decode"] > tiny["kmac_per_pixel"]["entropy"]


def test_the_table_in_the_documents_is_the_table_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run("models")
    page = (ROOT / "docs/architecture.md").read_text()
    for line in capsys.readouterr().out.splitlines()[1:]:
        assert f"| `{line.split()[0]}` | {' | '.join(line.split()[1:5])} |" in page


def test_training_leaves_a_checkpoint_and_weights_that_code(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, weights = tmp_path / "run", tmp_path / "own.safetensors"
    assert train(photos, "--out", out, "--minutes", NO_TIME, "--export", weights) == 0
    assert "from step 0" in capsys.readouterr().err
    assert (out / "last.pt").is_file()
    assert load(weights).model.row == config("tiny")
    assert train(photos, "--out", out, "--minutes", NO_TIME) == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert run("train", "--out", out, "--resume", "--minutes", 0) == 0
    assert "from step 1" in capsys.readouterr().err
    assert train(photos, "--out", out, "--resume", "--minutes", 0, "--json", "--quiet") == 0
    said = capsys.readouterr()
    assert said.err == ""
    facts = json.loads(said.out)
    assert (facts["checkpoint"], facts["steps"], facts["weights"]) == (str(out / "last.pt"), 1, None)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_rank_alone_exports_and_tells_the_facts(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: int
) -> None:
    here = Ranks(rank, 1, torch.device("cpu"))
    monkeypatch.setattr(loop, "process_group", lambda *_: nullcontext(here))
    weights = tmp_path / "own.safetensors"
    words = ("--optimiser", "adamw", "--out", tmp_path / "run", "--steps", 0, "--export", weights, "--json")
    assert train(photos, "--batch", 2, *words) == 0
    assert weights.exists() == here.first
    assert bool(capsys.readouterr().out) == here.first


def test_training_takes_a_choice_of_blocks_into_the_name_of_what_it_trains(photos: Path, tmp_path: Path) -> None:
    words = ("--block", "swinv2,swinv2,halo", "--mlp", "conv_glu", "--gate", "eca", "--wrap", "act")
    weights = tmp_path / "own.safetensors"
    assert train(photos, "--out", tmp_path / "run", *words, "--minutes", NO_TIME, "--export", weights) == 0
    assert load(weights).model.row.name == "tiny+block=swinv2,swinv2,halo+mlp=conv_glu+gate=eca+wrap=act"


def test_training_adapts_a_codec_and_leaves_it_as_it_is(photos: Path, tmp_path: Path) -> None:
    weights = tmp_path / "own.safetensors"
    words = ("--adapter", "--init", MODEL, "--out", tmp_path / "run", "--minutes", NO_TIME, "--export", weights)
    assert train(photos, *words) == 0
    assert load(weights).model.row.name == "tiny+wrap=p_adapter"
    own = load_file(weights)
    assert all(torch.equal(own[name], value) for name, value in load_file(MODEL).items())


def test_training_takes_adamw_without_the_extra(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    monkeypatch.chdir(photos.parent)
    assert train(photos, "--optimiser", "adamw", "--minutes", NO_TIME) == 0
    assert (photos.parent / "runs/tiny/last.pt").is_file()


def test_training_with_soap_names_the_extra_it_needs(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    assert train(photos) == 2
    assert "pip install 's2lic[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--crop", 100), 2, "multiples of 16"),
        (("--config", "huge"), 2, "huge"),
        (("--block", "swinv2,lstm,halo"), 2, "no block 'lstm'"),
        (("--gate", "halo"), 2, "'halo' is a mixer"),
        (
            ("--config", "nano", "--adapter"),
            2,
            "'p_adapter' needs a block with softmax attention, which 'bottleneck' lacks",
        ),
        (("--adapter",), 2, "give its weights file with --init"),
        (("--adapter", "--stage", "g_s"), 2, "--adapter sets --wrap and --stage itself"),
        (("--export", "nowhere/own.safetensors"), 2, "no folder"),
        (("--export", "own.pt"), 2, "NAME.safetensors"),
        (("--init", "own.safetensors", "--export", "./own.safetensors"), 2, "is an input itself"),
        (("--lr", "nan"), 2, "a rate above 0"),
        (("--resume",), 2, "leave out --resume"),
        (("--tune", "visual", "--crop", 160), 2, "--tune visual needs --crop 176 or more"),
        (("--grow", "nano.safetensors"), 2, "nothing grows into 'tiny'"),
        (("--data", "nowhere"), 2, "no folder nowhere"),
    ],
    ids=[
        "crop",
        "config",
        "block",
        "gate",
        "no-attention",
        "no-codec",
        "stage",
        "export",
        "name",
        "onto-init",
        "rate",
        "resume",
        "visual-crop",
        "grow",
        "data",
    ],
)
def test_training_refuses_before_it_starts(
    photos: Path, words: tuple[object, ...], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(photos, "--out", photos / "run", *words) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stored", "words", "limits"),
    [
        ({"steps": 200}, ("--minutes", 90), (90.0, None)),
        ({"minutes": 90.0}, ("--steps", 200), (None, 200)),
        ({"minutes": 90.0, "steps": 200}, ("--minutes", 120, "--steps", 300), (120.0, 300)),
        ({"steps": 200}, ("--seed", 1), (None, 200)),
    ],
)
def test_a_new_limit_of_a_resumed_run_replaces_both(
    tmp_path: Path,
    stored: dict[str, int],
    words: tuple[object, ...],
    limits: tuple[float | None, int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(sys.modules["s2lic.cli.train"], "_run", lambda plan, *_: plans.append(plan))
    Plan("tiny", tmp_path, optimiser="adamw", data=(tmp_path,), **stored).save()  # type: ignore[arg-type]
    (tmp_path / "last.pt").touch()
    assert run("train", "--resume", "--out", tmp_path, *words) == 0
    assert [(plan.minutes, plan.steps) for plan in plans] == [limits]


def test_a_file_where_the_run_should_be_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "run").write_bytes(b"mine")
    assert train(photos, "--out", photos / "run") == 2
    assert "a file is in its way" in capsys.readouterr().err
    assert (photos / "run").read_bytes() == b"mine"


def test_training_without_pictures_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path) == 2
    assert "no pictures" in capsys.readouterr().err
