//! Who speaks, and how loud each participant is heard.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::process::Command;
use visavis_tests::headless::{Event, Headless, MEDIA_LIMIT};
use visavis_tests::process::Process;
use visavis_tests::programs;
use visavis_tests::server::RoomServer;
use visavis_tests::sound::{Sound, amplitude};
use visavis_tests::wait::wait_until;

const SPEECH_LIMIT: Duration = Duration::from_secs(30);
const TEXT: &str = "We were going to look at the numbers of the last three months.";
/// RMS of full scale: −45 dBFS is quiet speech, −30 dBFS a loud fan.
const QUIET: f64 = 0.0056;
const LOUD: f64 = 0.0316;

/// Writes samples of 16 bit at this RMS.
fn write(file: &Path, rate: u32, samples: &[f64], rms: f64) -> Result<()> {
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>();
    let gain = rms / (power / samples.len() as f64).sqrt();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, spec)?;
    for sample in samples {
        wav.write_sample((sample * gain * 32_768.0) as i16)?;
    }
    Ok(wav.finalize()?)
}

async fn write_speech(file: &Path) -> Result<()> {
    let mut command = Command::new(programs::installed("espeak-ng")?);
    command.arg("-w").arg(file).arg(TEXT);
    let status = Process::start("espeak-ng", &mut command)?
        .wait(SPEECH_LIMIT)
        .await?;
    ensure!(status.success(), "espeak-ng ended with {status}");
    let speech = Sound::read(file)?;
    write(file, speech.rate, &speech.samples, QUIET)
}

fn write_noise(file: &Path) -> Result<()> {
    let mut state = 1_u32;
    let noise: Vec<f64> = (0..480_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        })
        .collect();
    write(file, 48_000, &noise, LOUD)
}

/// Whether this member was reported to speak.
fn spoke(listener: &Headless, member: &str) -> bool {
    listener.events().iter().any(
        |event| matches!(event, Event::Speaking { member: who, speaking: true } if who == member),
    )
}

#[tokio::test]
async fn quiet_speech_makes_an_active_speaker_and_loud_noise_and_a_muted_microphone_do_not()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let [speech, noise] = ["speech.wav", "noise.wav"].map(|name| folder.path().join(name));
    write_speech(&speech).await?;
    write_noise(&noise)?;
    let [speech, noise] = [speech, noise].map(|file| format!("wav:{}", file.display()));
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let silent = ["--video", "none", "--audio", "none"];
    let hosting = [&silent[..], &["--create", "speakers"]].concat();
    let anna = Headless::join("anna", &url, &hosting).await?;
    let room = anna.room().to_owned();
    let join = async |name: &str, audio: &str| {
        let arguments = ["--video", "none", "--audio", audio, "--room", &room];
        Headless::join(name, &url, &arguments).await
    };
    let bert = join("bert", &noise).await?;
    let mut cleo = join("cleo", &speech).await?;
    wait_until(
        "anna and cleo see that cleo speaks",
        MEDIA_LIMIT,
        async || {
            let both = [&anna, &cleo].map(|listener| spoke(listener, cleo.member()));
            Ok((both == [true; 2]).then_some(()))
        },
    )
    .await?;
    let energy = |listener: &Headless| {
        let stats = listener.stats(bert.member());
        stats.map_or(0.0, |stats| stats.audio_energy)
    };
    // Four seconds of it.
    wait_until("anna hears the noise", MEDIA_LIMIT, async || {
        Ok((energy(&anna) > 4.0 * LOUD * LOUD * 0.7).then_some(()))
    })
    .await?;
    ensure!(!spoke(&anna, bert.member()), "noise is taken for speech");
    ensure!(!spoke(&bert, bert.member()), "one's own noise is speech");

    cleo.obeys(&json!({"command": "mute", "source": "microphone"}))
        .await?;
    let latest = |listener: &Headless, member: &str| {
        let events = listener.events().into_iter().rev();
        events
            .filter_map(|event| match event {
                Event::Speaking {
                    member: who,
                    speaking,
                } if who == member => Some(speaking),
                _ => None,
            })
            .next()
    };
    for listener in [&anna, &cleo] {
        wait_until("a muted microphone is silent", MEDIA_LIMIT, async || {
            Ok((latest(listener, cleo.member()) == Some(false)).then_some(()))
        })
        .await?;
    }
    for one in [anna, bert, cleo] {
        one.leave().await?;
    }
    server.stop().await
}

/// In samples.
const WINDOW: usize = 14_400;

/// Waits until a growing recording ends with a tone of 440 Hz in this range of amplitudes.
async fn hears(file: &Path, from: f64, to: f64) -> Result<f64> {
    let what = format!("a tone of {from:.3} to {to:.3} is heard");
    wait_until(&what, MEDIA_LIMIT, async || {
        let Ok(sound) = Sound::read(file) else {
            return Ok(None);
        };
        let Some(start) = sound.samples.len().checked_sub(WINDOW) else {
            return Ok(None);
        };
        let heard = amplitude(&sound.samples[start..], sound.rate, 440.0);
        Ok((from..=to).contains(&heard).then_some(heard))
    })
    .await
}

#[tokio::test]
async fn the_volume_of_a_participant_changes_what_comes_out_and_of_no_one_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("heard.wav");
    let play = format!("wav:{}", file.display());
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let listening = ["--video", "none", "--audio", "none", "--play", &play];
    let hosting = [&listening[..], &["--create", "volume"]].concat();
    let mut anna = Headless::join("anna", &url, &hosting).await?;
    let room = anna.room().to_owned();
    let join = async |name: &str, audio: &str| {
        let arguments = ["--video", "none", "--audio", audio, "--room", &room];
        Headless::join(name, &url, &arguments).await
    };
    let bert = join("bert", "tone:440").await?;
    let cleo = join("cleo", "tone:910").await?;
    let full = hears(&file, 0.07, 0.12).await?;
    let mut set = async |participant: &str, percent: u32| {
        let volume = json!({"command": "volume", "participant": participant, "percent": percent});
        anna.obeys(&volume).await
    };
    set("bert", 50).await?;
    hears(&file, full * 0.45, full * 0.55).await?;
    set(bert.member(), 200).await?;
    hears(&file, full * 1.9, full * 2.1).await?;
    set("bert", 0).await?;
    hears(&file, 0.0, full * 0.01).await?;
    let sound = Sound::read(&file)?;
    let end = &sound.samples[sound.samples.len() - WINDOW..];
    let other = amplitude(end, sound.rate, 910.0);
    ensure!((full * 0.8..full * 1.2).contains(&other), "{other}");
    set("nobody", 50).await?;
    anna.reports("an unknown participant", MEDIA_LIMIT, |event| {
        matches!(&event, Event::Error { code } if code == "unknown-participant").then_some(())
    })
    .await
    .context("a name that nobody has")?;
    for one in [anna, bert, cleo] {
        one.leave().await?;
    }
    server.stop().await
}
