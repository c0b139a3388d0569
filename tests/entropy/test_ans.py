from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from s2lic.entropy import ans, rans
from s2lic.entropy.ans import load_ans
from s2lic.errors import PureCoderWarning

ROUND_TRIP = """
row = [0, 1000, 65536, 65536]
encoder = coder.BufferedRansEncoder()
encoder.encode_with_indexes([0, 1, 1, 0], [0] * 4, [row], [4], [0])
decoder = coder.RansDecoder()
decoder.set_stream(encoder.flush() + bytes(24))
assert decoder.decode_stream([0] * 4, [row], [4], [0]) == [0, 1, 1, 0]
"""


def run_alone(code: str) -> None:
    command = [sys.executable, "-W", "error::UserWarning:s2lic", "-c", code + ROUND_TRIP]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_our_loader_then_compressai_share_one_module() -> None:
    run_alone(
        "import sys\n"
        "from s2lic.entropy.ans import load_ans\n"
        "coder = load_ans()\n"
        "assert 'compressai' not in sys.modules and 'torch' not in sys.modules\n"
        "import compressai\n"
        "from compressai import ans\n"
        "assert ans is coder\n"
    )


def test_compressai_then_our_loader_share_one_module() -> None:
    run_alone(
        "import compressai.ans\n"
        "from s2lic.entropy.ans import load_ans\n"
        "coder = load_ans()\n"
        "assert coder is compressai.ans\n"
    )


def test_the_compiled_coder_is_loaded_once() -> None:
    assert load_ans() is load_ans()
    assert load_ans() is not rans


def test_a_missing_coder_is_replaced_with_a_visible_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, ans.NAME, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.warns(PureCoderWarning, match="pip install compressai"):
        assert load_ans() is rans


def test_a_package_without_the_compiled_file_is_replaced_with_a_visible_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, ans.NAME, raising=False)
    empty = ModuleSpec("compressai", None, is_package=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: empty)
    with pytest.warns(PureCoderWarning, match="no compiled module"):
        assert load_ans() is rans
