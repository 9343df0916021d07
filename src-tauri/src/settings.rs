//! What is remembered from one run to the next: a JSON file in the profile.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::view::RecentRoom;

/// Recent rooms that are kept; past it the oldest go.
const RECENT_ROOMS: usize = 12;

const FILE: &str = "settings.json";
/// Where a file that cannot be read is put aside.
const CORRUPT_FILE: &str = "settings.corrupt.json";
const NEW_FILE: &str = "settings.new.json";

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
    pub room: RecentRoom,
}

impl Settings {
    /// Puts a room on top of the recent ones.
    pub fn remember(&mut self, visit: Visit) {
        self.visits
            .retain(|other| (&other.server, &other.room.id) != (&visit.server, &visit.room.id));
        self.visits.insert(0, visit);
        self.visits.truncate(RECENT_ROOMS);
    }

    /// The recent rooms of one room service.
    pub fn recent(&self, server: &str) -> Vec<RecentRoom> {
        let there = self.visits.iter().filter(|visit| visit.server == server);
        there.map(|visit| visit.room.clone()).collect()
    }

    /// Reads the settings of a profile. A file that cannot be understood is
    /// put aside, so that nothing a person wrote is lost.
    pub fn load(profile: &Path) -> Self {
        let path = profile.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!(%error, "the settings cannot be read; starting with the defaults");
                return Self::default();
            }
        };
        let mut settings: Self = serde_json::from_slice(&text).unwrap_or_else(|error| {
            let kept = fs::rename(&path, profile.join(CORRUPT_FILE)).is_ok();
            tracing::warn!(%error, kept, "the settings were damaged: {CORRUPT_FILE} keeps them, starting with the defaults");
            Self::default()
        });
        settings.visits.retain(|visit| !visit.hosted);
        settings
    }

    /// Writes the settings whole or not at all.
    ///
    /// # Errors
    /// When the profile cannot be written.
    pub fn save(&self, profile: &Path) -> io::Result<()> {
        fs::create_dir_all(profile)?;
        let new = profile.join(NEW_FILE);
        let mut file = fs::File::create(&new)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        file.sync_all()?;
        fs::rename(new, profile.join(FILE))
    }
}

/// Writes settings behind the back of the one who changes them; the newest wins.
#[derive(Debug)]
pub struct SettingsWriter {
    newest: watch::Sender<Settings>,
    task: JoinHandle<()>,
}

impl SettingsWriter {
    /// Starts the writer. Needs a tokio runtime.
    pub fn start(profile: PathBuf, settings: Settings) -> Self {
        let (newest, mut changes) = watch::channel(settings);
        let task = tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let settings = changes.borrow_and_update().clone();
                let profile = profile.clone();
                let saved = tokio::task::spawn_blocking(move || settings.save(&profile)).await;
                if let Ok(Err(error)) = saved {
                    tracing::warn!(%error, "the settings could not be written");
                }
            }
        });
        Self { newest, task }
    }

    /// The settings as they are.
    pub fn get(&self) -> watch::Ref<'_, Settings> {
        self.newest.borrow()
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

    fn visit(id: &str) -> Visit {
        let room = RecentRoom {
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

    #[test]
    fn a_damaged_file_is_put_aside_and_the_defaults_stand_in() {
        let profile = tempfile::tempdir().unwrap();
        fs::write(profile.path().join(FILE), "{ \"name\": \"An").unwrap();
        assert_eq!(Settings::load(profile.path()), Settings::default());
        let kept = fs::read_to_string(profile.path().join(CORRUPT_FILE)).unwrap();
        assert_eq!(kept, "{ \"name\": \"An");
        Settings::default().save(profile.path()).unwrap();
        assert_eq!(Settings::load(profile.path()), Settings::default());
    }

    #[test]
    fn recent_rooms_are_few_newest_first_and_each_once() {
        let mut settings = Settings::default();
        for n in 0..20 {
            settings.remember(visit(&n.to_string()));
        }
        settings.remember(visit("15"));
        let ids: Vec<String> = settings
            .recent("ws://a")
            .into_iter()
            .map(|room| room.id)
            .collect();
        assert_eq!(
            (ids.len(), ids[0].as_str(), ids[1].as_str()),
            (RECENT_ROOMS, "15", "19")
        );
        assert!(settings.recent("ws://b").is_empty());
    }
}
