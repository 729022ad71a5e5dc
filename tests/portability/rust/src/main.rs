//! Reads calls as JSON lines, makes each with the generated client, and prints its outcome as a JSON line.

use std::io::{self, BufRead, Write};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};

use neptun::{Client, ClientInfo, Error, types};

mod neptun {
    progenitor::generate_api!(spec = "openapi.yaml", inner_type = crate::LastStatus, post_hook = crate::keep_status);
}

/// The status of a client's last response: its errors forget it where the body is not what the contract says.
type LastStatus = Arc<AtomicU16>;

fn keep_status(last: &LastStatus, result: &reqwest::Result<reqwest::Response>) {
    last.store(result.as_ref().map_or(0, |response| response.status().as_u16()), Ordering::Relaxed);
}

#[derive(Deserialize)]
struct Call {
    id: String,
    session: String,
    user_id: NonZeroU64,
    project_id: NonZeroU64,
    #[serde(flatten)]
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(tag = "operation")]
enum Operation {
    #[serde(rename = "updateProject")]
    UpdateProject { fields: types::UpdateProjectRequest },
    #[serde(rename = "updateProjectImport")]
    UpdateProjectImport { import_id: NonZeroU64, fields: types::UpdateProjectImportRequest },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Project {
        resource: types::Project,
    },
    Import {
        resource: types::ProjectImport,
    },
    Failure {
        error: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

/// The session cookie has to be written by hand: a header of every request.
fn client(session: &str) -> Client {
    let mut cookie = HeaderValue::from_str(&format!("neptun-session={session}")).expect("a header");
    cookie.set_sensitive(true);
    let headers = HeaderMap::from_iter([(COOKIE, cookie)]);
    let http = reqwest::Client::builder().default_headers(headers).redirect(Policy::none()).build();
    let base_url = std::env::var("NEPTUN_BASE_URL").expect("NEPTUN_BASE_URL");
    Client::new_with_client(&base_url, http.expect("a client"), LastStatus::default())
}

async fn make(client: &Client, call: &Call) -> Result<Outcome, Error<types::ErrorBody>> {
    Ok(match &call.operation {
        Operation::UpdateProject { fields } => {
            let response = client.update_project(call.user_id, call.project_id, fields).await?;
            Outcome::Project { resource: response.into_inner().project }
        }
        Operation::UpdateProjectImport { import_id, fields } => {
            let response = client.update_project_import(call.user_id, call.project_id, *import_id, fields).await?;
            Outcome::Import { resource: response.into_inner().import }
        }
    })
}

async fn failure(error: Error<types::ErrorBody>, last: &LastStatus) -> Outcome {
    let body: Option<types::ErrorBody> = match error {
        Error::ErrorResponse(response) => Some(response.into_inner()),
        Error::UnexpectedResponse(response) => response.json().await.ok(), // a status outside the contract
        _ => None,
    };
    let status = Some(last.load(Ordering::Relaxed)).filter(|&status| status != 0);
    let error = match status {
        Some(400) => "bad_request",
        Some(401) => "unauthorized",
        Some(403) => "forbidden",
        Some(404) => "not_found",
        Some(429) => "rate_limited",
        Some(500..) => "server_error",
        _ => "invalid_response",
    };
    let texts = body.map(|body| [body.message, body.status_message]).into_iter().flatten();
    Outcome::Failure { error, status, message: texts.flatten().find(|text| !text.is_empty()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let call: Call = serde_json::from_str(&line?)?;
        let client = client(&call.session);
        let outcome = match make(&client, &call).await {
            Ok(outcome) => outcome,
            Err(error) => failure(error, client.inner()).await,
        };
        writeln!(io::stdout(), "{}", serde_json::json!({"id": call.id, "outcome": outcome}))?;
    }
    Ok(())
}
