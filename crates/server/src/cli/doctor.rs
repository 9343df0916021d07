//! `doctor`: checks the configuration and what it refers to, one line per check.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::time::timeout;
use visavis_protocol::token::VideoGrant;

use super::args::DoctorArgs;
use super::remote::Remote;
use super::rooms::open;
use crate::access::principal::AuthMode;
use crate::access::token::LEEWAY;
use crate::clock::{Clock, Timestamp};
use crate::config::ServerConfig;
use crate::id::RoomKey;
use crate::model::{Phase, Room};
use crate::store::{Stay, Store};
use crate::webhook::dispatcher::{http_client, reason};

/// Time limit of a check.
const LIMIT: Duration = Duration::from_secs(5);
/// Shortest secret for HS256 (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// The result of a check: a sentence, or the error.
type Finding = anyhow::Result<String>;

/// Prints the results; remembers whether all checks passed.
struct Report {
    passed: bool,
}

impl Report {
    fn write(&mut self, what: &str, finding: Finding) {
        match finding {
            Ok(text) => println!("ok    {what}: {text}"),
            Err(error) => {
                println!("FAIL  {what}: {error:#}");
                self.passed = false;
            }
        }
    }

    fn warn(&self, what: &str, text: &str) {
        println!("warn  {what}: {text}");
    }
}

pub(super) async fn doctor(config: ServerConfig, asked: DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report { passed: true };
    let remote = Remote::of(&config)?;
    let store = limited(open(&config.database)).await;
    let database = match &store {
        Ok(None) => Ok("in memory: only the running server knows its rooms".to_owned()),
        Ok(Some(_)) => Ok(format!("{} answers", config.database)),
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    report.write("database", database);
    match &config.redis {
        Some(url) => report.write("redis", limited(redis_answers(url)).await),
        None => println!("ok    redis: none, so this node is alone"),
    }
    keys(&config, &mut report);
    let reached = limited(reach(&remote)).await;
    let clock = reached.as_ref().ok().copied();
    report.write("url", reached.map(|_| format!("{} answers", remote.url)));
    if let Some(theirs) = clock {
        report.write("clock", compare(theirs));
    }
    for url in &config.webhooks {
        report.write("webhook", limited(receiver(url)).await);
    }
    match (asked.room, store) {
        (Some(name), Ok(Some(store))) => {
            report.write("room", limited(stored_room(&config, &store, &name)).await);
        }
        (Some(name), Ok(None)) => {
            report.write("room", limited(running_room(&config, &remote, &name)).await);
        }
        (Some(_), Err(_)) | (None, _) => {}
    }
    Ok(if report.passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn limited<T>(check: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let done = timeout(LIMIT, check).await;
    done.unwrap_or_else(|_| bail!("no answer within {} s", LIMIT.as_secs()))
}

async fn redis_answers(url: &str) -> Finding {
    let client = redis::Client::open(url).context("that is no URL of a Redis")?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let answer: String = redis::cmd("PING").query_async(&mut connection).await?;
    ensure!(answer == "PONG", "it answers {answer}");
    Ok("it answers".to_owned())
}

/// Checks that a signed token is accepted.
fn keys(config: &ServerConfig, report: &mut Report) {
    let Some(keys) = &config.keys else {
        let text = "none: tokens are neither issued nor accepted";
        return report.write("keys", Ok(text.to_owned()));
    };
    let now = Clock::real();
    let claims = keys.claims("doctor", None, VideoGrant::default(), now);
    let taken = keys
        .sign(&claims)
        .and_then(|token| keys.verify(&token, now));
    let text = format!("{} signs tokens that this server accepts", keys.api_key());
    report.write("keys", taken.map(|_| text).map_err(Into::into));
    if keys.secret().len() < SECRET_BYTES {
        let text = format!("the secret is shorter than {SECRET_BYTES} bytes: it may be guessed");
        report.warn("keys", &text);
    }
    if config.auth == AuthMode::Open {
        report.warn("keys", "--auth open: tokens are accepted, but not required");
    }
}

/// The time in the server's `Date` header.
async fn reach(remote: &Remote) -> anyhow::Result<Option<Timestamp>> {
    let answer = remote.get("/readyz").await?;
    let date = answer
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let date = date.and_then(http_date);
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    ensure!(
        status.is_success(),
        "{} answers {status}: {}",
        remote.url,
        text.trim()
    );
    Ok(date)
}

/// An HTTP date (RFC 9110, section 5.6.7), which is RFC 2822's with GMT for a zone.
fn http_date(text: &str) -> Option<Timestamp> {
    let text = text.replace("GMT", "+0000");
    let at = time::OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc2822);
    Some(Timestamp::from_secs(at.ok()?.unix_timestamp()))
}

fn compare(theirs: Option<Timestamp>) -> Finding {
    let theirs = theirs.context("the server sends no Date header")?;
    let apart = theirs.secs().abs_diff(Clock::real().secs());
    ensure!(
        apart < LEEWAY,
        "it is {apart} s from the server's: tokens would be refused"
    );
    Ok(format!("within {} s of the server's", apart + 1))
}

/// Whether the receiver can be reached; `webhook-test` checks its answer.
async fn receiver(url: &str) -> Finding {
    let answer = http_client()?.get(url).send().await;
    let answer =
        answer.map_err(|error| anyhow::anyhow!("{url} cannot be reached: {}", reason(&error)))?;
    Ok(format!(
        "{url} can be reached ({}); webhook-test sends it an event",
        answer.status()
    ))
}

async fn stored_room(config: &ServerConfig, store: &Store, name: &str) -> Finding {
    let mut found = None;
    for key in RoomKey::readings(name) {
        found = store.find_room(&key).await?;
        if found.is_some() {
            break;
        }
    }
    let Some(room) = found else {
        bail!("there is no room {name} in this database");
    };
    let present = store.participants(room.uid, Stay::Present).await?;
    judge(config, &room, present.len())
}

fn judge(config: &ServerConfig, room: &Room, present: usize) -> Finding {
    let code = &room.code;
    match room.phase(Clock::real()) {
        Phase::Deleted => bail!("{code} was deleted"),
        Phase::Closed => match room.closed {
            Some(closing) => bail!("{code} ended at {}", closing.at.rfc3339()),
            None => bail!("{code} has ended"),
        },
        Phase::Pending => bail!("{code} opens at {}", room.opens_at.rfc3339()),
        Phase::Open => {}
    }
    let instance = match &room.instance {
        Some(instance) => format!(
            "its instance is {} since {}",
            instance.sid,
            instance.started_at.rfc3339()
        ),
        None if config.auto_create => "the first to join begins its instance".to_owned(),
        None => bail!("{code} waits for its host's token: --auto-create is off"),
    };
    let most = match room.max_participants {
        0 => String::new(),
        most => format!(" of {most}"),
    };
    Ok(format!(
        "{code} is open, {instance}, and {present}{most} are inside"
    ))
}

/// The room as a client sees it.
async fn running_room(config: &ServerConfig, remote: &Remote, name: &str) -> Finding {
    let mut url = reqwest::Url::parse(&remote.url)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(["rooms", name]);
    }
    let answer = remote.get(url.path()).await?;
    match answer.status().as_u16() {
        200 if config.auto_create => Ok(format!("{name} can be joined")),
        200 => Ok(format!(
            "{name} can be joined once its host has requested a token"
        )),
        404 => bail!("there is no room {name}, or it has ended"),
        status => bail!("{} answers {status}", remote.url),
    }
}
