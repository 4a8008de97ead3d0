"""`Project`, and how one is made and opened."""

from slidekit.project.creating import create_project, load_project
from slidekit.project.project import Project

__all__ = ["Project", "create_project", "load_project"]
