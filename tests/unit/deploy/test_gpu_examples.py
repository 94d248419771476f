"""The deployment examples for GPU nodes hold together, and with the code that they start."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.generator.adapters.work_places import consumer_name
from services.generator.catalogue.gpus import gpu_rates
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.gpu_work import queue_of
from services.generator.domain.orders import Priority

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PYTHON = sys.executable
SETTINGS = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.M))


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def compose() -> dict[str, Any]:
    found: dict[str, Any] = documents("compose/gpu.yaml")[0]["services"]
    return found


def containers(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for document in documents(name):
        if document["kind"] == "Deployment":
            pod = document["spec"]["template"]["spec"]
            yield from ((pod, container) for container in pod["containers"])


def environments() -> dict[str, dict[str, str]]:
    found = {
        name: service["environment"]
        for name, service in compose().items()
        if "environment" in service
    }
    for _, container in containers("k8s/gpu-worker.yaml"):
        found["k8s"] = {one["name"]: one.get("value", "") for one in container["env"]}
    return found


@pytest.mark.parametrize("name", ["gpu-worker-0", "gpu-worker-1", "k8s"])
def test_every_variable_is_a_setting_and_every_model_and_card_is_known(name: str) -> None:
    environment = environments()[name]
    assert set(environment) <= SETTINGS
    assert environment["GPU_WORKER_GPU"] in gpu_rates()
    for key in ("GPU_WORKER_PRELOAD", "GPU_WORKER_ENGINES"):
        for model in json.loads(environment.get(key, "[]")):
            assert load_catalogue().get(model).provider == "local"


def test_the_autoscaler_looks_at_the_queues_of_the_models_that_the_pods_serve() -> None:
    [scaled] = [one for one in documents("k8s/gpu-worker.yaml") if one["kind"] == "ScaledObject"]
    models = json.loads(environments()["k8s"]["GPU_WORKER_ENGINES"])
    wanted = {
        consumer_name(queue_of(load_catalogue().get(model), priority))
        for model in models
        for priority in Priority
    }
    triggers = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    assert {trigger["consumer"] for trigger in triggers} == wanted
    assert {trigger["stream"] for trigger in triggers} == {"REELMESH_WORK"}
    assert {trigger["lagThreshold"] for trigger in triggers} == {"1"}
    names = {one["metadata"]["name"] for one in documents("k8s/gpu-worker.yaml")}
    assert names == {scaled["spec"]["scaleTargetRef"]["name"]}


def test_a_pod_is_given_longer_to_end_than_its_worker_takes() -> None:
    [(pod, _)] = containers("k8s/gpu-worker.yaml")
    drain = int(environments()["k8s"]["GPU_WORKER_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] > drain
    for service in compose().values():
        if "stop_grace_period" in service:
            assert int(service["stop_grace_period"].removesuffix("s")) > drain


@pytest.mark.parametrize("name", ["k8s/gpu-worker.yaml", "k8s/vllm-omni.yaml"])
def test_probes_ports_volumes_and_selectors_meet(name: str) -> None:
    for pod, container in containers(name):
        ports = {port["name"] for port in container["ports"]}
        probes = [container[key] for key in container if key.endswith("Probe")]
        assert {probe["httpGet"]["port"] for probe in probes} <= ports
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        assert container["resources"]["limits"]["nvidia.com/gpu"] >= 1
    for document in documents(name):
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert document["spec"]["selector"]["matchLabels"] == labels


def test_each_device_has_one_worker() -> None:
    devices = [
        device
        for service in compose().values()
        for held in service.get("deploy", {})
        .get("resources", {})
        .get("reservations", {})
        .get("devices", [])
        for device in held["device_ids"]
    ]
    assert len(devices) == len(set(devices))


KEDA = {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod"}
LAG = {"natsServerMonitoringEndpoint", "account", "stream", "consumer", "lagThreshold"}


def test_compose_keeps_to_the_compose_specification() -> None:
    command = [PYTHON, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run([*command, str(DEPLOY / "compose/gpu.yaml")])


@pytest.mark.parametrize("name", ["k8s/gpu-worker.yaml", "k8s/vllm-omni.yaml"])
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_keep_to_the_schema_of_kubernetes(name: str, version: str) -> None:
    checked = []
    for document in documents(name):
        if document["apiVersion"].startswith("keda.sh"):  # has no schema there
            assert document["spec"].keys() == {*KEDA, "triggers"}
            for trigger in document["spec"]["triggers"]:
                assert (trigger["type"], trigger["metadata"].keys()) == ("nats-jetstream", LAG)
        else:
            kubernetes_validate.validate(document, version, strict=True)
            checked.append(document["kind"])
    assert "Deployment" in checked


def test_a_misspelt_field_does_not_pass() -> None:
    [document, *_] = documents("k8s/gpu-worker.yaml")
    document["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.37", strict=True)


def run(command: list[str]) -> None:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
