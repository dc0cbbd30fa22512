"""What changes the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

from tests.support.railway import shapes
from tests.support.railway.principals import Principal, bad_input
from tests.support.railway.world import Environment, Instance

_CONFIG = {"services", "sharedVariables", "volumes", "buckets", "privateNetworkDisabled", "groups"}


class Mutation:
    """An object whose methods are the fields."""

    def deploymentRollback(self, info: Any, id: str) -> bool:
        found = _who(info).deployment(id)
        if not found.can_rollback:
            raise bad_input("Deployment cannot be rolled back to")
        found.instance.variables = dict(found.variables)
        found.instance.deploy(**_made_of(found.meta), reason="rollback")
        return True

    def deploymentRedeploy(self, info: Any, id: str, usePreviousImageTag: bool = False) -> Any:
        found = _who(info).deployment(id)
        return shapes.deployment(found.instance.deploy(**_made_of(found.meta), reason="redeploy"))

    def deploymentRestart(self, info: Any, id: str) -> bool:
        found = _who(info).deployment(id)
        if found.status != "SUCCESS":
            raise bad_input("Deployment is not restartable")
        found.stopped = False
        return True

    def deploymentStop(self, info: Any, id: str) -> bool:
        """Its status stays as it is."""
        found = _who(info).deployment(id)
        if found.status != "SUCCESS":
            raise bad_input("Deployment is not stoppable")
        found.stopped = True
        return True

    def serviceInstanceDeployV2(
        self, info: Any, environmentId: str, serviceId: str, commitSha: str | None = None
    ) -> str:
        return _who(info).instance(environmentId, serviceId).deploy(commit=commitSha).id

    def serviceInstanceDeploy(
        self,
        info: Any,
        environmentId: str,
        serviceId: str,
        commitSha: str | None = None,
        latestCommit: bool = False,
    ) -> bool:
        _who(info).instance(environmentId, serviceId).deploy(commit=commitSha)
        return True

    def serviceInstanceUpdate(
        self, info: Any, input: Mapping[str, Any], serviceId: str, environmentId: str | None = None
    ) -> bool:
        if environmentId is None:
            raise bad_input("environmentId is needed")
        found = _who(info).instance(environmentId, serviceId)
        if input.get("numReplicas") == 0:
            raise bad_input("Error in numReplicas - Invalid input")
        source = input.get("source") or {}
        found.image, found.repo = source.get("image", found.image), source.get("repo", found.repo)
        found.start_command = input.get("startCommand", found.start_command)
        found.healthcheck_path = input.get("healthcheckPath", found.healthcheck_path)
        found.cron = input.get("cronSchedule", found.cron)
        return True

    def environmentStageChanges(
        self, info: Any, environmentId: str, input: Any, merge: bool | None = None
    ) -> Any:
        environment = _who(info).environment_of(environmentId)
        _check(environment, input)
        environment.stage(input, merge=bool(merge))
        return shapes.patch(environment)

    def environmentPatchCommitStaged(
        self,
        info: Any,
        environmentId: str,
        commitMessage: str | None = None,
        skipDeploys: bool | None = None,
    ) -> str:
        environment = _who(info).environment_of(environmentId)
        if not environment.staged:
            raise GraphQLError("No staged changes found")
        return environment.commit(commitMessage or "", deploys=not skipDeploys)

    def tcpProxyDelete(self, info: Any, id: str) -> bool:
        for instance in _who(info).world.instances():
            for proxy in instance.proxies:
                if proxy.id == id and _who(info).sees(instance.environment):
                    instance.proxies.remove(proxy)
                    return True
        raise GraphQLError("Not Authorized")

    def variableUpsert(self, info: Any, input: Mapping[str, Any]) -> bool:
        return self._upsert(info, input, {input["name"]: input["value"]})

    def variableCollectionUpsert(self, info: Any, input: Mapping[str, Any]) -> bool:
        return self._upsert(info, input, input["variables"])

    def variableDelete(self, info: Any, input: Mapping[str, Any]) -> bool:
        variables, instance = _variables(info, input)
        variables.pop(input["name"], None)
        if instance is not None:
            instance.deploy()
        return True

    def _upsert(self, info: Any, input: Mapping[str, Any], given: Mapping[str, str]) -> bool:
        """A change deploys the service at once."""
        variables, instance = _variables(info, input)
        if input.get("replace"):
            variables.clear()
        variables.update(given)
        if instance is not None and not input.get("skipDeploys"):
            instance.deploy()
        return True


def _who(info: Any) -> Principal:
    principal: Principal = info.context
    return principal


def _made_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    named = {"commitHash": "commit", "commitMessage": "message", "image": "image"}
    return {name: meta[key] for key, name in named.items() if key in meta}


def _variables(info: Any, input: Mapping[str, Any]) -> tuple[dict[str, str], Instance | None]:
    environment = _who(info).environment_of(input["environmentId"])
    _who(info).project(input["projectId"])
    if input.get("serviceId") is None:
        return environment.shared, None
    instance = _who(info).instance(environment.id, input["serviceId"])
    return instance.variables, instance


def _check(environment: Environment, config: Any) -> None:
    """The scalar has a JSON Schema of its own; this is what it says of variables."""
    if not isinstance(config, Mapping) or not set(config) <= _CONFIG:
        raise bad_input("Invalid environment config")
    for service_id, service in (config.get("services") or {}).items():
        if environment.instance(service_id) is None:
            raise bad_input(f"Service {service_id} not found in environment")
        _check_variables(service.get("variables") or {})
    _check_variables(config.get("sharedVariables") or {})


def _check_variables(variables: Mapping[str, Any]) -> None:
    for name, variable in variables.items():
        fits = variable is None or (isinstance(variable, Mapping) and isinstance(variable.get("value"), str))
        if not fits:
            raise bad_input(f'Invalid variable {name}: got "{variable}"')
