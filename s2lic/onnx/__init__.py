"""Builds ONNX graphs of the networks from a weights file, with numpy alone."""
