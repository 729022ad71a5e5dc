import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

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
    private final ObjectMapper json;
    private final ProjectsApi projects;
    private final ImportsApi imports;

    private Driver(ApiClient client) {
        json = client.getObjectMapper();
        projects = new ProjectsApi(client);
        imports = new ImportsApi(client);
    }

    private Object call(JsonNode call) throws ApiException, JsonProcessingException {
        long user = call.get("user_id").asLong();
        long project = call.get("project_id").asLong();
        // All that has to be written by hand: the session cookie, as a header of each call.
        var headers = Map.of("Cookie", "neptun-session=" + call.get("session").asText());
        if (call.get("operation").asText().equals("updateProject")) {
            var fields = json.treeToValue(call.get("fields"), UpdateProjectRequest.class);
            return success(projects.updateProjectWithHttpInfo(user, project, fields, headers)).getProject();
        }
        var fields = json.treeToValue(call.get("fields"), UpdateProjectImportRequest.class);
        long id = call.get("import_id").asLong();
        return success(imports.updateProjectImportWithHttpInfo(user, project, id, fields, headers)).getImport();
    }

    /** Returns what came with a status 200; the generated client reads any status from 200 to 299 as success. */
    private static <T> T success(ApiResponse<T> response) throws ApiException {
        if (response.getStatusCode() != 200) {
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
