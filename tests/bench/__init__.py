"""Benchmarks; `make bench` runs every script here."""
