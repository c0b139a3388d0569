"""Whole datasets through Ray Data: folders, tar shards and Parquet files behind fsspec URLs (extra `bulk`)."""
