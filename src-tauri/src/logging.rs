//! Logs go to standard error; `RUST_LOG` says how much of them.

use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise: our own words, others' warnings.
/// The WebRTC stack warns of what every connection passes through, and the
/// hosted room service would tell of each of our own questions. PulseAudio's
/// client calls its own end an error; a sound server that is lost, we tell.
const DEFAULT: &str = "warn,rtc=error,webrtc=error,pulseaudio=off,visavis_shell=info,\
                       visavis_call=info,visavis_media=info";

/// Starts logging.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
