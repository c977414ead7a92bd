//! `cargo xtask audit`: an audit of the stock, and what it has found, for people, as JSON or as a page with a plot.

mod page;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::ensure;
use crate::repo::Repo;
use crate::shop::Shop;
use crate::supabase::{Supabase, Target};

/// What is filed and not resolved, the largest first, and the audits that the plot shows, the first one first.
const REPORT: &str = "
select jsonb_build_object(
  'findings', (
    select coalesce(jsonb_agg(to_jsonb(f) || jsonb_build_object('product', p.name) order by f.status desc, abs(f.size) desc, f.id), '[]')
    from interlock.inventory_findings f
    left join interlock.products p on p.id = f.product_id
    where f.status <> 'resolved'
  ),
  'audits', (
    select coalesce(jsonb_agg(to_jsonb(a) order by a.id), '[]')
    from (select * from interlock.inventory_audits order by id desc limit 400) a
  )
) as report";

/// In which database, and how to tell.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    shop: Shop,
    /// Look at everything, and not only at what has moved since the audit before.
    #[arg(long)]
    full: bool,
    /// Make no audit: tell what is filed.
    #[arg(long, conflicts_with = "full")]
    filed: bool,
    /// Print findings and audits as JSON.
    #[arg(long)]
    json: bool,
    /// Write a page with the findings and how many there were over time.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What an audit has found, and how it was before.
pub(crate) struct Report {
    findings: Vec<Value>,
    audits: Vec<Value>,
}

/// Audits, and tells; an error means that findings are open.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    ensure::run_all(repo)?;
    let target = args.target.or_local(repo);
    let supabase = Supabase::find(repo, &target)?;
    if !args.filed {
        supabase
            .execute(
                &args
                    .shop
                    .query(&format!("select interlock.audit_inventory({})", args.full)),
            )
            .context("the stock cannot be audited; `npm run verify` says whether the migrations are in place")?;
    }
    let report = Report::read(&supabase, &args.shop)?;
    let place = args.shop.shown(&target.shown());
    if let Some(file) = &args.html {
        fs::write(file, report.as_html(&place))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if args.json {
        println!("{}", report.as_json());
    } else {
        print!("{}", report.as_text(&place));
    }
    let open = report.open().count();
    if open > 0 {
        bail!(
            "{open} findings are open: resolve_finding(id, reason) corrects one, accept_finding(id, reason, name) lets it be"
        );
    }
    Ok(())
}

impl Report {
    fn read(supabase: &Supabase<'_>, shop: &Shop) -> Result<Self> {
        let mut rows = supabase.select(&shop.query(REPORT))?;
        let mut report = rows
            .pop()
            .map(|mut row| row["row"]["report"].take())
            .context("the database did not answer with a report")?;
        let mut list = |name: &str| match report[name].take() {
            Value::Array(list) => Ok(list),
            _ => bail!("the report has no {name}"),
        };
        Ok(Self {
            findings: list("findings")?,
            audits: list("audits")?,
        })
    }

    fn open(&self) -> impl Iterator<Item = &Value> {
        self.findings
            .iter()
            .filter(|finding| finding["status"] == "open")
    }

    fn as_json(&self) -> Value {
        json!({
            "ok": self.open().next().is_none(),
            "audit": self.audits.last(),
            "findings": self.findings,
            "audits": self.audits,
        })
    }

    /// For people: two lines for each finding, and a verdict.
    fn as_text(&self, place: &str) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let mark = if finding["status"] == "open" {
                '✗'
            } else {
                '·'
            };
            text += &format!("{mark} {}\n", headline(finding));
            text += &format!("    {}{}\n", plain(&finding["cause"]), decision(finding));
            text += &format!(
                "    since {}, finding {}\n",
                time(&finding["since"]),
                plain(&finding["id"])
            );
        }
        let verdict = match self.open().count() {
            0 => "the books agree".to_owned(),
            1 => "1 finding is open".to_owned(),
            open => format!("{open} findings are open"),
        };
        let looked = self.audits.last().map_or_else(
            || "there was no audit yet".to_owned(),
            |audit| {
                format!(
                    "audit {} of {} looked at {} products and {} orders{}",
                    plain(&audit["id"]),
                    time(&audit["started_at"]),
                    plain(&audit["products"]),
                    plain(&audit["orders"]),
                    if audit["whole"] == true {
                        ", at everything"
                    } else {
                        ""
                    }
                )
            },
        );
        text + &format!("{verdict}: {looked}, in {place}\n")
    }
}

