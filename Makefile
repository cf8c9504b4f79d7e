# Everything runs in .venv, which is made on first use. `make run` needs Python 3.11 or newer.
PYTHON ?= python3
.DEFAULT_GOAL := help

help:            ## Show what there is to make.
	@grep -E '^[a-z-]+:.*##' Makefile

run: .venv/site  ## Start the site: web and worker, on http://127.0.0.1:8000 (KB_BIND changes that).
	@.venv/bin/python -m kbsite.serve

test: .venv/test ## Everything: lint, types, contracts, tests on SQLite, on PostgreSQL, in a browser.
	@.ci/test

lint: .venv/test ## The checks alone: style, types, import contracts, templates, migrations, deployment.
	@.ci/lint

format: .venv/test ## Rewrite code in the project's style.
	@.venv/bin/ruff check -q --fix-only; .venv/bin/ruff format -q

bench: .venv/test ## Print benchmark figures and their ratios.
	@.ci/bench

demo-postgres: .venv/test ## Start a PostgreSQL to move the database to, until Ctrl-C.
	@.ci/test-programs; .venv/bin/python -m tests.demo_postgres

.venv/site: requirements.txt
	@.ci/venv $(PYTHON) requirements.txt && touch $@

.venv/test: requirements.txt requirements-dev.txt
	@.ci/venv $(PYTHON) requirements-dev.txt && touch .venv/site $@

.PHONY: help run test lint format bench demo-postgres
