//! Cameras, as each system lists and opens them.
//!
//! Linux goes to V4L2 by itself: nokhwa reads only six of its pixel formats, no
//! padded rows, no frame rates like 29.97 and no sizes that are given as a range,
//! and it opens no camera that another program left in a format that it does not
//! know. Virtual cameras are that kind of device.

#[cfg(not(target_os = "linux"))]
mod nokhwa;
#[cfg(target_os = "linux")]
mod v4l2;

#[cfg(not(target_os = "linux"))]
pub(crate) use self::nokhwa::{Device, Found, OPEN_LIMIT, list};
#[cfg(target_os = "linux")]
pub(crate) use self::v4l2::{Device, Found, OPEN_LIMIT, list};
