# Each target does the set-up it needs. `make setup PYTHON=python3.12` names the Python.
SHELL := /bin/bash
activate := source tools/activate.sh

.PHONY: setup demo test bench lint

setup: ; @tools/setup
demo: setup ; @$(activate) && tools/demo
test: setup ; @$(activate) && python -m pytest $(PYTEST_ARGS)
bench: setup ; @$(activate) && benchmarks/run
lint: setup ; @$(activate) && ruff check && ruff format --check && mypy
