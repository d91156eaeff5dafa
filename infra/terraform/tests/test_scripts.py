"""Tests of the scripts beside the Terraform; check.py runs them before all else."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True

import check  # noqa: E402
import runner  # noqa: E402

# Stands for the AWS command line: answers from a file, and notes how it was called.
AWS = """#!/usr/bin/env python3
import json, os, sys
folder = os.environ["FAKE"]
with open(folder + "/calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
answers = json.load(open(folder + "/answers"))
print(json.dumps(answers[sys.argv[2]]))
"""


class Shift(unittest.TestCase):
    """shift.py: what it asks of CodeDeploy, and what its end means."""

    def run_shift(self, current: str, status: str) -> tuple[subprocess.CompletedProcess, list[list[str]]]:
        with tempfile.TemporaryDirectory() as folder:
            fake = Path(folder, "aws")
            fake.write_text(AWS)
            fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
            Path(folder, "answers").write_text(json.dumps({
                "get-alias": {"FunctionVersion": current},
                "create-deployment": {"deploymentId": "d-1"},
                "get-deployment": {"deploymentInfo": {"status": status, "errorInformation": {"message": "an alarm went off"}}},
            }))
            env = {
                "PATH": f"{folder}:{os.environ['PATH']}", "FAKE": folder, "APPLICATION": "app", "DEPLOYMENT_GROUP": "send",
                "FUNCTION": "causeway-test-send", "ALIAS": "live", "TARGET_VERSION": "8",
            }
            done = subprocess.run([sys.executable, FOLDER / "shift.py"], env=env, capture_output=True, text=True)
            calls = [json.loads(line) for line in Path(folder, "calls").read_text().splitlines()]
            return done, calls

    def test_starts_a_deployment_from_the_old_version_to_the_new(self) -> None:
        done, calls = self.run_shift("7", "Succeeded")
        self.assertEqual(done.returncode, 0, done.stderr)
        started = next(call for call in calls if call[1] == "create-deployment")
        self.assertEqual(started[started.index("--application-name") + 1], "app")
        self.assertEqual(started[started.index("--deployment-group-name") + 1], "send")
        revision = json.loads(started[started.index("--revision") + 1])
        spec = json.loads(revision["appSpecContent"]["content"])
        self.assertEqual(spec["Resources"][0]["function"]["Properties"], {
            "Name": "causeway-test-send", "Alias": "live", "CurrentVersion": "7", "TargetVersion": "8"})

    def test_does_nothing_when_the_alias_is_there_already(self) -> None:
        done, calls = self.run_shift("8", "Succeeded")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([call[1] for call in calls], ["get-alias"])

    def test_fails_with_the_reason_when_rolled_back(self) -> None:
        for status in ("Failed", "Stopped"):
            done, _ = self.run_shift("7", status)
            self.assertEqual(done.returncode, 1)
            self.assertIn("an alarm went off", done.stderr)


class Runner(unittest.TestCase):
    """runner.py: what it hands to Terraform, and when it gives up on it."""

    def test_a_configuration_file_that_is_not_there_is_dropped(self) -> None:
        self.assertNotIn("TF_CLI_CONFIG_FILE", runner.environment({"TF_CLI_CONFIG_FILE": "/nowhere/terraformrc"}))
        self.assertEqual(runner.environment({"TF_CLI_CONFIG_FILE": __file__})["TF_CLI_CONFIG_FILE"], __file__)
        self.assertNotIn("TF_CLI_CONFIG_FILE", runner.environment({}))

    def test_only_the_providers_absence_is_a_reason_to_skip(self) -> None:
        absent = "╷\n│ Error: Failed to query available provider packages\n│ \n│ Could not retrieve the list of available versions.\n╵\n"
        self.assertTrue(runner.provider_trouble(absent))
        self.assertEqual(runner.reason(absent), "Could not retrieve the list of available versions.")
        self.assertFalse(runner.provider_trouble("Error: Unsupported block type\n\nBlocks of type \"resorce\" are not expected here."))

    def test_a_machine_without_terraform_is_a_reason_to_skip(self) -> None:
        with mock.patch.dict(os.environ, PATH="/nowhere"), self.assertRaisesRegex(runner.Skipped, "terraform is not installed"):
            runner.require_terraform()


class Check(unittest.TestCase):
    """check.py: what the exit code and the last line say."""

    def run_main(self, outcome: Exception | None) -> tuple[int, str]:
        said = io.StringIO()
        with mock.patch.object(check, "check", side_effect=outcome), mock.patch.object(sys, "argv", ["check.py", "check"]), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            return check.main(), said.getvalue()

    def test_a_skip_is_said_plainly_and_is_no_failure(self) -> None:
        self.assertEqual(self.run_main(runner.Skipped("terraform is not installed")), (0, "SKIPPED: terraform is not installed\n"))

    def test_a_failure_is_one(self) -> None:
        self.assertEqual(self.run_main(runner.Failed("terraform test failed")), (1, ""))

    def test_success_says_nothing_of_a_skip(self) -> None:
        self.assertEqual(self.run_main(None), (0, ""))


if __name__ == "__main__":
    unittest.main()
