//! A way to a database that can be closed, or be turned to another one: what a shop has in a virtual address or a pooler.

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on until it is told otherwise.
pub(crate) struct Gate {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    to: watch::Sender<Option<u16>>,
}

impl Gate {
    /// One that leads to `to`, until the process ends.
    pub(crate) async fn open(to: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("a gate needs a port on loopback")?;
        let gate = Gate {
            port: listener.local_addr()?.port(),
            to: watch::channel(Some(to)).0,
        };
        let to = gate.to.clone();
        tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(carry(client, to.subscribe()));
                }
            }
        });
        Ok(gate)
    }

    /// Ends every connection, and leads the next ones there, or nowhere.
    pub(crate) fn turn(&self, to: Option<u16>) {
        self.to.send_replace(to);
    }
}

async fn carry(mut client: TcpStream, mut to: watch::Receiver<Option<u16>>) {
    let Some(port) = *to.borrow_and_update() else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // How a connection ends is what the clients are there to find out.
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = to.changed() => {}
    }
}
