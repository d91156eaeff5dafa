//! The operator's command line of Causeway.
//!
//! Everything goes through the public HTTP API: this program has no access to tables, queues or
//! keys. What was asked for goes to standard output, everything else to standard error.

mod api;
mod args;
mod assets;
mod board;
mod commands;
mod confirm;
mod context;
mod demo;
mod error;
mod load;
mod output;
mod profile;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::from(error.exit().code())
        }
    }
}
