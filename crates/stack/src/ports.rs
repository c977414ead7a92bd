//! Ports on loopback.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;

/// A port with the words that a message about it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    /// The number; 0 stands for any free one.
    pub(crate) number: u16,
    /// What listens there.
    pub(crate) what: &'static str,
    /// How to choose another one.
    pub(crate) setting: &'static str,
}

/// Takes a port, or says who to ask when it is taken.
pub(crate) fn bind(port: Port) -> Result<TcpListener> {
    let Port {
        number,
        what,
        setting,
    } = port;
    match TcpListener::bind(address(number)) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {number} ({what}) is in use. Stop the program that listens there (another stack or `supabase start`?), or choose another port with {setting}"
        ),
        Err(error) => {
            Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{number} ({what})"))
        }
    }
}

/// Below what Linux (32768), macOS and Windows (49152) give to outgoing connections: one of those may take any port
/// above, between the moment that it is found free and the moment that somebody listens there.
const CANDIDATES: Range<u16> = 20_000..32_000;

/// The number of a port that is free right now; for parts that bind it themselves.
pub(crate) fn free(port: Port) -> Result<u16> {
    match port.number {
        0 => any(port.what),
        _ => Ok(bind(port)?.local_addr()?.port()),
    }
}

/// Any free port, for a part that binds it itself; another one at each call.
pub(crate) fn any(what: &'static str) -> Result<u16> {
    // Stacks that start at once begin at different places.
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new(RandomState::new().build_hasher().finish() as u16));
    for _ in CANDIDATES {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = CANDIDATES.start + step % (CANDIDATES.end - CANDIDATES.start);
        if TcpListener::bind(address(number)).is_ok() {
            return Ok(number);
        }
    }
    bail!(
        "no port from {} to {} is free for {what}",
        CANDIDATES.start,
        CANDIDATES.end
    )
}

/// Whether somebody accepts connections on a port.
pub(crate) async fn accepts(port: u16) -> bool {
    let attempt = TcpStream::connect(address(port));
    matches!(
        tokio::time::timeout(Duration::from_millis(500), attempt).await,
        Ok(Ok(_))
    )
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_devcontainer_forwards_the_ports_that_are_asked_for_first() {
        let file = include_str!("../../../.devcontainer/devcontainer.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        let usual = [
            54321,
            54322,
            crate::console::PORT,
            crate::mail::PORT,
            crate::stripe::PORT,
        ];
        assert_eq!(file["forwardPorts"], serde_json::json!(usual));
    }

    #[test]
    fn a_free_port_is_given_once_and_no_outgoing_connection_takes_it() {
        let (one, other) = (any("a test").unwrap(), any("a test").unwrap());
        assert_ne!(one, other);
        assert!(CANDIDATES.contains(&one) && CANDIDATES.contains(&other));
    }

    #[test]
    fn a_taken_port_is_named_with_its_setting() {
        let holder = TcpListener::bind(address(0)).unwrap();
        let number = holder.local_addr().unwrap().port();
        let error = bind(Port {
            number,
            what: "API",
            setting: "INTERLOCK_API_PORT",
        })
        .unwrap_err()
        .to_string();
        assert!(error.contains(&number.to_string()), "{error}");
        assert!(error.contains("INTERLOCK_API_PORT"), "{error}");
    }
}
