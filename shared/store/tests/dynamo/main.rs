//! The DynamoDB side: the contract against the emulator, and answers that an emulator never gives.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;
mod contract;
mod emulator;
mod random;
mod reads;
mod replies;
mod wire;
