//! A depot: drivers, and delivery batches that one driver holds at a time.

use crate::prove::model::keys::{Key, Keys, LIFETIME, Verdict};
use crate::prove::model::{Clock, Event, Model, Moment, Seen, Steps, matches};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// How long a claim lasts, in seconds.
const LEASE: Moment = 15 * 60;

/// How long a batch stays with its driver once it is started.
const STARTED_LEASE: Moment = 4 * 3600;

/// What a driver does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Claim,
    Renew,
    Release,
    Start,
    Complete,
}

impl Action {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Renew => "renew",
            Self::Release => "release",
            Self::Start => "start",
            Self::Complete => "complete",
        }
    }
}

/// What can be asked of a depot.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// `claim-route`; without a batch it claims the next one.
    Route {
        driver: Uuid,
        batch: Option<Uuid>,
        action: Action,
        key: Option<String>,
    },
    /// The shop gives a batch to a driver, whoever has it.
    Assign {
        batch: Uuid,
        driver: Uuid,
    },
    /// The shop has a new batch; `place` is its place among those of the same priority.
    Offer {
        batch: Uuid,
        priority: i64,
        place: i64,
    },
    /// The shop takes a batch back from whoever holds it.
    TakeBack {
        batch: Uuid,
    },
    /// The shop calls off a batch that is not finished.
    Withdraw {
        batch: Uuid,
    },
    /// A driver may work, or may not.
    Employ {
        driver: Uuid,
        active: bool,
    },
    /// Every batch, at one moment.
    Look,
    ClockMoves {
        to: Moment,
    },
}

/// The state of a depot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Depot {
    /// Every batch that it has or will have.
    pub(crate) all: Arc<Vec<Uuid>>,
    pub(crate) clock: Clock,
    /// Drivers, and whether they may work.
    pub(crate) drivers: BTreeMap<Uuid, bool>,
    pub(crate) batches: BTreeMap<Uuid, Batch>,
    pub(crate) keys: Keys,
}

impl fmt::Debug for Depot {
    /// What a person needs in order to follow a short history.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batches = self.batches.iter();
        let batches: BTreeMap<_, _> = batches
            .map(|(id, batch)| (id, (batch.status, batch.driver, batch.lease, batch.version)))
            .collect();
        f.debug_struct("Depot")
            .field("now", &self.clock.now)
            .field("drivers", &self.drivers)
            .field("batches", &batches)
            .finish_non_exhaustive()
    }
}

/// A delivery batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    status: &'static str,
    driver: Option<Uuid>,
    claimed: Option<Moment>,
    lease: Option<Moment>,
    started: Option<Moment>,
    completed: Option<Moment>,
    priority: i64,
    place: i64,
    version: i64,
}

impl Batch {
    /// A batch that the shop offers.
    pub(crate) fn offered(priority: i64, place: i64) -> Self {
        Batch {
            status: "available",
            driver: None,
            claimed: None,
            lease: None,
            started: None,
            completed: None,
            priority,
            place,
            version: 1,
        }
    }

    fn is_held(&self) -> bool {
        ["claimed", "in_progress"].contains(&self.status)
    }

    /// Available, or held under a lease that is over.
    fn is_claimable(&self, now: Moment) -> bool {
        self.status == "available" || (self.is_held() && self.lease <= Some(now))
    }

    /// The driver has it from now on; whoever has it already, and has started it, is on the road still.
    fn give_to(&mut self, driver: Uuid, now: Moment) {
        let goes_on = self.driver == Some(driver) && self.status == "in_progress";
        *self = Batch {
            status: if goes_on { "in_progress" } else { "claimed" },
            driver: Some(driver),
            claimed: Some(now),
            lease: Some(now + if goes_on { STARTED_LEASE } else { LEASE }),
            started: self.started.filter(|_| goes_on),
            version: self.version + 1,
            ..self.clone()
        };
    }

    fn give_back(&mut self) {
        *self = Batch {
            version: self.version + 1,
            ..Batch::offered(self.priority, self.place)
        };
    }

    /// When it was made, counted from the model's day: the older goes first.
    fn created(&self) -> Moment {
        self.place
    }

