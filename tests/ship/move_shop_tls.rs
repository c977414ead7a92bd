//! `npm run move-shop` over a network: encrypted, and only to whom the authority vouches for.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::cli::{work_folder, xtask};
use crate::scratch::Scratch;

/// An authority, with its certificate in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = work_folder(&format!("authority-{name}")).join("ca.pem");
        fs::write(&file, certificate.pem()).expect("the folder is there");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// Before a database, encrypted, with a certificate for this host: the port. It lives as long as the test.
    async fn serve(&self, host: &str, database: String) -> u16 {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they fit");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (acceptor, database) = (acceptor.clone(), database.clone());
                tokio::spawn(async move {
                    // SSLRequest: Postgres's protocol, 55.2.11.
                    let mut request = [0; 8];
                    client.read_exact(&mut request).await?;
                    client.write_all(b"S").await?;
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(&database).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        port
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_over_a_network_is_reached_encrypted_and_only_if_somebody_vouches_for_it() {
    let scratch = Scratch::pushed("move_tls").await;
    let db = scratch.connect().await;
    db.batch_execute("select interlock.serve_shops()")
        .await
        .expect("it serves many");
    let (start, rest) = scratch.url.split_once('@').expect("a user and a server");
    let (server, rest) = rest.split_once('/').expect("a server and a database");
    let name = rest.split('?').next().expect("a name");
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let here = ours.serve("localhost", server.to_owned()).await;
    let elsewhere = ours.serve("db.example.com", server.to_owned()).await;
    let ask = async |host: &str, port: u16, ca: Option<&Authority>| {
        let url = format!("{start}@{host}:{port}/{name}?sslmode=require");
        let mut words = vec!["move-shop", "--shop", "9", "--from", &url, "--forget"];
        let file = ca.map(|ca| ca.file.display().to_string());
        words.extend(file.iter().flat_map(|file| ["--ca", file]));
        xtask(&words, &[]).await.failed().said()
    };
    for (said, why) in [
        // It was there, and looked.
        (
            ask("localhost", here, Some(&ours)).await,
            "there is no shop 9",
        ),
        (ask("localhost", here, None).await, "with --ca"),
        (ask("db.example.com", 5432, None).await, "with --ca"),
        (
            ask("localhost", here, Some(&others)).await,
            "invalid peer certificate",
        ),
        (
            ask("localhost", elsewhere, Some(&ours)).await,
            "not valid for name",
        ),
    ] {
        assert!(said.contains(why), "{why} is not in {said}");
        assert!(!said.contains("postgres:postgres"), "no password");
    }
    fs::write(&others.file, "").expect("it is there");
    let said = ask("localhost", here, Some(&others)).await;
    assert!(said.contains("there is no certificate in"), "{said}");
    scratch.remove().await;
}
