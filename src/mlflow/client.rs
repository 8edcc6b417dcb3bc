//! A client of MLflow's REST API: one request at a time, over one connection, and nothing is tried twice.
//!
//! Trying again is for whoever knows what was meant ([`super::push`]): creating a run twice makes two.

use std::error::Error as _;
use std::time::Duration;

use reqwest::blocking::{Body, RequestBuilder, Response};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::{Answer, Fault};
use super::server::{Credentials, Server};
use super::wire::{
    CreateExperiment, CreateRun, CreatedExperiment, DeleteTag, Experiment, FoundRuns, GotExperiment, GotRun,
    History, Input, Key, LogBatch, LogInputs, Metric, NoteValue, OfExperiment, OfRun, Run, SearchRuns,
    SetExperimentTag, UpdateRun,
};
use crate::base::fs;

/// Runs of one page of a search.
const PAGE_OF_RUNS: usize = 1000;
/// Points of one page of a history.
const PAGE_OF_POINTS: usize = 25_000;

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::blocking::Client,
    server: Server,
}

/// Where the artifacts of a run are, on a server that takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRoot(String);

impl ArtifactRoot {
    /// The root that an `artifact_uri` names; none where the server keeps artifacts where only it, or nobody, writes.
    pub fn of(artifact_uri: &str) -> Option<Self> {
        let path = artifact_uri.strip_prefix("mlflow-artifacts:")?;
        // `mlflow-artifacts://host:port/path` names another server.
        if path.starts_with("//") {
            return None;
        }
        Some(Self(path.trim_matches('/').to_owned()))
    }
}

