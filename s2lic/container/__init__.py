"""The file format: header, boxes, tiles and exceptions. It does not import torch."""
