//! What is remembered from one run to the next: a JSON file in the profile.

mod file;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use visavis_media::audio::SoundProcessing;

use crate::view::{BackgroundChoice, RecentRoom, VisitedRoom};

/// Recent rooms that are kept; past it the oldest go.
const RECENT_ROOMS: usize = 12;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// The local user's name.
    pub name: String,
    /// The room service's URL; none: hosted by the application.
    pub server: Option<String>,
    /// None: the system's choice, here and for the other two.
    pub camera: Option<RememberedDevice>,
    /// The chosen microphone.
    pub microphone: Option<RememberedDevice>,
    /// The chosen speaker.
    pub speaker: Option<RememberedDevice>,
    /// What the microphone's sound passes.
    pub sound: SoundProcessing,
    /// What is behind the local user.
    pub background: BackgroundChoice,
    /// Whether single keys do nothing in the room.
    pub no_shortcuts: bool,
    /// Newest first.
    pub visits: Vec<Visit>,
}

/// A device that was chosen, with its name for the time when it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedDevice {
    /// As the device list has it.
    pub id: String,
    /// What a person calls it.
    pub name: String,
}

/// A room that the user was in, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The room service's URL.
    pub server: String,
    /// Whether this application hosted it: the next run has another URL.
    pub hosted: bool,
    /// The room.
    pub room: VisitedRoom,
}

impl Settings {
    /// Puts a room on top of the recent ones.
    pub fn remember(&mut self, visit: Visit) {
        self.visits.retain(|other| !other.is_of(&visit));
        self.visits.insert(0, visit);
        self.visits.truncate(RECENT_ROOMS);
    }

    /// The recent rooms of all servers.
    pub fn recent(&self) -> Vec<RecentRoom> {
        let shown = self.visits.iter().map(|visit| RecentRoom {
            server: (!visit.hosted).then(|| visit.server.clone()),
            room: visit.room.clone(),
        });
        shown.collect()
    }

    /// Whether the user went to this server before.
    pub fn knows(&self, server: &str) -> bool {
        let mut visited = self.visits.iter().filter(|visit| !visit.hosted);
        self.server.as_deref() == Some(server) || visited.any(|visit| visit.server == server)
    }

    /// Reads the settings of a profile. What cannot be understood has its default.
    pub fn load(profile: &Path) -> Self {
        file::load(profile)
    }
}

impl Visit {
    /// Whether both are visits of one room.
    fn is_of(&self, other: &Self) -> bool {
        let place = |visit: &Self| (!visit.hosted).then(|| visit.server.clone());
        self.room.id == other.room.id && place(self) == place(other)
    }
}

/// Persists settings in the background; only the newest value is written.
#[derive(Debug)]
pub struct SettingsWriter {
    newest: watch::Sender<Settings>,
    /// Why the newest is not written; none when it is.
    problem: watch::Receiver<Option<String>>,
    task: JoinHandle<()>,
}

impl SettingsWriter {
    /// Starts the writer. Needs a tokio runtime.
    pub fn start(profile: PathBuf, settings: Settings) -> Self {
        let mut base = settings.clone();
        let (newest, mut changes) = watch::channel(settings);
        let (problems, problem) = watch::channel(None);
        let task = tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let settings = changes.borrow_and_update().clone();
                let (profile, before, mine) = (profile.clone(), base.clone(), settings.clone());
                let saving = move || file::save(&profile, &before, &mine);
                let saved = tokio::task::spawn_blocking(saving).await;
                let problem = match saved {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(error) => Some(error.to_string()),
                };
                match &problem {
                    None => base = settings,
                    Some(error) => tracing::warn!(%error, "the settings could not be written"),
                }
                problems.send_replace(problem);
            }
        });
        Self {
            newest,
            problem,
            task,
        }
    }

    /// The settings as they are.
    pub fn get(&self) -> watch::Ref<'_, Settings> {
        self.newest.borrow()
    }

    /// Why the last change could not be written; none when it was.
    pub fn problem(&self) -> Option<String> {
        self.problem.borrow().clone()
    }

    /// Changes them.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.newest.send_if_modified(|settings| {
            let before = settings.clone();
            change(settings);
            *settings != before
        });
    }

    /// Waits until the newest is written.
    pub async fn finish(self) {
        drop(self.newest);
        self.task.await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn visit(id: &str) -> Visit {
        let room = VisitedRoom {
            id: id.into(),
            name: "Tea".into(),
            at: 1,
        };
        Visit {
            server: "ws://a".into(),
            hosted: false,
            room,
        }
    }

    #[tokio::test]
    async fn what_was_changed_is_read_back_after_the_writer_finished() {
        let profile = tempfile::tempdir().unwrap();
        let folder = profile.path().join("new");
        let writer = SettingsWriter::start(folder.clone(), Settings::load(&folder));
        writer.change(|settings| settings.name = "Ann".into());
        writer.change(|settings| settings.remember(visit("x")));
        let expected = writer.get().clone();
        writer.finish().await;
        assert_eq!(Settings::load(&folder), expected);
        assert_eq!(expected.name, "Ann");
    }

    #[tokio::test]
    async fn settings_that_cannot_be_written_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a file");
        std::fs::write(&file, "").unwrap();
        let writer = SettingsWriter::start(file, Settings::default());
        assert_eq!(writer.problem(), None);
        writer.change(|settings| settings.name = "Ann".into());
        let mut problem = writer.problem.clone();
        problem.wait_for(Option::is_some).await.unwrap();
        assert!(writer.problem().is_some());
    }

    #[test]
    fn recent_rooms_are_few_newest_first_and_each_once() {
        let mut settings = Settings::default();
        for n in 0..20 {
            settings.remember(visit(&n.to_string()));
        }
        settings.remember(visit("15"));
        let recent = settings.recent();
        let ids: Vec<&str> = recent
            .iter()
            .map(|recent| recent.room.id.as_str())
            .collect();
        assert_eq!((ids.len(), ids[0], ids[1]), (RECENT_ROOMS, "15", "19"));
    }

    #[test]
    fn a_hosted_room_is_remembered_whatever_its_port_and_apart_from_one_elsewhere() {
        let mut settings = Settings::default();
        for server in ["ws://127.0.0.1:1", "ws://127.0.0.1:2"] {
            settings.remember(Visit {
                server: server.into(),
                hosted: true,
                ..visit("x")
            });
        }
        settings.remember(visit("x"));
        let recent = settings.recent();
        let servers: Vec<_> = recent
            .iter()
            .map(|recent| recent.server.as_deref())
            .collect();
        assert_eq!(servers, [Some("ws://a"), None]);
        assert!(settings.knows("ws://a") && !settings.knows("ws://127.0.0.1:1"));
    }
}
