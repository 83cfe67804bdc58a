# Each target does the set-up it needs. `make setup PYTHON=python3.12` names the Python.
SHELL := /bin/bash
activate := source tools/activate.sh

.PHONY: setup demo demo-live train-demo test bench lint

setup: ; @tools/setup
demo: setup ; @$(activate) && DEMO_FRAMES=$${DEMO_FRAMES-60} tools/demo
demo-live: setup ; @$(activate) && env -u DEMO_FRAMES tools/demo
train-demo: setup ; @$(activate) && stream3r train config/train_demo.yaml --out train_output --export train_output/weights
test: setup ; @$(activate) && python -m pytest $(PYTEST_ARGS)
bench: setup ; @$(activate) && benchmarks/run
lint: setup ; @$(activate) && ruff check && ruff format --check && mypy
