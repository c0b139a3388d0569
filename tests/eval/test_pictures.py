"""Originals, and how Kodak is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import (
    InputMissingError,
    KodakChecksumError,
    LossyConversionError,
    UnsupportedModeError,
)
from s2lic.eval import kodak
from s2lic.eval.pictures import open_rgb, read
from s2lic.eval.records import EvalPicture
from tests.files import PROFILE


def picture(path: Path, size: tuple[int, int] = (20, 10), **saving: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, 50).convert("RGB").save(path, **saving)
    return path


def test_a_picture_is_known_by_the_hash_of_its_file(tmp_path: Path) -> None:
    path = picture(tmp_path / "one.png")
    ((found,), failures) = read([path])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found, failures) == (EvalPicture("one", str(path), digest, 20, 10), [])


def test_names_are_unique_in_an_evaluation(tmp_path: Path) -> None:
    paths = [picture(tmp_path / name) for name in ("a/x.png", "b/x.png", "x.bmp", "y.png")]
    assert [found.name for found in read(paths)[0]] == ["x", "x~2", "x~3", "y"]


def test_a_broken_picture_and_one_of_another_mode_are_failures_and_lose_no_other(tmp_path: Path) -> None:
    whole, broken, alpha = (tmp_path / f"{name}.png" for name in ("whole", "broken", "alpha"))
    picture(whole)
    broken.write_bytes(whole.read_bytes()[:-100])
    Image.new("RGBA", (8, 8)).save(alpha)
    pictures, failures = read([broken, whole, alpha])
    assert [found.name for found in pictures] == ["whole"]
    assert [(f.picture, f.error) for f in failures] == [
        ("broken", "NotAnImageError"),
        ("alpha", "UnsupportedModeError"),
    ]


def test_an_alpha_that_hides_nothing_is_left_out_and_one_that_hides_is_refused(tmp_path: Path) -> None:
    for mode, coded in (("RGBA", "RGB"), ("LA", "L")):
        image = Image.open(picture(tmp_path / "one.png")).convert(coded)
        opaque, clear = image.convert(mode), image.convert(mode)
        clear.putalpha(254)
        opaque.save(tmp_path / "opaque.png")
        clear.save(tmp_path / "clear.png")
        assert open_rgb(str(tmp_path / "opaque.png")) == image
        with pytest.raises(UnsupportedModeError, match="onto a background first"):
            open_rgb(str(tmp_path / "clear.png"))


def test_an_original_that_would_lose_something_is_refused_with_the_mend(tmp_path: Path) -> None:
    Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20)).save(tmp_path / "deep.png")
    with pytest.raises(LossyConversionError, match=r"8 bits; convert it to 8-bit RGB first"):
        open_rgb(str(tmp_path / "deep.png"))


def test_a_file_that_is_not_there_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read([tmp_path / "missing.png"])


def test_metadata_is_taken_off_so_that_no_codec_pays_for_it(tmp_path: Path) -> None:
    path = picture(tmp_path / "one.png", icc_profile=PROFILE)
    with Image.open(path) as image:
        assert image.info["icc_profile"]
    assert open_rgb(str(path)).info == {}


@pytest.fixture
def two_kodaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Kodak of two pictures, with checksums of its own, in one of the usual places."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("S2LIC_KODAK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    paths = [picture(tmp_path / "data/kodak" / f"kodim0{i}.png", (20 + i, 10)) for i in (1, 2)]
    table = tmp_path / "kodak.sha256"
    table.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths))
    monkeypatch.setattr(kodak, "CHECKSUMS", table)
    return tmp_path / "data/kodak"


def test_the_table_of_checksums_names_the_24_pictures() -> None:
    assert list(kodak.checksums()) == [f"kodim{i:02}.png" for i in range(1, 25)]
    assert {len(bytes.fromhex(digest)) for digest in kodak.checksums().values()} == {32}


def test_kodak_is_found_in_a_usual_place_and_known_by_its_pictures(two_kodaks: Path) -> None:
    found = kodak.find_kodak()
    assert [path.name for path in found] == ["kodim01.png", "kodim02.png"]
    pictures, _ = read(found)
    assert kodak.is_kodak(pictures)
    assert not kodak.is_kodak(pictures[:1])
    assert not kodak.is_kodak([*pictures, pictures[0]])


def test_the_variable_goes_before_the_usual_places(two_kodaks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = two_kodaks.rename(two_kodaks.parents[1] / "elsewhere")
    with pytest.raises(InputMissingError, match="S2LIC_KODAK"):
        kodak.find_kodak()
    monkeypatch.setenv("S2LIC_KODAK", str(other))
    assert kodak.find_kodak()[0].parent == other


def test_a_missing_picture_and_another_of_its_name_are_told_apart(two_kodaks: Path) -> None:
    (two_kodaks / "kodim02.png").write_bytes((two_kodaks / "kodim01.png").read_bytes())
    with pytest.raises(KodakChecksumError, match=r"kodim02\.png"):
        kodak.find_kodak()
    (two_kodaks / "kodim02.png").unlink()
    with pytest.raises(InputMissingError, match=r"kodim02\.png is missing"):
        kodak.find_kodak()
