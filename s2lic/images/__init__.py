"""Reading and writing of images: modes, metadata, alpha. Does not import torch."""
