# The developer's menu over CMake's presets. `make` alone lists it. Every target that builds also does the set-up it
# needs (packaging/setup: a moment when nothing is missing), so each works on a fresh Debian 12 or 13.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help setup build quickstart test test-asan test-tsan soak fuzz format lint package bench bench-peer bench-train bench-quality clean

# Where the tests and some configs find real data; tests that need it are skipped where it is absent.
export RETORT_SHARED ?= $(abspath ../shared)
JOBS ?= $(shell nproc)
# Several sources compiled as one: less time from nothing. For work on a few files: UNITY=OFF when a build folder is new.
UNITY ?= ON
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 60
# How often `make soak` kills a run.
SOAK_KILLS ?= 100

retort := build/release/bin/retort
step = @printf '\n== %s\n' '$(1)'
# Plugins are refused when their group can write to them, so build files are not group-writable whatever the shell says.
compile = umask 022 && cmake --build --preset $(1) -j $(JOBS)

help: ## this list
	@printf 'Retort: make TARGET\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: JOBS=%s (parallel compilations), FUZZ_SECONDS=%s, RETORT_SHARED=%s (test data)\n' \
		'$(JOBS)' '$(FUZZ_SECONDS)' '$(RETORT_SHARED)'

setup: ## install what the build needs (Debian 12 or 13; asks for nothing)
	@packaging/setup

# CMake runs by hand only when a build folder is new or the presets changed; ninja reruns it when a CMakeLists.txt did.
build/%/build.ninja: CMakePresets.json | setup
	$(call step,configure: $*)
	@umask 022 && cmake --preset $* -DRETORT_UNITY=$(UNITY) && touch $@

# clang-tidy reads sources one by one.
build/lint/build.ninja: CMakePresets.json | setup
	$(call step,configure: lint)
	@umask 022 && cmake --preset release -B build/lint && touch $@

build: build/release/build.ninja ## build everything except tests and benchmarks: build/release/bin/retort
	$(call step,build: release)
	@$(call compile,release) --target product

quickstart: build/release/build.ninja ## prepare a model with configs/quickstart.json and call it (minutes; seconds the second time)
	$(call step,build: what the quickstart needs)
	@$(call compile,release) --target quickstart
	$(call step,run: configs/quickstart.json)
	$(retort) run configs/quickstart.json
	$(call step,call the model)
	$(retort) call runs/quickstart/model "turn on the kitchen light"
	$(retort) call runs/quickstart/model "set a timer for ten minutes"
	$(retort) call runs/quickstart/model "play some jazz in the living room"

test: build/release/build.ninja ## build everything and run all tests
	$(call step,build: release with tests)
	@$(call compile,release)
	$(call step,test)
	@tests/plugins/mcp-reference
	@ctest --preset release

test-asan: build/asan/build.ninja ## tests without LibTorch under the address and undefined-behaviour sanitizers
	$(call step,build: asan)
	@$(call compile,asan)
	$(call step,test: asan)
	@ctest --preset asan

test-tsan: build/tsan/build.ninja ## tests without LibTorch under the thread sanitizer
	$(call step,build: tsan)
	@$(call compile,tsan)
	$(call step,test: tsan)
	@ctest --preset tsan

soak: build/release/build.ninja ## kill runs at random moments, SOAK_KILLS times, and expect equal bytes at the end
	$(call step,build: what the quickstart needs)
	@$(call compile,release) --target quickstart
	$(call step,soak: $(SOAK_KILLS) kills)
	@SOAK_KILLS=$(SOAK_KILLS) tests/faults/soak $(retort) configs/quickstart.json

fuzz: ## feed anything to the readers of files, FUZZ_SECONDS each, with libFuzzer (clang)
	@packaging/setup --fuzz
	@[ -e build/fuzz/build.ninja ] || { umask 022 && cmake --preset fuzz; }
	$(call step,build: fuzz)
	@$(call compile,fuzz)
	$(call step,fuzz: $(FUZZ_SECONDS) seconds each)
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS) $(JOBS)

sources = git ls-files -z -- '*.c' '*.h' '*.cpp' '*.hpp'

format: ## rewrite the sources with the pinned clang-format
	@packaging/setup --lint
	$(call step,format)
	@$(sources) | xargs -0 clang-format-19 -i

lint: build/lint/build.ninja ## clang-format in check mode, then clang-tidy; both must be silent
	@packaging/setup --lint
	$(call step,lint: clang-format)
	@$(sources) | xargs -0 clang-format-19 --dry-run -Werror
	$(call step,lint: clang-tidy)
	@packaging/lint build/lint $(JOBS)

package: build ## Debian packages and an archive in dist/
	$(call step,package)
	@umask 022 && cpack --config build/release/CPackConfig.cmake -B dist
	@rm -rf dist/_CPack_Packages && ls -l dist

bench: build/release/build.ninja ## build and run the benchmarks
	$(call step,bench)
	@$(call compile,release) --target bench_runtime bench_kernels bench_linear bench_tokenizer
	build/release/bin/bench_kernels
	build/release/bin/bench_runtime
	build/release/bin/bench_tokenizer
	build/release/bin/bench_linear --benchmark_min_time=0.05s

# The peer's script fetches llama.cpp into a cache folder the first time. RUNS: alternating runs, of which the medians count.
RUNS ?= 5
bench-peer: build/release/build.ninja ## measure beside llama.cpp and OpenVINO GenAI; a table, and build/bench/peer.json (RUNS=5)
	@test -x '$(RETORT_SHARED)/tools/llama-peer.sh' || { printf >&2 'bench-peer: expected %s, found none;\n%s\n' \
	  '$(RETORT_SHARED)/tools/llama-peer.sh' 'set RETORT_SHARED to the folder that has tools/llama-peer.sh'; exit 1; }
	$(call step,build: retort)
	@$(call compile,release) --target retort
	$(call step,bench-peer: $(RUNS) runs)
	@tests/bench/peer.py --retort $(retort) --peer '$(RETORT_SHARED)/tools/llama-peer.sh' --runs $(RUNS) --out build/bench/peer.json

# PyTorch comes from Debian's package, unpacked into a cache folder the first time; nothing is installed. PAIRS: steps of each.
PAIRS ?= 9
bench-train: build/release/build.ninja ## tokens/s of a training step beside PyTorch; a table, and build/bench/train.json
	$(call step,build: bench_training)
	@$(call compile,release) --target bench_training
	$(call step,bench-train: $(PAIRS) pairs of steps)
	@tests/bench/train.py --bench build/release/bin/bench_training --peer tests/bench/torch-peer.sh --pairs $(PAIRS) \
	  --out build/bench/train.json

# The first time it trains every model (hours on two cores) and fetches the labeller's packages into build/bench/quality.
bench-quality: build/release/build.ninja ## exact match on real words beside a CRF; a table, and build/bench/quality.json
	$(call step,build: what the runs need)
	@$(call compile,release) --target product
	$(call step,bench-quality)
	@tests/bench/quality.py --retort $(abspath $(retort)) --shared '$(RETORT_SHARED)' --work build/bench/quality --out build/bench/quality.json

clean: ## remove build/ and dist/; runs/ (your models) stays
	rm -rf build dist
