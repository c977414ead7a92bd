//! Whether one hot product takes the shop with it: checkouts of many other products while everybody
//! wants the same one, through an API with few connections.

pub(crate) mod shop;

use crate::figure::{Figure, Options, progress};
use crate::http::call_for;
use anyhow::Result;
use shop::{Buyers, Product, Shop};
use std::time::Duration;

const SECTION: &str = "storm";
/// Clients that buy something else.
const COLD_CLIENTS: usize = 8;
/// Clients that want the hot product: many times the API's connections.
const HOT_CLIENTS: usize = 64;
/// How long the storm has raged before anything is measured, in seconds.
const LEAD: f64 = 0.5;

/// The way that a checkout takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    /// Gateway and edge function: one process, which is busy on a small machine.
    Function,
    /// The RPC through the API.
    Rpc,
    /// The same, of the peer.
    PeerRpc,
}

/// A storm, or none.
struct Weather {
    name: &'static str,
    hot: Option<Product>,
    /// `interlock.settings.checkouts_per_product`.
    limit: Option<i32>,
}

/// A fifth of the API's connections, as docs/hot-products.md advises.
const LIMIT: Option<i32> = Some(2);

const WEATHERS: [Weather; 6] = [
    Weather {
        name: "alone",
        hot: None,
        limit: LIMIT,
    },
    Weather {
        name: "hot product with slots, 2 at a time",
        hot: Some(Product::HotInSlots),
        limit: LIMIT,
    },
    Weather {
        name: "hot product without slots, 2 at a time",
        hot: Some(Product::Hot),
        limit: LIMIT,
    },
    Weather {
        name: "hot product with slots, no limit",
        hot: Some(Product::HotInSlots),
        limit: None,
    },
    // Only the function asks the gate: through the API it is a hot product without slots and without a limit.
    Weather {
        name: "hot product behind the gate, no limit",
        hot: Some(Product::HotBehindGate),
        limit: None,
    },
    Weather {
        name: "hot product of select-for-update",
        hot: Some(Product::PeerHot),
        limit: None,
    },
];

/// Measures both ways.
pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let shop = Shop::open(HOT_CLIENTS + COLD_CLIENTS).await?;
    let mut figures = Vec::new();
    for (name, path) in [
        ("through the API", Path::Rpc),
        ("through the function", Path::Function),
    ] {
        progress(SECTION, name);
        figures.extend(measure(options, &shop, name, path).await?);
    }
    shop.close().await?;
    Ok(figures)
}

async fn measure(options: &Options, shop: &Shop, name: &str, path: Path) -> Result<Vec<Figure>> {
    let mut series = WEATHERS.map(|weather| {
        let figure =
            |what: &str, unit| Figure::new(SECTION, format!("{what}, {name}"), weather.name, unit);
        let figures = [
            figure("cold checkouts, 8 clients, 2 ms commit", "per second"),
            figure("p99 of cold checkouts", "ms"),
            figure("hot checkouts, 64 clients, 2 ms commit", "per second"),
            figure("hot checkouts told to come again", "per second"),
        ];
        (weather, figures)
    });
    let seconds = 2.0 * options.seconds;
    // The first round opens connections and warms up plans, and is not counted.
    for round in 0..=options.rounds {
        for (weather, figures) in &mut series {
            let samples = sample(shop, path, weather, seconds).await?;
            if round > 0 {
                for (figure, sample) in figures.iter_mut().zip(samples) {
                    figure.samples.push(sample);
                }
            }
        }
    }
    // Without a storm there are no figures of one.
    let figures = series.into_iter().flat_map(|(weather, figures)| {
        let count = if weather.hot.is_some() { 4 } else { 2 };
        figures.into_iter().take(count)
    });
    Ok(figures.collect())
}

/// Rate and p99 of the cold checkouts; rate and refusals of the hot ones.
async fn sample(shop: &Shop, path: Path, weather: &Weather, seconds: f64) -> Result<[f64; 4]> {
    shop.limit(weather.limit).await?;
    let time = Duration::from_secs_f64(seconds);
    let lead = Duration::from_secs_f64(LEAD);
    let cold = async {
        if weather.hot.is_some() {
            tokio::time::sleep(lead).await;
        }
        call_for(COLD_CLIENTS, time, |client| {
            shop.checkout(path, Buyers::Cold, client, Product::Cold)
        })
        .await
    };
    let storm = async {
        let Some(product) = weather.hot else {
            return Ok(None);
        };
        let path = match product {
            Product::PeerHot => Path::PeerRpc,
            _ => path,
        };
        call_for(HOT_CLIENTS, lead + time, |client| {
            shop.checkout(path, Buyers::Hot, client, product)
        })
        .await
        .map(Some)
    };
    let (cold, storm) = futures::future::try_join(cold, storm).await?;
    let (rate, refusals) = storm.map_or((0.0, 0.0), |storm| (storm.rate(), storm.refusal_rate()));
    Ok([cold.rate(), cold.quantile(0.99), rate, refusals])
}
