"""The networks of a set as ONNX graphs, made from a weights file by numpy alone."""
