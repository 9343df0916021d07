//! Webhooks: what is told, and what is heard.

pub(crate) mod deliver;
pub(crate) mod receive;
pub(crate) mod sign;
