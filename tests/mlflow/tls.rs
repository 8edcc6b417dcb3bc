//! Certificates: of authorities that the system does not know, and our own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::fake::Fake;
use crate::server::provisioned;
use crate::specs;
use crate::support::Test;

/// A server that talks TLS, in front of one that does not.
struct Tls {
    process: Child,
    folder: TempDir,
    uri: String,
}

impl Tls {
    fn before(python: &Path, fake: &Fake, asks: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mlflow/tls.py");
        let port = fake.uri().rsplit(':').next().unwrap().to_owned();
        let mut command = Command::new(python);
        command.arg(script).arg(folder.path()).arg(port).args(asks.then_some("--ask")).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python can be started");
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, folder, uri: format!("https://127.0.0.1:{}", port.trim()) }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn sync(test: &Test, uri: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = test.command(["mlflow", "sync", "--to", uri, "--wait", "0.5"]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn certificates_are_held_against_the_authority_that_is_named() {
    let Some(python) = provisioned() else { return };
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0]"));
    test.run(["exp", "run", "tiny.toml", "--quiet"]).success();

    let fake = Fake::start();
    let tls = Tls::before(&python, &fake, false);
    let (authority, client) = (tls.file("ca.pem"), tls.file("client.pem"));
    let (code, said) = sync(&test, &tls.uri, &[]);
    assert!(code == Some(2) && said.contains("MLFLOW_TRACKING_SERVER_CERT_PATH"), "{code:?} {said}");
    let (code, said) = sync(&test, &tls.uri, &[("MLFLOW_TRACKING_SERVER_CERT_PATH", "nothing.pem")]);
    assert!(code == Some(2) && said.contains("nothing.pem"), "{code:?} {said}");
    let (code, said) = sync(&test, &tls.uri, &[("MLFLOW_TRACKING_SERVER_CERT_PATH", &authority)]);
    assert!(code == Some(0) && said.contains(" 0 pending, 5 runs"), "{code:?} {said}");
    let (code, said) = sync(&test, &tls.uri, &[("MLFLOW_TRACKING_INSECURE_TLS", "true")]);
    assert!(code == Some(0) && said.contains("sent 0 records"), "{code:?} {said}");
    drop((tls, client));

    let fake = Fake::start();
    let tls = Tls::before(&python, &fake, true);
    let (authority, client) = (tls.file("ca.pem"), tls.file("client.pem"));
    let known = ("MLFLOW_TRACKING_SERVER_CERT_PATH", authority.as_str());
    let (code, said) = sync(&test, &tls.uri, &[known]);
    assert!(code != Some(0) && said.contains("MLFLOW_TRACKING_CLIENT_CERT_PATH"), "{code:?} {said}");
    let (code, said) = sync(&test, &tls.uri, &[known, ("MLFLOW_TRACKING_CLIENT_CERT_PATH", &client)]);
    assert!(code == Some(0) && said.contains(" 0 pending, 5 runs"), "{code:?} {said}");
}
