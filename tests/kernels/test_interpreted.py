"""Every kernel in this folder's other tests, under Triton's interpreter."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from tests.kernels.conftest import HERE, INNER

pytestmark = pytest.mark.slow


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton has no wheels for this system")
@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels run on the GPU instead")
def test_kernels_equal_their_plain_twins_under_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, sorted(INNER))]
    run = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
