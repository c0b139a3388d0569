"""The entropy networks in integers: the same rows, means and y_hat on every device."""
