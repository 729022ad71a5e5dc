import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.type.LogicalType;

import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.ImportsApi;
import org.openapitools.client.api.ProjectsApi;
import org.openapitools.client.model.ErrorBody;
import org.openapitools.client.model.UpdateProjectImportRequest;
import org.openapitools.client.model.UpdateProjectRequest;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** Reads calls as JSON lines, makes them with the generated client, and prints the outcomes. */
public final class Driver {
    /** One operation: makes the call, and returns the resource. */
    private interface Operation {
        Object call(JsonNode call, Map<String, String> headers) throws ApiException, JsonProcessingException;
    }

    private final ObjectMapper json;
    private final Map<String, Operation> operations;

    private Driver(ApiClient client) {
        json = client.getObjectMapper();
        // Else it reads "789" as a number, and 7 as a text.
        json.coercionConfigFor(LogicalType.Integer).setCoercion(CoercionInputShape.String, CoercionAction.Fail);
        json.coercionConfigFor(LogicalType.Textual).setCoercion(CoercionInputShape.Integer, CoercionAction.Fail);
        client.setObjectMapper(json);
        var projects = new ProjectsApi(client);
        var imports = new ImportsApi(client);
        operations = Map.of(
            "updateProject", (call, headers) -> success(200, projects.updateProjectWithHttpInfo(
                id(call, "user_id"), id(call, "project_id"), fields(call, UpdateProjectRequest.class), headers))
                .getProject(),
            "updateProjectImport", (call, headers) -> success(200, imports.updateProjectImportWithHttpInfo(
                id(call, "user_id"), id(call, "project_id"), id(call, "import_id"),
                fields(call, UpdateProjectImportRequest.class), headers))
                .getImport());
    }

    private static long id(JsonNode call, String name) {
        return call.get(name).asLong();
    }

    private <T> T fields(JsonNode call, Class<T> type) throws JsonProcessingException {
        return json.treeToValue(call.get("fields"), type);
    }

    private Object call(JsonNode call) throws ApiException, JsonProcessingException {
        // All that has to be written by hand: the session cookie, as a header of each call.
        var headers = Map.of("Cookie", "neptun-session=" + call.get("session").asText());
        Object resource = operations.get(call.get("operation").asText()).call(call, headers);
        if (resource != null) {
            var type = json.getSerializationConfig().introspect(json.constructType(resource.getClass()));
            for (var property : type.findProperties()) {
                if (property.isRequired() && property.getAccessor().getValue(resource) == null) {
                    throw new ApiException(property.getName() + " is missing");
                }
            }
        }
        return resource;
    }

    /** Returns what came with the contract's status; the generated client reads any from 200 to 299 as success. */
    private static <T> T success(int status, ApiResponse<T> response) throws ApiException {
        if (response.getStatusCode() != status) {
            throw new ApiException(response.getStatusCode(), "outside the contract");
        }
        return response.getData();
    }

    private Map<String, Object> outcome(JsonNode call) {
        try {
            return Map.of("resource", Objects.requireNonNull(call(call)));
        } catch (ApiException exception) {
            return failure(exception);
        } catch (JsonProcessingException | RuntimeException exception) {
            exception.printStackTrace();
            return Map.of("error", "invalid_response");
        }
    }

    private Map<String, Object> failure(ApiException exception) {
        int status = exception.getCode();
        var failure = new LinkedHashMap<String, Object>(Map.of("error", kind(status)));
        if (status != 0) { // it is 0 where a response with status 200 could not be read
            failure.put("status", status);
        }
        try {
            ErrorBody body = json.readValue(exception.getResponseBody(), ErrorBody.class);
            String message = body.getMessage();
            message = message != null && !message.isEmpty() ? message : body.getStatusMessage();
            if (message != null && !message.isEmpty()) {
                failure.put("message", message);
            }
        } catch (JsonProcessingException | RuntimeException notAnErrorBody) {
            // The status alone says what happened.
        }
        return failure;
    }

    private static String kind(int status) {
        return switch (status) {
            case 400 -> "bad_request";
            case 401 -> "unauthorized";
            case 403 -> "forbidden";
            case 404 -> "not_found";
            case 429 -> "rate_limited";
            default -> status >= 500 ? "server_error" : "invalid_response";
        };
    }

    public static void main(String[] arguments) throws IOException {
        var client = new ApiClient();
        client.updateBaseUri(System.getenv("NEPTUN_BASE_URL"));
        var driver = new Driver(client);
        var calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var outcomes = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = calls.readLine(); line != null; line = calls.readLine()) {
            JsonNode call = driver.json.readTree(line);
            var printed = Map.of("id", call.get("id"), "outcome", driver.outcome(call));
            outcomes.println(driver.json.writeValueAsString(printed));
        }
    }
}
