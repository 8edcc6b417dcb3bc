//! Which server, and how it is reached: what `MLFLOW_TRACKING_URI` and its companions say.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::base::digest::Digest;
use crate::base::secret::Secret;

/// Where and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address, without credentials and without a slash at the end.
    address: String,
    /// Who asks.
    pub(super) credentials: Option<Credentials>,
    /// Whose certificates are trusted, instead of those that the system trusts.
    pub(super) authorities: Option<PathBuf>,
    /// The certificate and key that this side shows.
    pub(super) identity: Option<PathBuf>,
    /// Any certificate is good enough.
    pub(super) insecure: bool,
    /// The workspace, for servers that have some.
    pub(super) workspace: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Name and password.
    Basic(String, Secret),
    /// A token.
    Bearer(Secret),
}

/// An address that leads to no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// It speaks another language.
    #[error(
        "send to `{uri}`: it is no address of a tracking server, which begins with http:// or https://; start one with \
         `mlflow server` and set MLFLOW_TRACKING_URI=http://127.0.0.1:5000"
    )]
    NotHttp {
        /// What was given, without secrets.
        uri: String,
    },
    /// It can't be read.
    #[error("send to `{uri}`: {why}; an address looks like http://127.0.0.1:5000")]
    Unreadable {
        /// What was given, without secrets.
        uri: String,
        /// What is wrong.
        why: String,
    },
    /// Two settings contradict each other.
    #[error(
        "reach the server: MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other; unset one"
    )]
    Contradiction,
}

impl Server {
    /// The server at an address, reached as the variables say that MLflow's own client reads.
    ///
    /// # Errors
    /// [`ServerError`], before anything is sent.
    pub fn at(uri: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ServerError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let uri = uri.trim();
        if !["http://", "https://"].iter().any(|scheme| uri.to_lowercase().starts_with(scheme)) {
            return Err(ServerError::NotHttp { uri: without_secrets(uri) });
        }
        let mut url = Url::parse(uri)
            .map_err(|error| ServerError::Unreadable { uri: without_secrets(uri), why: error.to_string() })?;
        if url.path().contains('@') {
            let why = "it has an @ in its path; write one in a name or a password as %40, and a slash as %2F"
                .to_owned();
            return Err(ServerError::Unreadable { uri: without_secrets(uri), why });
        }
        let named = (!url.username().is_empty())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        // Neither can fail: the address has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let typed = variable("MLFLOW_TRACKING_USERNAME")
            .map(|name| (name, variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default()));
        let credentials = match (typed.or(named), variable("MLFLOW_TRACKING_TOKEN")) {
            (Some((name, password)), _) => Some(Credentials::Basic(name, Secret::new(password))),
            (None, Some(token)) => Some(Credentials::Bearer(Secret::new(token))),
            (None, None) => None,
        };
        let insecure = variable("MLFLOW_TRACKING_INSECURE_TLS").is_some_and(|value| is_yes(&value));
        let authorities = variable("MLFLOW_TRACKING_SERVER_CERT_PATH").map(PathBuf::from);
        if insecure && authorities.is_some() {
            return Err(ServerError::Contradiction);
        }
        Ok(Self {
            address: url.as_str().trim_end_matches('/').to_owned(),
            credentials,
            authorities,
            identity: variable("MLFLOW_TRACKING_CLIENT_CERT_PATH").map(PathBuf::from),
            insecure,
            workspace: variable("MLFLOW_WORKSPACE"),
        })
    }

    /// Its address, for messages and links: there is no secret in it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What a server is known again by: the same address and workspace are the same server.
    pub fn fingerprint(&self) -> String {
        let said = format!("{}\n{}", self.address, self.workspace.as_deref().unwrap_or_default());
        Digest::of(said.as_bytes()).to_string()[..16].to_owned()
    }

    /// Whether it runs on this machine: then no proxy is asked.
    pub(super) fn is_here(&self) -> bool {
        let host = Url::parse(&self.address).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."))
    }
}

/// An address as it may be shown: what stands between the scheme and the last `@` is left out, and what follows a `?`.
fn without_secrets(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").map_or(("", uri), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

/// What percent signs stand for in a name or a password.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn is_yes(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "true" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uri: &str, variables: &[(&str, &str)]) -> Result<Server, ServerError> {
        Server::at(uri, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_name_and_a_password_in_the_address_are_used_and_not_shown() {
        let server = at("https://ada:p%40ss@lab.org:5000/mlflow/?a=b", &[]).unwrap();
        assert_eq!(server.address(), "https://lab.org:5000/mlflow");
        assert_eq!(server.credentials, Some(Credentials::Basic("ada".to_owned(), Secret::new("p@ss"))));
        assert!(!format!("{server:?}").contains("p@ss"));
        let bare = at("https://lab.org:5000/mlflow", &[]).unwrap();
        assert_eq!(server.fingerprint(), bare.fingerprint());
    }

    #[test]
    fn variables_are_read_as_by_the_official_client() {
        let both = [
            ("MLFLOW_TRACKING_USERNAME", "ada"),
            ("MLFLOW_TRACKING_PASSWORD", "x"),
            ("MLFLOW_TRACKING_TOKEN", "t"),
        ];
        let server = at("http://127.0.0.1:5000/", &both).unwrap();
        assert_eq!(server.credentials, Some(Credentials::Basic("ada".to_owned(), Secret::new("x"))));
        assert!(server.is_here());
        let server = at("http://lab:5000", &both[2..]).unwrap();
        assert_eq!(server.credentials, Some(Credentials::Bearer(Secret::new("t"))));
        assert!(!server.is_here());
        let there = at("http://lab:5000", &[("MLFLOW_WORKSPACE", "vision")]).unwrap();
        assert_ne!(there.fingerprint(), server.fingerprint());
        let both = [("MLFLOW_TRACKING_INSECURE_TLS", "true"), ("MLFLOW_TRACKING_SERVER_CERT_PATH", "ca.pem")];
        assert_eq!(at("https://lab", &both), Err(ServerError::Contradiction));
    }

    #[test]
    fn an_address_that_leads_nowhere_is_named_without_its_secrets() {
        for uri in [
            "databricks",
            "sqlite:///mlflow.db",
            "./mlruns",
            "ftp://ada:secret@lab",
            "http://ada:secret@",
            "http://ada:sec/secret@lab",
            "http://ada:p#secret@lab",
            "http://secret:8080/x@lab",
            "postgresql://lab/db?password=secret",
            "http://[::1",
        ] {
            let words = at(uri, &[]).unwrap_err().to_string();
            assert!(!words.contains("secret") && words.contains("127.0.0.1:5000"), "{words}");
        }
    }
}
