//! The typed confirmation that stands before every verb that moves money.

use std::io::{IsTerminal, stderr, stdin};

use inquire::Text;

use crate::error::CliError;

/// Who can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// `--yes` was given.
    Waived,
    /// There is a person at a terminal.
    Person,
    /// There is neither.
    Nobody,
}

impl Asking {
    /// What holds for this process.
    pub(crate) fn here(yes: bool) -> Self {
        if yes {
            Self::Waived
        } else if stdin().is_terminal() && stderr().is_terminal() {
            Self::Person
        } else {
            Self::Nobody
        }
    }

    /// Goes on only if `act` is confirmed by typing `word`.
    pub(crate) fn confirm(self, act: &str, word: &str) -> Result<(), CliError> {
        match self {
            Self::Waived => Ok(()),
            Self::Nobody => Err(CliError::NobodyToAsk { act: act.to_owned() }),
            Self::Person => {
                eprintln!("This will {act}.");
                match Text::new(&format!("Type '{word}' to go on:")).prompt() {
                    Ok(typed) if typed.trim() == word => Ok(()),
                    Ok(_) | Err(_) => Err(CliError::NotConfirmed),
                }
            }
        }
    }
}
