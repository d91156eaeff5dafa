//! The profile: what a deploy writes about itself (`outputs.json`), as far as this program needs it.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::error::CliError;

/// A deployment's outputs. Everything is optional, since each verb needs only a part.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Profile {
    /// Address of the HTTP API.
    pub(crate) api_url: Option<String>,
    /// Address of the AWS emulator; absent where AWS itself answers.
    pub(crate) endpoint: Option<String>,
    /// Issuer of the ID tokens.
    pub(crate) issuer: Option<String>,
    /// The user pool.
    pub(crate) cognito: Option<Cognito>,
    /// Users by name; demo users carry their password.
    #[serde(default)]
    pub(crate) users: BTreeMap<String, User>,
    /// KMS keys by the topology's name, then by tenant.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, BTreeMap<String, KmsKey>>,
    /// JSON-RPC address of the local chain.
    pub(crate) chain_rpc_url: Option<String>,
    /// Folder the profile was read from.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// A Cognito user pool, as a client sees it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Cognito {
    /// The app client that logs in.
    pub(crate) client_id: String,
}

/// A user of the profile.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct User {
    /// Only of demo users.
    pub(crate) password: Option<String>,
}

/// A KMS key of a tenant.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KmsKey {
    /// Names exactly this key, also after its alias has moved on.
    pub(crate) arn: String,
}

impl Profile {
    /// Reads the profile: the named file, or the one of the local stack, or none if that is missing.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, CliError> {
        let path = named.map_or_else(default_path, Path::to_path_buf);
        match fs::read(&path) {
            Ok(bytes) => {
                let mut profile: Self = serde_json::from_slice(&bytes)
                    .map_err(|source| CliError::ProfileSyntax { path: path.clone(), source })?;
                profile.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                Ok(profile)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(Self::default()),
            Err(source) => Err(CliError::ProfileFile { path, source }),
        }
    }
}

fn default_path() -> PathBuf {
    env::var_os("CAUSEWAY_STATE").map_or_else(|| PathBuf::from(".local/state"), PathBuf::from).join("outputs.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_deploy_writes() {
        let text = r#"{
            "api_url": "http://127.0.0.1:1/_aws/execute-api/x", "endpoint": "http://127.0.0.1:1", "region": "us-east-1",
            "issuer": "https://issuer", "cognito": {"pool_id": "p", "client_id": "c"},
            "keys": {"treasury": {"acme": {"key_id": "k", "arn": "arn:aws:kms:k", "alias": "alias/a"}}},
            "users": {"alice": {"tenant": "acme", "groups": ["client"], "password": "secret"}},
            "chain_rpc_url": "http://127.0.0.1:2"
        }"#;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("outputs.json");
        fs::write(&path, text).expect("the test's file");
        let profile = Profile::load(Some(&path)).expect("a profile");
        assert_eq!(profile.keys["treasury"]["acme"].arn, "arn:aws:kms:k");
        assert_eq!(profile.users["alice"].password.as_deref(), Some("secret"));
        assert_eq!(profile.folder, folder.path());
    }

    #[test]
    fn a_named_file_must_exist_and_parse() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let missing = folder.path().join("none.json");
        assert!(matches!(Profile::load(Some(&missing)), Err(CliError::ProfileFile { .. })));
        let broken = folder.path().join("broken.json");
        fs::write(&broken, "{").expect("the test's file");
        assert!(matches!(Profile::load(Some(&broken)), Err(CliError::ProfileSyntax { .. })));
    }
}
