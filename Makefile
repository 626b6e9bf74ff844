# Two commands: `make run` opens the dashboard, `make test` checks everything.

PYTHON ?= python3
ADDRESS ?= 127.0.0.1
PORT ?= 8501
BIN := .venv/bin

.PHONY: run test format docs benchmark clean

run: .venv/run.stamp
	$(BIN)/streamlit run app.py --server.address $(ADDRESS) --server.port $(PORT)

test: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The docstrings of core as pages, in docs/api.
docs: .venv/test.stamp
	$(BIN)/pdoc --math --output-directory docs/api core

benchmark: .venv/test.stamp
	$(BIN)/python -m benchmarks.dashboard
	$(BIN)/python -m benchmarks.models
	$(BIN)/python -m benchmarks.initialization

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/run.stamp: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
