# `make help` lists the targets; the text behind `##` is what it prints.
SHELL := /bin/bash
.DEFAULT_GOAL := build

SWIFT ?= swift
# The layers are enforced, not agreed: an import that Package.swift does not list is an error.
CHECKED := --explicit-target-dependency-import-check error
SOURCES := Package.swift Sources Tests $(wildcard Benchmarks)

.PHONY: help build demo test check format bench record clean deps

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

record:  ## record captures/mqtt anew from real programs (root; NAMES="a b" for some of them)
	captures/record/record.sh --output captures $(NAMES)

clean:  ## remove what was built
	$(SWIFT) package clean