    /// Higher priority first, then the older one.
    fn place_in_queue(&self, id: Uuid) -> (i64, i64, Uuid) {
        (-self.priority, self.place, id)
    }
}

/// What a success leads to: `None` if nothing changes.
type Done = Result<Option<Depot>, &'static str>;

impl Model for Depot {
    type Call = Call;

    fn apply(&self, event: &Event<Call>) -> Steps<Self> {
        let (key, now) = (event.call.key(), self.clock.now);
        let request = event.call.request();
        match self.keys.judge(key.as_ref(), &request, &event.seen, now) {
            Verdict::Repeated => return Steps::Same,
            Verdict::Impossible(why) => return Steps::Impossible(why),
            Verdict::New => {}
        }
        match &event.seen {
            Seen::Transient => Steps::Same,
            Seen::Refused { code, details } => {
                let refusals = self.refusals(&event.call);
                let mut refusals = refusals.iter();
                if refusals.any(|(name, expected)| name == code && matches(expected, details)) {
                    Steps::Same
                } else {
                    Steps::Impossible("this refusal is not true")
                }
            }
            Seen::Success { body, .. } => match self.done(event, body) {
                Err(why) => Steps::Impossible(why),
                Ok(None) if key.is_none() => Steps::Same,
                Ok(next) => {
                    let mut next = next.unwrap_or_else(|| self.clone());
                    next.keys.store(key, request, body, now + LIFETIME);
                    Steps::To(vec![next])
                }
            },
        }
    }

    fn refusal_is_counted(_: &str) -> bool {
        false
    }

    fn refusals(&self, call: &Call) -> Vec<(&'static str, Value)> {
        let (driver, batch, action) = match call {
            Call::Route {
                driver,
                batch,
                action,
                ..
            } => (driver, batch, action),
            Call::Assign { batch, driver } => return self.refuses_to_assign(*batch, *driver),
            _ => return Vec::new(),
        };
        if self.drivers.get(driver) != Some(&true) {
            return vec![("NOT_A_DRIVER", Value::Null)];
        }
        let now = self.clock.now;
        let known = batch.and_then(|batch| Some((batch, self.batches.get(&batch)?)));
        let mut refusals = Vec::new();
        match (action, batch, known) {
            (_, Some(batch), None) => {
                refusals.push(("BATCH_NOT_FOUND", json!({ "batch_id": batch })));
            }
            (Action::Claim, _, known) => {
                let held = self.held_by(*driver, now);
                if let Some((id, held)) = held.filter(|(id, _)| Some(*id) != *batch) {
                    refusals.push(("DRIVER_BUSY", self.state(id, held)));
                }
                match known {
                    None if !self.batches.values().any(|b| b.is_claimable(now)) => {
                        refusals.push(("NO_BATCH_AVAILABLE", Value::Null));
                    }
                    Some((id, batch))
                        if !batch.is_claimable(now) && held.is_none_or(|held| held.0 != id) =>
                    {
                        refusals.push(("BATCH_UNAVAILABLE", self.state(id, batch)));
                    }
                    _ => {}
                }
            }
            (action, _, Some((id, batch))) => {
                let mine = batch.driver == Some(*driver);
                if mine && *action == Action::Complete && batch.status == "completed" {
                    return Vec::new();
                }
                if !mine || !batch.is_held() {
                    let status = json!({ "batch_id": id, "status": batch.status });
                    refusals.push(("BATCH_NOT_HELD", status));
                } else if *action != Action::Complete && batch.is_claimable(now) {
                    refusals.push(("LEASE_EXPIRED", self.state(id, batch)));
                }
            }
            (_, None, _) => {}
        }
        refusals
    }
}

