//! Which shop a command is about, where an installation serves many.

/// Which of many.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Shop {
    /// Of many shops this one; shop 1, if none is given.
    #[arg(long = "shop", value_name = "ID|HANDLE", value_parser = named)]
    name: Option<String>,
}

impl Shop {
    /// As a header says it, if it was said.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// A query whose rows, each as `row`, are those of this one in the shop.
    pub(crate) fn query(&self, sql: &str) -> String {
        let shop = quoted(self.name().unwrap_or("1"));
        format!(
            "select r as row from interlock.in_shop({shop}, {}) r",
            quoted(sql)
        )
    }

    /// A place that is told of, with the shop in it.
    pub(crate) fn shown(&self, place: &str) -> String {
        match self.name() {
            Some(shop) => format!("shop {shop} of {place}"),
            None => place.to_owned(),
        }
    }
}

fn named(text: &str) -> Result<String, String> {
    if interlock_domain::http::is_shop(text) {
        return Ok(text.to_owned());
    }
    Err("a shop is named by its id or its handle: interlock.shops has both".to_owned())
}

/// A text as SQL writes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_asked_in_the_shop_that_was_said() {
        let said = |name: Option<&str>| Shop {
            name: name.map(str::to_owned),
        };
        assert_eq!(
            said(Some("berlin")).query("select 'it''s'"),
            "select r as row from interlock.in_shop('berlin', 'select ''it''''s''') r"
        );
        assert_eq!(
            said(None).query("x"),
            "select r as row from interlock.in_shop('1', 'x') r"
        );
        assert_eq!(said(Some("7")).shown("x"), "shop 7 of x");
        assert_eq!(said(None).shown("x"), "x");
        assert!(named("x'; drop").is_err());
    }

    #[test]
    fn a_quote_ends_no_text() {
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
