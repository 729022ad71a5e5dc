from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ProjectImport")


@_attrs_define
class ProjectImport:
    """An import of source material inside a project.

    Attributes:
        id (int):
        source_type (str):
        source_path (str):
        created_at (datetime.datetime):
        updated_at (datetime.datetime): Set by the server on every update.
        neptun_user_id (int): The ID of the user to whom the import belongs
        project_id (int): The ID of the project that the import is in
        title (None | str | Unset): Absent or null where the import has none.
        description (None | str | Unset): Absent or null where the import has none.
    """

    id: int
    source_type: str
    source_path: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    neptun_user_id: int
    project_id: int
    title: None | str | Unset = UNSET
    description: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        source_type = self.source_type

        source_path = self.source_path

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        neptun_user_id = self.neptun_user_id

        project_id = self.project_id

        title: None | str | Unset
        if isinstance(self.title, Unset):
            title = UNSET
        else:
            title = self.title

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
                "source_type": source_type,
                "source_path": source_path,
                "created_at": created_at,
                "updated_at": updated_at,
                "neptun_user_id": neptun_user_id,
                "project_id": project_id,
            }
        )
        if title is not UNSET:
            field_dict["title"] = title
        if description is not UNSET:
            field_dict["description"] = description

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        source_type = d.pop("source_type")

        source_path = d.pop("source_path")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

        neptun_user_id = d.pop("neptun_user_id")

        project_id = d.pop("project_id")

        def _parse_title(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        title = _parse_title(d.pop("title", UNSET))

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        project_import = cls(
            id=id,
            source_type=source_type,
            source_path=source_path,
            created_at=created_at,
            updated_at=updated_at,
            neptun_user_id=neptun_user_id,
            project_id=project_id,
            title=title,
            description=description,
        )

        project_import.additional_properties = d
        return project_import

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
