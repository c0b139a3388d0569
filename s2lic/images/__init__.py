"""Pictures in and out: loading, saving, modes, metadata, alpha; no torch here."""
