//! The histories of the proof in a shop that is moved in each of their turns, with operations under way: what each saw fits an order, as if it
//! had never left.

use super::places::Places;
use crate::prove::Search;
use crate::prove::histories::{NOT_MOVED, Route, moving};
use crate::prove::report::{Section, progress};
use anyhow::Result;

/// Its id, and that of one whose mover does not wait.
const SHOP: i32 = 50;
const HASTY: i32 = 51;

/// How many rounds there are, and how many on two servers, where nobody waits for the proof; a shop moves four times in each.
const ROUNDS: u64 = 2;
const ROUNDS_ON_TWO_SERVERS: u64 = 8;
/// So many are enough to find a mover who does not wait.
const CHANCES: u64 = 5;

/// What does not hold.
pub(super) async fn hold(
    places: &Places,
    search: &Search,
    section: &mut Section,
) -> Result<Vec<String>> {
    progress("shops", "histories in a shop that is moved");
    let route = Route::open(&places.urls, SHOP, true).await?;
    let rounds = if places.are_two_servers() {
        ROUNDS_ON_TWO_SERVERS
    } else {
        ROUNDS
    };
    let mut failures = moving(search.stack, route, search.seed, rounds, section).await?;
    let route = Route::open(&places.urls, HASTY, false).await?;
    let mut unseen = Section::new("mutant");
    let played = moving(search.stack, route, search.seed, CHANCES, &mut unseen).await;
    let noticed = match played {
        Ok(failures) => failures.into_iter().next(),
        // Who moves it may have found what somebody in it was doing.
        Err(error) if format!("{error:#}").contains(NOT_MOVED) => Some(NOT_MOVED.to_owned()),
        Err(error) => return Err(error),
    };
    match noticed
        .as_deref()
        .and_then(|noticed| noticed.lines().next())
    {
        Some(noticed) => progress(
            "shops",
            &format!("histories notice a hasty mover: {noticed}"),
        ),
        None => failures.push("histories do not notice a mover who does not wait".to_owned()),
    }
    Ok(failures)
}
