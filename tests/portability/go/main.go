// Command driver reads calls as JSON lines, makes each with the generated client, and prints its outcome as a JSON line.
package main

import (
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

var operations = map[string]func(context.Context, *neptun.Client, call) outcome{
	"updateProject": updateProject, "updateProjectImport": updateProjectImport,
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

func updateProject(ctx context.Context, client *neptun.Client, c call) outcome {
	var fields neptun.UpdateProjectRequest
	if err := json.Unmarshal(c.Fields, &fields); err != nil {
		return invalid(err)
	}
	response, err := client.UpdateProject(ctx, c.UserID, c.ProjectID, fields, session(c.Session))
	if err != nil {
		return invalid(err)
	}
	r, err := neptun.ParseUpdateProjectResponse(response)
	if err != nil {
		return failure(response.StatusCode, nil)
	}
	if r.JSON200 != nil && r.JSON200.Project.Id > 0 {
		return outcome{Resource: r.JSON200.Project}
	}
	return failure(r.StatusCode(), r.Body)
}

func updateProjectImport(ctx context.Context, client *neptun.Client, c call) outcome {
	var fields neptun.UpdateProjectImportRequest
	if err := json.Unmarshal(c.Fields, &fields); err != nil {
		return invalid(err)
	}
	response, err := client.UpdateProjectImport(ctx, c.UserID, c.ProjectID, c.ImportID, fields, session(c.Session))
	if err != nil {
		return invalid(err)
	}
	r, err := neptun.ParseUpdateProjectImportResponse(response)
	if err != nil {
		return failure(response.StatusCode, nil)
	}
	if r.JSON200 != nil && r.JSON200.Import.Id > 0 {
		return outcome{Resource: r.JSON200.Import}
	}
	return failure(r.StatusCode(), r.Body)
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
