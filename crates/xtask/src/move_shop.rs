//! `cargo xtask move-shop`: a shop goes from one database to another while it sells.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use interlock_move_shop::{Move, forget};
use serde_json::json;

use crate::progress::seconds;
use crate::supabase::{DatabaseUrl, database_url};

/// Which shop, from where to where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shop's id: interlock.shops.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i32).range(1..))]
    shop: i32,
    /// The database that it is in: postgresql://…, not by a pooler in transaction mode.
    #[arg(long, value_name = "URL", value_parser = database_url)]
    from: DatabaseUrl,
    /// The database that it goes to.
    #[arg(long, value_name = "URL", value_parser = database_url, required_unless_present = "forget", conflicts_with = "forget")]
    to: Option<DatabaseUrl>,
    /// The certificates (PEM) of those who vouch for the databases, where they are reached over a network. Supabase: Database settings, SSL configuration.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Remove what it has left where it was, once it is somewhere else.
    #[arg(long)]
    forget: bool,
    /// Also if it is `moving` already: a try was killed, and no other database has it.
    #[arg(long, conflicts_with = "forget")]
    again: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// Moves it, or removes what is left of it; an error means that it is where it was.
pub(crate) fn run(args: &Args) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        match &args.to {
            Some(to) => bring(args, to).await,
            None => remove(args).await,
        }
    })
}

async fn bring(args: &Args, to: &DatabaseUrl) -> Result<()> {
    let begun = Instant::now();
    let work = Move::new(args.shop, args.from.whole(), to.whole())
        .again(args.again)
        .ca(args.ca.clone());
    let stop = async {
        // Where nobody can be heard, nobody is.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let moved = work.run(&tell, stop).await?;
    if args.json {
        let ms = u64::try_from(moved.refused.as_millis()).unwrap_or(u64::MAX);
        println!(
            "{}",
            json!({
                "ok": true, "shop": args.shop, "handle": moved.handle, "rows": moved.rows, "refused_ms": ms,
                "from": args.from.shown(), "to": to.shown()
            })
        );
        return Ok(());
    }
    println!(
        "shop {} ({}) is at {} now: {} rows in {}, of which it was refused {}",
        args.shop,
        moved.handle,
        to.shown(),
        moved.rows,
        seconds(begun.elapsed()),
        seconds(moved.refused)
    );
    println!(
        "Point its router or its clients there: {} answers SHOP_MOVING until then. What it has left there goes with\n  \
         npm run move-shop -- --shop {} --from … --forget",
        args.from.shown(),
        args.shop
    );
    Ok(())
}

async fn remove(args: &Args) -> Result<()> {
    let rows = forget(args.shop, args.from.whole(), args.ca.as_deref(), &tell).await?;
    if args.json {
        println!(
            "{}",
            json!({ "ok": true, "shop": args.shop, "forgotten": rows, "from": args.from.shown() })
        );
    } else {
        println!(
            "{} knows of no shop {} any more: {rows} rows removed",
            args.from.shown(),
            args.shop
        );
    }
    Ok(())
}

fn tell(what: &str) {
    eprintln!("· {what}");
}
