//! The command line.

use std::path::PathBuf;

use clap::Parser;
use visavis_media::{AudioSink, AudioSource, VideoSource};
use visavis_protocol::RoomLink;

use crate::server_url;

/// Video calls in a room.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "visavis", version)]
pub struct Arguments {
    /// The room service (ws, wss, http or https); without one this application hosts it
    #[arg(long, value_name = "URL", value_parser = server_url::parse)]
    pub server: Option<String>,
    /// A folder with settings of its own: an application of its own
    #[arg(long, value_name = "DIR", value_parser = directory)]
    pub profile: Option<PathBuf>,
    /// Pictures instead of a camera's: synthetic[:WxH@FPS], camera[:N], y4m:FILE, none
    #[arg(long, value_name = "SOURCE")]
    pub video: Option<VideoSource>,
    /// Sound instead of a microphone's: tone[:HZ], mic, wav:FILE, none
    #[arg(long, value_name = "SOURCE")]
    pub audio: Option<AudioSource>,
    /// Where sound goes instead of a speaker: speaker, wav:FILE, none
    #[arg(long, value_name = "SINK")]
    pub play: Option<AudioSink>,
    /// The room to open: abc-defg-hij, or a link to it
    #[arg(value_name = "ROOM", value_parser = RoomLink::parse)]
    pub room: Option<RoomLink>,
}

/// The web view asks for an absolute path.
fn directory(text: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_reads_as_written() {
        let line = "visavis --server 192.0.2.1:7420 --video synthetic:320x180@15 --audio none --play none ABCDEFGHIJ";
        let arguments = Arguments::parse_from(line.split(' '));
        assert_eq!(arguments.server.as_deref(), Some("ws://192.0.2.1:7420"));
        assert_eq!(arguments.play, Some(AudioSink::None));
        assert_eq!(
            arguments.room.map(|link| link.room),
            Some("abc-defg-hij".into())
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_can() {
        for (line, told) in [
            ("visavis --video webcam", "synthetic[:WxH@FPS]"),
            ("visavis --server ftp://a", "ws, wss, http or https"),
            ("visavis a/b", "neither a room's id nor a link"),
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
