//! Reads calls as JSON lines, makes each with the generated client, and prints its outcome as a JSON line.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use neptun::{Client, ClientInfo, Error, types};

mod neptun {
    progenitor::generate_api!(spec = "openapi.yaml", inner_type = crate::LastStatus, post_hook = crate::keep_status);
}

/// The status of a client's last response: its errors forget it where the body is not what the contract says.
type LastStatus = Arc<AtomicU16>;

fn keep_status(last: &LastStatus, result: &reqwest::Result<reqwest::Response>) {
    last.store(result.as_ref().map_or(0, |response| response.status().as_u16()), Ordering::Relaxed);
}

/// One row for each operation: its parameters, the type of its body, and where its response has the resource.
macro_rules! operations {
    ($($name:literal => $method:ident($($id:ident),*; $body:ty) -> $envelope:ident;)*) => {
        async fn make(client: &Client, call: &Value) -> Result<Value, Error<types::ErrorBody>> {
            match call["operation"].as_str() {
                $(Some($name) => {
                    let response = client.$method($(read(call, stringify!($id)),)* &read::<$body>(call, "fields")).await?;
                    Ok(json!({"resource": response.into_inner().$envelope}))
                })*
                _ => panic!("there is no row for {}", call["operation"]),
            }
        }
    };
}

operations! {
    "updateProject" => update_project(user_id, project_id; types::UpdateProjectRequest) -> project;
    "updateProjectImport" =>
        update_project_import(user_id, project_id, import_id; types::UpdateProjectImportRequest) -> import;
}

fn read<T: DeserializeOwned>(call: &Value, name: &str) -> T {
    serde_json::from_value(call[name].clone()).expect(name)
}

#[derive(Serialize)]
struct Failure {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
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

async fn failure(error: Error<types::ErrorBody>, last: &LastStatus) -> Failure {
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
    Failure { error, status, message: texts.flatten().find(|text| !text.is_empty()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let call: Value = serde_json::from_str(&line?)?;
        let client = client(&read::<String>(&call, "session"));
        let outcome = match make(&client, &call).await {
            Ok(outcome) => outcome,
            Err(error) => json!(failure(error, client.inner()).await),
        };
        writeln!(io::stdout(), "{}", json!({"id": call["id"], "outcome": outcome}))?;
    }
    Ok(())
}