impl Depot {
    fn done(&self, event: &Event<Call>, body: &Value) -> Done {
        let mut next = self.clone();
        match &event.call {
            Call::Route {
                driver,
                batch,
                action,
                ..
            } => {
                if self.drivers.get(driver) != Some(&true) {
                    return Err("this driver may not work");
                }
                let id = body["batch"]["id"].as_str().and_then(|id| id.parse().ok());
                let id: Uuid = id.ok_or("the answer has no batch")?;
                if batch.is_some_and(|batch| batch != id) {
                    return Err("the answer is about another batch");
                }
                if *action == Action::Claim {
                    next.claim(*driver, id, batch.is_none(), event.alone)?;
                } else {
                    next.act(*driver, id, *action)?;
                }
                let shown = json!({ "success": true, "batch": next.batch_json(id) });
                if !matches(&shown, body) {
                    return Err("the answer says something else");
                }
            }
            Call::Assign { batch, driver } => {
                next.assign(*batch, *driver)?;
                let shown = json!({ "success": true, "batch": next.batch_json(*batch) });
                if !matches(&shown, body) {
                    return Err("the answer says something else");
                }
            }
            Call::Offer {
                batch,
                priority,
                place,
            } => {
                let offered = Batch::offered(*priority, *place);
                next.batches.insert(*batch, offered);
            }
            Call::TakeBack { batch } => {
                let batch = next
                    .batches
                    .get_mut(batch)
                    .ok_or("there is no such batch")?;
                if *body != json!(batch.is_held()) {
                    return Err("it is held, or not");
                }
                if batch.is_held() {
                    batch.give_back();
                }
            }
            Call::Withdraw { batch } => {
                let batch = next
                    .batches
                    .get_mut(batch)
                    .ok_or("there is no such batch")?;
                let is_open = batch.is_held() || batch.status == "available";
                if *body != json!(is_open) {
                    return Err("it is finished, or not");
                }
                if is_open {
                    batch.status = "cancelled";
                    batch.lease = None;
                    batch.version += 1;
                }
            }
            Call::Employ { driver, active } => {
                next.drivers.insert(*driver, *active);
                // A change also where the driver may work already: it may come after its contrary.
                return Ok(Some(next));
            }
            Call::Look => {
                if !matches(&self.books(), body) {
                    return Err("the batches are otherwise");
                }
            }
            Call::ClockMoves { to } => next.clock.now = *to,
        }
        Ok((next != *self).then_some(next))
    }

    /// What the driver holds under a lease that runs.
    fn held_by(&self, driver: Uuid, now: Moment) -> Option<(Uuid, &Batch)> {
        self.latest_of(driver)
            .filter(|(_, batch)| !batch.is_claimable(now))
    }

    /// What the driver holds, also under a lease that is over but not lost yet.
    fn latest_of(&self, driver: Uuid) -> Option<(Uuid, &Batch)> {
        let mut held = self.batches.iter();
        held.find(|(_, batch)| batch.is_held() && batch.driver == Some(driver))
            .map(|(id, batch)| (*id, batch))
    }

