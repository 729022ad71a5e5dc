from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="UpdateProjectRequest")


@_attrs_define
class UpdateProjectRequest:
    """The fields of a project to change; what is left out stays as it is.

    Attributes:
        name (str | Unset): The updated name of the project
        description (str | Unset): The updated description of the project
        project_type (str | Unset): The updated type of the project. Known: `web-site`, `web-service`, `web-app`; the
            server may take others. Example: web-site.
        programming_language (str | Unset): The updated main programming language. Known: `typescript`, `javascript`,
            `php`, `go`, `python`, `java`, `kotlin`, `ruby`, `elixir`; the server may take others. Example: typescript.
    """

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    project_type: str | Unset = UNSET
    programming_language: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        name = self.name

        description = self.description

        project_type = self.project_type

        programming_language = self.programming_language

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if name is not UNSET:
            field_dict["name"] = name
        if description is not UNSET:
            field_dict["description"] = description
        if project_type is not UNSET:
            field_dict["project_type"] = project_type
        if programming_language is not UNSET:
            field_dict["programming_language"] = programming_language

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = d.pop("name", UNSET)

        description = d.pop("description", UNSET)

        project_type = d.pop("project_type", UNSET)

        programming_language = d.pop("programming_language", UNSET)

        update_project_request = cls(
            name=name,
            description=description,
            project_type=project_type,
            programming_language=programming_language,
        )

        update_project_request.additional_properties = d
        return update_project_request

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
