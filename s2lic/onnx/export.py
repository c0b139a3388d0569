"""Export of weights: one file per ONNX graph, and a manifest with everything else that a decoder needs."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from s2lic.files import check_output, make_folder, write_atomically
from s2lic.onnx.exact import exact_builders
from s2lic.onnx.graph import Builder, Graph, scope
from s2lic.onnx.protobuf import OPSET
from s2lic.onnx.transform import analysis, hyper_analysis, synthesis
from s2lic.weights.arrays import WeightArrays

MANIFEST, FORMAT = "manifest.json", 1


def builders(weights: WeightArrays) -> dict[str, Builder]:
    """A builder for each graph. Those of g_a and g_s raise BlockChoiceError for a block without a graph."""
    row, parameters = weights.entropy, weights.parameters
    return {
        **exact_builders(row, weights.exact),
        "g_s": partial(synthesis, row=weights.transform, layers=scope(parameters, "g_s")),
        "g_a": partial(analysis, row=weights.transform, layers=scope(parameters, "g_a")),
        "h_a": partial(hyper_analysis, layers=scope(parameters, "entropy.h_a"), latent=row.latent, side=row.side),
    }


def exported(weights: WeightArrays) -> dict[str, bytes]:
    """The exported files by name."""
    files, listed = dict[str, bytes](), dict[str, Any]()
    for name, builder in builders(weights).items():
        graph, file = Graph(name), f"{name}.onnx"
        builder(graph)
        files[file] = graph.to_bytes()
        listed[name] = {
            "file": file,
            "sha256": hashlib.sha256(files[file]).hexdigest(),
            "inputs": graph.inputs,
            "outputs": graph.outputs,
        }
    return {MANIFEST: json.dumps({**manifest(weights), "graphs": listed}).encode(), **files}


def manifest(weights: WeightArrays) -> dict[str, Any]:
    """The fields of the manifest, without the list of graphs."""
    row, exact = weights.entropy, weights.exact
    return {
        "format": FORMAT,
        "opset": OPSET,
        "config": weights.config,
        "model_id": weights.model_id.hex(),
        "sha256": weights.digest.hex(),
        "latent": row.latent,
        "slices": list(row.slices),
        "side": row.side,
        "anchors": row.anchors,
        "rows": weights.tables.gaussian_count,
        "known_answer": weights.known_answer,
        "tables": {name: array.tolist() for name, array in weights.tables.to_arrays().items()},
        "z_centre": exact["z_centre"].tolist(),
        "log_gain": exact["log_gain"].tolist(),
        "log_inverse": _numbers(weights.parameters["entropy.gains.log_inverse"]),
        "mean_exponent": exact["mean_exponent"].tolist(),
        "context_exponent": exact["context_exponent"].tolist(),
        "modulations": {name: _modulation(weights, name) for name in modulation_names(weights)},
        "h_a": _numbers(weights.parameters["entropy.h_a.modulate.table"]),
    }


def modulation_names(weights: WeightArrays) -> dict[str, str]:
    """The prefix of the modulation arrays of each graph."""
    slices = [f"slices.{index}" for index in range(len(weights.entropy.slices))]
    return {"h_s": "h_s.modulate", **{f"{name}.parameters": f"{name}.parameters_net.modulate" for name in slices}}


def _modulation(weights: WeightArrays, graph: str) -> dict[str, list[list[int]]]:
    prefix = modulation_names(weights)[graph]
    return {name: weights.exact[f"{prefix}.{name}"].tolist() for name in ("slope", "offset")}


def _numbers(array: Any) -> list[Any]:
    """Convert float16 to float64, which is exact."""
    found: list[Any] = array.astype(np.float64).tolist()
    return found


def write_files(folder: Path, files: dict[str, bytes], force: bool) -> None:
    """Write the exported files into a folder, which is created if needed.

    Raises OutputExistsError if a file exists and `force` is not set, or OutputPlaceError.
    """
    make_folder(folder)
    for name in files:
        check_output(folder / name, force)
    for name, content in files.items():
        write_atomically(folder / name, content, force)
