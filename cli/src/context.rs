//! What every verb starts from: the options, the profile, and the API on behalf of a user.

use std::env;

use reqwest::{Client, Url};

use crate::{
    api::{Api, ApiError, Login, Tokens},
    args::Globals,
    confirm::Asking,
    error::CliError,
    output::Output,
    profile::Profile,
};

const TOKEN_VARIABLE: &str = "CAUSEWAY_TOKEN";
const PASSWORD_VARIABLE: &str = "CAUSEWAY_PASSWORD";

/// Who a verb acts for when nobody is named: a demo user of the local platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Moves the money of a tenant.
    Client,
    /// Uses `/admin/v1`.
    Operator,
}

impl Role {
    const fn default_user(self) -> &'static str {
        match self {
            Self::Client => "alice",
            Self::Operator => "olga",
        }
    }
}

/// What every verb starts from.
#[derive(Debug)]
pub(crate) struct Context {
    globals: Globals,
    http: Client,
    /// The deployment's outputs.
    pub(crate) profile: Profile,
    /// Where results go.
    pub(crate) output: Output,
}

impl Context {
    /// Reads the profile.
    pub(crate) fn new(globals: Globals) -> Result<Self, CliError> {
        let http = Api::http().map_err(|source| ApiError::NoAnswer { url: "the TLS library".to_owned(), source })?;
        let profile = Profile::load(globals.profile.as_deref())?;
        let output = Output::new(globals.output);
        Ok(Self { globals, http, profile, output })
    }

    /// The HTTP client that everything shares.
    pub(crate) fn http(&self) -> Client {
        self.http.clone()
    }

    /// The API for a verb of this role: with the given token, or as `--user` or the role's default.
    pub(crate) fn api(&self, role: Role) -> Result<Api, CliError> {
        match env::var(TOKEN_VARIABLE) {
            Ok(token) if !token.is_empty() => self.api_with(Tokens::Given(token)),
            Ok(_) | Err(_) => self.api_as(self.globals.user.as_deref().unwrap_or(role.default_user())),
        }
    }

    /// The API as a user of the profile.
    pub(crate) fn api_as(&self, user: &str) -> Result<Api, CliError> {
        let login = Login::new(self.issuer()?, self.client_id()?, user.to_owned(), self.password(user)?);
        self.api_with(Tokens::Login(login))
    }

    /// Goes on only if a person, or `--yes`, confirms.
    pub(crate) fn confirm(&self, act: &str, word: &str) -> Result<(), CliError> {
        Asking::here(self.globals.yes).confirm(act, word)
    }

    fn api_with(&self, tokens: Tokens) -> Result<Api, CliError> {
        let address = self.globals.api.as_ref().or(self.profile.api_url.as_ref());
        let address =
            address.ok_or_else(|| unset("the API's address", "give --api or CAUSEWAY_API, or a --profile"))?;
        Ok(Api::new(self.http(), address, tokens)?)
    }

    /// Where Cognito answers: the emulator's address, or else the issuer's own host.
    fn issuer(&self) -> Result<String, CliError> {
        if let Some(endpoint) = &self.profile.endpoint {
            return Ok(endpoint.clone());
        }
        let host = self.profile.issuer.as_deref().and_then(|issuer| Url::parse(issuer).ok());
        let host = host.map(|url| url.origin().ascii_serialization());
        host.ok_or_else(|| unset("where to log in", "give CAUSEWAY_TOKEN, or a --profile with an issuer"))
    }

    fn client_id(&self) -> Result<String, CliError> {
        let client = self.profile.cognito.as_ref().map(|cognito| cognito.client_id.clone());
        client.ok_or_else(|| {
            unset("the app client to log in with", "give CAUSEWAY_TOKEN, or a --profile with a user pool")
        })
    }

    fn password(&self, user: &str) -> Result<String, CliError> {
        let given = env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty());
        let known = || self.profile.users.get(user).and_then(|user| user.password.clone());
        given.or_else(known).ok_or_else(|| {
            unset(
                &format!("the password of {user}"),
                &format!("give {PASSWORD_VARIABLE} or {TOKEN_VARIABLE}, or name another --user"),
            )
        })
    }
}

fn unset(what: &str, next: &str) -> CliError {
    CliError::Unset { what: what.to_owned(), next: next.to_owned() }
}
