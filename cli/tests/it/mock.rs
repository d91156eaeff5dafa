//! An API that a test plays, and the program that talks to it.

use std::{
    path::Path,
    process::{Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::process::Command;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

pub(crate) const TOKEN: &str = "token-of-the-test";

/// A finished run of the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// The program, with nothing of the surrounding environment that could change what it does.
pub(crate) fn causeway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
    let inherited =
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("CAUSEWAY_"));
    for name in inherited {
        command.env_remove(name);
    }
    // A state folder without a profile, so that a stack on this machine is not found.
    command.env("CAUSEWAY_STATE", env!("CARGO_TARGET_TMPDIR")).env("COLUMNS", "100").env("NO_COLOR", "1");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

pub(crate) async fn finish(mut command: Command) -> Run {
    let Output { status, stdout, stderr } = command.output().await.expect("the program starts");
    Run {
        code: status.code().expect("an exit code"),
        out: String::from_utf8(stdout).expect("text"),
        err: String::from_utf8(stderr).expect("text"),
    }
}

/// Runs the program against the mock with a token.
pub(crate) async fn run(server: &MockServer, arguments: &[&str]) -> Run {
    let mut command = causeway(arguments);
    command.env("CAUSEWAY_API", server.uri()).env("CAUSEWAY_TOKEN", TOKEN);
    finish(command).await
}

/// Runs the program with a profile and no token.
pub(crate) async fn run_with_profile(profile: &Path, arguments: &[&str]) -> Run {
    let mut command = causeway(arguments);
    command.env("CAUSEWAY_PROFILE_FILE", profile);
    finish(command).await
}

/// Answers a route always in the same way.
pub(crate) async fn on(server: &MockServer, method: &str, path: &str, status: u16, body: Value) {
    on_with(server, method, path, ResponseTemplate::new(status).set_body_json(body)).await;
}

/// Answers a route by a function or a prepared answer.
pub(crate) async fn on_with(server: &MockServer, method: &str, path: &str, respond: impl Respond + 'static) {
    Mock::given(matchers::method(method)).and(matchers::path(path)).respond_with(respond).mount(server).await;
}

/// Gives one answer after the other; the last one again and again.
pub(crate) fn one_by_one(answers: Vec<Value>) -> impl Fn(&Request) -> ResponseTemplate + Send + Sync {
    let seen = AtomicUsize::new(0);
    move |_: &Request| {
        let at = seen.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        ResponseTemplate::new(200).set_body_json(&answers[at])
    }
}

/// What arrived, in order.
pub(crate) async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("the mock records")
}

pub(crate) fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("a JSON body")
}

pub(crate) fn header(request: &Request, name: &str) -> Option<String> {
    request.headers.get(name).map(|value| value.to_str().expect("text").to_owned())
}
