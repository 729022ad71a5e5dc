from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="UpdateProjectImportRequest")


@_attrs_define
class UpdateProjectImportRequest:
    """The fields of an import to change; what is left out stays as it is.

    Attributes:
        source_type (str | Unset): Type of the import source. Known: `github`, `local_folder`,
            `github_repository_installation`, `public_github_repository_url`; the server may take others. Example: github.
        source_path (str | Unset): Path or identifier for the import source Example: username/repository.
        title (str | Unset): Title of the import
        description (str | Unset): Description of the import
    """

    source_type: str | Unset = UNSET
    source_path: str | Unset = UNSET
    title: str | Unset = UNSET
    description: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        source_type = self.source_type

        source_path = self.source_path

        title = self.title

        description = self.description

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if source_type is not UNSET:
            field_dict["source_type"] = source_type
        if source_path is not UNSET:
            field_dict["source_path"] = source_path
        if title is not UNSET:
            field_dict["title"] = title
        if description is not UNSET:
            field_dict["description"] = description

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        source_type = d.pop("source_type", UNSET)

        source_path = d.pop("source_path", UNSET)

        title = d.pop("title", UNSET)

        description = d.pop("description", UNSET)

        update_project_import_request = cls(
            source_type=source_type,
            source_path=source_path,
            title=title,
            description=description,
        )

        update_project_import_request.additional_properties = d
        return update_project_import_request

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
