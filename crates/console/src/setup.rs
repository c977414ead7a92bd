//! What is raced, by how many, in which order: all that a link says.

/// The most requests of one race.
pub const MOST: u32 = 64;
/// The fewest: fewer do not race.
pub const FEWEST: u32 = 2;

/// A scene of an incident report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Many buyers, one unit.
    Stock,
    /// Many drivers, one batch.
    Batch,
    /// Many tabs, one use of a code.
    Promo,
    /// Many tabs, money for one order.
    Wallet,
    /// Many buyers, a code for each.
    Code,
    /// One payment, of which the provider tells again and again.
    Webhook,
    /// Two workers who scan one product.
    Packing,
    /// Two workers, an order each, one basket with too little for both.
    Basket,
    /// Two cashiers who sell from one shelf.
    Till,
}

impl Scene {
    /// All of them, as the page lists them.
    pub const ALL: [Self; 9] = [
        Self::Stock,
        Self::Batch,
        Self::Promo,
        Self::Wallet,
        Self::Code,
        Self::Packing,
        Self::Basket,
        Self::Till,
        Self::Webhook,
    ];

    /// Its name in links and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Batch => "batch",
            Self::Promo => "promo",
            Self::Wallet => "wallet",
            Self::Code => "code",
            Self::Webhook => "webhook",
            Self::Packing => "packing",
            Self::Basket => "basket",
            Self::Till => "till",
        }
    }

    /// The scene of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scene| scene.name() == name)
    }

    /// How many people send the requests of a race of so many.
    pub fn people(self, at_once: u32) -> u32 {
        match self {
            Self::Stock | Self::Batch | Self::Code => at_once,
            Self::Promo | Self::Wallet | Self::Webhook => 1,
            Self::Packing | Self::Basket | Self::Till => 2,
        }
    }

    /// What their tokens must say that they are.
    pub fn role(self) -> Option<&'static str> {
        match self {
            Self::Stock | Self::Batch | Self::Promo | Self::Wallet | Self::Code | Self::Webhook => {
                None
            }
            Self::Packing | Self::Basket => Some("packer"),
            Self::Till => Some("cashier"),
        }
    }

    /// Whether they work at a place of its own, which has the id of the race.
    pub fn has_place(self) -> bool {
        self == Self::Till
    }
}

/// How it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All at once.
    Race,
    /// Two of them, statement by statement.
    Steps,
}

impl Mode {
    /// Both, as the page lists them.
    pub const ALL: [Self; 2] = [Self::Race, Self::Steps];

    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Steps => "steps",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// A race to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How it is run.
    pub mode: Mode,
    /// What is raced for.
    pub scene: Scene,
    /// How many requests set out together.
    pub at_once: u32,
    /// Who sets out when, within a few milliseconds.
    pub seed: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Race,
            scene: Scene::Stock,
            at_once: 8,
            seed: 1,
        }
    }
}

impl Setup {
    /// Reads the fragment of a link; what is missing or strange is as it is without one.
    pub fn read(fragment: &str) -> Self {
        let mut setup = Self::default();
        let pairs = fragment.trim_start_matches('#').split('&');
        for (name, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            match name {
                "scene" => setup.scene = Scene::named(value).unwrap_or(setup.scene),
                "mode" => setup.mode = Mode::named(value).unwrap_or(setup.mode),
                "n" => setup.at_once = value.parse().map_or(setup.at_once, Self::bounded),
                "seed" => setup.seed = value.parse().unwrap_or(setup.seed),
                _ => {}
            }
        }
        setup
    }

    /// As many as can race.
    pub fn bounded(at_once: u32) -> u32 {
        at_once.clamp(FEWEST, MOST)
    }

    /// The fragment that says it.
    pub fn link(self) -> String {
        if self.mode == Mode::Steps {
            return format!("#scene={}&mode={}", self.scene.name(), self.mode.name());
        }
        format!(
            "#scene={}&n={}&seed={}",
            self.scene.name(),
            self.at_once,
            self.seed
        )
    }

    /// After how many milliseconds each request sets out: within six, in an order that the seed decides.
    pub fn delays(self) -> Vec<u32> {
        let mut state = self.seed.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995;
        (0..self.at_once)
            .map(|_| {
                // Marsaglia's xorshift; it never leaves zero.
                state = state.max(1);
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state % 7
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_all_of_a_race() {
        for scene in Scene::ALL {
            let setup = Setup {
                mode: Mode::Race,
                scene,
                at_once: 17,
                seed: 4_000_000_000,
            };
            assert_eq!(Setup::read(&setup.link()), setup);
        }
    }

    #[test]
    fn a_link_says_that_it_goes_step_by_step() {
        for scene in Scene::ALL {
            let setup = Setup {
                mode: Mode::Steps,
                scene,
                ..Setup::default()
            };
            assert_eq!(Setup::read(&setup.link()), setup);
        }
    }

    #[test]
    fn a_strange_link_is_no_race_of_its_own() {
        let usual = Setup::default();
        for strange in [
            "",
            "#",
            "#scene=nothing",
            "#mode=nothing",
            "#n=many&seed=-1",
            "#=&&x",
        ] {
            assert_eq!(Setup::read(strange), usual, "{strange}");
        }
        assert_eq!(Setup::read("#n=1").at_once, FEWEST);
        assert_eq!(Setup::read("#n=1000").at_once, MOST);
    }

    #[test]
    fn a_seed_decides_who_sets_out_when() {
        let of = |seed| {
            let setup = Setup {
                seed,
                at_once: 64,
                ..Setup::default()
            };
            setup.delays()
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert!(of(0).iter().any(|delay| *delay > 0), "zero is a seed too");
        assert!(of(3).iter().all(|delay| *delay < 7));
    }
}
