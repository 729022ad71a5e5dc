from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.error_data import ErrorData


T = TypeVar("T", bound="ErrorBody")


@_attrs_define
class ErrorBody:
    """The body of every response other than 200. Servers send one of two shapes: with a `message`, as published, or
    with a `statusMessage` alone.

        Attributes:
            status_code (int): The status code of the response Example: 404.
            message (str | Unset): What went wrong Example: Project not found.
            status_message (str | Unset): What went wrong, from a server that sends no `message`; else a status phrase
                Example: Bad Request.
            data (ErrorData | Unset): Details of an error; a 400 lists the problems of the request here.
    """

    status_code: int
    message: str | Unset = UNSET
    status_message: str | Unset = UNSET
    data: ErrorData | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status_code = self.status_code

        message = self.message

        status_message = self.status_message

        data: dict[str, Any] | Unset = UNSET
        if not isinstance(self.data, Unset):
            data = self.data.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "statusCode": status_code,
            }
        )
        if message is not UNSET:
            field_dict["message"] = message
        if status_message is not UNSET:
            field_dict["statusMessage"] = status_message
        if data is not UNSET:
            field_dict["data"] = data

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.error_data import ErrorData  # noqa: PLC0415

        d = dict(src_dict)
        status_code = d.pop("statusCode")

        message = d.pop("message", UNSET)

        status_message = d.pop("statusMessage", UNSET)

        _data = d.pop("data", UNSET)
        data: ErrorData | Unset
        if isinstance(_data, Unset):
            data = UNSET
        else:
            data = ErrorData.from_dict(_data)

        error_body = cls(
            status_code=status_code,
            message=message,
            status_message=status_message,
            data=data,
        )

        error_body.additional_properties = d
        return error_body

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
