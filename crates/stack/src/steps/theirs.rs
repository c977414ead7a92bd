//! The reports' code statement by statement: what PostgREST makes of its requests.

use interlock_console::reports::{Find, Report};
use serde_json::Value;

use super::sql::Sql;

/// What it does, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Looks at a row.
    Look,
    /// Changes it.
    Write,
    /// Writes down that it has.
    Record,
}

/// Whose request it is, and what it has seen and decided by now.
pub(super) struct Request {
    pub(super) report: Report,
    pub(super) race: String,
    pub(super) user: String,
    pub(super) seen: Value,
    pub(super) change: Value,
}

impl Request {
    /// Takes the rows that it has found: what is next, or why it refuses.
    pub(super) fn see(&mut self, rows: &Value) -> Result<Act, String> {
        let seen = self.report.seen(rows);
        self.change = (self.report.decide)(seen, &self.user).map_err(str::to_owned)?;
        self.seen = seen.clone();
        Ok(Act::Write)
    }

    /// What comes after its write.
    pub(super) fn after_write(&self) -> Option<Act> {
        self.report.record.map(|_| Act::Record)
    }

    /// The value that it decides by, of a change or of rows; of many rows their sum.
    pub(super) fn watched(&self, of: &Value) -> Option<String> {
        let column = self.report.columns.split(',').next()?;
        match of.as_array().map(Vec::as_slice) {
            None => of.get(column).map(Sql::word),
            Some([row]) => row.get(column).map(Sql::word),
            Some(rows) => {
                let values: Option<Vec<i64>> =
                    rows.iter().map(|row| row.get(column)?.as_i64()).collect();
                let values = values.filter(|values| !values.is_empty())?;
                Some(values.iter().sum::<i64>().to_string())
            }
        }
    }

    /// The statement.
    pub(super) fn statement(&self, act: Act) -> Sql {
        let Self { report, race, .. } = self;
        let race = Value::from(race.as_str());
        let mut sql = Sql::default();
        match act {
            Act::Look => {
                let columns = report.columns.replace(',', ", ");
                sql.text(&format!(
                    "select {columns} from race_lab.{}\nwhere ",
                    report.table
                ));
                match report.find {
                    Find::Id => sql.text("id = ").value(&race),
                    Find::Unused { of, mark } => sql
                        .text(&format!("{of} = "))
                        .value(&race)
                        .text(&format!(" and {mark} is null\nlimit 1")),
                    Find::All { of } => sql.text(&format!("{of} = ")).value(&race),
                };
            }
            Act::Write => {
                sql.text(&format!("update race_lab.{}\nset ", report.table));
                for (number, (column, value)) in
                    self.change.as_object().into_iter().flatten().enumerate()
                {
                    let comma = if number > 0 { ", " } else { "" };
                    sql.text(&format!("{comma}{column} = ")).value(value);
                }
                let id = report.written(&self.seen, &self.race, &self.user);
                sql.text("\nwhere id = ").value(&Value::from(id));
                if let Some((column, least)) = report.at_least {
                    sql.text(&format!(" and {column} >= {least}"));
                }
            }
            Act::Record => {
                if let Some((table, line)) = report.record {
                    let line = line(&self.race, &self.user, &self.seen);
                    let (columns, values): (Vec<_>, Vec<_>) =
                        line.as_object().into_iter().flatten().unzip();
                    let columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
                    sql.text(&format!(
                        "insert into race_lab.{table} ({})\nvalues (",
                        columns.join(", ")
                    ));
                    for (number, value) in values.into_iter().enumerate() {
                        sql.text(if number > 0 { ", " } else { "" }).value(value);
                    }
                    sql.text(")");
                }
            }
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use interlock_console::reports::report;
    use interlock_console::setup::Scene;
    use serde_json::json;

    fn request(scene: Scene) -> Request {
        Request {
            report: report(scene),
            race: "00000000-0000-0000-0000-000000000001".to_owned(),
            user: "00000000-0000-0000-0000-000000000002".to_owned(),
            seen: Value::Null,
            change: Value::Null,
        }
    }

    #[test]
    fn it_writes_by_what_it_has_seen() {
        let mut promo = request(Scene::Promo);
        assert_eq!(
            promo.statement(Act::Look).shown,
            "select used_count, max_uses from race_lab.promo_codes\nwhere id = '…'"
        );
        let rows = json!([{ "used_count": 0, "max_uses": 1 }]);
        assert_eq!(promo.watched(&rows).as_deref(), Some("0"));
        assert_eq!(promo.see(&rows), Ok(Act::Write));
        assert_eq!(
            promo.statement(Act::Write).shown,
            "update race_lab.promo_codes\nset used_count = 1\nwhere id = '…'"
        );
        assert_eq!(promo.after_write(), Some(Act::Record));
        assert_eq!(
            promo.statement(Act::Record).run,
            "insert into race_lab.promo_redemptions (promo_id, user_id)\n\
             values ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002')"
        );
        let rows = json!([{ "used_count": 1, "max_uses": 1 }]);
        assert_eq!(promo.see(&rows), Err("PROMO_EXHAUSTED".to_owned()));
    }

    #[test]
    fn what_it_found_is_what_it_writes_to() {
        let mut code = request(Scene::Code);
        let rows = json!([{ "code": "it's", "id": "00000000-0000-0000-0000-000000000003" }]);
        assert_eq!(code.see(&rows), Ok(Act::Write));
        assert_eq!(
            code.statement(Act::Write).run,
            "update race_lab.product_codes\nset used_at = 'now'\nwhere id = '00000000-0000-0000-0000-000000000003'"
        );
        let record = code.statement(Act::Record).run;
        assert!(record.contains("'it''s'"), "{record}");
    }

    #[test]
    fn whoever_adds_up_all_writes_to_the_own_one() {
        let mut basket = request(Scene::Basket);
        let own = basket.user.clone();
        let rows = json!([
            { "id": "another", "quantity_packed": 2, "quantity_picked": 4 },
            { "id": own, "quantity_packed": 1, "quantity_picked": 4 },
        ]);
        assert_eq!(basket.watched(&rows).as_deref(), Some("3"));
        assert_eq!(basket.see(&rows), Ok(Act::Write));
        assert_eq!(
            basket.statement(Act::Write).run,
            format!(
                "update race_lab.packing_progress\nset quantity_packed = 2\nwhere id = '{own}'"
            )
        );
    }

    #[test]
    fn a_condition_of_its_own_stays_and_a_line_that_is_none_is_not_written() {
        let mut till = request(Scene::Till);
        assert_eq!(till.see(&json!([{ "quantity": 100 }])), Ok(Act::Write));
        assert_eq!(
            till.statement(Act::Write).shown,
            "update race_lab.inventory\nset quantity = 99\nwhere id = '…' and quantity >= 1"
        );
        assert_eq!(request(Scene::Packing).after_write(), None);
    }
}
