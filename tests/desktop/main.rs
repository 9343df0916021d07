//! The application itself, on a display without hardware.

mod windows;
