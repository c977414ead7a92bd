//! Flame graphs as SVG: who calls whom hangs below, and how long it takes is how wide it is. Colours follow the reader's light or dark
//! theme.

use crate::plot::escaped;
use serde::Serialize;
use std::fmt::Write as _;

const WIDTH: f64 = 1000.0;
const ROW: f64 = 19.0;
const TITLE: f64 = 34.0;
/// Of a letter: wide ones are cut off by their frame.
const LETTER: f64 = 6.6;
/// On either side of a label.
const MARGIN: f64 = 2.0;
/// Narrower ones could not be seen.
const NARROWEST: f64 = 0.3;

const STYLE: &str = "text{font:11px ui-monospace,SFMono-Regular,Menlo,monospace;fill:#24292f}.t{font:600 13px system-ui,sans-serif}\
rect{stroke:#fff;stroke-width:.6}.a{fill:#d0d7de}.f{fill:#9ecbff}.s{fill:#ffd8a8}.r{fill:#ffb3a7}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{stroke:#0d1117}.a{fill:#3d444d}.f{fill:#1f4f8b}.s{fill:#7a4a12}.r{fill:#8b3a30}}";

/// One picture.
#[derive(Debug, Serialize)]
pub(crate) struct Flame {
    /// What is shown, such as `interlock, 1 line`.
    pub(crate) title: String,
    pub(crate) root: Frame,
}

/// What a frame stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// What a client sends.
    Step,
    Function,
    Statement,
    /// A foreign key's check.
    Reference,
}

/// A frame and what runs in it, in its order.
#[derive(Debug, Serialize)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// With what runs in it, of all calls together.
    pub(crate) us: f64,
    pub(crate) calls: u32,
    pub(crate) children: Vec<Frame>,
}

impl Frame {
    fn depth(&self) -> usize {
        1 + self.children.iter().map(Frame::depth).max().unwrap_or(0)
    }

    /// What none of its children explains.
    fn own(&self) -> f64 {
        self.us - self.children.iter().map(|child| child.us).sum::<f64>()
    }

    fn label(&self) -> String {
        match self.calls {
            1 => self.name.clone(),
            calls => format!("{calls} × {}", self.name),
        }
    }

    /// As much of the label as there is room for: the whole of it, without schemas, the last name that has one, the beginning.
    fn label_for(&self, room: f64) -> String {
        let whole = self.label();
        let letters = (room / LETTER).max(0.0) as usize;
        let bare: Vec<&str> = whole.split(' ').map(without_schema).collect();
        let named = whole
            .split(' ')
            .zip(&bare)
            .filter(|(word, bare)| word != *bare);
        let name = named.last().map_or(whole.as_str(), |(_, bare)| bare);
        [&whole, &bare.join(" "), name]
            .into_iter()
            .find(|label| label.chars().count() <= letters)
            .map_or_else(|| shortened(name, letters), str::to_owned)
    }

    /// The label, its time, its share and its own time.
    fn told(&self, whole: f64) -> String {
        let own = match self.children.is_empty() {
            true => String::new(),
            false => format!(" (own {:.1} µs)", self.own()),
        };
        let share = self.us / whole * 100.0;
        format!("{} {:.1} µs {share:.1} %{own}", self.label(), self.us)
    }
}

impl Flame {
    fn heading(&self) -> String {
        format!("{}: {:.1} µs", self.title, self.root.us)
    }

    /// The same in words.
    pub(crate) fn text(&self) -> String {
        fn add(text: &mut String, frame: &Frame, depth: usize, whole: f64) {
            let _ = writeln!(text, "{}{}", "  ".repeat(depth), frame.told(whole));
            for child in &frame.children {
                add(text, child, depth + 1, whole);
            }
        }
        let mut text = format!("{}\n", self.heading());
        add(&mut text, &self.root, 0, self.root.us);
        text
    }
}

