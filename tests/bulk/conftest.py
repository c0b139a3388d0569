"""One Ray session, one S3 server and small pictures for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2lic.bulk.session import session
from tests.pages import waves

WORKERS = 2
S3 = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a bucket on a server of this process; workers that start later know of it too."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ.update(S3, AWS_ENDPOINT_URL=f"http://{host}:{port}")
    fsspec.filesystem("s3").mkdir("bucket")
    yield "s3://bucket"
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture(scope="session")
def ray(s3: str) -> Iterator[None]:
    """Ray with two workers."""
    with session(None, WORKERS):
        yield


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a folder of so many small pictures of two sizes."""

    def make(count: int) -> Path:
        folder = tmp_path / "photos"
        for index in range(count):
            path = folder / f"{index % 3}" / f"{index:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            waves((48 + 16 * (index % 2), 40)).save(path)
        return folder

    return make
