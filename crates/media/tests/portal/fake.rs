//! A portal: what a person would do in its dialog is set by the test.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::runtime::Runtime;
use zbus::message::Header;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, ObjectServer, connection, fdo, interface};

type Options = HashMap<String, OwnedValue>;

const DESKTOP: &str = "/org/freedesktop/portal/desktop";

/// What the person does with the dialog.
#[derive(Clone, Copy)]
pub(crate) enum Person {
    /// Chooses this node.
    Chooses(u32),
    /// Closes it.
    Declines,
    /// Does nothing yet.
    Waits,
}

/// What a share asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub types: u32,
    pub cursor: u32,
    pub persist: u32,
    pub token: Option<String>,
}

struct State {
    person: Person,
    asked: Vec<Asked>,
    /// Dialogs that were shown.
    dialogs: u32,
    tokens: u32,
    valid_token: Option<String>,
    /// The paths of open sessions.
    sessions: Vec<OwnedObjectPath>,
}

/// A portal that runs until it is dropped.
pub(crate) struct Portal {
    state: Arc<Mutex<State>>,
    connection: Connection,
    runtime: Runtime,
}

impl Portal {
    pub(crate) fn start(person: Person) -> Self {
        let state = Arc::new(Mutex::new(State {
            person,
            asked: Vec::new(),
            dialogs: 0,
            tokens: 0,
            valid_token: None,
            sessions: Vec::new(),
        }));
        let runtime = Runtime::new().unwrap();
        let served = ScreenCast(Arc::clone(&state));
        let connection = runtime.block_on(async {
            let builder = connection::Builder::session().unwrap();
            let builder = builder.name("org.freedesktop.portal.Desktop").unwrap();
            let builder = builder.serve_at(DESKTOP, served).unwrap();
            builder.build().await.unwrap()
        });
        Self {
            state,
            connection,
            runtime,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set_person(&self, person: Person) {
        self.state().person = person;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    pub(crate) fn dialogs(&self) -> u32 {
        self.state().dialogs
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.state().sessions.len()
    }

    /// The person ends every share from the desktop.
    pub(crate) fn end_shares(&self) {
        let sessions = std::mem::take(&mut self.state().sessions);
        self.runtime.block_on(async {
            for session in sessions {
                let details: HashMap<&str, Value<'_>> = HashMap::new();
                let name = "org.freedesktop.portal.Session";
                let to = None::<&str>;
                let sent =
                    self.connection
                        .emit_signal(to, session.as_str(), name, "Closed", &details);
                sent.await.unwrap();
            }
        });
    }
}

struct ScreenCast(Arc<Mutex<State>>);

fn object(kind: &str, header: &Header<'_>, options: &Options, token: &str) -> OwnedObjectPath {
    let sender = header.sender().unwrap().as_str();
    let sender = sender.trim_start_matches(':').replace('.', "_");
    let token = text(options, token).unwrap();
    OwnedObjectPath::try_from(format!("{DESKTOP}/{kind}/{sender}/{token}")).unwrap()
}

fn text(options: &Options, name: &str) -> Option<String> {
    options
        .get(name)?
        .downcast_ref::<&str>()
        .ok()
        .map(str::to_owned)
}

fn number(options: &Options, name: &str) -> u32 {
    options
        .get(name)
        .map_or(0, |value| value.downcast_ref().unwrap())
}

async fn respond(
    connection: &Connection,
    request: &OwnedObjectPath,
    code: u32,
    results: HashMap<&str, Value<'_>>,
) {
    let name = "org.freedesktop.portal.Request";
    let body = (code, results);
    let sent = connection.emit_signal(None::<&str>, request.as_str(), name, "Response", &body);
    sent.await.unwrap();
}

#[interface(name = "org.freedesktop.portal.ScreenCast")]
impl ScreenCast {
    async fn create_session(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(object_server)] server: &ObjectServer,
        options: Options,
    ) -> OwnedObjectPath {
        let request = object("request", &header, &options, "handle_token");
        let session = object("session", &header, &options, "session_handle_token");
        self.0.lock().unwrap().sessions.push(session.clone());
        let served = Session(Arc::clone(&self.0), session.clone());
        server.at(session.as_str(), served).await.unwrap();
        let results = HashMap::from([("session_handle", Value::from(session.as_str()))]);
        respond(connection, &request, 0, results).await;
        request
    }

    async fn select_sources(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        _session: OwnedObjectPath,
        options: Options,
    ) -> OwnedObjectPath {
        let request = object("request", &header, &options, "handle_token");
        self.0.lock().unwrap().asked.push(Asked {
            types: number(&options, "types"),
            cursor: number(&options, "cursor_mode"),
            persist: number(&options, "persist_mode"),
            token: text(&options, "restore_token"),
        });
        respond(connection, &request, 0, HashMap::new()).await;
        request
    }

    async fn start(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        _session: OwnedObjectPath,
        _parent: String,
        options: Options,
    ) -> OwnedObjectPath {
        let request = object("request", &header, &options, "handle_token");
        let (person, token) = {
            let mut state = self.0.lock().unwrap();
            let token = state.asked.last().and_then(|asked| asked.token.clone());
            // A token is valid once.
            let is_restored = token.is_some() && token == state.valid_token.take();
            state.dialogs += u32::from(!is_restored);
            state.tokens += 1;
            (state.person, format!("token-{}", state.tokens))
        };
        match person {
            Person::Chooses(node) => {
                self.0.lock().unwrap().valid_token = Some(token.clone());
                let properties = HashMap::from([("source_type", Value::from(1_u32))]);
                let streams = vec![(node, properties)];
                let results = HashMap::from([
                    ("streams", Value::from(streams)),
                    ("restore_token", Value::from(token)),
                ]);
                respond(connection, &request, 0, results).await;
            }
            Person::Declines => respond(connection, &request, 1, HashMap::new()).await,
            Person::Waits => {}
        }
        request
    }

    fn open_pipe_wire_remote(
        &self,
        _session: OwnedObjectPath,
        _options: Options,
    ) -> fdo::Result<OwnedFd> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").unwrap();
        let remote = UnixStream::connect(Path::new(&folder).join("pipewire-0")).unwrap();
        Ok(std::os::fd::OwnedFd::from(remote).into())
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        4
    }

    #[zbus(property)]
    fn available_source_types(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn available_cursor_modes(&self) -> u32 {
        7
    }
}

struct Session(Arc<Mutex<State>>, OwnedObjectPath);

#[interface(name = "org.freedesktop.portal.Session")]
impl Session {
    fn close(&self) {
        let mut state = self.0.lock().unwrap();
        state.sessions.retain(|session| *session != self.1);
    }
}
