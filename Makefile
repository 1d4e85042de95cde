# make run: the app on http://localhost:8501.  make test: every test.  make check: lint, types, import rules, fast tests.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501

.PHONY: run test check parity format images clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Piper Studio needs Python 3.11 to 3.13: name one, as in  make run PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/run.stamp $@

run: .venv/run.stamp
	$(BIN)/streamlit run app.py --server.port $(PORT)

# Two at a time, one torch thread each: the tests start trainers and browsers of their own.
test: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=15

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not browser"

# Beside piper-tts' own trainer, in an environment made for it: the same step, and checkpoints both ways.
parity: .venv/dev.stamp
	$(BIN)/python -m benchmarks.parity

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pictures of README and docs, from the real app in a real browser: make images WORKSPACE=... DATASET=...
images: .venv/dev.stamp
	$(BIN)/python -m docs.make_images pages --workspace $(WORKSPACE) --dataset $(DATASET)
	$(BIN)/python -m docs.make_images losses $(WORKSPACE)/runs/learning

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
