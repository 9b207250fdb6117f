"""Tests: unit (no disk, no network), integration (real databases), acceptance (CLI and HTTP), browser, trial, benchmarks."""
