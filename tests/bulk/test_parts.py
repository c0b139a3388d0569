from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2lic.bulk.parts import BLOCK, other_columns, read_parquet, read_shard
from s2lic.bulk.places import Place, open_place
from s2lic.errors import PartError

MEMBERS = {"a.png": b"p" * 700, "a.txt": b"words", "b.png": b"q" * 1024}


def shard() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


SHARD = shard()
END = SHARD.rindex(b"q") // BLOCK * BLOCK + BLOCK  # where the zeros behind the last member begin


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return open_place(str(tmp_path))


def is_png(path: Path) -> bool:
    return path.suffix == ".png"


def test_a_shard_gives_its_files_in_their_order(place: Place) -> None:
    place.put("a.tar", SHARD)
    rows = list(read_shard(place, "a.tar", is_png))
    assert {row.source: row.data for row in rows} == MEMBERS
    assert [row.is_picture for row in rows] == [True, False, True]


@given(st.integers(0, END))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_shard_that_is_cut_off_is_refused(place: Place, length: int) -> None:
    place.put("a.tar", SHARD[:length])
    with pytest.raises(PartError, match=r"a\.tar"):
        list(read_shard(place, "a.tar", is_png))


@pytest.mark.parametrize("at", [0, 3 * BLOCK, 5 * BLOCK])
def test_a_damaged_header_is_refused(place: Place, at: int) -> None:
    damaged = bytearray(SHARD)
    damaged[at] ^= 1
    place.put("a.tar", bytes(damaged))
    with pytest.raises(PartError, match="fetch it again"):
        list(read_shard(place, "a.tar", is_png))


def test_rows_of_parquet_are_bytes_or_structs_of_datasets(place: Place) -> None:
    structs = pa.table({"image": [{"bytes": b"one", "path": "a"}, None], "label": [1, 2]})
    pq.write_table(structs, place.path("a.parquet"))
    rows = list(read_parquet(place, "a.parquet", "image"))
    assert [(row.data, row.columns) for row in rows] == [(b"one", {"label": 1}), (b"", {"label": 2})]
    pq.write_table(pa.table({"image": [b"one"]}), place.path("b.parquet"))
    assert [row.data for row in read_parquet(place, "b.parquet", "image")] == [b"one"]


def test_a_column_that_is_missing_is_named(place: Place) -> None:
    pq.write_table(pa.table({"picture": [b"one"]}), place.path("a.parquet"))
    with pytest.raises(PartError, match="no column image, but picture"):
        other_columns(place, ["a.parquet"], "image")


def test_damaged_parquet_is_refused(place: Place) -> None:
    place.put("a.parquet", b"PAR1 and no more")
    with pytest.raises(PartError, match="cannot be read"):
        list(read_parquet(place, "a.parquet", "image"))
