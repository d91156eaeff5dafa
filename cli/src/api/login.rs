//! The bearer token: given in the environment, or had from Cognito for a user of the profile.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::ApiError;

/// A token is renewed this long before it ends, so that none ends on its way.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// Where tokens come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// `CAUSEWAY_TOKEN`.
    Given(String),
    /// A login, which is repeated when its token is about to end.
    Login(Login),
}

/// A user of a Cognito pool.
pub(crate) struct Login {
    endpoint: String,
    client_id: String,
    user: String,
    password: String,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: String,
    until: Instant,
}

// By hand, so that neither password nor token is ever printed.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("endpoint", &self.endpoint).field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "AuthenticationResult")]
    result: Option<AuthenticationResult>,
    #[serde(rename = "ChallengeName")]
    challenge: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthenticationResult {
    id_token: String,
    expires_in: u64,
}

impl Login {
    /// A login that happens when a token is first wanted.
    pub(crate) fn new(endpoint: String, client_id: String, user: String, password: String) -> Self {
        Self { endpoint, client_id, user, password, held: Mutex::new(None) }
    }

    async fn token(&self, http: &Client) -> Result<String, ApiError> {
        let mut held = self.held.lock().await;
        if let Some(Held { token, until }) = held.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let result = self.initiate(http).await?;
        let lasts = Duration::from_secs(result.expires_in).saturating_sub(RENEW_BEFORE);
        *held = Some(Held { token: result.id_token.clone(), until: Instant::now() + lasts });
        Ok(result.id_token)
    }

    /// Cognito's `InitiateAuth`. The ID token is used: only it carries the tenant.
    async fn initiate(&self, http: &Client) -> Result<AuthenticationResult, ApiError> {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": self.client_id,
            "AuthParameters": {"USERNAME": self.user, "PASSWORD": self.password},
        });
        let no_answer = |source| ApiError::NoAnswer { url: self.endpoint.clone(), source };
        let answer = http
            .post(&self.endpoint)
            .header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .header("content-type", "application/x-amz-json-1.1")
            .body(body.to_string())
            .send()
            .await
            .map_err(no_answer)?;
        let bytes = answer.bytes().await.map_err(no_answer)?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|source| ApiError::Garbled { url: self.endpoint.clone(), source })?;
        answer.result.ok_or_else(|| {
            let challenge = answer.challenge.map(|name| format!("it asks for {name}"));
            let why = challenge.or(answer.message).unwrap_or_else(|| "it does not say why".to_owned());
            ApiError::Login { user: self.user.clone(), endpoint: self.endpoint.clone(), why }
        })
    }
}

impl Tokens {
    /// A token that is good now.
    pub(crate) async fn token(&self, http: &Client) -> Result<String, ApiError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Login(login) => login.token(http).await,
        }
    }
}
