# Reads calls as JSON lines, makes them with the generated client, and prints the outcomes.

require 'openapi_client'

ERRORS = { 400 => 'bad_request', 401 => 'unauthorized', 403 => 'forbidden', 404 => 'not_found', 429 => 'rate_limited' }.freeze

# One row for each operation.
OPERATIONS = {
  'updateProject' => lambda do |client, call|
    OpenapiClient::ProjectsApi.new(client).update_project(
      *call.values_at('user_id', 'project_id'), OpenapiClient::UpdateProjectRequest.new(call['fields'])
    ).project
  end,
  'updateProjectImport' => lambda do |client, call|
    OpenapiClient::ImportsApi.new(client).update_project_import(
      *call.values_at('user_id', 'project_id', 'import_id'), OpenapiClient::UpdateProjectImportRequest.new(call['fields'])
    ).import
  end
}.freeze

class InvalidResponse < StandardError
end

class Client < OpenapiClient::ApiClient
  attr_writer :session

  # The cookie as a header: the generated method raises NameError at each call, because `in: ,` is its cookie scheme.
  def update_params_for_auth!(headers, *)
    headers['Cookie'] = "neptun-session=#{@session}"
  end

  # Its own follows redirects, and no setting changes that.
  def build_request(...)
    super.tap { |request| request.options[:followlocation] = false }
  end

  # Its own reads any status from 200 to 299 as success.
  def deserialize(response, return_type)
    raise OpenapiClient::ApiError.new(code: response.code) unless response.code == 200

    super || raise(InvalidResponse, 'there is no body')
  end
end

# The generated client reads "789" as a number, 7 as a text, and a date-time without an offset as local time.
module StrictTypes
  TYPES = { Integer: Integer, String: String, Time: /(Z|[+-]\d\d:\d\d)\z/i }.freeze

  def _deserialize(type, value)
    raise InvalidResponse, "#{value} is no #{type}" unless TYPES.fetch(type.to_sym, Object) === value

    super
  end
end
OpenapiClient::ApiModelBase.singleton_class.prepend(StrictTypes)

def client(session)
  config = OpenapiClient::Configuration.new { |each| each.scheme, each.host = ENV.fetch('NEPTUN_BASE_URL').split('://') }
  Client.new(config).tap { |each| each.session = session }
end

def outcome(call)
  resource = OPERATIONS.fetch(call['operation']).call(client(call['session']), call)
  { resource: resource.to_hash.transform_values { |value| value.is_a?(Time) ? value.iso8601(6) : value } }
rescue OpenapiClient::ApiError => e
  failure(e)
rescue InvalidResponse, ArgumentError, JSON::ParserError, RuntimeError => e # a missing field is an ArgumentError
  warn e.message
  { error: 'invalid_response' }
end

def failure(error)
  kind = ERRORS.fetch(error.code, error.code >= 500 ? 'server_error' : 'invalid_response')
  texts = error_body(error)&.then { |body| [body.message, body.status_message] } || []
  { error: kind, status: error.code, message: texts.find { |text| !text.to_s.empty? } }.compact
end

def error_body(error)
  OpenapiClient::ErrorBody.build_from_hash(JSON.parse(error.response_body.to_s))
rescue JSON::ParserError, ArgumentError, InvalidResponse
  nil # the status alone says what happened
end

$stdout.sync = true
$stdin.each_line do |line|
  call = JSON.parse(line)
  puts JSON.generate(id: call['id'], outcome: outcome(call))
end
