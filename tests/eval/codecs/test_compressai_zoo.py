"""CompressAI's models through weights files, in a process of its own: its import takes seconds and warns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from s2lic.errors import ExtraMissingError, InputMissingError, UsageError
from s2lic.eval import codecs

ZOO = codecs.row("compressai")
SCRIPT = """
import sys, warnings
import torch
from PIL import Image
from s2lic.coding.networks import to_tensor
from s2lic.errors import QualityRangeError, UsageError, WeightsError
from s2lic.eval import codecs
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from compressai.zoo.image import model_architectures as known
torch.manual_seed(0)
image = Image.effect_noise((70, 50), 60).convert("RGB")
for name in ("mbt2018-mean", "bmshj2018-factorized"):
    files = []
    for i, width in enumerate((8, 12)):
        model = known[name](width, 16)
        files.append(f"{sys.argv[1]}/{name}-{i}.pth")
        torch.save({"state_dict": model.state_dict()}, files[-1])
    coder = codecs.row("compressai").open({"model": name, "weights": ",".join(files)})
    for quality in (1, 2):
        data = coder.encode(image, quality)
        assert coder.decode(data, image.size).size == image.size
        with torch.inference_mode():  # the networks' own way, without the file, gives the same strings
            pixels = torch.nn.functional.pad(to_tensor(image), (0, 58, 0, 14))
            strings = coder.models[quality - 1].compress(pixels)["strings"]
        assert len(data) == 5 + 4 * (len(strings) - 1) + sum(len(batch[0]) for batch in strings)
    try:
        coder.encode(image, 3)
    except QualityRangeError as error:
        assert "2 weights files" in str(error)
for name, kind in (("nonsense", UsageError), ("mbt2018", WeightsError)):
    try:
        codecs.row("compressai").open({"model": name, "weights": files[0]})
    except kind as error:
        assert name in str(error)
    else:
        raise AssertionError(name)
print("done")
"""


def test_models_code_at_each_of_their_weights_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)]
    found = subprocess.run(words, check=False, capture_output=True, text=True)
    assert found.stdout.strip() == "done", found.stderr


def test_what_was_not_named_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--set compressai\.weights="):
        ZOO.open({"model": "mbt2018"})
    with pytest.raises(InputMissingError):
        ZOO.open({"model": "mbt2018", "weights": str(tmp_path / "missing.pth")})


def test_without_compressai_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "q1.pth").write_bytes(b"not read")
    for module in ("compressai", "compressai.zoo.image"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissingError, match=r"pip install 's2lic\[compressai\]'"):
        ZOO.open({"model": "mbt2018-mean", "weights": str(tmp_path / "q1.pth")})
