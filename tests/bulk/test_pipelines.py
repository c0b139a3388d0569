from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

import s2lic
from s2lic.bulk.job import BulkJob
from s2lic.bulk.pipelines import MemberDecoder, decode_batch
from s2lic.bulk.plan import plan
from s2lic.bulk.worker import BulkWorker
from s2lic.coding.options import EncodeOptions
from s2lic.errors import BitstreamError, UsageError
from tests.pages import waves

PICTURE = waves((48, 40))


@pytest.fixture(scope="module")
def file() -> bytes:
    return s2lic.encode(PICTURE, 40)


def same(a: Image.Image, b: Image.Image) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


def test_a_batch_gets_pictures_where_there_are_files(file: bytes) -> None:
    found = decode_batch({"label": [1, 2], "s2lic": [file, None]})
    assert list(found) == ["label", "image"]
    assert same(found["image"][0], s2lic.decode(file))
    assert found["image"][1] is None


def test_a_column_that_is_missing_is_named(file: bytes) -> None:
    with pytest.raises(UsageError, match="no column s2lic, but image"):
        decode_batch({"image": [file]})


def test_datasets_decodes_parquet_when_it_is_read(file: bytes, tmp_path: Path) -> None:
    pq.write_table(pa.table({"s2lic": [file] * 3, "label": [1, 2, 3]}), tmp_path / "a.parquet")
    rows = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"), cache_dir=str(tmp_path))
    rows.set_transform(decode_batch)
    assert rows[1]["label"] == 2
    assert same(rows[2]["image"], s2lic.decode(file))


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # WebDataset leaves closing to the collector
def test_webdataset_decodes_shards_that_bulk_wrote(tmp_path: Path, photos: Callable[[int], Path]) -> None:
    wanted = plan(BulkJob(EncodeOptions()), "shards", str(photos(3)), str(tmp_path / "coded"), 3, force=False)
    BulkWorker(wanted.job, wanted.source, wanted.dest, 1).tally(wanted.tasks)
    shards = webdataset.WebDataset(str(tmp_path / "coded/part-000000.tar"), shardshuffle=False)
    samples = list(shards.decode(MemberDecoder(np.asarray)))
    assert [sample["s2lic"].shape for sample in samples] == [(40, 48, 3), (40, 64, 3), (40, 48, 3)]
    assert samples[0]["s2lic.json"]["width"] == 48


def test_a_member_decoder_goes_to_other_processes(file: bytes) -> None:
    again = pickle.loads(pickle.dumps(MemberDecoder(np.asarray)))
    assert again(".s2lic", file).shape == (40, 48, 3)
    assert again(".cls", b"1") is None
    with pytest.raises(BitstreamError):
        again(".s2lic", b"nonsense")


def test_the_default_decoder_pickles(file: bytes) -> None:
    assert same(pickle.loads(pickle.dumps(MemberDecoder()))(".s2lic", file), s2lic.decode(file))
