# Each target does the set-up it needs. `make setup PYTHON=python3.12` names the Python.
SHELL := /bin/bash
activate := source tools/activate.sh

.PHONY: setup demo train-demo test bench soak lint

setup: ; @tools/setup
demo: setup ; @$(activate) && tools/demo
train-demo: setup ; @$(activate) && stream3r train config/train_demo.yaml --out train_output --export train_output/weights --curves train_output/curves.png
test: setup ; @$(activate) && python -m pytest $(PYTEST_ARGS)
bench: setup ; @$(activate) && benchmarks/run
soak: setup ; @$(activate) && python benchmarks/soak.py --minutes $${SOAK_MINUTES-20}
lint: setup ; @$(activate) && ruff check && ruff format --check && mypy
