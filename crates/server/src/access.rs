//! Who may do what: tokens, passcodes, proxies, and the principal behind a request.

pub(crate) mod headers;
pub(crate) mod passcode;
pub(crate) mod principal;
pub(crate) mod proxy;
pub(crate) mod seal;
pub(crate) mod token;
