"""The entropy networks in integers. Rows, means and y_hat are the same on every device."""
