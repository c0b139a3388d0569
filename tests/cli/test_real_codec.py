"""The commands with the real codec behind them, on small weights that nobody trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic.model import build
from tests.exporting import exported
from tests.frozen import MODEL, codec

from .conftest import Result

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = build("tiny")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    path.write_bytes(exported(model))
    return path


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (40, 24)])
def test_a_picture_goes_to_a_file_and_back(
    run: Run, photo: Path, weights: Path, mode: str, size: tuple[int, int]
) -> None:
    with Image.open(photo) as image:
        image.convert(mode).resize(size).save("small.png")
    encoded = run("encode", "small.png", "--model", weights, "--quiet")
    decoded = run("decode", "small.s2lic", "-o", "back.png", "--model", weights, "--quiet")
    assert encoded == decoded == Result(0, b"", "")
    with Image.open("back.png") as back:
        assert (back.mode, back.size) == (mode, size)


def test_the_same_file_decodes_the_same_through_a_pipe(run: Run, photo: Path, weights: Path) -> None:
    run("encode", photo, "--model", weights)
    run("decode", "photo.s2lic", "-o", "back.png", "--model", weights)
    coded = (photo.parent / "photo.s2lic").read_bytes()
    piped = run("decode", "-", "--model", weights, stdin=coded)
    assert piped.out == Path("back.png").read_bytes()


def test_a_folder_of_thumbnails_becomes_the_files_of_one_by_one(run: Run, photo: Path, weights: Path) -> None:
    Path("thumbs").mkdir()
    with Image.open(photo) as image:
        for number, mode in enumerate(["RGB", "L", "RGBA", "RGB"]):
            image.crop((number, 0, number + 30, 20)).convert(mode).save(f"thumbs/{number}.png")
    assert run("encode", "thumbs", "--outdir", "coded", "--model", weights).code == 0
    assert run("decode", "coded", "--outdir", "back", "--model", weights).code == 0
    for number in range(4):
        run("encode", f"thumbs/{number}.png", "-o", "one.bin", "--force", "--model", weights)
        run("decode", "one.bin", "-o", "one.png", "--force", "--model", weights)
        assert Path(f"coded/{number}.s2lic").read_bytes() == Path("one.bin").read_bytes()
        assert Path(f"back/{number}.png").read_bytes() == Path("one.png").read_bytes()


@pytest.mark.parametrize(("words", "precision"), [((), "bf16"), (("--precision", "float32"), "float32")])
def test_decode_computes_in_the_precision_that_is_asked_for(
    run: Run, photo: Path, words: tuple[str, ...], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.coding.networks.multiplies_bf16", lambda: True)
    run("encode", photo, "--model", MODEL, "-e", "0")
    assert run("decode", "photo.s2lic", "-o", "back.png", "--model", MODEL, *words).code == 0
    with Image.open("back.png") as back:
        pixels = {name: codec(name).decode(Path("photo.s2lic").read_bytes()) for name in ("float32", "bf16")}
        assert back.tobytes() == pixels[precision].tobytes()
    assert pixels["float32"].tobytes() != pixels["bf16"].tobytes()


def test_info_names_the_model_that_encode_used(run: Run, photo: Path, weights: Path) -> None:
    run("encode", photo, "--model", weights, "-q", "20")
    facts = json.loads(run("info", "photo.s2lic", "--json").out)
    assert facts["quality"] == 20.0
    assert facts["payload_bytes"] + facts["exceptions_bytes"] + 40 >= facts["bytes"]


def test_a_file_of_weights_that_are_not_here_is_told_with_the_mend(run: Run, photo: Path, weights: Path) -> None:
    run("encode", photo, "--model", weights)
    result = run("decode", "photo.s2lic", "-o", "back.png")
    assert result.code == 1
    assert "--model" in result.err
    assert not Path("back.png").exists()


def test_decoding_imports_no_more_than_it_needs(run: Run, photo: Path, weights: Path) -> None:
    run("encode", photo, "--model", weights)
    script = (
        "import sys, atexit\n"
        "heavy = {'matplotlib', 'compressai', 'torchvision', 'scipy', 'rich', 'pandas'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from s2lic.cli import main\n"
        "main(['decode', 'photo.s2lic', '-o', 'back.png', '--quiet', '--model', sys.argv[1]])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, str(weights)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stderr == "[]\n"
