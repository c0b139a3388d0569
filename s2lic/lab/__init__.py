"""Research: studies of blocks, of no use to the codec itself (extra `lab`)."""
