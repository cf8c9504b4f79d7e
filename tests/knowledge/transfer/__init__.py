"""Bulk import and export."""