impl Client {
    /// A client of a server. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Fault::Refused`] where a certificate can't be read.
    pub fn new(server: Server) -> Result<Self, Fault> {
        // Another part of the process may have chosen one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::blocking::Client::builder()
            .user_agent(concat!("stpp/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .tcp_keepalive(Duration::from_secs(30))
            // Uvicorn closes a connection that was idle for 5 s; a request must not meet that moment.
            .pool_idle_timeout(Duration::from_secs(3))
            .redirect(Policy::none())
            .tls_danger_accept_invalid_certs(server.insecure);
        if server.is_here() {
            builder = builder.no_proxy();
        }
        if let Some(path) = &server.authorities {
            let certificates = fs::read(path)
                .map_err(|error| format!("{error}: {}", error.source))
                .and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|error| words(&error)));
            let unreadable = |why| {
                Fault::refused(format!(
                    "MLFLOW_TRACKING_SERVER_CERT_PATH names no certificates in PEM form ({why})"
                ))
            };
            builder = builder.tls_certs_only(certificates.map_err(unreadable)?);
        }
        if let Some(path) = &server.identity {
            let identity = fs::read(path)
                .map_err(|error| format!("{error}: {}", error.source))
                .and_then(|pem| Identity::from_pem(&pem).map_err(|error| words(&error)));
            let unreadable = |why| {
                Fault::refused(format!(
                    "MLFLOW_TRACKING_CLIENT_CERT_PATH names no certificate and key in PEM form ({why})"
                ))
            };
            builder = builder.identity(identity.map_err(unreadable)?);
        }
        let http = builder.build().map_err(|error| {
            Fault::refused(format!("no connection can be made from here: {}", words(&error)))
        })?;
        Ok(Self { http, server })
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The experiment of a name; also one that was deleted.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn experiment(&self, name: &str) -> Result<Option<Experiment>, Fault> {
        let mut url = self.url("api/2.0/mlflow/experiments/get-by-name");
        url.query_pairs_mut().append_pair("experiment_name", name);
        match self.json::<GotExperiment>(self.http.get(url)) {
            Ok(found) => Ok(Some(found.experiment)),
            Err(Fault::Missing { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Makes an experiment; its id.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::Exists`] also of a deleted one.
    pub fn create_experiment(&self, name: &str) -> Result<String, Fault> {
        self.post::<CreatedExperiment>("experiments/create", &CreateExperiment { name })
            .map(|created| created.experiment_id)
    }

    /// Takes back that an experiment was deleted.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn restore_experiment(&self, experiment_id: &str) -> Result<(), Fault> {
        self.done("experiments/restore", &OfExperiment { experiment_id })
    }

    /// Sets a tag of an experiment.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn set_experiment_tag(&self, experiment_id: &str, key: &Key, value: &NoteValue) -> Result<(), Fault> {
        self.done("experiments/set-experiment-tag", &SetExperimentTag { experiment_id, key, value })
    }

    /// The runs of an experiment, oldest first, also deleted ones.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn runs(&self, experiment_id: &str, filter: Option<&str>) -> Result<Vec<Run>, Fault> {
        let mut runs = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let search = SearchRuns {
                experiment_ids: [experiment_id],
                filter,
                run_view_type: "ALL",
                max_results: PAGE_OF_RUNS,
                order_by: ["attributes.start_time ASC"],
                page_token: token.as_deref(),
            };
            let found: FoundRuns = self.post("runs/search", &search)?;
            runs.extend(found.runs);
            token = found.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(runs);
            }
        }
    }

    /// Makes a run. Asking twice makes two.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn create_run(&self, run: &CreateRun<'_>) -> Result<Run, Fault> {
        self.post::<GotRun>("runs/create", run).map(|got| got.run)
    }

    /// Sets the state of a run.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn update_run(&self, update: &UpdateRun<'_>) -> Result<(), Fault> {
        self.done("runs/update", update)
    }

    /// Deletes a run, which can be taken back.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn delete_run(&self, run_id: &str) -> Result<(), Fault> {
        self.done("runs/delete", &OfRun { run_id })
    }

    /// Takes back that a run was deleted.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn restore_run(&self, run_id: &str) -> Result<(), Fault> {
        self.done("runs/restore", &OfRun { run_id })
    }

    /// Adds points, parameters and tags to a run. Asking twice adds them once.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn log_batch(&self, batch: &LogBatch<'_>) -> Result<(), Fault> {
        self.done("runs/log-batch", batch)
    }

    /// Removes a tag of a run.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::Missing`] where there is none.
    pub fn delete_tag(&self, run_id: &str, key: &str) -> Result<(), Fault> {
        self.done("runs/delete-tag", &DeleteTag { run_id, key })
    }

    /// Says what a run read. Asking twice says it once.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::Unknown`] of a server that is too old for it.
    pub fn log_inputs(&self, run_id: &str, datasets: &[Input]) -> Result<(), Fault> {
        let request = self.request("runs/log-inputs", &LogInputs { run_id, datasets });
        self.json_if_known::<serde_json::Value>(request).map(drop)
    }

    /// The points of a metric of a run, a page at a time.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn history(&self, run_id: &str, key: &str, mut page: impl FnMut(Vec<Metric>)) -> Result<(), Fault> {
        let mut token = String::new();
        loop {
            let mut url = self.url("api/2.0/mlflow/metrics/get-history");
            url.query_pairs_mut()
                .append_pair("run_id", run_id)
                .append_pair("metric_key", key)
                .append_pair("max_results", &PAGE_OF_POINTS.to_string());
            if !token.is_empty() {
                url.query_pairs_mut().append_pair("page_token", &token);
            }
            let history: History = self.json(self.http.get(url))?;
            page(history.metrics);
            token = history.next_page_token.unwrap_or_default();
            if token.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes an artifact of a run, over one of the same path.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn put_artifact(&self, root: &ArtifactRoot, path: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        let request =
            self.http.put(self.artifact(root, path)).header(CONTENT_TYPE, "application/octet-stream");
        self.send(request.body(Body::from(bytes))).map(drop)
    }

    /// Reads an artifact of a run; none if there is no such one.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn artifact_bytes(&self, root: &ArtifactRoot, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.send(self.http.get(self.artifact(root, path))) {
            Ok(body) => Ok(Some(body.bytes)),
            Err(Fault::Missing { .. } | Fault::Unknown { .. }) => Ok(None),
            // A local folder says so of a file that it does not have.
            Err(Fault::Away { words, .. }) if words.contains("No such file") => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn artifact(&self, root: &ArtifactRoot, path: &str) -> Url {
        let mut url = self.url("api/2.0/mlflow-artifacts/artifacts");
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(root.0.split('/')).extend(path.split('/'));
        }
        url
    }

    fn url(&self, path: &str) -> Url {
        let address = format!("{}/{path}", self.server.address());
        Url::parse(&address).expect("an address was read before, and the path is ours")
    }

    fn done(&self, call: &str, message: &impl Serialize) -> Result<(), Fault> {
        self.post::<serde_json::Value>(call, message).map(drop)
    }

    fn post<T: DeserializeOwned>(&self, call: &str, message: &impl Serialize) -> Result<T, Fault> {
        self.json(self.request(call, message))
    }

    fn request(&self, call: &str, message: &impl Serialize) -> RequestBuilder {
        self.http.post(self.url(&format!("api/2.0/mlflow/{call}"))).json(message)
    }

    /// The answer to a request without which nothing can be done.
    fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        self.json_if_known(request).map_err(|fault| match fault {
            Fault::Unknown { words } => Fault::refused(format!(
                "{} is no MLflow tracking server, or one before 2.0 ({words}): check MLFLOW_TRACKING_URI",
                self.server.address()
            )),
            other => other,
        })
    }

    fn json_if_known<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let body = self.send(request)?;
        serde_json::from_slice(&body.bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => Fault::away("the answer was cut off"),
            _ => Fault::refused(format!(
                "{} answers, but not as an MLflow tracking server does ({}): check MLFLOW_TRACKING_URI",
                self.server.address(),
                if body.content_type.is_empty() { "without a type" } else { &body.content_type }
            )),
        })
    }

    fn send(&self, request: RequestBuilder) -> Result<ResponseBody, Fault> {
        let request = match &self.server.credentials {
            Some(Credentials::Basic(name, password)) => request.basic_auth(name, Some(password.reveal())),
            Some(Credentials::Bearer(token)) => request.bearer_auth(token.reveal()),
            None => request,
        };
        let request = match &self.server.workspace {
            Some(workspace) => request.header("X-MLFLOW-WORKSPACE", workspace),
            None => request,
        };
        let response = request.send().map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let header = |name| header(&response, name);
        let (content_type, retry_after, location) =
            (header(CONTENT_TYPE), header(RETRY_AFTER), header(LOCATION));
        let bytes = response.bytes().map_err(|error| self.unreachable(error))?.to_vec();
        if status.is_success() {
            return Ok(ResponseBody { bytes, content_type });
        }
        let answer = Answer {
            status: status.as_u16(),
            content_type: &content_type,
            retry_after: &retry_after,
            location: &location,
            body: &bytes,
        };
        Err(answer.fault(self.server.address()))
    }

    /// What to make of a request that got no answer.
    fn unreachable(&self, error: reqwest::Error) -> Fault {
        let address = self.server.address();
        let why = words(&error);
        if why.contains("InvalidContentType") {
            let plain = address.replacen("https://", "http://", 1);
            return Fault::refused(format!(
                "{address} answers without TLS: use {plain}, or the port that has TLS"
            ));
        }
        // What the other side says of our certificate, or of there being none.
        if why.contains("alert: Certificate") || why.contains("alert: BadCertificate") {
            return Fault::refused(format!(
                "{address} asks who is there ({why}): name a certificate and its key with MLFLOW_TRACKING_CLIENT_CERT_PATH"
            ));
        }
        if why.contains("certificate") {
            return Fault::refused(format!(
                "{address} is not trusted ({why}): name its authority's certificate with MLFLOW_TRACKING_SERVER_CERT_PATH"
            ));
        }
        if error.is_builder() {
            return Fault::refused(format!(
                "no request to {address} can be made ({why}): look at MLFLOW_TRACKING_TOKEN and MLFLOW_WORKSPACE, which a \
                 header has to hold"
            ));
        }
        let what = match () {
            () if error.is_timeout() && error.is_connect() => "can't be reached in 5 s".to_owned(),
            () if error.is_timeout() => "did not answer in 60 s".to_owned(),
            () if error.is_connect() => format!("can't be reached ({why})"),
            () => format!("broke off ({why})"),
        };
        Fault::away(format!("{address} {what}"))
    }
}

struct ResponseBody {
    bytes: Vec<u8>,
    content_type: String,
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// The innermost cause: those above it say that there is one. Addresses are left out, since they may hold secrets.
fn words(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(cause) = inner.source() {
        inner = cause;
    }
    if error.source().is_none() { "the request could not be made".to_owned() } else { inner.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_where_the_server_says() {
        let root = |uri: &str| ArtifactRoot::of(uri).map(|root| root.0);
        assert_eq!(root("mlflow-artifacts:/1/ab/artifacts").as_deref(), Some("1/ab/artifacts"));
        assert_eq!(root("mlflow-artifacts://lab:5000/1/ab/artifacts"), None);
        assert_eq!(
            root("mlflow-artifacts:/workspaces/w/1/ab/artifacts").as_deref(),
            Some("workspaces/w/1/ab/artifacts")
        );
        assert_eq!(root("s3://bucket/1/ab/artifacts"), None);
        assert_eq!(root("/home/ada/mlruns/1"), None);
    }

    #[test]
    fn paths_are_encoded_part_by_part() {
        let server = Server::at("http://lab:5000/mlflow/", |_| None).unwrap();
        let client = Client::new(server).unwrap();
        let url = client.artifact(&ArtifactRoot("1/ab/artifacts".to_owned()), "images/ä b?+c%.png");
        assert_eq!(
            url.as_str(),
            "http://lab:5000/mlflow/api/2.0/mlflow-artifacts/artifacts/1/ab/artifacts/images/%C3%A4%20b%3F+c%25.png"
        );
    }
}
