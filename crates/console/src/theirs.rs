//! The reports' code over HTTP: the same calls with the same filters in the same order, through the client library of the same family.

use postgrest::Builder;
use serde_json::{Value, json};

use crate::calls::{Lane, Trouble};
use crate::race::Answer;
use crate::reports::{Find, Report, report};
use crate::setup::Scene;

fn read(report: &Report, lane: &Lane, id: &str) -> Builder {
    let rows = lane.from(report.table).select(report.columns);
    match report.find {
        Find::Id => rows.eq("id", id),
        Find::Unused { of, mark } => rows.eq(of, id).is(mark, "null").limit(1),
        Find::All { of } => rows.eq(of, id),
    }
}

fn write(report: &Report, lane: &Lane, id: &str, row: &Value, change: &Value) -> Builder {
    let id = report.written(row, id, lane.user());
    let row = lane.from(report.table).eq("id", id);
    let row = match report.at_least {
        Some((column, least)) => row.gte(column, least),
        None => row,
    };
    row.update(change.to_string())
}

/// Does it once, on that row.
pub(crate) async fn run(scene: Scene, lane: &Lane, id: &str) -> Result<Answer, Trouble> {
    let report = report(scene);
    let rows = lane.send(read(&report, lane, id)).await?;
    let row = report.seen(&rows);
    let change = match (report.decide)(row, lane.user()) {
        Ok(change) => change,
        Err(code) => return Ok(Answer::No(code.to_owned())),
    };
    lane.send(write(&report, lane, id, row, &change)).await?;
    if let Some((table, line)) = report.record {
        let line = line(id, lane.user(), row).to_string();
        lane.send(lane.from(table).insert(line)).await?;
    }
    let written = change.as_object().and_then(|change| change.values().next());
    // Of a row of one's own nobody else writes the same.
    let is_shared = !matches!(report.find, Find::All { .. });
    let written = written.filter(|written| is_shared && written.is_number());
    let given = row.get("code").or(written);
    Ok(Answer::Yes(given.map(Value::to_string)))
}

/// Asks the same of a row that is not there yet: a browser asks whether it may call an address before it calls it for the first
/// time, and that must not come between looking and writing.
pub(crate) async fn warm_up(scene: Scene, lane: &Lane, id: &str) -> Result<(), Trouble> {
    let report = report(scene);
    lane.send(read(&report, lane, id)).await?;
    let rows = json!([{
        "status": "available", "available_quantity": 1, "max_uses": 1, "quantity_needed": 1, "quantity_picked": 1, "balance": 700,
    }]);
    let row = report.seen(&rows);
    let change = (report.decide)(row, lane.user()).unwrap_or_default();
    lane.send(write(&report, lane, id, row, &change)).await?;
    Ok(())
}
