//! What both HTTP functions share: who asks, what they may send, and how they are refused.

pub mod access;
pub mod body;
pub mod docs;
pub mod error;
pub mod principal;
pub mod request;
pub mod time;

pub use body::Fields;
pub use error::{ApiError, Code, Shape};
pub use principal::{Claims, Principal, Role};
