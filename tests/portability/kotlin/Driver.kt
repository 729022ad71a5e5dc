// Reads calls as JSON lines, makes them with the generated client, and prints the outcomes.

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.DeserializationFeature
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.cfg.CoercionAction
import com.fasterxml.jackson.databind.cfg.CoercionInputShape
import com.fasterxml.jackson.databind.type.LogicalType
import com.fasterxml.jackson.module.kotlin.treeToValue
import okhttp3.OkHttpClient
import org.openapitools.client.apis.ImportsApi
import org.openapitools.client.apis.ProjectsApi
import org.openapitools.client.infrastructure.ApiResponse
import org.openapitools.client.infrastructure.ClientError
import org.openapitools.client.infrastructure.Serializer
import org.openapitools.client.infrastructure.ServerError
import org.openapitools.client.infrastructure.Success
import org.openapitools.client.models.ErrorBody

typealias Outcome = Map<String, Any>

val baseUrl: String = System.getenv("NEPTUN_BASE_URL")
val json = Serializer.jacksonObjectMapper

// One row for each operation.
val operations: Map<String, (JsonNode, OkHttpClient) -> Outcome> = mapOf(
    "updateProject" to { call, http ->
        val api = ProjectsApi(baseUrl, http)
        answer(api.updateProjectWithHttpInfo(call.id("user_id"), call.id("project_id"), call.body())) { it.project }
    },
    "updateProjectImport" to { call, http ->
        val ids = listOf("user_id", "project_id", "import_id").map(call::id)
        val api = ImportsApi(baseUrl, http)
        answer(api.updateProjectImportWithHttpInfo(ids[0], ids[1], ids[2], call.body())) { it.import }
    },
)

fun JsonNode.id(name: String): Long = get(name).asLong()

inline fun <reified T> JsonNode.body(): T = json.treeToValue(get("fields"))

// The generated client reads any status from 200 to 299 as success.
fun <T : Any> answer(response: ApiResponse<T?>, status: Int = 200, resource: (T) -> Any): Outcome {
    val data = (response as? Success<T?>)?.data
    return when {
        response.statusCode == status && data != null -> mapOf("resource" to resource(data))
        response is ClientError<*> -> failure(response.statusCode, response.body)
        response is ServerError<*> -> failure(response.statusCode, response.body)
        else -> failure(response.statusCode, null)
    }
}

fun failure(status: Int, content: Any?): Outcome {
    val kind = when (status) {
        400 -> "bad_request"
        401 -> "unauthorized"
        403 -> "forbidden"
        404 -> "not_found"
        429 -> "rate_limited"
        else -> if (status >= 500) "server_error" else "invalid_response"
    }
    val body = try {
        json.readValue(content as? String ?: "", ErrorBody::class.java)
    } catch (_: JsonProcessingException) {
        null // the status alone says what happened
    }
    val message = listOf(body?.message, body?.statusMessage).firstOrNull { !it.isNullOrEmpty() }
    return mapOf("error" to kind, "status" to status) + if (message == null) emptyMap() else mapOf("message" to message)
}

fun invalid(exception: Exception): Outcome {
    System.err.println(exception.message)
    return mapOf("error" to "invalid_response")
}

// All that has to be written by hand for a call: the session cookie, as a header, and that no redirect is followed.
fun withSession(http: OkHttpClient, session: String): OkHttpClient = http.newBuilder().followRedirects(false).addInterceptor {
    it.proceed(it.request().newBuilder().header("Cookie", "neptun-session=$session").build())
}.build()

fun main() {
    // Else it reads "789" as a number, 7 as a text, and makes up a 0.
    json.enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
    json.coercionConfigFor(LogicalType.Integer).setCoercion(CoercionInputShape.String, CoercionAction.Fail)
    json.coercionConfigFor(LogicalType.Textual).setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
    val http = OkHttpClient()
    generateSequence(::readlnOrNull).forEach { line ->
        val call = json.readTree(line)
        val outcome = try {
            operations.getValue(call["operation"].asText())(call, withSession(http, call["session"].asText()))
        } catch (exception: JsonProcessingException) {
            invalid(exception)
        } catch (exception: UnsupportedOperationException) { // a body that is not JSON
            invalid(exception)
        }
        println(json.writeValueAsString(mapOf("id" to call["id"], "outcome" to outcome)))
    }
}
