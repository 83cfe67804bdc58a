# Each target does the set-up it needs. `make setup PYTHON=python3.12` names the Python.
SHELL := /bin/bash
activate := source tools/activate.sh

.PHONY: setup demo demo-live test bench lint

setup: ; @tools/setup
demo: setup ; @$(activate) && DEMO_FRAMES=$${DEMO_FRAMES-60} tools/demo
demo-live: setup ; @$(activate) && env -u DEMO_FRAMES tools/demo
test: setup ; @$(activate) && python -m pytest $(PYTEST_ARGS)
bench: setup ; @$(activate) && benchmarks/run
lint: setup ; @$(activate) && ruff check && ruff format --check && mypy
