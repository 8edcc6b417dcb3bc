//! What an answer means that is no result: five shapes of errors, and what to do about each.

use std::time::Duration;

use serde::Deserialize;

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The server is away, busy or confused: the same request may succeed later. It may have been carried out.
    #[error("{words}")]
    Away {
        /// What happened.
        words: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing will change until a person does something: nothing more is sent.
    #[error("{words}")]
    Refused {
        /// What happened, and what to do.
        words: String,
    },
    /// The server does not accept what was sent.
    #[error("{words}")]
    Rejected {
        /// The server's words.
        words: String,
    },
    /// There is one of that name already.
    #[error("{words}")]
    Exists {
        /// The server's words.
        words: String,
    },
    /// What was asked about is not there.
    #[error("{words}")]
    Missing {
        /// The server's words.
        words: String,
    },
    /// The server has no such request: it is too old, or does without.
    #[error("{words}")]
    Unknown {
        /// The server's words.
        words: String,
    },
}

impl Fault {
    /// That the server is away.
    pub fn away(words: impl Into<String>) -> Self {
        Self::Away { words: words.into(), retry_after: None }
    }

    /// That a person has to do something.
    pub fn refused(words: impl Into<String>) -> Self {
        Self::Refused { words: words.into() }
    }
}

/// An answer, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The header `Content-Type`, or nothing.
    pub content_type: &'a str,
    /// The header `Retry-After`, or nothing.
    pub retry_after: &'a str,
    /// The header `Location`, or nothing.
    pub location: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The usual envelope, and that of artifacts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error_code: String,
    message: String,
    detail: serde_json::Value,
}

/// The longest wait that a server is granted.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

impl Answer<'_> {
    /// What to make of an answer whose status is no success. `server` is its address without secrets.
    pub fn fault(&self, server: &str) -> Fault {
        let envelope = self.envelope();
        let (code, said) = match &envelope {
            Some(envelope) => (envelope.error_code.as_str(), envelope.words()),
            None => ("", self.text()),
        };
        let words = if said.is_empty() { format!("HTTP {}", self.status) } else { said };
        let is_json = envelope.is_some();
        match (self.status, code) {
            (401, _) => Fault::refused(format!(
                "{server} wants other credentials (401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or \
                 MLFLOW_TRACKING_TOKEN"
            )),
            (403, _) if words.contains("Invalid Host header") => Fault::refused(format!(
                "{server} does not answer to this name (403, {words}): start it with --allowed-hosts, or use an address \
                 that it knows"
            )),
            (403, _) => Fault::refused(format!(
                "{server} does not let this user write (403, {words}): ask for the permission EDIT on the experiment, or \
                 use other credentials"
            )),
            (300..=399, _) => Fault::refused(format!(
                "{server} sends elsewhere ({}, {}): set MLFLOW_TRACKING_URI to the server's own address",
                self.status,
                // What follows a question mark may be a secret.
                match self.location.split('?').next().unwrap_or_default() {
                    "" => "without saying where",
                    location => location,
                }
            )),
            (_, "FEATURE_DISABLED") => Fault::refused(format!(
                "{server} has a feature disabled that is asked for ({words}): unset MLFLOW_WORKSPACE where the server has \
                 no workspaces"
            )),
            (_, "ENDPOINT_NOT_FOUND") => Fault::Unknown { words },
            (_, "RESOURCE_ALREADY_EXISTS") => Fault::Exists { words },
            (_, "RESOURCE_DOES_NOT_EXIST") => Fault::Missing { words },
            // Without a code of its own it is of another service.
            (404 | 405 | 501, _) => Fault::Unknown { words: format!("HTTP {}", self.status) },
            // A feature that a server does without says so with the status of a busy one.
            (503, "") if words.to_lowercase().contains("disabled") => Fault::Unknown { words },
            (408 | 409 | 425 | 429 | 500..=599, _) => Fault::Away {
                words: format!("HTTP {}: {words}", self.status),
                retry_after: self.retry_after(),
            },
            (413, _) => Fault::Rejected { words: format!("the request is too large for {server} (413)") },
            (400, _) if is_json => Fault::Rejected { words },
            // What stands between here and the server, or another server.
            _ => Fault::refused(format!(
                "{server} refuses ({}, {words}): is there a proxy between, and is MLFLOW_TRACKING_URI right?",
                self.status
            )),
        }
    }

    fn envelope(&self) -> Option<Envelope> {
        let envelope: Envelope = serde_json::from_slice(self.body).ok()?;
        (!envelope.error_code.is_empty() || !envelope.detail.is_null()).then_some(envelope)
    }

    /// The first words of a body that is no envelope; nothing of a page.
    fn text(&self) -> String {
        if self.content_type.contains("html") && self.body.trim_ascii_start().starts_with(b"<") {
            return String::new();
        }
        let text = String::from_utf8_lossy(self.body);
        one_line(&text, 200)
    }

    /// Seconds; a date is not worth reading.
    fn retry_after(&self) -> Option<Duration> {
        let seconds: u64 = self.retry_after.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
    }
}

impl Envelope {
    fn words(&self) -> String {
        let words = match (&self.message, &self.detail) {
            (message, _) if !message.is_empty() => message.clone(),
            (_, serde_json::Value::String(detail)) => detail.clone(),
            (_, serde_json::Value::Null) => self.error_code.clone(),
            (_, detail) => detail.to_string(),
        };
        one_line(&words, 400)
    }
}

/// The beginning of a text in one line, without what a terminal would obey.
fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, content_type: &str, body: &str) -> Fault {
        let body = body.as_bytes();
        Answer { status, content_type, retry_after: "7", location: "", body }.fault("http://lab:5000")
    }

    #[test]
    fn every_shape_of_error_is_understood() {
        let json = "application/json";
        let html = "text/html; charset=utf-8";
        let said = [
            fault(
                400,
                json,
                r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"no such step","sqlstate":"22"}"#,
            ),
            fault(
                400,
                json,
                r#"{"error_code":"RESOURCE_ALREADY_EXISTS","message":"Experiment 'a' already exists."}"#,
            ),
            fault(404, json, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Run 'x' not found"}"#),
            fault(404, json, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"no"}"#),
            fault(400, json, r#"{"detail":"Invalid path"}"#),
            fault(500, json, r#"{"error_code":"INTERNAL_ERROR","message":"database is locked"}"#),
            fault(500, json, r#"{"error_code":"FEATURE_DISABLED","message":"Workspaces are not enabled"}"#),
            fault(500, html, "<!doctype html><title>500 Internal Server Error</title>"),
            fault(404, html, "<!doctype html><title>404 Not Found</title>"),
            fault(401, html, "You are not authenticated."),
            fault(403, html, "Permission denied"),
            fault(403, "text/plain", "Invalid Host header - possible DNS rebinding attack detected"),
            fault(503, "text/plain", "Service Unavailable"),
            fault(503, "text/plain", "This endpoint is disabled on this server"),
            fault(429, json, r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}"#),
            fault(302, html, ""),
            fault(400, html, "<html>Bad Request, says a proxy</html>"),
            fault(407, "text/plain", "Proxy Authentication \u{1b}[31mRequired"),
            fault(404, json, r#"{"detail":"Not Found"}"#),
            fault(409, json, r#"{"error_code":"ABORTED","message":"again"}"#),
        ];
        let said: Vec<String> = said.iter().map(|fault| format!("{fault:?}")).collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
