"""Tests: unit, integration, acceptance, browser, trial, benchmarks (tests/README.md says what goes where)."""
