# `make help` lists the targets; the text behind `##` is what it prints.
SHELL := /bin/bash
.DEFAULT_GOAL := build

SWIFT ?= swift
# The layers are enforced, not agreed: an import that Package.swift does not list is an error.
CHECKED := --explicit-target-dependency-import-check error
SOURCES := Package.swift Sources Tests $(wildcard Benchmarks)

.PHONY: help build demo test check format bench fuzz record clean deps

help:  ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

deps:  ## install libpcap and pkg-config when they are missing (Debian, Ubuntu)
	@.ci/install libpcap-dev pkg-config

build: deps  ## build the release binary: .build/release/pushbench
	$(SWIFT) build -c release --product pushbench

demo: build  ## inspect, replay, fuzz, minimize and re-test one recorded ghost (a minute)
	@.ci/demo .build/release/pushbench

test: deps  ## build everything, warnings as errors; run all tests; count what an event costs
	$(SWIFT) build --build-tests $(CHECKED)
	$(SWIFT) test $(CHECKED)
	$(SWIFT) build -c release --product SimulationSpeed
	Benchmarks/check-costs

check: deps  ## formatting, imports and the rules of Tests/TidyTests
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	$(SWIFT) build --build-tests $(CHECKED)
	$(SWIFT) test $(CHECKED) --filter TidyTests

format:  ## rewrite the sources in the house format
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

bench: deps  ## measure: executions a second, allocations an event
	$(SWIFT) build -c release --product pushbench
	@if [ -x Benchmarks/run ]; then Benchmarks/run; else echo "There are no benchmarks yet."; fi

# Which readers of hostile input, and how long each.
TARGET ?= containers links segments tls websocket mqtt http2 apns-serial apns-packed apns scenario
SECONDS ?= 60

fuzz: deps  ## search for hostile input that does harm (TARGET="tls mqtt" SECONDS=600; 11 minutes)
	PUSHBENCH_FUZZING=1 $(SWIFT) build -c release --product FuzzDriver --scratch-path .build-fuzz \
	  -Xswiftc -sanitize=fuzzer,address -Xswiftc -assert-config -Xswiftc Debug
	@for target in $(TARGET); do \
	  found=Tests/HostileInputTests/Inputs/$$target; mkdir -p $$found; echo "--- $$target"; \
	  ASAN_OPTIONS=detect_leaks=0 .build-fuzz/release/FuzzDriver $$target .build-fuzz/corpus/$$target -timeout=10 \
	    -rss_limit_mb=1024 -max_len=16384 -max_total_time=$(SECONDS) -print_final_stats=1 \
	    -artifact_prefix=$$found/ 2> .build-fuzz/$$target.log \
	    || { tail -40 .build-fuzz/$$target.log; exit 1; }; \
	  grep -E "^(Done|stat::)" .build-fuzz/$$target.log; rmdir --ignore-fail-on-non-empty $$found; \
	done

record:  ## record captures/mqtt anew from real programs (root; NAMES="a b" for some of them)
	captures/record/record.sh --output captures $(NAMES)

clean:  ## remove what was built
	$(SWIFT) package clean
