"""The graphs of a set in onnxruntime."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lic.onnx.graph import Builder


class Sessions:
    """Sessions by the names of graphs, each made when it is first run; for any number of threads.

    Args:
        graphs: What builds each graph.
        threads: How many threads a session takes; 0 leaves it to onnxruntime.
    """

    def __init__(self, graphs: Mapping[str, Builder], threads: int = 0) -> None:
        self._graphs, self._threads = graphs, threads
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def run(self, name: str, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a graph in their order."""
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = self._opened(self._graphs[name]().to_bytes())
        found: list[NDArray[np.float32]] = self._sessions[name].run(None, inputs)
        return found

    def _opened(self, model: bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
