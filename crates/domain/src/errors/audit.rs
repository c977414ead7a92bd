//! What the database raises about what audits of the stock have found.

super::codes! {
    FindingNotFound 404 Final "FINDING_NOT_FOUND"
        "There is no such finding."
        "Check the id of the finding: inventory_findings has them all."
        known(&[("finding_id", Uuid)]);

    FindingNotCorrectable 409 Final "FINDING_NOT_CORRECTABLE"
        "This finding cannot be corrected by itself."
        "Mend by hand what details.cause says, and audit again; or accept the finding by name."
        known(&[("finding_id", Uuid), ("kind", Text), ("cause", Text)]);

    FindingResolved 409 Final "FINDING_RESOLVED"
        "This finding is resolved already."
        "Nothing has to be accepted: the books agree there."
        known(&[("finding_id", Uuid)]);
}
