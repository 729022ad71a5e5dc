// Command driver reads calls as JSON lines, makes each with the generated client, and prints its outcome as a JSON line.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"

	"driver/neptun"
)

type call struct {
	ID, Session, Operation string
	UserID                 int64 `json:"user_id"`
	ProjectID              int64 `json:"project_id"`
	ImportID               int64 `json:"import_id"`
	Fields                 json.RawMessage
}

type outcome struct {
	Resource any    `json:"resource,omitempty"`
	Error    string `json:"error,omitempty"`
	Status   int    `json:"status,omitempty"`
	Message  string `json:"message,omitempty"`
}

// operations has one row for each operation: how its response is read, what is in it, and how its request is sent.
var operations = map[string]func(context.Context, *neptun.Client, call) outcome{
	"updateProject": func(ctx context.Context, client *neptun.Client, c call) outcome {
		envelope := func(r *neptun.UpdateProjectResponse) any { return r.JSON200 }
		return answer(c, neptun.ParseUpdateProjectResponse, envelope, func(fields neptun.UpdateProjectRequest) (*http.Response, error) {
			return client.UpdateProject(ctx, c.UserID, c.ProjectID, fields, session(c.Session))
		})
	},
	"updateProjectImport": func(ctx context.Context, client *neptun.Client, c call) outcome {
		envelope := func(r *neptun.UpdateProjectImportResponse) any { return r.JSON200 }
		return answer(c, neptun.ParseUpdateProjectImportResponse, envelope, func(fields neptun.UpdateProjectImportRequest) (*http.Response, error) {
			return client.UpdateProjectImport(ctx, c.UserID, c.ProjectID, c.ImportID, fields, session(c.Session))
		})
	},
}

// kinds names a status, or else its class.
var kinds = map[int]string{
	400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited", 5: "server_error",
}

// session adds what the generated client does not send: the session cookie, and an Accept header.
func session(value string) neptun.RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		request.AddCookie(&http.Cookie{Name: "neptun-session", Value: value})
		request.Header.Set("Accept", "application/json")
		return nil
	}
}

// answer makes a call, and describes what came of it.
func answer[Fields any, Response interface{ StatusCode() int }](
	c call, parse func(*http.Response) (Response, error), envelope func(Response) any, send func(Fields) (*http.Response, error),
) outcome {
	var fields Fields
	err := json.Unmarshal(c.Fields, &fields)
	if err != nil {
		return invalid(err)
	}
	response, err := send(fields)
	if err != nil {
		return invalid(err)
	}
	content := new(bytes.Buffer)
	response.Body = io.NopCloser(io.TeeReader(response.Body, content))
	r, err := parse(response)
	if err != nil {
		return failure(response.StatusCode, nil)
	}
	printed, err := json.Marshal(envelope(r))
	rows := map[string]json.RawMessage{}
	if err = cmp.Or(err, json.Unmarshal(printed, &rows)); err != nil {
		return invalid(err)
	}
	received := map[string]map[string]any{}
	_ = json.Unmarshal(content.Bytes(), &received)
	for name, resource := range rows {
		if isWhole(resource, received[name]) {
			return outcome{Resource: resource}
		}
		return failure(r.StatusCode(), nil)
	}
	return failure(r.StatusCode(), content.Bytes())
}

// isWhole tells whether all that a resource must have was received: the generated types make up what is missing.
func isWhole(resource json.RawMessage, received map[string]any) bool {
	row := map[string]any{}
	err := json.Unmarshal(resource, &row)
	for name := range row {
		if received[name] == nil {
			return false
		}
	}
	return err == nil
}

func invalid(err error) outcome {
	log.Println(err)
	return outcome{Error: "invalid_response"}
}

// failure describes a response without a resource; a body that is not of the contract's shape has no message.
func failure(status int, content []byte) outcome {
	var body neptun.ErrorBody
	if json.Unmarshal(content, &body) != nil {
		body = neptun.ErrorBody{}
	}
	kind := cmp.Or(kinds[status], kinds[status/100], "invalid_response")
	none := new(string)
	message := cmp.Or(*cmp.Or(body.Message, none), *cmp.Or(body.StatusMessage, none))
	return outcome{Error: kind, Status: status, Message: message}
}

func main() {
	client, err := neptun.NewClient(os.Getenv("NEPTUN_BASE_URL"), neptun.WithHTTPClient(&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	calls, outcomes := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for err == nil {
		var c call
		if err = calls.Decode(&c); err == nil {
			printed := map[string]any{"id": c.ID, "outcome": operations[c.Operation](context.Background(), client, c)}
			err = outcomes.Encode(printed)
		}
	}
	if err != io.EOF {
		log.Fatal(err)
	}
}
