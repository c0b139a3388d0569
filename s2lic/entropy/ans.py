"""The compiled range coder of CompressAI, loaded without the package around it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from importlib.machinery import PathFinder
from types import ModuleType

from s2lic.entropy import rans
from s2lic.errors import PureCoderWarning

NAME = "compressai.ans"


def load_ans() -> ModuleType:
    """CompressAI's `ans`, or its twin `s2lic.entropy.rans` with a PureCoderWarning.

    `import compressai` costs seconds and all of torch, so only the compiled file is loaded. It goes
    under its own name: pybind11 registers types per process, and a second copy under another name
    would abort a later `import compressai`.
    """
    try:
        return _compiled()
    except ImportError as cause:
        warnings.warn(
            f"no compiled range coder ({cause}); coding in plain Python instead, which is slow. "
            "Mend: pip install compressai",
            PureCoderWarning,
            stacklevel=2,
        )
        return rans


def load_any_ans() -> ModuleType:
    """The same without a warning, for an installation that is meant to be without CompressAI."""
    try:
        return _compiled()
    except ImportError:
        return rans


def _compiled() -> ModuleType:
    if NAME not in sys.modules:
        sys.modules[NAME] = _load_compiled()
    return sys.modules[NAME]


def _load_compiled() -> ModuleType:
    package = importlib.util.find_spec("compressai")
    if package is None:
        raise ImportError("compressai is not installed")
    spec = PathFinder.find_spec(NAME, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ImportError("compressai holds no compiled module 'ans' for this Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
