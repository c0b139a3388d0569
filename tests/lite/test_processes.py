"""A codec on onnxruntime in forked processes: the same bytes as in the parent, and no crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# With several threads a session has a pool that the child lacks.
PRELUDE = """
import multiprocessing, os, sys
from s2lic.coding.options import EncodeOptions
from s2lic.lite import LiteCodec
from tests.frozen import MODEL, picture
codec, image = LiteCodec(MODEL, threads=3), picture("portrait", size=(128, 96))
def task(_):
    data = codec.encode(image, EncodeOptions(effort=0))
    return data, codec.decode(data).tobytes()
here = task(0)
"""
# Onnxruntime itself hangs in a forked child that ends by sys.exit, even if only its import was before the fork.
FORK = """
child = os.fork()
if child == 0:
    found = task(0)
    del codec  # ends the sessions
    os._exit(0 if found == here else 1)
print("same" if os.waitpid(child, 0)[1] == 0 else "different")
"""
UNUSED = """
child = os.fork()
if child == 0:
    del codec
    os._exit(0)
print("same" if os.waitpid(child, 0)[1] == 0 else "different")
"""
POOL = """
with multiprocessing.get_context("fork").Pool(2) as pool:
    print("same" if pool.map(task, range(3)) == [here] * 3 else "different")
"""


def said(script: str) -> str:
    """What a script prints; a hang kills it with its children."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        return process.communicate(timeout=60)[0].strip()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "hangs"


@pytest.mark.parametrize("script", [FORK, UNUSED, POOL], ids=["fork", "fork that codes nothing", "pool by fork"])
def test_a_forked_child_codes_the_same(script: str) -> None:
    assert said(script) == "same"
