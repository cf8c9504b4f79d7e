"""Rows of an archive that are no entries: found again by what they are, written, taken back."""
