"""The topology file, the overlay, and the rules that both keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localstack import topology
from localstack.deploy import TOPOLOGY
from localstack.settings import PlatformError


def changed(folder: Path, change) -> Path:
    """A copy of the topology after `change` has worked on it."""
    document = yaml.safe_load(TOPOLOGY.read_text())
    change(document)
    path = folder / "topology.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("local", [False, True])
def test_the_topology_keeps_its_rules(local: bool) -> None:
    topology.load(TOPOLOGY, local)


def test_on_aws_a_queue_hides_a_message_for_six_timeouts_of_its_reader() -> None:
    loaded = topology.load(TOPOLOGY, local=False)
    for function, trigger in loaded.queue_triggers():
        assert loaded.queues[trigger.queue].visibility_s >= 6 * function.timeout_s


def test_locally_a_message_stays_hidden_while_its_reader_may_still_run() -> None:
    loaded = topology.load(TOPOLOGY)
    for function, trigger in loaded.queue_triggers():
        assert loaded.queues[trigger.queue].visibility_s >= function.timeout_s


def test_every_queue_has_one_reader() -> None:
    loaded = topology.load(TOPOLOGY)
    read = sorted(trigger.queue for _, trigger in loaded.queue_triggers())
    assert read == sorted(loaded.queues)


def test_a_fifo_queue_has_a_fifo_dead_letter_queue() -> None:
    loaded = topology.load(TOPOLOGY)
    for queue in loaded.queues.values():
        if queue.dead_letter:
            assert loaded.queues[queue.dead_letter].fifo == queue.fifo


def test_the_overlay_replaces_values_and_keeps_their_neighbours() -> None:
    aws, local = topology.load(TOPOLOGY, local=False), topology.load(TOPOLOGY)
    before, after = aws.functions["validate-sign"], local.functions["validate-sign"]
    assert after.timeout_s != before.timeout_s
    assert after.rights == before.rights
    assert after.queue_triggers == before.queue_triggers
    assert local.queues["chain-events"].dead_letter == aws.queues["chain-events"].dead_letter


def test_merge_goes_into_maps_and_replaces_lists() -> None:
    base: dict[str, Any] = {"kept": 1, "map": {"a": 1, "b": 2}, "list": [1, 2]}
    assert topology.merge(base, {"map": {"b": 3}, "list": [4]}) == {"kept": 1, "map": {"a": 1, "b": 3}, "list": [4]}
    assert base["map"]["b"] == 2


def test_a_function_lays_its_environment_over_the_defaults() -> None:
    loaded = topology.load(TOPOLOGY)
    environment = loaded.functions["status-check"].environment
    assert environment["CAUSEWAY_LOOP_S"] == "75"
    assert environment["CAUSEWAY_CLAIM_TENANT"] == "custom:tenant"


def test_a_schedule_per_network_is_made_for_each_network(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda document: document["local"].update(networks=["local", "sepolia"]))
    made = [(name, payload) for name, _, _, payload in topology.load(path).schedules()]
    assert made == [("status-check-local", {"network": "local"}), ("status-check-sepolia", {"network": "sepolia"})]


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d["queues"]["chain-events"].update(visibility=3), "queues.chain-events: visibility is not a known"),
    (lambda d: d["queues"]["chain-events"].pop("kind"), "queues.chain-events: kind is missing"),
    (lambda d: d["queues"]["transactions.fifo"].update(dead_letter="transfers-dead"), "must be fifo too"),
    (lambda d: d["queues"]["chain-events"].update(dead_letter="nowhere"), "there is no queue nowhere"),
    (lambda d: d["queues"]["chain-events-dead"].update(retention_days=4), "must retain messages for longer"),
    (lambda d: d["local"]["functions"]["settle"].update(timeout_s=13), "queues.chain-events.visibility_s: 12"),
    (lambda d: d["functions"]["settle"].update(triggers=[]), "queues.chain-events: no function reads it"),
    (lambda d: d["functions"]["send"]["triggers"].append({"queue": "chain-events", "batch": 1}), "already read by"),
    (lambda d: d["functions"]["send"]["rights"]["tables"].update(transfers=["drop"]), "drop is not a right"),
    (lambda d: d["functions"]["send"]["rights"]["tables"].update(nowhere=["read"]), "there is no table nowhere"),
    (lambda d: d["functions"]["send"]["rights"].update(keys={"treasury": ["sign"]}), "send.rights.sign_conditions"),
    (lambda d: d["functions"]["validate-sign"]["rights"].pop("sign_conditions"), "validate-sign.rights.sign_cond"),
    (lambda d: d["api"]["routes"][0].update(function="nowhere"), "there is no function nowhere"),
    (lambda d: d["api"]["routes"][0].update(roles=["king"]), "there is no group king"),
    (lambda d: d["local"]["users"][0].update(groups=["king"]), "local.users alice: there is no group king"),
    (lambda d: d.update(version=2), "version must be 1"),
])
def test_a_broken_topology_is_refused_by_name(tmp_path: Path, change, said: str) -> None:
    with pytest.raises(PlatformError) as refusal:
        topology.load(changed(tmp_path, change))
    assert said in str(refusal.value)
