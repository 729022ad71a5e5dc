from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="Project")


@_attrs_define
class Project:
    """A project of a user.

    Attributes:
        id (int):
        name (str):
        project_type (str):
        programming_language (str):
        created_at (datetime.datetime):
        updated_at (datetime.datetime): Set by the server on every update.
        neptun_user_id (int): The ID of the user to whom the project belongs
        description (None | str | Unset): Absent or null where the project has none.
    """

    id: int
    name: str
    project_type: str
    programming_language: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    neptun_user_id: int
    description: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        name = self.name

        project_type = self.project_type

        programming_language = self.programming_language

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        neptun_user_id = self.neptun_user_id

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "name": name,
                "project_type": project_type,
                "programming_language": programming_language,
                "created_at": created_at,
                "updated_at": updated_at,
                "neptun_user_id": neptun_user_id,
            }
        )
        if description is not UNSET:
            field_dict["description"] = description

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        name = d.pop("name")

        project_type = d.pop("project_type")

        programming_language = d.pop("programming_language")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

        neptun_user_id = d.pop("neptun_user_id")

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        project = cls(
            id=id,
            name=name,
            project_type=project_type,
            programming_language=programming_language,
            created_at=created_at,
            updated_at=updated_at,
            neptun_user_id=neptun_user_id,
            description=description,
        )

        project.additional_properties = d
        return project

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
