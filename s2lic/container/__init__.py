"""The file format: header, boxes, tiles, exceptions; no torch here."""
