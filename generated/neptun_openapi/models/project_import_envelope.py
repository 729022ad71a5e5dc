from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.project_import import ProjectImport


T = TypeVar("T", bound="ProjectImportEnvelope")


@_attrs_define
class ProjectImportEnvelope:
    """
    Attributes:
        import_ (ProjectImport): An import of source material inside a project.
    """

    import_: ProjectImport
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        import_ = self.import_.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "import": import_,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.project_import import ProjectImport  # noqa: PLC0415

        d = dict(src_dict)
        import_ = ProjectImport.from_dict(d.pop("import"))

        project_import_envelope = cls(
            import_=import_,
        )

        project_import_envelope.additional_properties = d
        return project_import_envelope

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
