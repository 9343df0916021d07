//! All clients of a run, in rooms of four.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use crate::client::{self, Reader, Scratch, Writer};
use crate::pace::at_rate;
use crate::record::Record;

pub const ROOM_SIZE: usize = 4;
/// Handshakes under way at any time.
pub const HANDSHAKES: usize = 64;
/// How long the last answers may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub struct Crowd {
    address: SocketAddr,
    scratch: Scratch,
    writers: RefCell<Vec<Option<Rc<Writer>>>>,
    pub record: RefCell<Record>,
    /// Why a client's connection ended.
    failed: Cell<Option<anyhow::Error>>,
}

impl Crowd {
    pub fn new(address: SocketAddr, clients: usize) -> Rc<Self> {
        Rc::new(Self {
            address,
            scratch: client::scratch(),
            writers: RefCell::new(vec![None; clients]),
            record: RefCell::new(Record::new(clients)),
            failed: Cell::default(),
        })
    }

    /// Connects all, a few at a time, until each knows its id.
    pub async fn connect(self: &Rc<Self>) -> Result<()> {
        let next = Rc::new(Cell::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..HANDSHAKES {
            let (crowd, next) = (Rc::clone(self), Rc::clone(&next));
            workers.spawn_local(async move {
                let clients = crowd.writers.borrow().len();
                while next.get() < clients {
                    let client = next.replace(next.get() + 1);
                    crowd.add(client).await?;
                }
                Ok(())
            });
        }
        workers.join_all().await.into_iter().collect()
    }

    async fn add(self: &Rc<Self>, client: usize) -> Result<()> {
        let (mut reader, writer) = client::connect(self.address).await?;
        let writer = Rc::new(writer);
        while self.record.borrow().clients[client].id.is_empty() {
            self.read(client, &mut reader, &writer).await?;
        }
        self.writers.borrow_mut()[client] = Some(Rc::clone(&writer));
        let crowd = Rc::clone(self);
        spawn_local(async move {
            let error = loop {
                if let Err(error) = crowd.read(client, &mut reader, &writer).await {
                    break error;
                }
            };
            crowd.failed.set(Some(error));
        });
        Ok(())
    }

    async fn read(&self, client: usize, reader: &mut Reader, writer: &Writer) -> Result<()> {
        let hear = |text: &[u8]| self.record.borrow_mut().hears(client, text);
        reader.read(&self.scratch, writer, hear).await
    }

    pub fn send(&self, client: usize, text: &str) -> Result<()> {
        let writers = self.writers.borrow();
        let writer = writers[client].as_ref();
        writer.context("a client without a connection")?.text(text)
    }

    /// Does something `count` times at a fixed rate, whether the answers to what
    /// went before have come or not, and waits for the last of them.
    pub async fn at_rate(
        &self,
        per_second: f64,
        count: usize,
        act: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        at_rate(per_second, count, || self.check(), act).await?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        loop {
            self.check()?;
            let to_come = self.record.borrow().to_come;
            if to_come == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{to_come} messages never came");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Refuses to go on with a client lost.
    ///
    /// # Errors
    /// When one is.
    pub fn check(&self) -> Result<()> {
        self.failed
            .take()
            .map_or(Ok(()), |error| Err(anyhow!("a client ended: {error:#}")))
    }
}
