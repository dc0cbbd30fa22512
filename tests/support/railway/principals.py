"""Who asks, by the token in the request's head, and what they may see; errors in Railway's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import GraphQLError

from tests.support.railway.world import Deployment, Environment, Instance, Project, Workspace, World


def not_authorized() -> GraphQLError:
    return GraphQLError("Not Authorized")


def bad_input(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


@dataclass(frozen=True)
class Principal:
    """`environment`: of a project's token. `workspace`: of a workspace's. Neither: an account's, which sees all."""

    world: World
    environment: Environment | None = None
    workspace: Workspace | None = None

    def sees(self, environment: Environment) -> bool:
        if environment.restricted:
            return False
        if self.environment is not None:
            return environment is self.environment
        return self.workspace in (None, environment.project.workspace)

    def project(self, id: str) -> Project:
        found = next((each for each in self.world.projects if each.id == id), None)
        if found is not None and self._sees_project(found):
            return found
        # Whether there is one, only somebody who sees everything is told.
        raise (
            GraphQLError("Project not found")
            if self.environment is None and found is None
            else not_authorized()
        )

    def _sees_project(self, project: Project) -> bool:
        if self.environment is not None:
            return self.environment.project is project
        return self.workspace in (None, project.workspace)

    def environment_of(self, id: str) -> Environment:
        found = next((each for each in self.world.environments() if each.id == id), None)
        if found is None or not self.sees(found):
            raise not_authorized()
        return found

    def instance(self, environment_id: str, service_id: str) -> Instance:
        found = self.environment_of(environment_id).instance(service_id)
        if found is None:
            raise GraphQLError("Service Instance not found")
        return found

    def deployment(self, id: str) -> Deployment:
        found = next((each for each in self.world.deployments() if each.id == id), None)
        if found is None:
            raise GraphQLError("Deployment not found")
        if not self.sees(found.instance.environment):
            raise not_authorized()
        return found

    def workspace_of(self, id: str) -> Workspace:
        """Bills are not for tokens of projects."""
        found = next((each for each in self.world.workspaces if each.id == id), None)
        if found is None or self.environment is not None or self.workspace not in (None, found):
            raise not_authorized()
        return found

    def account(self) -> None:
        if self.environment is not None:
            raise not_authorized()


def principal_of(world: World, headers: Mapping[str, str]) -> Principal:
    token = headers.get("project-access-token")
    if token is not None:
        environment = world.project_tokens.get(token)
        if environment is None:
            raise GraphQLError("Project Token not found")
        return Principal(world, environment=environment)
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if bearer in world.project_tokens:  # in the wrong header
        raise GraphQLError("Project Token not found")
    if bearer not in world.tokens:
        raise not_authorized()
    return Principal(world, workspace=world.tokens[bearer])
