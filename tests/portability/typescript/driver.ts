// Makes the calls it reads with the generated types and openapi-fetch, and prints what came of each.

import { createInterface } from "node:readline";
import createClient from "openapi-fetch";
import type { components, paths } from "./neptun.js";

type Schemas = components["schemas"];
type Call = { id: string; session: string; operation: keyof typeof OPERATIONS };
type Project = { user_id: number; project_id: number };
type Update<Name extends keyof Schemas> = { fields: Schemas[Name] };
type Cookie = { Cookie: string };
type Required<T> = { [Key in keyof T as object extends Pick<T, Key> ? never : Key]: RegExp };
type Outcome = { resource: object } | { error: string; status?: number; message?: string | undefined };

const ERRORS: Record<number, string> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  429: "rate_limited",
};

const client = createClient<paths>({
  baseUrl: process.env["NEPTUN_BASE_URL"] ?? "",
  headers: { Accept: "application/json" },
  redirect: "manual",
});

// One row for each operation.
const OPERATIONS = {
  async updateProject({ user_id, project_id, fields }: Project & Update<"UpdateProjectRequest">, headers: Cookie) {
    const { data, error, response } = await client.PATCH("/api/users/{user_id}/projects/{project_id}", {
      params: { path: { user_id, project_id } },
      body: fields,
      headers,
    });
    return answer(response, error, data?.project && readProject(data.project), PROJECT);
  },
  async updateProjectImport(
    { user_id, project_id, import_id, fields }: Project & { import_id: number } & Update<"UpdateProjectImportRequest">,
    headers: Cookie,
  ) {
    const { data, error, response } = await client.PUT(
      "/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id}",
      { params: { path: { user_id, project_id, import_id } }, body: fields, headers },
    );
    return answer(response, error, data?.import && readImport(data.import), IMPORT);
  },
};

// openapi-fetch takes any status from 200 to 299 for success, and checks no types.
function answer(
  response: Response,
  error: Schemas["ErrorBody"] | undefined,
  resource: Record<string, unknown> | undefined,
  required: Record<string, RegExp>,
  success = 200,
): Outcome {
  const fits = ([name, value]: [string, RegExp]) => value.test(JSON.stringify(resource?.[name]) ?? "");
  return response.status === success && Object.entries(required).every(fits) && resource
    ? { resource }
    : failure(response, error);
}

// What a resource must have, as JSON.
const ID = /^[0-9]+$/;
const TEXT = /^"/;
const TIME = /(Z|[+-][0-9:]{5})"$/i;
const TIMES = { created_at: TIME, updated_at: TIME };
const PROJECT: Required<Schemas["Project"]> = {
  ...TIMES, id: ID, name: TEXT, project_type: TEXT, programming_language: TEXT, neptun_user_id: ID,
};
const IMPORT: Required<Schemas["ProjectImport"]> = {
  ...TIMES, id: ID, source_type: TEXT, source_path: TEXT, neptun_user_id: ID, project_id: ID,
};

// Field by field, so that the compiler finds what the contract does not have. What is undefined is not printed.
function readProject(project: Schemas["Project"]) {
  const { id, name, description, project_type, programming_language, created_at, updated_at, neptun_user_id } = project;
  return { id, name, description, project_type, programming_language, created_at, updated_at, neptun_user_id };
}

function readImport(row: Schemas["ProjectImport"]) {
  const { id, source_type, source_path, title, description, created_at, updated_at, neptun_user_id, project_id } = row;
  return { id, source_type, source_path, title, description, created_at, updated_at, neptun_user_id, project_id };
}

function failure({ status }: Response, error: Schemas["ErrorBody"] | undefined): Outcome {
  const name = ERRORS[status] ?? (status >= 500 ? "server_error" : "invalid_response");
  // At run time it may be a text, such as a proxy's page.
  return { error: name, status, message: error?.message || error?.statusMessage || undefined };
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line) as Call;
  const operation = OPERATIONS[call.operation];
  // What a line holds has no type: the vectors' schema says that it fits the operation.
  const made = await operation(call as never, { Cookie: `neptun-session=${call.session}` }).catch(
    (): Outcome => ({ error: "invalid_response" }),
  );
  console.log(JSON.stringify({ id: call.id, outcome: made }));
}