/// A finding in one line.
fn headline(finding: &Value) -> String {
    let about = match (&finding["product"], &finding["product_id"]) {
        (Value::String(name), id) => format!(" of {name} ({})", plain(id)),
        (_, Value::String(id)) => format!(" of product {id}"),
        _ => String::new(),
    };
    let subject = finding["subject_id"]
        .as_str()
        .map_or_else(String::new, |id| {
            let what = match plain(&finding["kind"]).as_str() {
                "reservations" => "reservation",
                "open_orders" => "customer",
                "transfers" => "transfer",
                _ => "order",
            };
            format!(", {what} {id}")
        });
    format!(
        "{}{about}{subject}: expected {}, found {}",
        plain(&finding["kind"]).replace('_', " "),
        plain(&finding["expected"]),
        plain(&finding["found"])
    )
}

/// Who has accepted it, and why.
fn decision(finding: &Value) -> String {
    if finding["status"] == "accepted" {
        format!(
            " Accepted by {}: {}",
            plain(&finding["decided_by"]),
            plain(&finding["reason"])
        )
    } else {
        String::new()
    }
}

/// A value without its quotes; a dash for none.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time to the minute.
fn time(value: &Value) -> String {
    plain(value)
        .chars()
        .take(16)
        .collect::<String>()
        .replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            findings: vec![
                json!({
                    "id": "f1", "kind": "ledger", "product_id": "p1", "product": "Lamp <&>", "subject_id": null, "expected": 10,
                    "found": 8, "size": -2, "since": "2026-11-28T10:20:30+00:00", "cause": "Past the ledger.", "status": "open"
                }),
                json!({
                    "id": "f2", "kind": "open_orders", "product_id": null, "product": null, "subject_id": "u1", "expected": 1,
                    "found": 2, "size": 1, "since": null, "cause": "Past the functions.", "status": "accepted",
                    "decided_by": "Ann", "reason": "known"
                }),
            ],
            audits: vec![
                json!({
                    "id": 1, "started_at": "2026-11-27T04:07:00+00:00", "whole": true, "products": 5, "orders": 3,
                    "open_findings": 0, "open_units": 0
                }),
                json!({
                    "id": 2, "started_at": "2026-11-28T04:07:00+00:00", "whole": false, "products": 1, "orders": 0,
                    "open_findings": 1, "open_units": 2
                }),
            ],
        }
    }

    #[test]
    fn a_person_reads_what_was_found_where_and_by_how_much() {
        assert_eq!(
            report().as_text("the database h/d"),
            "✗ ledger of Lamp <&> (p1): expected 10, found 8\n    Past the ledger.\n    since 2026-11-28 10:20, finding f1\n\
             · open orders, customer u1: expected 1, found 2\n    Past the functions. Accepted by Ann: known\n    since –, finding f2\n\
             1 finding is open: audit 2 of 2026-11-28 04:07 looked at 1 products and 0 orders, in the database h/d\n"
        );
        let clean = Report {
            findings: Vec::new(),
            audits: Vec::new(),
        };
        assert_eq!(
            clean.as_text("x"),
            "the books agree: there was no audit yet, in x\n"
        );
    }

    #[test]
    fn a_machine_reads_whether_all_is_well() {
        let told = report().as_json();
        assert_eq!(
            (&told["ok"], &told["audit"]["id"]),
            (&json!(false), &json!(2))
        );
        assert_eq!(told["findings"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_page_shows_findings_and_their_number_over_time() {
        let page = report().as_html("the database h/d");
        assert!(page.contains("Lamp &lt;&amp;&gt;"), "{page}");
        assert!(!page.contains("Lamp <"), "{page}");
        assert_eq!(
            page.matches("<circle").count(),
            2,
            "a point for each audit: {page}"
        );
        assert!(page.contains("<polyline"), "{page}");
        let none = Report {
            findings: Vec::new(),
            audits: Vec::new(),
        };
        assert!(none.as_html("x").contains("The books agree"));
    }
}
