"""Tests of the local platform: `.local/venv/bin/python -m pytest localstack/tests`."""
