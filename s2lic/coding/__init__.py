"""From a picture to a file and back: encoder, decoder, rate control, search, tiles."""
