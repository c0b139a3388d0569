"""The ONNX graphs of one set of weights in onnxruntime."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lic.errors import ExtraMissingError
from s2lic.onnx.graph import Builder, Graph

# The float networks use several threads and all optimisations of onnxruntime. The others are small and must be exact:
# they use one thread and no reordering of sums.
LARGE = ("g_a", "g_s")


_OPEN: weakref.WeakSet[Sessions] = weakref.WeakSet()


class Sessions:
    """Sessions by graph name, each created on first use. Safe to use from several threads.

    Args:
        builders: A function for each graph, which builds it.
        threads: How many threads a session takes; 0 leaves it to onnxruntime.
    """

    def __init__(self, builders: Mapping[str, Builder], threads: int = 0) -> None:
        self._builders, self._threads = builders, threads
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()
        _OPEN.add(self)

    def leave_to_parent(self) -> None:
        """Forgets the sessions in a forked child, which then opens its own.

        Their threads are not in the child, and to close them there would crash or hang: they are never freed.
        """
        self._lock = threading.Lock()  # another thread may have held it, and will not release it here
        for session in self._sessions.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        self._sessions.clear()

    def run(self, name: str, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run a graph and return its outputs, in order."""
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = self._opened(name)
        found: list[NDArray[np.float32]] = self._sessions[name].run(None, inputs)
        return found

    def _opened(self, name: str) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise ExtraMissingError("onnxruntime is missing: pip install onnxruntime") from error

        graph = Graph(name, compact=False)
        self._builders[name](graph)
        options = onnxruntime.SessionOptions()
        if name in LARGE:
            options.intra_op_num_threads = self._threads
        else:
            options.intra_op_num_threads = 1
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it would keep 80 MB
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])


def _after_fork() -> None:
    for sessions in list(_OPEN):
        sessions.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
