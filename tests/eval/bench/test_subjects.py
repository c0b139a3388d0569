"""Every codec of the benchmark runs, and its time is split into stages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, features

from s2lic.codec import Codec
from s2lic.errors import ExtraMissingError
from s2lic.eval.bench.records import STAGES, BenchCase
from s2lic.eval.bench.subjects import SUBJECTS
from s2lic.eval.bench.worker import measure
from tests.frozen import MODEL, picture

PEERS_RUN = """
import sys
from PIL import Image
from s2lic.eval.bench.records import BenchCase
from s2lic.eval.bench.subjects import SUBJECTS
for name in ("mbt2018-mean", "cheng2020-attn", "elic"):
    subject = SUBJECTS[name](Image.open(sys.argv[1]).convert("RGB"), BenchCase(name, 64, 1, 1, 60.0), None)
    code = subject.encode()
    picture = subject.decode(code)
    print(name, *picture.size, subject.size(code) > 0)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    picture("portrait", size=(64, 64)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_our_stages_are_all_seen_and_sum_to_the_whole(file: Path) -> None:
    found = measure(BenchCase("s2lic", 64, 1, 1, 60.0), file, str(MODEL))
    plain = tuple(stage for stage in STAGES if stage != "search")
    for timing, stages in ((found.encode, STAGES), (found.decode, plain)):
        assert tuple(timing.stages) == stages
        assert all(seconds > 0 for seconds in timing.stages.values())
        assert sum(timing.stages.values()) == pytest.approx(timing.seconds)
    assert found.peak_bytes >= found.rest_bytes > 0


def test_a_batch_is_coded_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[int] = []
    real = Codec.encode_many
    monkeypatch.setattr(
        Codec, "encode_many", lambda self, images, *a, **k: together.append(len(images)) or real(self, images, *a, **k)
    )
    found = measure(BenchCase("s2lic-e0", 64, 1, 1, 60.0, batch=2), file, str(MODEL))
    assert together == [2, 2]
    assert found.coded_bytes == measure(BenchCase("s2lic-e0", 64, 1, 1, 60.0), file, str(MODEL)).coded_bytes
    assert found.decode.stages["rANS"] > 0


def test_without_effort_nothing_is_searched(file: Path) -> None:
    assert "search" not in measure(BenchCase("s2lic-e0", 64, 1, 1, 60.0), file, str(MODEL)).encode.stages


def test_the_architectures_of_compressai_give_the_picture_s_size_back(file: Path) -> None:
    Image.new("RGB", (70, 66), "teal").save(file)
    # In a process of its own: what CompressAI imports warns, and a warning is an error here.
    words = [sys.executable, "-W", "ignore", "-c", PEERS_RUN, str(file)]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == ["mbt2018-mean 70 66 True", "cheng2020-attn 70 66 True", "elic 70 66 True"]


def test_without_avif_in_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(ExtraMissingError, match="pip install"):
        SUBJECTS["avif"](Image.new("RGB", (8, 8)), BenchCase("avif", 8, 1, 1, 60.0), None)
