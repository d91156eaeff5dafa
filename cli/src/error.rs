//! Why a verb failed, what to do next, and the exit code that says so to a script.

use std::{error::Error, path::PathBuf};

use crate::api::ApiError;

/// What the exit code tells a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It could not be done.
    Failed,
    /// It was asked for in a way that makes no sense.
    Usage,
    /// What it is about does not exist.
    NotFound,
    /// The caller may not.
    Denied,
    /// It was done, and what came out is not what was hoped for.
    Unhoped,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Unhoped => 5,
        }
    }
}

/// Everything that can end a verb early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Asked for in a way that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A money verb without a person to ask.
    #[error("{act} needs a confirmation, and there is no terminal to ask on")]
    NobodyToAsk {
        /// What would have been done.
        act: String,
    },
    /// The person did not confirm.
    #[error("not confirmed, nothing was done")]
    NotConfirmed,
    /// The profile cannot be read.
    #[error("profile {}: cannot be read", path.display())]
    ProfileFile {
        /// Where it should be.
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The profile is not the JSON it should be.
    #[error("profile {}: is not what a deploy writes", path.display())]
    ProfileSyntax {
        /// Where it is.
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// A setting is neither given nor in the profile.
    #[error("{what} is not known")]
    Unset {
        /// Which setting.
        what: String,
        /// How to give it.
        next: String,
    },
    /// The API or the login said no, or said nothing.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The local chain's node said no, or said nothing.
    #[error("node {url}: {what}")]
    Node {
        /// Its address.
        url: String,
        /// What it was asked and what it said.
        what: String,
        #[source]
        source: Option<reqwest::Error>,
    },
    /// A program this one calls failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: String,
        /// Its last words.
        said: String,
    },
    /// An amount in an answer is not one.
    #[error("{field}: '{text}' {reason}")]
    Amount {
        /// Which field.
        field: String,
        /// What it holds.
        text: String,
        /// Why it is no amount.
        reason: String,
    },
    /// Standard output is gone, or the terminal is.
    #[error("cannot write the result")]
    Output(#[from] std::io::Error),
    /// Not everything ended in time.
    #[error("{0}")]
    TimedOut(String),
    /// It was done, and what came out is not what was hoped for.
    #[error("{0}")]
    Unhoped(String),
}

impl CliError {
    /// What to tell a script.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::NobodyToAsk { .. } | Self::Unset { .. } => Exit::Usage,
            Self::Api(error) => error.exit(),
            Self::Unhoped(_) => Exit::Unhoped,
            Self::NotConfirmed
            | Self::ProfileFile { .. }
            | Self::ProfileSyntax { .. }
            | Self::Node { .. }
            | Self::Program { .. }
            | Self::Amount { .. }
            | Self::Output(_)
            | Self::TimedOut(_) => Exit::Failed,
        }
    }

    /// What the person can do about it.
    fn next(&self) -> Option<String> {
        match self {
            Self::NobodyToAsk { .. } => Some("repeat it with --yes if it is meant".to_owned()),
            Self::ProfileFile { .. } => Some("bring the stack up first, or name its outputs with --profile".to_owned()),
            Self::ProfileSyntax { .. } => Some("deploy again, or name another file with --profile".to_owned()),
            Self::Unset { next, .. } => Some(next.clone()),
            Self::Api(error) => error.next(),
            Self::Node { .. } => Some("is the local chain running? its address is in the profile".to_owned()),
            Self::TimedOut(_) => {
                Some("nothing is lost: look again with 'transfers get' or 'transfers list'".to_owned())
            }
            Self::Usage(_)
            | Self::NotConfirmed
            | Self::Program { .. }
            | Self::Amount { .. }
            | Self::Output(_)
            | Self::Unhoped(_) => None,
        }
    }

    /// Prints it with its causes and the next step, to standard error.
    pub(crate) fn print(&self) {
        // A reader that has seen enough is not a failure worth a message.
        if matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe) {
            return;
        }
        eprintln!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            eprintln!("  because: {error}");
            cause = error.source();
        }
        if let Some(next) = self.next() {
            eprintln!("  next: {next}");
        }
    }
}
