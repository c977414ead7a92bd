//! Where webhooks may go, as the database says it, against how whoever sends them reads a URL (the WHATWG's rules).

use crate::harness::stack::Bench;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Url;

/// The same seed makes the same URLs.
const SEED: u64 = 19;
const URLS: usize = 5_000;

/// Addresses of this machine and of networks of one's own, however they are written, and names that are nearly one.
const ODD_HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0X7F.0.0.1",
    "0x7f000001",
    "017700000001",
    "0177.0.0.01",
    "2130706433",
    "4294967295",
    "4294967296",
    "0",
    "0x",
    "0.0.0.0",
    "1.2.3.08",
    "256.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[fe80::1%25eth0]",
    "[64:ff9b::7f00:1]",
    "::1",
    "a.127.0.0.1",
    "a.0x7f",
    "shop.example.0x1",
    "shop.example.09",
    "127.0.0.1.nip.io",
    "localhost",
    "localhost.localdomain",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "①②⑦.⓪.⓪.①",
    "0ｘ7f.1",
    "ｌocalhost",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "%6cocalhost",
    "shop%2eexample",
    "shop.example%00",
    "shop%40evil.example",
    "shóp.example",
    "ﬀ.example",
    "shop\u{ad}.example",
    "sh\u{200b}op.example",
    "xn--.example",
    "xn--a.example",
    "xn--a-.example",
    "xn--shp-fna.example",
    "xn--shop-.example",
    "xn--0000h.example",
    "xn--55qx5d.xn--j6w193g",
    "shop.xn--a",
    "shop.xn--p1ai",
    "a.xn--1-zmc",
    "shop.example.",
    "shop.example..",
    "shop..example",
    ".shop.example",
    "127.0.0.1.",
    "0x7f.1.",
    "-a.example",
    "a-.example",
    "a_b.example",
    "_dmarc.shop.example",
    "ab--cd.example",
    "shop",
    "shop.e1",
    "shop.1e",
    "shop.e-1",
    "SHOP.example",
    "shop.EXAMPLE",
];

/// What a reader may see as the end of a host, or of none, or not see at all.
const ODD_CHARACTERS: &[char] = &[
    '\t', '\n', '\r', ' ', '\\', '/', '?', '#', '@', ':', ';', '%', '[', ']', '<', '>', '^', '|',
    '`', '{', '}', '"', '\'', '.', '。', '．', '｡', '-', '_', '\u{1}', '\u{7f}', '\u{85}',
    '\u{a0}', '\u{ad}', '\u{200b}', '\u{200d}', '\u{2028}', '\u{3000}', '\u{feff}', '\u{fffd}',
    '／', '＠', '：', '？', '＃', '１', 'ß', '\u{212a}', 'ı', 'A', '0', 'x', '😀',
];

const SCHEMES: &[&str] = &[
    "https:/",
    "https:",
    "https:///",
    "https:\\\\",
    "https:/\\",
    "HTTPS://",
    "hTTps://",
    " https://",
    "\thttps://",
    "ht\ntps://",
    "http://",
    "ftp://",
    "file://",
    "data://",
    "https//",
    "//",
    "",
];

const USERS: &[&str] = &[
    "a@",
    "a:b@",
    "@",
    ":@",
    "shop.example@",
    "shop.example:443@",
    "%40@",
    "a\\@",
    "shop.example/@",
    "shop.example#@",
];

const PORTS: &[&str] = &[
    ":443",
    ":8443",
    ":0",
    ":1",
    ":00443",
    ":65535",
    ":65536",
    ":70000",
    ":99999",
    ":100000",
    ":",
    "::443",
    ":-1",
    ":4 43",
    ":443a",
    ":４４３",
    ":0x1bb",
];

const TAILS: &[&str] = &[
    "",
    "/",
    "/in",
    "/in?x=1",
    "?x=1",
    "?",
    "/a/../../b",
    "//evil.example/",
    "/@evil.example",
    "?@evil.example",
    "/é😀",
    "/%zz%",
    "/[]{}|^`",
    "/#a",
    "#@evil.example",
    "/a b",
    "/a\\b",
    "\\evil.example",
    "/a\tb",
    "/a\n",
];

fn one(rng: &mut StdRng, of: &[&str]) -> String {
    (*of.choose(rng).expect("there are some")).to_owned()
}

/// A name such as there are, with now and then a label that is made of the letters by which names in other alphabets begin.
fn name(rng: &mut StdRng) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_";
    let labels = (0..rng.random_range(1..=4)).map(|_| {
        let most = if rng.random_ratio(1, 16) { 66 } else { 10 };
        let letters = (0..rng.random_range(1..=most))
            .map(|_| char::from(*LETTERS.choose(rng).expect("there are some")));
        let label: String = letters.collect();
        if rng.random_ratio(1, 8) {
            format!("xn--{label}")
        } else {
            label
        }
    });
    let labels: Vec<String> = labels.collect();
    labels.join(".")
}

