<?php
// Reads calls as JSON lines, makes them with the generated client, and prints the outcomes.

declare(strict_types=1);

use GuzzleHttp\Client;
use GuzzleHttp\HandlerStack;
use GuzzleHttp\Middleware;
use OpenAPI\Client\Api\ImportsApi;
use OpenAPI\Client\Api\ProjectsApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\ErrorBody;
use OpenAPI\Client\Model\ProjectEnvelope;
use OpenAPI\Client\Model\ProjectImportEnvelope;
use OpenAPI\Client\Model\UpdateProjectImportRequest;
use OpenAPI\Client\Model\UpdateProjectRequest;
use OpenAPI\Client\ObjectSerializer;
use Psr\Http\Message\ResponseInterface;

require 'GuzzleHttp/autoload.php'; // Debian's
spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'OpenAPI\Client\\')) {
        require __DIR__ . '/client/lib/' . strtr(substr($class, strlen('OpenAPI\Client\\')), '\\', '/') . '.php';
    }
});
set_error_handler(static fn (int $level, string $text) => throw new ErrorException($text));

const ERRORS = [400 => 'bad_request', 401 => 'unauthorized', 403 => 'forbidden', 404 => 'not_found', 429 => 'rate_limited'];

$config = (new Configuration())->setHost(getenv('NEPTUN_BASE_URL'));
ObjectSerializer::setDateTimeFormat('Y-m-d\TH:i:s.uP'); // its own has no decimals

// One row for each operation: its envelope, the call, and the resource.
$operations = [
    'updateProject' => [
        ProjectEnvelope::class,
        static fn (array $call, Client $http): array => (new ProjectsApi($http, $config))->updateProjectWithHttpInfo(
            $call['user_id'],
            $call['project_id'],
            new UpdateProjectRequest($call['fields']),
        ),
        static fn (ProjectEnvelope $envelope) => $envelope->getProject(),
    ],
    'updateProjectImport' => [
        ProjectImportEnvelope::class,
        static fn (array $call, Client $http): array => (new ImportsApi($http, $config))->updateProjectImportWithHttpInfo(
            $call['user_id'],
            $call['project_id'],
            $call['import_id'],
            new UpdateProjectImportRequest($call['fields']),
        ),
        static fn (ProjectImportEnvelope $envelope) => $envelope->getImport(),
    ],
];

// What has to be written by hand for a call: the session cookie as a header, no redirects, and a check of what a 200 holds.
function client(string $session, string $envelope): Client
{
    $handler = HandlerStack::create();
    $handler->push(Middleware::mapResponse(static function (ResponseInterface $response) use ($envelope) {
        if ($response->getStatusCode() === 200) {
            check(json_decode((string) $response->getBody()), $envelope);
        }
        return $response;
    }));
    $headers = ['Cookie' => "neptun-session=$session"];
    return new Client(['handler' => $handler, 'headers' => $headers, 'allow_redirects' => false]);
}

// The generated client casts "789" to a number and 7 to a text, and takes a date-time without an offset.
function check(mixed $value, string $type): void
{
    $fits = match ($type) {
        'int' => is_int($value),
        'string' => is_string($value),
        '\DateTime' => is_string($value) && preg_match('/(Z|[+-]\d\d:\d\d)$/i', $value),
        default => is_object($value),
    };
    if (!$fits) {
        throw new UnexpectedValueException("there is no $type");
    }
    foreach (is_object($value) ? $type::openAPITypes() : [] as $name => $inner) {
        if (isset($value->{$type::attributeMap()[$name]})) {
            check($value->{$type::attributeMap()[$name]}, $inner);
        }
    }
}

function outcome(array $call, array $operation): array
{
    [$type, $send, $unwrap] = $operation;
    try {
        [$envelope, $status] = $send($call, client($call['session'], $type));
        if ($status !== 200) { // the generated client reads any from 200 to 299 as success
            return ['error' => 'invalid_response', 'status' => $status];
        }
        $resource = $unwrap($envelope);
        if ($resource === null || !$resource->valid()) {
            throw new UnexpectedValueException('what is required is missing');
        }
        // An absent text and null are one to the generated client.
        return ['resource' => array_filter((array) ObjectSerializer::sanitizeForSerialization($resource), 'is_scalar')];
    } catch (ApiException $exception) {
        return failure($exception);
    } catch (UnexpectedValueException | InvalidArgumentException $exception) {
        fwrite(STDERR, "{$exception->getMessage()}\n");
        return ['error' => 'invalid_response'];
    }
}

function failure(ApiException $exception): array
{
    $status = $exception->getCode();
    $kind = ERRORS[$status] ?? ($status >= 500 ? 'server_error' : 'invalid_response');
    $body = ObjectSerializer::deserialize($exception->getResponseBody(), ErrorBody::class);
    $message = $body?->getMessage() ?: $body?->getStatusMessage();
    return ['error' => $kind, 'status' => $status] + ($message ? ['message' => $message] : []);
}

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true, flags: JSON_THROW_ON_ERROR);
    $outcome = outcome($call, $operations[$call['operation']]);
    echo json_encode(['id' => $call['id'], 'outcome' => $outcome], JSON_THROW_ON_ERROR), "\n";
}
