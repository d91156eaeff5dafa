"""Shifts a function's alias to a new version by CodeDeploy and waits for the end.

Started by deploys.tf with its orders in the environment: APPLICATION, DEPLOYMENT_GROUP,
FUNCTION, ALIAS and TARGET_VERSION. Needs the AWS command line. Exits 0 when the alias
points at the version, 1 when the deployment failed or was rolled back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

POLL_S = 10
ENDED_WELL = "Succeeded"
ENDED = (ENDED_WELL, "Failed", "Stopped")


def aws(*arguments: str) -> dict:
    """Runs the AWS command line; its own message is on stderr when it fails."""
    done = subprocess.run(["aws", *arguments, "--output", "json"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "{}")


def app_spec(function: str, alias: str, current: str, target: str) -> str:
    """The deployment's orders in CodeDeploy's own format."""
    properties = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": target}
    resources = [{"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}]
    return json.dumps({"version": 0.0, "Resources": resources})


def main() -> int:
    env = os.environ
    function, alias, target = env["FUNCTION"], env["ALIAS"], env["TARGET_VERSION"]
    current = aws("lambda", "get-alias", "--function-name", function, "--name", alias)["FunctionVersion"]
    if current == target:
        print(f"{function}: {alias} is already at version {target}")
        return 0
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": app_spec(function, alias, current, target)}}
    started = aws(
        "deploy", "create-deployment",
        "--application-name", env["APPLICATION"],
        "--deployment-group-name", env["DEPLOYMENT_GROUP"],
        "--revision", json.dumps(revision),
    )
    deployment = started["deploymentId"]
    print(f"{function}: {alias} goes from version {current} to {target} by deployment {deployment}", flush=True)
    while True:
        info = aws("deploy", "get-deployment", "--deployment-id", deployment)["deploymentInfo"]
        if info["status"] in ENDED:
            break
        time.sleep(POLL_S)
    if info["status"] == ENDED_WELL:
        return 0
    reason = info.get("errorInformation", {}).get("message", "no reason given")
    print(f"{function}: deployment {deployment} ended as {info['status']}: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
