"""Two organisations with everybody that matters, for tests of who may what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from accounts.models import Member, Organisation, Project, User

ROLES = ("owner", "billing_manager", "member", "viewer")


@dataclass
class World:
    """``people``: each role of Physics by its name, ``former`` who has left, ``rival`` the owner of Chemistry."""

    physics: Organisation
    chemistry: Organisation
    project: Project
    people: dict[str, User] = field(default_factory=dict)

    def client(self, name: str) -> Client:
        client = Client()
        if name != "stranger":
            client.force_login(self.people[name], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def member(self, name: str) -> Member:
        return Member.objects.get(organisation=self.physics, user=self.people[name])


def make_world(make_user: Any) -> World:
    physics = Organisation.objects.create(name="Physics", billing_email="bills@example.ac.th")
    chemistry = Organisation.objects.create(name="Chemistry")
    project = Project.objects.create(organisation=physics, name="Low temperature")
    world = World(physics, chemistry, project)
    for role in ROLES:
        world.people[role] = make_user(role.replace("_", "."))
        Member.objects.create(organisation=physics, user=world.people[role], role=role)
    for name in ("former", "nobody"):
        world.people[name] = make_user(name)
    world.people["rival"] = make_user("rival")
    Member.objects.create(organisation=chemistry, user=world.people["rival"], role="owner")
    return world
