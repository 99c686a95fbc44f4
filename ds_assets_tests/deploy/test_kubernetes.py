import re
from typing import Any

import kubernetes_validate
import pytest
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job
from kubernetes.client import ApiClient

from ds_assets.settings import load_settings
from ds_assets_tests.deploy.files import (
    ADDRESSES,
    DEPLOY,
    ROOT,
    compose_command,
    option_of,
    parse_command,
    read_variables,
    read_yaml,
)

VERSIONS = ("1.28", "1.32", "1.36")
"""Versions of Kubernetes whose schemas the objects are compared with."""
API: dict[str, dict[str, Any]] = {it["kind"]: it for it in read_yaml("kubernetes/api.yaml")}
VALUES = read_yaml("kubernetes/dagster-values.yaml")
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
POD = API["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
INSTANCE = read_yaml("dagster.yaml")


def snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()


def job_of_a_run() -> dict[str, Any]:
    """The job that Dagster's launcher makes for a run, with what the chart hands to it."""
    options = {
        "env_secrets": [it["name"] for it in LAUNCHER["envSecrets"]],
        "env_vars": LAUNCHER["envVars"],
        "volumes": LAUNCHER["volumes"],
        "volume_mounts": LAUNCHER["volumeMounts"],
        "security_context": LAUNCHER["securityContext"],
        "run_k8s_config": {snake(key): value for key, value in LAUNCHER["runK8sConfig"].items()},
    }
    config = DagsterK8sJobConfig(
        job_image="image:tag",
        dagster_home=VALUES["global"]["dagsterHome"],
        instance_config_map="dagster-instance",
        postgres_password_secret=VALUES["global"]["postgresqlSecretName"],
    )
    job = construct_dagster_k8s_job(
        config,
        ["dagster", "api", "execute_run"],
        "dagster-run",
        K8sContainerContext.create_from_config({"k8s": options}).run_k8s_config,
    )
    as_dict: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return as_dict


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", API)
def test_kubernetes_accepts_an_object(kind: str, version: str) -> None:
    kubernetes_validate.validate(API[kind], version, strict=True)


def test_the_api_serves_on_the_port_that_is_probed_and_published() -> None:
    parse_command(CONTAINER["command"])
    (port,) = CONTAINER["ports"]
    assert option_of(CONTAINER["command"], "--port") == str(port["containerPort"])
    probes = [CONTAINER[f"{probe}Probe"] for probe in ("startup", "readiness", "liveness")]
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}
    (published,) = API["Service"]["spec"]["ports"]
    assert published["targetPort"] == port["name"]


def test_everything_selects_the_pods_of_the_api() -> None:
    labels = API["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert API["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert API["Service"]["spec"]["selector"] == labels
    assert API["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = POD["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels


def test_an_eviction_leaves_a_pod_of_the_api() -> None:
    scaler = API["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == API["Deployment"]["metadata"]["name"]
    assert "replicas" not in API["Deployment"]["spec"]
    assert API["PodDisruptionBudget"]["spec"]["minAvailable"] < scaler["minReplicas"]
    assert CONTAINER["resources"]["requests"]["cpu"]


def test_the_api_writes_to_its_volumes_alone() -> None:
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {it["name"]: it for it in CONTAINER["volumeMounts"]}
    volumes = {it["name"]: it for it in POD["volumes"]}
    assert mounts.keys() == volumes.keys()
    writable = {name for name in mounts if not mounts[name].get("readOnly")}
    assert all(volumes[name].get("emptyDir") == {} for name in writable)
    environment = {it["name"]: it["value"] for it in CONTAINER["env"]}
    for name, mount in {"GAME": "game", "API_KEYS": "keys"}.items():
        assert environment[f"DS_ASSETS_{name}"].startswith(mounts[mount]["mountPath"] + "/")


def test_the_pods_of_the_graph_and_of_the_api_have_the_same_settings() -> None:
    of_api = [it["secretRef"]["name"] for it in CONTAINER["envFrom"]]
    assert of_api == [it["name"] for it in CODE["envSecrets"]]
    own = {it["name"]: it["value"] for it in CONTAINER["env"]}
    assert CODE["env"].items() <= own.items()
    assert own.keys() - CODE["env"].keys() == {"DS_ASSETS_API_KEYS"}
    assert read_variables("example.env").keys() >= ADDRESSES
    assert read_variables("example.env")["DS_ASSETS_HOME"] == own["DS_ASSETS_HOME"]


def test_all_pods_run_the_image_as_its_user() -> None:
    image = VALUES["dagsterWebserver"]["image"]
    assert image == VALUES["dagsterDaemon"]["image"] == CODE["image"]
    assert CONTAINER["image"] == f"{image['repository']}:{image['tag']}"
    user = re.search(r"^USER (\d+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    run = LAUNCHER["runK8sConfig"]["podSpecConfig"]
    for context in (
        POD["securityContext"],
        run["securityContext"],
        *(it["podSecurityContext"] for it in (VALUES["dagsterWebserver"], CODE)),
    ):
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, int(user[1]))


def test_the_chart_has_the_version_of_dagster() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"^dagster==(.*)$", lock, re.MULTILINE)
    for page in (DEPLOY / "kubernetes" / "dagster-values.yaml", ROOT / "docs" / "deployment.md"):
        assert set(re.findall(r"--version (\S+)", page.read_text())) == {version}


def test_the_chart_is_given_the_instance_of_the_other_ways() -> None:
    concurrency, daemon = VALUES["concurrency"], VALUES["dagsterDaemon"]
    assert concurrency["pools"]["defaultLimit"] == INSTANCE["concurrency"]["pools"]["default_limit"]
    runs = INSTANCE["concurrency"]["runs"]["max_concurrent_runs"]
    assert concurrency["runs"]["maxConcurrentRuns"] == runs
    slots = INSTANCE["run_monitoring"]["free_slots_after_run_end_seconds"]
    assert daemon["runMonitoring"]["freeSlotsAfterRunEndSeconds"] == slots
    for kind in ("sensor", "schedule"):
        purged = VALUES["retention"][kind]["purgeAfterDays"]
        assert purged == INSTANCE["retention"][kind]["purge_after_days"]
    assert VALUES["telemetry"] == INSTANCE["telemetry"]
    assert VALUES["additionalInstanceConfig"] == {"nux": INSTANCE["nux"]}


def test_the_chart_runs_the_server_that_a_container_does() -> None:
    chart = ["dagster", "api", "grpc", *CODE["dagsterApiGrpcArgs"]]
    options = ["--host", "0.0.0.0", "--port", str(CODE["port"])]  # noqa: S104  (of a pod)
    assert [*chart, *options] == compose_command("code")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_is_a_job_with_settings_game_and_memory(version: str) -> None:
    job = job_of_a_run()
    kubernetes_validate.validate(job, version, strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == LAUNCHER["runK8sConfig"]["containerConfig"]["resources"]
    assert container["securityContext"] == LAUNCHER["securityContext"]
    assert {"name": "ds-assets"} in [it["secretRef"] for it in container["envFrom"]]
    variables = {it["name"]: it.get("value") for it in container["env"]}
    assert CODE["env"].items() <= variables.items()
    mounts = {it["mountPath"] for it in container["volumeMounts"]}
    assert mounts >= {it["mountPath"] for it in CODE["volumeMounts"]}


def test_a_run_has_memory_for_more_than_the_engine() -> None:
    run = LAUNCHER["runK8sConfig"]["containerConfig"]
    gibibytes = int(run["resources"]["requests"]["memory"].removesuffix("Gi"))
    assert gibibytes * 1024 >= 2 * load_settings().memory_limit_mb
