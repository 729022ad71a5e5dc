from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.error_body import ErrorBody
from ...models.project_import_envelope import ProjectImportEnvelope
from ...models.update_project_import_request import UpdateProjectImportRequest
from ...types import Response


def _get_kwargs(
    user_id: int,
    project_id: int,
    import_id: int,
    *,
    body: UpdateProjectImportRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "put",
        "url": "/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id}".format(
            user_id=quote(str(user_id), safe=""),
            project_id=quote(str(project_id), safe=""),
            import_id=quote(str(import_id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorBody | ProjectImportEnvelope | None:
    if response.status_code == 200:
        response_200 = ProjectImportEnvelope.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ErrorBody.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ErrorBody.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = ErrorBody.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = ErrorBody.from_dict(response.json())

        return response_404

    if response.status_code == 429:
        response_429 = ErrorBody.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = ErrorBody.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[ErrorBody | ProjectImportEnvelope]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    user_id: int,
    project_id: int,
    import_id: int,
    *,
    client: AuthenticatedClient | Client,
    body: UpdateProjectImportRequest,
) -> Response[ErrorBody | ProjectImportEnvelope]:
    """Update a project import

     Updates an existing import resource within a project. The project and the import must belong to the
    user.

    - Only the provided fields are updated, although the method is PUT.
    - `updated_at` is updated automatically.
    - If provided, `source_type` must be a valid enum value.
    - If provided, `source_path` must have a format that matches the `source_type`.
    - GitHub imports require appropriate GitHub installation permissions.

    Args:
        user_id (int):
        project_id (int):
        import_id (int):
        body (UpdateProjectImportRequest): The fields of an import to change; what is left out
            stays as it is.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | ProjectImportEnvelope]
    """

    kwargs = _get_kwargs(
        user_id=user_id,
        project_id=project_id,
        import_id=import_id,
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    user_id: int,
    project_id: int,
    import_id: int,
    *,
    client: AuthenticatedClient | Client,
    body: UpdateProjectImportRequest,
) -> ErrorBody | ProjectImportEnvelope | None:
    """Update a project import

     Updates an existing import resource within a project. The project and the import must belong to the
    user.

    - Only the provided fields are updated, although the method is PUT.
    - `updated_at` is updated automatically.
    - If provided, `source_type` must be a valid enum value.
    - If provided, `source_path` must have a format that matches the `source_type`.
    - GitHub imports require appropriate GitHub installation permissions.

    Args:
        user_id (int):
        project_id (int):
        import_id (int):
        body (UpdateProjectImportRequest): The fields of an import to change; what is left out
            stays as it is.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | ProjectImportEnvelope
    """

    return sync_detailed(
        user_id=user_id,
        project_id=project_id,
        import_id=import_id,
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    user_id: int,
    project_id: int,
    import_id: int,
    *,
    client: AuthenticatedClient | Client,
    body: UpdateProjectImportRequest,
) -> Response[ErrorBody | ProjectImportEnvelope]:
    """Update a project import

     Updates an existing import resource within a project. The project and the import must belong to the
    user.

    - Only the provided fields are updated, although the method is PUT.
    - `updated_at` is updated automatically.
    - If provided, `source_type` must be a valid enum value.
    - If provided, `source_path` must have a format that matches the `source_type`.
    - GitHub imports require appropriate GitHub installation permissions.

    Args:
        user_id (int):
        project_id (int):
        import_id (int):
        body (UpdateProjectImportRequest): The fields of an import to change; what is left out
            stays as it is.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | ProjectImportEnvelope]
    """

    kwargs = _get_kwargs(
        user_id=user_id,
        project_id=project_id,
        import_id=import_id,
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    user_id: int,
    project_id: int,
    import_id: int,
    *,
    client: AuthenticatedClient | Client,
    body: UpdateProjectImportRequest,
) -> ErrorBody | ProjectImportEnvelope | None:
    """Update a project import

     Updates an existing import resource within a project. The project and the import must belong to the
    user.

    - Only the provided fields are updated, although the method is PUT.
    - `updated_at` is updated automatically.
    - If provided, `source_type` must be a valid enum value.
    - If provided, `source_path` must have a format that matches the `source_type`.
    - GitHub imports require appropriate GitHub installation permissions.

    Args:
        user_id (int):
        project_id (int):
        import_id (int):
        body (UpdateProjectImportRequest): The fields of an import to change; what is left out
            stays as it is.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | ProjectImportEnvelope
    """

    return (
        await asyncio_detailed(
            user_id=user_id,
            project_id=project_id,
            import_id=import_id,
            client=client,
            body=body,
        )
    ).parsed
