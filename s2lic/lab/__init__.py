"""Research: everything that studies blocks and that the codec does not need."""
