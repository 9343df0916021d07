//! When each received frame is decoded and shown. Pure: the time is an argument.

pub mod sync;

use std::time::Duration;

/// The longest delay that is added on request.
pub const MAX_EXTRA_DELAY: Duration = Duration::from_secs(1);
