"""The codec in forked and spawned processes, in threads and in an event loop gives the same bytes as elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s2lic import errors
from s2lic.runtime import check_forked
from tests.frozen import codec, picture

ROOT = Path(__file__).parents[1]
IMAGE = picture("portrait", size=(256, 192))

# In the parent torch runs with two threads, so that OpenMP has a pool that the child lacks.
PRELUDE = """
import torch
torch.set_num_threads(2)
torch.randn(512, 512) @ torch.randn(512, 512)
torch.randn(1 << 20).sin().sum()
import multiprocessing, os, sys
from tests.frozen import codec, picture
image = picture("portrait", size=(256, 192))
def task(_):
    data = codec().encode(image, effort=0)
    return data, codec().decode(data).tobytes()
"""
FORKED = """
here = task(0)
child = os.fork()
if child == 0:
    os._exit(0 if task(0) == here else 1)
_, status = os.waitpid(child, 0)
print("same" if status == 0 else "different")
"""
POOL = """
if __name__ == "__main__":
    here = task(0)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print("same" if pool.map(task, range(3)) == [here] * 3 else "different")
"""
UNDER_A_LOCK = """
import s2lic.runtime
s2lic.runtime._LOCK.acquire()
child = os.fork()
if child == 0:
    with s2lic.runtime._LOCK:
        os._exit(0)
print("same" if os.waitpid(child, 0)[1] == 0 else "different")
"""


def said(script: str, tmp_path: Path) -> str:
    """What a script prints; a hang kills it with its children."""
    path = tmp_path / "script.py"
    path.write_text(PRELUDE + script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(
        [sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        return process.communicate(timeout=60)[0].strip()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "hangs"


@pytest.mark.parametrize(
    "script",
    [FORKED, POOL.format(method="fork"), POOL.format(method="spawn"), UNDER_A_LOCK],
    ids=["fork", "pool by fork", "pool by spawn", "fork under a lock"],
)
def test_another_process_gives_the_same(script: str, tmp_path: Path) -> None:
    assert said(script, tmp_path) == "same"


def test_threads_and_an_event_loop_give_the_same() -> None:
    expected = codec().encode(IMAGE, effort=0)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: codec().encode(IMAGE, effort=0), range(3))) == [expected] * 3

    async def both() -> list[bytes]:
        return await asyncio.gather(*(asyncio.to_thread(codec().encode, IMAGE, effort=0) for _ in range(2)))

    assert asyncio.run(both()) == [expected] * 2


def test_the_gpu_of_a_parent_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda._is_in_bad_fork", lambda: True)
    with pytest.raises(errors.ForkedDeviceError, match="spawn"):
        check_forked("cuda")
    check_forked("cpu")
