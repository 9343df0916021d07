//! The settings' file: read field by field, and written together with what another
//! running application of the same profile has written meanwhile.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Settings, Visit};

const FILE: &str = "settings.json";
/// Keeps a file that cannot be read in full.
const CORRUPT_FILE: &str = "settings.corrupt.json";
/// Held while the file is read and replaced.
const LOCK_FILE: &str = "settings.lock";

/// Reads the settings of a profile. A field that cannot be understood has its
/// default; the file is kept beside the new one, so that nothing is lost.
pub(super) fn load(profile: &Path) -> Settings {
    let path = profile.join(FILE);
    match read(&path) {
        Ok((settings, damaged)) => {
            if !damaged.is_empty() {
                let kept = fs::copy(&path, profile.join(CORRUPT_FILE)).is_ok();
                tracing::warn!(?damaged, kept, "damaged settings have their defaults");
            }
            settings
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Settings::default(),
        Err(error) => {
            tracing::warn!(%error, "the settings cannot be read; starting with the defaults");
            Settings::default()
        }
    }
}

/// Writes `mine` whole or not at all. A field that is as in `base` was not changed
/// here: it takes the value of the file.
///
/// # Errors
/// When the profile cannot be written.
pub(super) fn save(profile: &Path, base: &Settings, mine: &Settings) -> io::Result<()> {
    fs::create_dir_all(profile)?;
    let lock = File::create(profile.join(LOCK_FILE))?;
    lock.lock()?;
    let path = profile.join(FILE);
    let merged = match read(&path) {
        Ok((theirs, _)) => merge(base, mine, theirs),
        Err(_) => mine.clone(),
    };
    let new = profile.join("settings.new.json");
    let mut file = File::create(&new)?;
    serde_json::to_writer_pretty(&mut file, &merged)?;
    file.flush()?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn merge(base: &Settings, mine: &Settings, theirs: Settings) -> Settings {
    fn pick<T: Clone + PartialEq>(base: &T, mine: &T, theirs: T) -> T {
        if mine == base { theirs } else { mine.clone() }
    }
    let mut visits = mine.visits.clone();
    for visit in theirs.visits {
        if !visits.iter().any(|own| own.is_of(&visit)) {
            visits.push(visit);
        }
    }
    visits.sort_by_key(|visit| std::cmp::Reverse(visit.room.at));
    visits.truncate(super::RECENT_ROOMS);
    Settings {
        name: pick(&base.name, &mine.name, theirs.name),
        server: pick(&base.server, &mine.server, theirs.server),
        camera: pick(&base.camera, &mine.camera, theirs.camera),
        microphone: pick(&base.microphone, &mine.microphone, theirs.microphone),
        speaker: pick(&base.speaker, &mine.speaker, theirs.speaker),
        sound: pick(&base.sound, &mine.sound, theirs.sound),
        background: pick(&base.background, &mine.background, theirs.background),
        no_shortcuts: pick(&base.no_shortcuts, &mine.no_shortcuts, theirs.no_shortcuts),
        visits,
    }
}

/// The settings in a file, and what of it could not be understood.
fn read(path: &Path) -> io::Result<(Settings, Vec<&'static str>)> {
    let text = fs::read(path)?;
    let Ok(Value::Object(fields)) = serde_json::from_slice(&text) else {
        return Ok((Settings::default(), vec!["the whole file"]));
    };
    let mut fields = Fields {
        fields,
        damaged: Vec::new(),
    };
    let settings = Settings {
        name: fields.take("name"),
        server: fields.take("server"),
        camera: fields.take("camera"),
        microphone: fields.take("microphone"),
        speaker: fields.take("speaker"),
        sound: fields.take("sound"),
        background: fields.take("background"),
        no_shortcuts: fields.take("noShortcuts"),
        visits: fields.visits(),
    };
    Ok((settings, fields.damaged))
}

struct Fields {
    fields: Map<String, Value>,
    damaged: Vec<&'static str>,
}

impl Fields {
    fn take<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        let Some(value) = self.fields.remove(name) else {
            return T::default();
        };
        serde_json::from_value(value).unwrap_or_else(|_| {
            self.damaged.push(name);
            T::default()
        })
    }

    fn visits(&mut self) -> Vec<Visit> {
        let entries: Vec<Value> = self.take("visits");
        let found = entries.len();
        let visits: Vec<Visit> = entries
            .into_iter()
            .filter_map(|entry| serde_json::from_value(entry).ok())
            .collect();
        if visits.len() < found {
            self.damaged.push("visits");
        }
        visits
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::visit;
    use super::*;

    #[test]
    fn one_bad_field_costs_no_other_and_the_file_is_kept() {
        let profile = tempfile::tempdir().unwrap();
        let text = r#"{ "name": "Ann", "server": 7, "visits": [3, {"server": "ws://a", "hosted": false,
            "room": {"id": "x", "name": "Tea", "at": 1}}] }"#;
        fs::write(profile.path().join(FILE), text).unwrap();
        let settings = load(profile.path());
        assert_eq!((settings.name.as_str(), &settings.server), ("Ann", &None));
        assert_eq!(settings.visits, [visit("x")]);
        let kept = fs::read_to_string(profile.path().join(CORRUPT_FILE)).unwrap();
        assert_eq!(kept, text);
    }

    #[test]
    fn a_file_that_is_no_json_is_kept_and_the_defaults_stand_in() {
        let profile = tempfile::tempdir().unwrap();
        fs::write(profile.path().join(FILE), "{ \"name\": \"An").unwrap();
        assert_eq!(load(profile.path()), Settings::default());
        assert!(profile.path().join(CORRUPT_FILE).exists());
    }

    #[test]
    fn two_applications_of_a_profile_keep_what_each_of_them_changed() {
        let profile = tempfile::tempdir().unwrap();
        let base = Settings {
            name: "Ann".into(),
            ..Settings::default()
        };
        save(profile.path(), &Settings::default(), &base).unwrap();
        let (mut first, mut second) = (base.clone(), base.clone());
        first.name = "Anna".into();
        first.remember(visit("x"));
        second.server = Some("ws://b".into());
        second.remember(visit("y"));
        save(profile.path(), &base, &first).unwrap();
        save(profile.path(), &base, &second).unwrap();
        let both = load(profile.path());
        assert_eq!(both.name, "Anna");
        assert_eq!(both.server.as_deref(), Some("ws://b"));
        assert_eq!(both.visits.len(), 2);
    }
}
