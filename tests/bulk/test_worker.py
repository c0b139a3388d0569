"""What a worker does, without Ray."""

from __future__ import annotations

import io
import json
import math
import resource
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import s2lic
from s2lic.bulk.job import BulkJob, Tally
from s2lic.bulk.plan import plan
from s2lic.bulk.worker import BulkWorker
from s2lic.coding.options import DecodeOptions, EncodeOptions

Photos = Callable[[int], Path]
QUALITY = 40.0
ENCODE, DECODE = BulkJob(EncodeOptions(quality=QUALITY), psnr=True), BulkJob(DecodeOptions(), column="s2lic")


def done(job: BulkJob, source: Path, dest: Path, to: str | None = None, per_part: int = 1000) -> Tally:
    wanted = plan(job, to, str(source), str(dest), per_part, force=False)
    return BulkWorker(wanted.job, wanted.source, wanted.dest, 1).tally(wanted.tasks)


def pixels(picture: Image.Image | bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    return np.asarray(image.convert("RGB"))


def test_files_are_those_of_the_codec(photos: Photos, tmp_path: Path) -> None:
    tally = done(ENCODE, photos(4), tmp_path / "coded")
    codec = s2lic.Codec()
    for name in ("0/000", "1/001", "2/002", "0/003"):
        data = codec.encode(tmp_path / f"photos/{name}.png", QUALITY)
        assert (tmp_path / f"coded/{name}.s2lic").read_bytes() == data
    assert (tally.done, tally.failed, tally.pixels) == (4, 0, 2 * 40 * (48 + 64))
    assert tally.size == sum(path.stat().st_size for path in tmp_path.glob("coded/*/*.s2lic"))

    assert done(DECODE, tmp_path / "coded", tmp_path / "back").done == 4
    assert np.array_equal(pixels((tmp_path / "back/0/000.png").read_bytes()), pixels(codec.decode(first(tmp_path))))


def first(folder: Path) -> bytes:
    return (folder / "coded/0/000.s2lic").read_bytes()


def test_a_broken_picture_is_a_row_of_the_errors(photos: Photos, tmp_path: Path) -> None:
    source = photos(3)
    (source / "0" / "bad.png").write_bytes(b"no picture")
    tally = done(ENCODE, source, tmp_path / "coded")
    assert (tally.done, tally.failed) == (3, 1)
    (row,) = tally.errors
    assert (row["source"], row["target"], row["exit_code"]) == ("0/bad.png", "0/bad.s2lic", 1)
    assert row["error"] == "NotAnImageError"


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_shards_of_files_hold_the_facts_of_each(photos: Photos, tmp_path: Path) -> None:
    source = photos(3)
    (source / "1" / "001.png").write_bytes(b"no picture")
    tally = done(ENCODE, source, tmp_path / "shards", "shards", per_part=2)
    assert (tally.done, tally.failed) == (2, 1)
    assert tally.errors[0]["target"] == "part-000000.tar" or tally.errors[0]["target"] == "part-000001.tar"
    found = {**members(tmp_path / "shards/part-000000.tar"), **members(tmp_path / "shards/part-000001.tar")}
    data = found["0/000.s2lic"]
    facts = json.loads(found["0/000.s2lic.json"])
    assert (facts["width"], facts["height"], facts["size"]) == (48, 40, len(data))
    assert facts["bpp"] == pytest.approx(8 * len(data) / (48 * 40))
    error = np.mean((pixels(s2lic.decode(data)) / 255 - pixels((source / "0/000.png").read_bytes()) / 255) ** 2)
    assert facts["psnr"] == pytest.approx(-10 * math.log10(error))
    assert json.loads(found["1/001.s2lic.json"])["error"].startswith("NotAnImageError: ")
    assert "1/001.s2lic" not in found


def test_shards_keep_what_stands_beside_a_picture(photos: Photos, tmp_path: Path) -> None:
    source = photos(2)
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in/a.tar", "w") as tar:
        for index in range(2):
            path = source / f"{index}/00{index}.png"
            tar.add(path, f"{index}.png")
            label = tarfile.TarInfo(f"{index}.cls")
            label.size = 1
            tar.addfile(label, io.BytesIO(str(index).encode()))
    done(ENCODE, tmp_path / "in", tmp_path / "coded")
    coded = members(tmp_path / "coded/a.tar")
    assert list(coded) == ["0.s2lic", "0.s2lic.json", "0.cls", "1.s2lic", "1.s2lic.json", "1.cls"]
    assert coded["1.cls"] == b"1"
    assert done(DECODE, tmp_path / "coded", tmp_path / "back").done == 2
    back = members(tmp_path / "back/a.tar")
    assert list(back) == ["0.png", "0.s2lic.json", "0.cls", "1.png", "1.s2lic.json", "1.cls"]
    assert np.array_equal(pixels(back["0.png"]), pixels(s2lic.decode(coded["0.s2lic"])))


def test_a_damaged_shard_fails_alone(photos: Photos, tmp_path: Path) -> None:
    done(ENCODE, photos(4), tmp_path / "shards", "shards", per_part=2)
    damaged = tmp_path / "shards/part-000000.tar"
    damaged.write_bytes(damaged.read_bytes()[:1300])
    tally = done(DECODE, tmp_path / "shards", tmp_path / "back")
    assert (tally.done, tally.failed) == (2, 1)
    assert (tally.errors[0]["source"], tally.errors[0]["error"]) == ("part-000000.tar", "PartError")
    assert [path.name for path in (tmp_path / "back").glob("*.tar")] == ["part-000001.tar"]
    assert list((tmp_path / "back").glob(".*")) == []


def test_parquet_keeps_the_other_columns(photos: Photos, tmp_path: Path) -> None:
    source = photos(3)
    data = [path.read_bytes() for path in sorted(source.rglob("*.png"))]
    table = pa.table({"label": [1, 2, 3, 4], "image": [*data, b"no picture"]})
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in/a.parquet")
    tally = done(ENCODE, tmp_path / "in", tmp_path / "coded")
    assert (tally.done, tally.failed, tally.errors[0]["source"]) == (3, 1, "a.parquet#3")
    rows = pq.read_table(tmp_path / "coded/a.parquet").to_pylist()
    assert list(rows[0]) == ["label", "s2lic", "width", "height", "size", "bpp", "psnr", "error"]
    assert [row["label"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["size"] == len(rows[0]["s2lic"])
    assert (rows[3]["s2lic"], rows[3]["error"].split(":")[0]) == (None, "NotAnImageError")
    assert done(DECODE, tmp_path / "coded", tmp_path / "back").done == 3
    back = pq.read_table(tmp_path / "back/a.parquet").to_pylist()
    assert np.array_equal(pixels(back[1]["image"]), pixels(s2lic.decode(rows[1]["s2lic"])))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("to", ["folder", "shards", "parquet"])
def test_a_full_disk_leaves_nothing_half_written(photos: Photos, tmp_path: Path, to: str) -> None:
    source = photos(2)
    wanted = plan(ENCODE, to, str(source), str(tmp_path / "coded"), 1000, force=False)
    worker = BulkWorker(wanted.job, wanted.source, wanted.dest, 1)
    with files_of_at_most(40):
        tally = worker.tally(wanted.tasks)
    assert tally.done == 0
    assert {row["error"] for row in tally.errors} == {"OutputUnwritableError"}
    assert [path.name for path in (tmp_path / "coded").rglob("*") if path.is_file()] == ["s2lic-bulk.json"]
    assert worker.tally(wanted.tasks).done == 2
