"""Datasets with Ray Data: folders, tar shards and Parquet files at fsspec URLs (extra `bulk`)."""