    fn claim(
        &mut self,
        driver: Uuid,
        id: Uuid,
        next: bool,
        alone: bool,
    ) -> Result<(), &'static str> {
        let now = self.clock.now;
        if let Some((held, _)) = self.held_by(driver, now) {
            // Claiming what one holds is success and changes nothing.
            return if held == id && !next {
                Ok(())
            } else {
                Err("the driver holds a batch")
            };
        }
        let stale = self.latest_of(driver).map(|(stale, _)| stale);
        if next && stale.is_some_and(|stale| stale != id) {
            return Err("the driver's own batch comes first");
        }
        if next && alone && stale.is_none() {
            let claimable = self
                .batches
                .iter()
                .filter(|(_, batch)| batch.is_claimable(now));
            let head = claimable.min_by_key(|(id, batch)| batch.place_in_queue(**id));
            if head.is_none_or(|(head, _)| *head != id) {
                return Err("another batch was the next one");
            }
        }
        if let Some(stale) = stale.filter(|stale| *stale != id) {
            self.batches.entry(stale).and_modify(Batch::give_back);
        }
        let batch = self.batches.get_mut(&id).ok_or("there is no such batch")?;
        if !batch.is_claimable(now) {
            return Err("somebody else has it, or it is finished");
        }
        batch.give_to(driver, now);
        Ok(())
    }

    /// Why the shop cannot give the batch to the driver.
    fn refuses_to_assign(&self, id: Uuid, driver: Uuid) -> Vec<(&'static str, Value)> {
        if self.drivers.get(&driver) != Some(&true) {
            let details = json!({ "driver_user_id": driver });
            return vec![("DRIVER_NOT_FOUND", details)];
        }
        let Some(batch) = self.batches.get(&id) else {
            return vec![("BATCH_NOT_FOUND", json!({ "batch_id": id }))];
        };
        let mut refusals = Vec::new();
        let held = self.held_by(driver, self.clock.now);
        if let Some((held, state)) = held.filter(|(held, _)| *held != id) {
            refusals.push(("DRIVER_BUSY", self.state(held, state)));
        }
        if !batch.is_held() && batch.status != "available" {
            refusals.push(("BATCH_FINISHED", self.state(id, batch)));
        }
        refusals
    }

    fn assign(&mut self, id: Uuid, driver: Uuid) -> Result<(), &'static str> {
        if !self.refuses_to_assign(id, driver).is_empty() {
            return Err("the batch cannot be given to this driver");
        }
        if self
            .held_by(driver, self.clock.now)
            .is_some_and(|(held, _)| held == id)
        {
            return Ok(());
        }
        if let Some((stale, _)) = self.latest_of(driver).filter(|(stale, _)| *stale != id) {
            self.batches.entry(stale).and_modify(Batch::give_back);
        }
        let now = self.clock.now;
        let batch = self.batches.get_mut(&id).ok_or("there is no such batch")?;
        batch.give_to(driver, now);
        Ok(())
    }

    fn act(&mut self, driver: Uuid, id: Uuid, action: Action) -> Result<(), &'static str> {
        let now = self.clock.now;
        let batch = self.batches.get_mut(&id).ok_or("there is no such batch")?;
        let mine = batch.driver == Some(driver);
        if mine && action == Action::Complete && batch.status == "completed" {
            return Ok(());
        }
        let is_late = action != Action::Complete && batch.is_claimable(now);
        if !mine || !batch.is_held() || is_late {
            return Err("the driver does not hold it");
        }
        match action {
            Action::Start if batch.status == "in_progress" => return Ok(()),
            Action::Release => {
                batch.give_back();
                return Ok(());
            }
            Action::Claim | Action::Renew => {
                let started = batch.status == "in_progress";
                let length = if started { STARTED_LEASE } else { LEASE };
                batch.lease = batch.lease.max(Some(now + length));
            }
            Action::Start => {
                batch.status = "in_progress";
                batch.lease = batch.lease.max(Some(now + STARTED_LEASE));
                batch.started = Some(now);
            }
            Action::Complete => {
                batch.status = "completed";
                batch.lease = None;
                batch.completed = Some(now);
            }
        }
        batch.version += 1;
        Ok(())
    }

    /// What a refused driver may know: never who holds it.
    fn state(&self, id: Uuid, batch: &Batch) -> Value {
        json!({
            "batch_id": id, "status": batch.status,
            "lease_expires_at": self.clock.time_or_null(batch.lease),
        })
    }

    fn batch_json(&self, id: Uuid) -> Value {
        let Some(batch) = self.batches.get(&id) else {
            return Value::Null;
        };
        let time = |at| self.clock.time_or_null(at);
        json!({
            "id": id, "status": batch.status, "driver_id": batch.driver,
            "claimed_at": time(batch.claimed), "lease_expires_at": time(batch.lease),
            "started_at": time(batch.started), "completed_at": time(batch.completed),
            "priority": batch.priority, "version": batch.version,
            "reference": format!("test:{id}"), "created_at": time(Some(batch.created())),
        })
    }

    /// What the rows must say: status, holder and version of every batch.
    pub(crate) fn books(&self) -> Value {
        let batches = self.batches.iter().map(|(id, batch)| {
            let row = json!([batch.status, batch.driver, batch.version]);
            (id.to_string(), row)
        });
        Value::Object(batches.collect::<Map<_, _>>())
    }
}

impl Call {
    fn key(&self) -> Option<Key> {
        match self {
            Self::Route { driver, key, .. } => Some((*driver, "claim_route", key.clone()?)),
            _ => None,
        }
    }

    /// What must be the same when it is sent again under the same key.
    fn request(&self) -> String {
        match self {
            Self::Route {
                batch,
                action,
                key: Some(_),
                ..
            } => format!("{batch:?} {action:?}"),
            _ => String::new(),
        }
    }
}
