//! A small fault proxy: it stands between two parts, passes everything on, and strikes when told to.
//!
//! The published fault proxies (toxiproxy and its like) delay and cut bytes; none knows when an answer
//! has come, and a cut *after the commit* is the fault that matters most here. So this one looks for
//! the beginning of a request (a marker in the bytes) and counts from there.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// It never arrives, and the connection closes.
    LoseRequest,
    /// It arrives and is answered; the answer is lost and the connection closes.
    LoseAnswer,
    /// It arrives twice at once; one of the answers is given.
    Twice,
    /// Its answer comes late.
    DelayAnswer(Duration),
    /// It arrives only after [`Link::calm`], when the sender may have given up long ago.
    HoldRequest,
}

impl Strike {
    /// What is counted.
    fn name(self) -> &'static str {
        match self {
            Self::LoseRequest => "requests lost on their way",
            Self::LoseAnswer => "answers lost after they were given",
            Self::Twice => "requests that arrived twice",
            Self::DelayAnswer(_) => "answers that came late",
            Self::HoldRequest => "requests that arrived after their sender gave up",
        }
    }
}

/// One place where a proxy stands.
pub(crate) struct Link {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    to: String,
    /// The bytes that a request begins with.
    marker: &'static [u8],
    plan: Mutex<VecDeque<Strike>>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
    calm: watch::Sender<u64>,
}

/// Requests of HTTP clients; all of ours are posts.
pub(crate) const HTTP_REQUEST: &[u8] = b"POST /";
/// The last statement of a transaction in Postgres's protocol.
pub(crate) const COMMIT: &[u8] = b"COMMIT\0";

impl Link {
    /// A proxy in front of `to` (host and port) until the process ends.
    pub(crate) async fn open(to: String, marker: &'static [u8]) -> Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("a proxy needs a port on loopback")?;
        let link = Arc::new(Link {
            port: listener.local_addr()?.port(),
            to,
            marker,
            plan: Mutex::default(),
            struck: Mutex::default(),
            calm: watch::channel(0).0,
        });
        let accepting = Arc::clone(&link);
        tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    let link = Arc::clone(&accepting);
                    // How a connection ends is what the clients are there to find out.
                    tokio::spawn(async move { link.carry(client).await });
                }
            }
        });
        Ok(link)
    }

    /// Lets the next `times` requests meet `strike`.
    pub(crate) fn arm(&self, strike: Strike, times: usize) {
        self.plan().extend(std::iter::repeat_n(strike, times));
    }

    /// Forgets what was armed, and lets held requests go on.
    pub(crate) fn calm(&self) {
        self.plan().clear();
        self.calm.send_modify(|epoch| *epoch += 1);
    }

    /// How many requests met which strike.
    pub(crate) fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.struck.lock().expect("nothing panics with it").clone()
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, VecDeque<Strike>> {
        self.plan.lock().expect("nothing panics with the plan")
    }

    /// The strike for bytes of a client, if a request begins in them.
    fn strike(&self, bytes: &[u8]) -> Option<Strike> {
        let begins = bytes
            .windows(self.marker.len())
            .any(|window| window == self.marker);
        let strike = begins.then(|| self.plan().pop_front()).flatten();
        // A lost answer counts when there was one.
        if let Some(strike) = strike.filter(|strike| *strike != Strike::LoseAnswer) {
            self.count(strike);
        }
        strike
    }

    fn count(&self, strike: Strike) {
        let mut struck = self.struck.lock().expect("nothing panics with it");
        *struck.entry(strike.name()).or_default() += 1;
    }

    async fn carry(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut server = TcpStream::connect(&self.to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
        let mut lose_answer = false;
        let mut late = Duration::ZERO;
        loop {
            tokio::select! {
                count = client.read(&mut up) => {
                    let count = count?;
                    if count == 0 {
                        return Ok(());
                    }
                    let mut request = up[..count].to_vec();
                    match self.strike(&request) {
                        None => {}
                        Some(Strike::LoseRequest) => return Ok(()),
                        Some(Strike::LoseAnswer) => lose_answer = true,
                        Some(Strike::DelayAnswer(time)) => late = time,
                        Some(Strike::Twice) => {
                            read_whole(&mut client, &mut request).await?;
                            tokio::spawn(send_apart(self.to.clone(), request.clone()));
                        }
                        Some(Strike::HoldRequest) => {
                            read_whole(&mut client, &mut request).await?;
                            let mut calm = self.calm.subscribe();
                            // The sender may have gone: what it sent still arrives.
                            let _ = calm.changed().await;
                        }
                    }
                    server.write_all(&request).await?;
                }
                count = server.read(&mut down) => {
                    let count = count?;
                    if count == 0 {
                        return Ok(());
                    }
                    if lose_answer {
                        self.count(Strike::LoseAnswer);
                        return Ok(());
                    }
                    tokio::time::sleep(std::mem::take(&mut late)).await;
                    client.write_all(&down[..count]).await?;
                }
            }
        }
    }
}

/// Reads on until an HTTP request has its whole body; other protocols have no length and are whole.
async fn read_whole(client: &mut TcpStream, request: &mut Vec<u8>) -> std::io::Result<()> {
    let mut more = vec![0; 65536];
    while missing(request) > 0 {
        match client.read(&mut more).await? {
            0 => return Ok(()),
            count => request.extend_from_slice(&more[..count]),
        }
    }
    Ok(())
}

/// How many bytes of its body an HTTP request still lacks.
fn missing(request: &[u8]) -> usize {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else {
        return 0;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    (end + 4 + length).saturating_sub(request.len())
}

/// Sends a request once more on a connection of its own and waits for its answer, which nobody reads.
async fn send_apart(to: String, request: Vec<u8>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    server.write_all(&request).await?;
    server.read(&mut [0; 1024]).await.map(|_| ())
}
