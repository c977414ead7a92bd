//! CSV as spreadsheets write it (RFC 4180): quoted fields, either line end, a mark at the beginning, semicolons where a comma
//! is the decimal sign.

use anyhow::{Result, bail};

const PRODUCT: &str = "product_id";
const LOCATION: &str = "location";
const QUANTITY: &str = "quantity";

/// What a file has.
pub(super) struct File {
    pub(super) rows: Vec<Row>,
    /// Lines that cannot be read, each with the reason.
    pub(super) problems: Vec<(usize, String)>,
}

/// One line below the headers, as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line of the file in which it begins, counted from one.
    pub(super) line: usize,
    pub(super) product: String,
    pub(super) location: String,
    pub(super) quantity: String,
}

/// Reads a file. Its headers say which field is which; without them there is nothing to read.
pub(super) fn read(text: &str) -> Result<File> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let headers_end = text.find(['\r', '\n']).unwrap_or(text.len());
    let semicolons = text[..headers_end].matches(';').count();
    let separator = if semicolons > text[..headers_end].matches(',').count() {
        ';'
    } else {
        ','
    };
    let mut records = records(text, separator)?.into_iter();
    let headers: Vec<String> = records
        .next()
        .map(|(_, fields)| {
            fields
                .iter()
                .map(|field| field.trim().to_lowercase())
                .collect()
        })
        .unwrap_or_default();
    let place = |name: &str| headers.iter().position(|header| header == name);
    let (Some(product), Some(quantity)) = (place(PRODUCT), place(QUANTITY)) else {
        bail!(
            "the first line must have the headers {PRODUCT}, {QUANTITY} and, if there are other locations than the web shop, {LOCATION}"
        );
    };
    let location = place(LOCATION);
    for (index, header) in headers.iter().enumerate() {
        if ![PRODUCT, LOCATION, QUANTITY].contains(&header.as_str()) {
            bail!("`{header}` is no header: there are {PRODUCT}, {LOCATION} and {QUANTITY}");
        }
        if place(header) != Some(index) {
            bail!("the header {header} is there twice");
        }
    }

    let mut file = File {
        rows: Vec::new(),
        problems: Vec::new(),
    };
    for (line, fields) in records {
        if fields.len() == headers.len() {
            file.rows.push(Row {
                line,
                product: fields[product].clone(),
                location: location.map_or_else(String::new, |at| fields[at].clone()),
                quantity: fields[quantity].clone(),
            });
        } else if fields != [""] {
            file.problems.push((
                line,
                format!(
                    "has {} fields, and the headers are {}",
                    fields.len(),
                    headers.len()
                ),
            ));
        }
    }
    Ok(file)
}

/// All records, each with the line in which it begins.
fn records(text: &str, separator: char) -> Result<Vec<(usize, Vec<String>)>> {
    let mut records = Vec::new();
    let mut characters = text.chars().peekable();
    let mut line = 1;
    while characters.peek().is_some() {
        let begins = line;
        let mut fields = vec![String::new()];
        let mut quoted = false;
        while let Some(character) = characters.next() {
            let Some(field) = fields.last_mut() else {
                break;
            };
            if character == '\n' {
                line += 1;
            }
            match character {
                '"' if quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    field.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if field.is_empty() => quoted = true,
                _ if quoted => field.push(character),
                '\r' if characters.peek() == Some(&'\n') => {}
                '\n' => break,
                _ if character == separator => fields.push(String::new()),
                _ => field.push(character),
            }
        }
        if quoted {
            bail!("line {begins} has a quotation mark that is never closed");
        }
        records.push((begins, fields));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: usize, product: &str, location: &str, quantity: &str) -> Row {
        Row {
            line,
            product: product.into(),
            location: location.into(),
            quantity: quantity.into(),
        }
    }

    #[test]
    fn headers_say_which_field_is_which() {
        let file = read("Quantity, product_id ,location\r\n5,a,Store\r\n\r\n6,b,\"St. \"\"Mary\"\", No. 1\"\r\n").unwrap();
        assert_eq!(
            file.rows,
            [
                row(2, "a", "Store", "5"),
                row(4, "b", "St. \"Mary\", No. 1", "6")
            ]
        );
        assert_eq!(file.problems, []);
    }

    #[test]
    fn the_web_shop_needs_no_location_and_semicolons_separate_as_well() {
        let file = read("\u{feff}product_id;quantity\na;5\nb;1.25").unwrap();
        assert_eq!(file.rows, [row(2, "a", "", "5"), row(3, "b", "", "1.25")]);
    }

    #[test]
    fn a_line_with_other_fields_is_told_by_its_number() {
        let file = read("product_id,quantity\n\"a\nb\",1\nc\nd,1,2\ne,3\n").unwrap();
        assert_eq!(file.rows, [row(2, "a\nb", "", "1"), row(6, "e", "", "3")]);
        assert_eq!(
            file.problems,
            [
                (4, "has 1 fields, and the headers are 2".to_owned()),
                (5, "has 3 fields, and the headers are 2".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        for (text, said) in [
            ("", "the first line must have"),
            ("a,b\n1,2\n", "the first line must have"),
            ("product_id,quantity,price\n", "`price` is no header"),
            ("product_id,quantity,quantity\n", "is there twice"),
            ("product_id,quantity\n\"a,1\n", "never closed"),
        ] {
            let error = read(text)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
