//! Tokens: from Cognito for a user of the profile, the ID token, and never a word of a password.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;
use wiremock::{MockServer, ResponseTemplate};

use crate::mock::{body, header, on, on_with, received, run_with_profile};

/// A profile as the local deploy writes it, whose every address is the mock's.
fn profile(server: &MockServer) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outputs.json");
    let user = |tenant: &str, password: &str| json!({"tenant": tenant, "groups": [], "password": password});
    let content = json!({
        "api_url": format!("{}/_aws/execute-api/x", server.uri()), "endpoint": server.uri(),
        "issuer": "https://issuer.invalid/pool", "cognito": {"pool_id": "p", "client_id": "client-7"},
        "users": {"alice": user("acme", "alices-secret"), "olga": user("acme", "olgas-secret")},
    });
    fs::write(&path, content.to_string()).expect("the profile");
    (folder, path)
}

async fn cognito(server: &MockServer) {
    let result =
        json!({"AuthenticationResult": {"IdToken": "the-id-token", "AccessToken": "not-this", "ExpiresIn": 3600}});
    on(server, "POST", "/", 200, result).await;
}

#[tokio::test]
async fn an_operators_verb_logs_in_as_olga_and_a_clients_as_alice() {
    let server = MockServer::start().await;
    cognito(&server).await;
    on(&server, "GET", "/_aws/execute-api/x/admin/v1/queues", 200, json!({"items": []})).await;
    on(&server, "GET", "/_aws/execute-api/x/api/v1/transfers", 200, json!({"transfers": []})).await;
    let (_folder, profile) = profile(&server);
    let queues = run_with_profile(&profile, &["queues"]).await;
    assert_eq!(queues.code, 0, "{}", queues.err);
    let list = run_with_profile(&profile, &["transfers", "list"]).await;
    assert_eq!(list.code, 0, "{}", list.err);

    let requests = received(&server).await;
    let logins: Vec<_> = requests.iter().filter(|request| request.url.path() == "/").collect();
    let parameters: Vec<_> = logins.iter().map(|login| body(login)["AuthParameters"].clone()).collect();
    assert_eq!(
        parameters,
        [
            json!({"USERNAME": "olga", "PASSWORD": "olgas-secret"}),
            json!({"USERNAME": "alice", "PASSWORD": "alices-secret"})
        ]
    );
    assert_eq!(header(logins[0], "x-amz-target").as_deref(), Some("AWSCognitoIdentityProviderService.InitiateAuth"));
    assert_eq!(
        (body(logins[0])["AuthFlow"].clone(), body(logins[0])["ClientId"].clone()),
        (json!("USER_PASSWORD_AUTH"), json!("client-7"))
    );
    for call in requests.iter().filter(|request| request.url.path() != "/") {
        assert_eq!(header(call, "authorization").as_deref(), Some("Bearer the-id-token"));
    }
}

#[tokio::test]
async fn one_login_serves_all_pages() {
    let server = MockServer::start().await;
    cognito(&server).await;
    let page = |request: &wiremock::Request| {
        let last = request.url.query().is_some_and(|query| query.contains("cursor"));
        let next = if last { json!(null) } else { json!("more") };
        ResponseTemplate::new(200).set_body_json(json!({"items": [], "nextCursor": next}))
    };
    on_with(&server, "GET", "/_aws/execute-api/x/admin/v1/accounts", page).await;
    let (_folder, profile) = profile(&server);
    let run = run_with_profile(&profile, &["accounts", "show"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let logins = received(&server).await.iter().filter(|request| request.url.path() == "/").count();
    assert_eq!((logins, received(&server).await.len()), (1, 3));
}

#[tokio::test]
async fn a_refused_login_is_denied_and_keeps_the_password_to_itself() {
    let server = MockServer::start().await;
    let refusal = json!({"__type": "NotAuthorizedException", "message": "Incorrect username or password."});
    on(&server, "POST", "/", 400, refusal).await;
    let (_folder, profile) = profile(&server);
    let run = run_with_profile(&profile, &["queues"]).await;
    assert_eq!(run.code, 4);
    assert!(run.err.contains("login of olga"), "{}", run.err);
    assert!(run.err.contains("Incorrect username or password."), "{}", run.err);
    assert!(!run.err.contains("olgas-secret"), "{}", run.err);
}

#[tokio::test]
async fn a_user_without_a_password_is_asked_for_one() {
    let server = MockServer::start().await;
    let (_folder, profile) = profile(&server);
    let run = run_with_profile(&profile, &["--user", "mallory", "queues"]).await;
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("error: the password of mallory is not known\n  next: give CAUSEWAY_PASSWORD"),
        "{}",
        run.err
    );
    assert!(received(&server).await.is_empty());
}

#[tokio::test]
async fn a_named_profile_that_is_not_there_is_a_failure() {
    let run = run_with_profile(&PathBuf::from("/nonexistent/outputs.json"), &["queues"]).await;
    assert_eq!(run.code, 1);
    assert!(run.err.contains("error: profile /nonexistent/outputs.json: cannot be read\n  because: "), "{}", run.err);
}
