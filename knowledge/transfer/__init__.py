"""Bulk import and export: files of any size as streams of rows, written in batches that can be undone."""
