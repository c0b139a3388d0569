"""Parts of a dataset that hold many images: WebDataset tar shards and Parquet files."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Protocol

from s2lic.bulk.job import CODED, PARQUET, BulkJob, InputRow
from s2lic.bulk.places import Place
from s2lic.coding.pipeline import JobFacts, JobOutcome
from s2lic.errors import PartError, S2licError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 64  # rows of a Parquet file to read and write at a time
BLOCK = tarfile.BLOCKSIZE
FACTS = ("width", "height", "size", "bpp", "psnr")


class PartWriter(Protocol):
    """Takes outcomes in the order of their rows."""

    def add(self, outcome: JobOutcome) -> None: ...

    def close(self) -> None: ...


class ShardWriter:
    """Writes a tar file: the output of `a.png` is `a.s2lic`, and `a.s2lic.json` has its facts or its error."""

    def __init__(self, file: IO[bytes], job: BulkJob) -> None:
        self._job = job
        self._tar = tarfile.TarFile(fileobj=file, mode="w")

    def add(self, outcome: JobOutcome) -> None:
        row = outcome.job
        if isinstance(row, InputRow) and not row.is_picture:
            self._write(row.source, row.data or b"")
            return
        if outcome.error is None:
            self._write(coded_name(row.source, self._job.suffix), _data(outcome))
        if self._job.encodes:
            self._write(f"{coded_name(row.source, CODED)}.json", json.dumps(_facts(outcome)).encode())

    def close(self) -> None:
        self._tar.close()

    def _write(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))


class ParquetWriter:
    """Writes a Parquet file: the columns of the input without the one that was read, and the result's columns."""

    def __init__(self, file: IO[bytes], job: BulkJob, others: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._job, self._rows = job, list[dict[str, Any]]()
        self._schema = _with_results(others, job)
        self._writer = pq.ParquetWriter(file, self._schema)

    def add(self, outcome: JobOutcome) -> None:
        row = outcome.job
        columns = row.columns if isinstance(row, InputRow) else {}
        data = None if outcome.error else _data(outcome)
        self._rows.append({**columns, _result_column(self._job): data, "error": None, **_facts(outcome)})
        if len(self._rows) >= ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def coded_name(name: str, suffix: str) -> str:
    """The name of an input with the extension of its output."""
    return str(PurePosixPath(name).with_suffix(suffix))


def read_shard(place: Place, name: str, accept: Callable[[Path], bool]) -> Iterator[InputRow]:
    """The files of a tar shard. Those that `accept` selects are images. Raises PartError, InputMissingError."""
    with place.reader(name) as file, _readable(name), tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            tar.members.clear()  # type: ignore[attr-defined]
            if (content := tar.extractfile(member)) is not None:
                yield InputRow(member.name, data=content.read(), is_picture=accept(Path(member.name)))
        file.seek(tar.offset)
        # tarfile treats a damaged header, except the first, as the end of the archive.
        if file.read(BLOCK) != bytes(BLOCK):
            raise PartError(f"{name} is damaged at byte {tar.offset}; fetch it again")


def read_parquet(place: Place, name: str, column: str) -> Iterator[InputRow]:
    """The rows of a Parquet file. Raises PartError, InputMissingError."""
    import pyarrow.parquet as pq

    with place.reader(name) as file, _readable(name):
        index = 0
        for batch in pq.ParquetFile(file).iter_batches(ROWS):
            for columns in batch.to_pylist():
                value = columns.pop(column)
                # `datasets` stores images as {bytes, path}.
                data = value["bytes"] if isinstance(value, dict) else value
                yield InputRow(f"{name}#{index}", data=data or b"", columns=columns)
                index += 1


def other_columns(place: Place, names: list[str], column: str) -> pa.Schema:
    """The columns other than the images. Raises PartError, InputMissingError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not names[0].endswith(".parquet"):
        return pa.schema([("name", pa.string())])
    with place.reader(names[0]) as file, _readable(names[0]):
        schema = pq.read_schema(file).remove_metadata()
    if column not in schema.names:
        raise PartError(f"{names[0]} has no column {column}, but {', '.join(schema.names)}; give --column")
    return schema.remove(schema.get_field_index(column))


@contextmanager
def part_writer(file: IO[bytes], job: BulkJob, others: pa.Schema | None) -> Iterator[PartWriter]:
    """A context manager that writes a part. The file appears only if the block ends without an error."""
    writer: PartWriter = ParquetWriter(file, job, others) if job.to == PARQUET else ShardWriter(file, job)
    yield writer
    writer.close()


def _data(outcome: JobOutcome) -> bytes:
    data = outcome.facts["data"]
    assert isinstance(data, bytes)
    return data


def _facts(outcome: JobOutcome) -> JobFacts:
    if outcome.error is not None:
        return {"error": f"{type(outcome.error).__name__}: {outcome.error}"}
    return {name: outcome.facts[name] for name in FACTS if outcome.facts.get(name) is not None}


def _result_column(job: BulkJob) -> str:
    return "s2lic" if job.encodes else "image"


def _with_results(others: pa.Schema, job: BulkJob) -> pa.Schema:
    import pyarrow as pa

    types = {_result_column(job): pa.binary(), "width": pa.int32(), "height": pa.int32(), "size": pa.int64()}
    types |= {"bpp": pa.float64(), "psnr": pa.float64()} if job.encodes else {}
    results = {**types, "error": pa.string()}
    kept = [others.field(name) for name in others.names if name not in results]
    return pa.schema([*kept, *results.items()])


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn the errors of a damaged part, which have many types, into PartError."""
    try:
        yield
    except (S2licError, GeneratorExit):
        raise
    except Exception as error:
        raise PartError(f"{name} cannot be read to its end: {error}; fetch it again") from error