/// An address, each of its parts in a notation of its own, in one to five parts.
fn address(rng: &mut StdRng) -> String {
    let parts = (0..rng.random_range(1..=5)).map(|_| {
        let part: u32 = match rng.random_range(0..4) {
            0 => 127,
            1 => rng.random_range(0..2),
            2 => rng.random_range(0..300),
            _ => rng.random(),
        };
        match rng.random_range(0..5) {
            0 => format!("0x{part:x}"),
            1 => format!("0{part:o}"),
            2 => part
                .to_string()
                .chars()
                .map(|digit| char::from_u32(u32::from(digit) - 0x30 + 0xff10).unwrap_or(digit))
                .collect(),
            _ => part.to_string(),
        }
    });
    let parts: Vec<String> = parts.collect();
    parts.join(".")
}

fn url(rng: &mut StdRng) -> String {
    let mut host = match rng.random_range(0..8) {
        0 | 1 => one(rng, ODD_HOSTS),
        2 => address(rng),
        3 => format!("{}.example", name(rng)),
        4 => format!("{}.{}", one(rng, ODD_HOSTS), name(rng)),
        5 => format!("{}.{}", name(rng), one(rng, ODD_HOSTS)),
        _ => name(rng),
    };
    if rng.random_ratio(1, 16) {
        host.push('.');
    }
    let rare = |rng: &mut StdRng, usual: &str, of: &[&str]| {
        if rng.random_ratio(1, 6) {
            one(rng, of)
        } else {
            usual.to_owned()
        }
    };
    let scheme = rare(rng, "https://", SCHEMES);
    let user = rare(rng, "", USERS);
    let port = rare(rng, "", PORTS);
    let mut url = format!("{scheme}{user}{host}{port}{}", one(rng, TAILS));
    if rng.random_ratio(1, 4) {
        let places: Vec<usize> = url.char_indices().map(|(place, _)| place).collect();
        let place = places.choose(rng).copied().unwrap_or_default();
        url.insert(place, *ODD_CHARACTERS.choose(rng).expect("there are some"));
    }
    url
}

/// Why nothing should be sent to a URL, if it is so.
fn unfit(text: &str) -> Option<String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        // Which letters `xn--` stands for no database knows; what stands for none leads nowhere.
        Err(error)
            if error.to_string() == "invalid international domain name"
                && text.contains("xn--") =>
        {
            return None;
        }
        Err(error) => return Some(format!("it cannot be read: {error}")),
    };
    // As the function deliver does, which asks where it leads.
    let asked = text.split_once("://").map(|(_, rest)| rest);
    let asked = asked.and_then(|rest| rest.split(['/', '?', '#', ':']).next());
    let why = if url.scheme() != "https" {
        "its scheme is another"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it has a user"
    } else if url.domain().is_none() {
        "its host is an address"
    } else if url.host_str() != asked {
        "its host is another than the one that is looked up"
    } else if !asked.is_some_and(|host| host.trim_end_matches('.').contains('.')) {
        "its host has one label"
    } else if url.fragment().is_some() {
        "it has a fragment"
    } else {
        return None;
    };
    Some(format!("{why}: it is read as {url}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_webhooks_may_be_sent_to_is_read_as_it_is_written() {
    let bench = Bench::take().await;
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut urls: Vec<String> = ODD_HOSTS
        .iter()
        .map(|host| format!("https://{host}/"))
        .collect();
    urls.extend(
        PORTS
            .iter()
            .map(|port| format!("https://shop.example{port}/")),
    );
    while urls.len() < URLS {
        urls.push(url(&mut rng));
    }
    let rows = bench
        .db
        .query(
            "select u.url from unnest($1::text[]) with ordinality as u (url, n)
             where interlock.is_webhook_url(u.url, false) order by u.n",
            &[&urls],
        )
        .await
        .expect("the database can be asked");
    let accepted: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let (seen, all) = (accepted.len(), urls.len());
    println!("seed {SEED}: {seen} of {all} URLs are accepted");
    // Both are many, so that it is a test.
    assert!(
        (URLS / 20..URLS / 2).contains(&seen),
        "seed {SEED}: {seen} of {all} are accepted"
    );
    let unfit: Vec<String> = accepted
        .iter()
        .filter_map(|url| Some(format!("{url:?} is accepted, but {}", unfit(url)?)))
        .collect();
    assert!(
        unfit.is_empty(),
        "seed {SEED}: {}:\n{}",
        unfit.len(),
        unfit.join("\n")
    );
}
