"""`--cond`: a conditioned model, from training to a decoded file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from s2lic.container.boxes import unpack
from s2lic.train import init

from .conftest import Result

Run = Callable[..., Result]
TRAIN = ("train", "--data", "photos", "--config", "tiny", "--gate", "sentence_gate", "--cond", "2", "--out", "run",
         "--steps", "3", "--batch", "2", "--crop", "64", "--optimiser", "adamw", "--no-bf16", "--quiet")  # fmt: skip


def test_what_an_encoder_is_told_goes_from_training_into_the_file(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
    Path("photos").mkdir()
    random = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(random.integers(0, 256, (256, 256, 3), np.uint8)).save(f"photos/{i}.png")
    assert run(*TRAIN).code == 2  # nothing is known of the pictures
    for i in range(2):
        np.save(f"photos/{i}.npy", [100.0 * i, 1.0])
    found = run(*TRAIN, "--lr", "0.1", "--export", "own.safetensors")
    assert found.code == 0, found.err
    assert load_file("own.safetensors")["g_a.groups.2.gates.0.fc1.weight"].shape == (260, 130)

    np.save("bright.npy", [100.0, 1.0])
    assert run("encode", photo.name, "-o", "a.bin", "--model", "own.safetensors", "--cond", "bright.npy").code == 0
    np.save("bright.npy", [-100.0, 5.0])
    assert run("encode", photo.name, "-o", "b.bin", "--model", "own.safetensors", "--cond", "bright.npy").code == 0
    assert unpack(Path("a.bin").read_bytes()).payload != unpack(Path("b.bin").read_bytes()).payload
    assert run("decode", "a.bin", "-o", "a.png", "--model", "own.safetensors").code == 0
    untold = run("encode", photo.name, "-o", "c.bin", "--model", "own.safetensors")
    assert (untold.code, Path("c.bin").exists()) == (2, False)
    assert "--cond" in untold.err

    options = ("--model", "own.safetensors", "--cond", "bright.npy")
    assert run("encode", photo.name, "-o", "d.bin", "--roi", "saliency", *options).code == 0
    assert run("explain", photo.name, *options, "--json").code == 0
    assert run("explain", photo.name, "-o", "e.png", "--model", "own.safetensors").code == 2


def test_a_classifier_takes_no_condition(run: Run, photo: Path) -> None:
    found = run("explain", photo.name, "--target", "logit", "--classifier", "net.pt2", "--cond", "bright.npy")
    assert found.code == 2
    assert "leave out --cond" in found.err
