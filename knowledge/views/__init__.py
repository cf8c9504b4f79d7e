"""The reader pages, one module per subject."""
