"""The table that `platform.py status` prints."""

from __future__ import annotations

from localstack import services, stack
from localstack.deploy import read_outputs
from localstack.settings import Settings

DEPTHS = {
    "waiting": "ApproximateNumberOfMessages",
    "in flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def table(here: Settings) -> str:
    """Services, queues with their depths, and functions with their state."""
    running = stack.running(here)
    height = services.chain_height(here.chain_url) if "anvil" in running else None
    answers = "emulator" in running and services.emulator_ready(here)
    lines = [
        _service("emulator", here.endpoint, running, "answers" if answers else "does not answer"),
        _service("anvil", here.chain_url, running,
                 "does not answer" if height is None else f"at block {height}"),
    ]
    outputs = read_outputs(here)
    if answers and outputs:
        lines += ["", *_queues(here, outputs["queues"]), "", *_functions(here, outputs["functions"])]
    return "\n".join(lines)


def _service(name: str, address: str, running, state: str) -> str:
    process = running.get(name)
    detail = f"{state} (pid {process.pid})" if process else "not running"
    return f"{name:<26}{address:<26}{detail}"


def _queues(here: Settings, queues: dict[str, str]) -> list[str]:
    from localstack.resources.context import client

    sqs = client("sqs", here.endpoint)
    lines = [f"{'queue':<26}" + "".join(f"{title:>12}" for title in DEPTHS)]
    for name, url in sorted(queues.items()):
        depths = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(DEPTHS.values()))["Attributes"]
        lines.append(f"{name:<26}" + "".join(f"{depths[key]:>12}" for key in DEPTHS.values()))
    return lines


def _functions(here: Settings, functions: dict[str, str]) -> list[str]:
    from localstack.resources.context import client

    lambdas = client("lambda", here.endpoint)
    lines = [f"{'function':<26}{'state':>12}{'memory':>12}{'timeout':>12}{'zip':>12}"]
    for name, physical in sorted(functions.items()):
        one = lambdas.get_function_configuration(FunctionName=physical)
        state = one["State"] if one["LastUpdateStatus"] == "Successful" else one["LastUpdateStatus"]
        lines.append(f"{name:<26}{state:>12}{one['MemorySize']:>9} MB{one['Timeout']:>10} s"
                     f"{one['CodeSize'] / 1e6:>9.1f} MB")
    return lines