/// Pictures below each other, on one scale, so that they can be compared.
pub(crate) fn draw(flames: &[&Flame]) -> String {
    let widest = flames.iter().map(|flame| flame.root.us).fold(0.0, f64::max);
    let scale = WIDTH / widest.max(f64::MIN_POSITIVE);
    let mut body = String::new();
    let mut y = 0.0;
    for flame in flames {
        let title = escaped(&flame.heading());
        let _ = write!(
            body,
            "<text class=\"t\" x=\"0\" y=\"{}\">{title}</text>",
            y + 20.0
        );
        y += TITLE;
        add(&mut body, &flame.root, 0.0, y, scale, flame.root.us);
        y += flame.root.depth() as f64 * ROW + 10.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" role=\"img\"><style>{STYLE}</style>{body}</svg>\n"
    )
}

fn add(body: &mut String, frame: &Frame, x: f64, y: f64, scale: f64, whole: f64) {
    let width = frame.us * scale;
    if width < NARROWEST {
        return;
    }
    let class = match frame.kind {
        Kind::Step => "a",
        Kind::Function => "f",
        Kind::Statement => "s",
        Kind::Reference => "r",
    };
    // An SVG of its own cuts off what does not fit.
    let _ = write!(
        body,
        "<svg x=\"{x:.2}\" y=\"{y:.0}\" width=\"{width:.2}\" height=\"{ROW}\"><title>{}</title>\
         <rect class=\"{class}\" width=\"{width:.2}\" height=\"{ROW}\"/>",
        escaped(&frame.told(whole)),
    );
    let label = frame.label_for(width - 2.0 * MARGIN);
    if !label.is_empty() {
        let _ = write!(
            body,
            "<text x=\"{MARGIN}\" y=\"13\">{}</text>",
            escaped(&label)
        );
    }
    body.push_str("</svg>");
    let mut x = x;
    for child in &frame.children {
        add(body, child, x, y + ROW, scale, whole);
        x += child.us * scale;
    }
}

/// Nothing rather than a letter.
fn shortened(name: &str, letters: usize) -> String {
    match letters {
        0 | 1 => String::new(),
        _ => name.chars().take(letters - 1).chain(['…']).collect(),
    }
}

fn without_schema(word: &str) -> &str {
    match word.split_once('.') {
        Some((schema, name))
            if schema
                .chars()
                .all(|letter| letter == '_' || letter.is_alphanumeric()) =>
        {
            name
        }
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, us: f64, children: Vec<Frame>) -> Frame {
        Frame {
            name: name.to_owned(),
            kind: Kind::Statement,
            us,
            calls: 1,
            children,
        }
    }

    fn flame(us: f64, children: Vec<Frame>) -> Flame {
        Flame {
            title: "a < b".to_owned(),
            root: frame("all", us, children),
        }
    }

    #[test]
    fn pictures_share_a_scale_and_children_begin_where_their_parent_does() {
        let ours = flame(
            200.0,
            vec![frame("one", 50.0, vec![]), frame("two", 20.0, vec![])],
        );
        let svg = draw(&[&ours, &flame(100.0, vec![])]);
        for part in [
            "a &lt; b: 200.0 µs",
            "<svg x=\"0.00\" y=\"34\" width=\"1000.00\"",
            "<title>all 200.0 µs 100.0 % (own 130.0 µs)</title>",
            "<svg x=\"0.00\" y=\"53\" width=\"250.00\"",
            "<svg x=\"250.00\" y=\"53\" width=\"100.00\"",
            "<title>two 20.0 µs 10.0 %</title>",
            "width=\"500.00\"",
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(!svg.contains("<script"), "{svg}");
    }

    #[test]
    fn a_label_says_as_much_as_there_is_room_for() {
        let insert = frame("insert into shop.orders", 1.0, vec![]);
        for (letters, label) in [
            (30.0, "insert into shop.orders"),
            (20.0, "insert into orders"),
            (10.0, "orders"),
            (4.0, "ord…"),
            (1.0, ""),
            (-1.0, ""),
        ] {
            assert_eq!(insert.label_for(LETTER * (letters + 0.1)), label);
        }
    }
}
