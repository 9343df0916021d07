//! A folder of files over HTTP, for a browser.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::namespaces;

/// The running file server. Dropping it ends it.
pub struct FileServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FileServer {
    /// Serves a folder on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(folder: PathBuf) -> Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, folder)
    }

    /// The same on 127.0.0.1 of a network namespace.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start_in(namespace: &str, folder: PathBuf) -> Result<Self> {
        let listener = namespaces::listen(namespace)?;
        listener.set_nonblocking(true)?;
        Self::serve(TcpListener::from_std(listener)?, folder)
    }

    fn serve(listener: TcpListener, folder: PathBuf) -> Result<Self> {
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut requests = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                requests.spawn(answer(socket, folder.clone()));
            }
        });
        Ok(Self { address, task })
    }

    /// The URL of a file.
    pub fn url(&self, file: &str) -> String {
        format!("http://{}/{file}", self.address)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(socket: TcpStream, folder: PathBuf) -> Result<()> {
    let mut socket = BufReader::new(socket);
    let mut request = String::new();
    socket.read_line(&mut request).await?;
    let mut header = String::new();
    while socket.read_line(&mut header).await? > "\r\n".len() {
        header.clear();
    }
    let target = request.split(' ').nth(1).context("no request line")?;
    let path = Path::new(target.split('?').next().unwrap_or_default());
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let file = names.fold(folder, |path, name| path.join(name));
    let kind = match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    };
    let (status, body) = match tokio::fs::read(&file).await {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&body).await?;
    Ok(socket.shutdown().await?)
}
